//! What the registry says of a tool: everything that the loop needs to know before it calls it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::{Compliance, Reversibility, ToolCategory};

/// A registered tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: Arc<str>,
    /// Digest of its whole definition.
    pub definition: Arc<str>,
    /// What kind of thing it does.
    pub category: ToolCategory,
    /// What a call may change.
    pub side_effect: SideEffectClass,
    /// Whether it can be undone.
    pub reversibility: Reversibility,
    /// Doing it twice is doing it once: the host may repeat a call whose outcome is unknown.
    pub idempotent: bool,
    /// A paid or networked call: counts as an external one.
    pub external: bool,
    /// Repeating it is its purpose.
    pub poller: bool,
    /// It works inside the run only.
    pub internal: bool,
    /// It moves the world on in a way that a cycle may end with (document 004).
    pub terminal: bool,
    /// Records or people one call touches, where its arguments do not say; none when unknown.
    pub blast_radius: Option<u64>,
    /// Strictest tag of what it touches.
    pub compliance: Compliance,
    /// Micro-dollars of one call.
    pub cost: u64,
    /// Milliseconds it may take.
    pub time_out: u64,
    /// The scope that the boundary must grant; none where the list of tools is enough.
    pub permission: Option<Arc<str>>,
    /// When a person must approve, instead of what its category says. Ceilings hold all the same.
    pub approval: Option<ApprovalRule>,
    /// Caps of this tool beside the run's.
    pub limits: ToolLimits,
    /// A tool that does the same for less: it must have been tried before.
    pub cheaper: Option<Arc<str>>,
    /// Facts that must have been read lately before this tool may run.
    pub needs_fresh: Vec<Freshness>,
    /// What makes its observation a verified one; none leaves it unverified.
    pub verifier: Option<Verifier>,
}

impl Tool {
    /// A tool of which only this is known: it may change what others see, in ways that nobody can
    /// undo or count.
    pub fn new(name: &str, category: ToolCategory) -> Self {
        Tool {
            name: name.into(),
            definition: "".into(),
            category,
            side_effect: SideEffectClass::ExternalWrite,
            reversibility: Reversibility::Unknown,
            idempotent: false,
            external: true,
            poller: false,
            internal: false,
            terminal: false,
            blast_radius: None,
            compliance: Compliance::None,
            cost: 0,
            time_out: 10_000,
            permission: None,
            approval: None,
            limits: ToolLimits::default(),
            cheaper: None,
            needs_fresh: Vec::new(),
            verifier: None,
        }
    }

    /// It may change something outside the run.
    pub fn mutating(&self) -> bool {
        self.side_effect != SideEffectClass::ReadOnly
    }
}

/// What a call may change (document 003, tool selection policy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SideEffectClass {
    /// Nothing.
    ReadOnly,
    /// The working folder.
    LocalWrite,
    /// Something others see.
    ExternalWrite,
    /// Messages to people.
    Communication,
    /// Money.
    Financial,
    /// Machines and services.
    Infrastructure,
}

/// When a person must approve a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalRule {
    /// Not by this rule.
    Never,
    /// When it changes something and cannot be undone, or touches more than the boundary's limit.
    Destructive,
    /// When it changes something.
    Mutating,
    /// Before every call.
    Always,
}

/// Caps of one tool in one run; none is no cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolLimits {
    /// Calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Calls within any 60 seconds of the run's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// Micro-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

/// A fact and how old its reading may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Freshness {
    /// Name of the fact, as tools extract it.
    pub fact: Arc<str>,
    /// Milliseconds of the run's time.
    pub within: u64,
}

/// What can make an observation a verified one (specification D21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verifier {
    /// The command's exit code is the one declared.
    ExitCode(i32),
    /// The result matches the tool's result schema.
    ResultSchema,
    /// Another tool, called with what the call was given, shows what it should have done.
    ReadBack(Arc<str>),
    /// A command of the operator looks.
    Checker(Arc<str>),
}
