//! A tool of the registry, as TOML (specification D13).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use countersign_kernel::contract::{Compliance, Reversibility, ToolCategory, sha256};
use countersign_spec::boundary::FailClosed;
use countersign_spec::tool::{ApprovalRule, Freshness, SideEffectClass, ToolLimits};
use countersign_spec::{Tool, Verifier};
use serde::{Deserialize, Serialize};

/// A tool as a file declares it. What nobody says is unknown, and unknown is the strict case.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolSpec {
    /// What a model is told of it.
    #[serde(default)]
    pub description: String,
    /// What kind of thing it does.
    pub category: ToolCategory,
    /// What a call may change; by default it writes what others see, unless `mutating = false`.
    pub side_effect: Option<SideEffectClass>,
    /// Short for `side-effect = "read-only"` where it is false.
    #[serde(default = "yes")]
    pub mutating: bool,
    /// Whether it can be undone.
    #[serde(default)]
    pub reversibility: Reversibility,
    /// Doing it twice is doing it once.
    #[serde(default)]
    pub idempotent: bool,
    /// Paid or networked; by default what a `live-api`, `payment` or `communication` tool is.
    pub external: Option<bool>,
    /// Repeating it is its purpose.
    #[serde(default)]
    pub poller: bool,
    /// It works inside the run only: a thought, a note, a list of what is to be done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
    /// It moves the world on in a way that a cycle may end with.
    #[serde(default)]
    pub terminal: bool,
    /// Records or people one call touches, where its arguments do not say.
    pub blast_radius: Option<u64>,
    /// Strictest tag of what it touches.
    #[serde(default)]
    pub compliance: Compliance,
    /// Micro-dollars of one call.
    #[serde(default)]
    pub cost: u64,
    /// The scope that the boundary must grant.
    pub permission: Option<String>,
    /// When a person must approve, instead of what its category says.
    pub approval: Option<ApprovalRule>,
    /// Its own caps, beside the run's.
    #[serde(default)]
    pub limits: ToolLimits,
    /// A tool that does the same for less, to be tried before.
    pub cheaper: Option<String>,
    /// Facts that must have been read lately.
    #[serde(default)]
    pub needs_fresh: Vec<Freshness>,
    /// What the arguments say that a call touches.
    #[serde(default)]
    pub touches: TouchesSpec,
    /// JSON pointers to the arguments that make two calls the same one; by default all of them.
    pub identity: Option<Vec<String>>,
    /// JSON pointers to parts of a result that change although nothing has.
    #[serde(default)]
    pub volatile: Vec<String>,
    /// Facts that a result states: name and JSON pointer.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// Conditions that a result reports: a JSON pointer to a true value, by condition.
    #[serde(default)]
    pub reports: BTreeMap<FailClosed, String>,
    /// JSON Schema of the arguments.
    pub arguments: Option<serde_json::Value>,
    /// A real command: its argument vector. `{name}` is replaced by that argument, within one word;
    /// all arguments stand on its standard input as JSON.
    pub command: Option<Vec<String>>,
    /// Milliseconds a command may take.
    #[serde(default = "time_out")]
    pub time_out: u64,
    /// Scripted results, tried in order; the first whose conditions hold on the arguments.
    #[serde(default)]
    pub results: Vec<ResultSpec>,
    /// What makes its observation a verified one.
    pub verify: Option<VerifySpec>,
    /// Digest of what a server says of it, where it is a server's: no file can say it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// JSON pointers into the arguments: to a number, or to a list whose length counts.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TouchesSpec {
    /// Records or people.
    pub records: Option<String>,
    /// Micro-dollars.
    pub money: Option<String>,
    /// People written to.
    pub recipients: Option<String>,
}

/// A scripted result.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResultSpec {
    /// Parts of the canonical arguments that must be there.
    #[serde(default)]
    pub contains: Vec<String>,
    /// How often it is given; always by default.
    pub times: Option<u32>,
    /// What the tool says.
    #[serde(default)]
    pub text: String,
    /// What it ends with.
    #[serde(default)]
    pub exit_code: i32,
    /// Milliseconds that the call takes, on the scenario's clock.
    #[serde(default)]
    pub takes: u64,
    /// It does not answer in time.
    #[serde(default)]
    pub time_out: bool,
    /// What stands behind it is busy or broken, and did nothing.
    #[serde(default)]
    pub infrastructure: bool,
    /// It does not accept the host's credential.
    #[serde(default)]
    pub unauthenticated: bool,
    /// A command that the call runs all the same: for what it leaves behind.
    pub effect: Option<Vec<String>>,
}

/// What makes an observation a verified one.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifySpec {
    /// The exit code is this.
    ExitCode(i32),
    /// The result is JSON that matches this schema.
    ResultSchema(serde_json::Value),
    /// Another tool, which only reads, is called with some of the same arguments and must show this.
    ReadBack(ReadBackSpec),
    /// A command that must end with 0; the call's arguments fill its words, the result stands on its
    /// standard input.
    Checker(Vec<String>),
}

/// How another tool shows what a call should have done.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReadBackSpec {
    /// The tool that reads.
    pub tool: String,
    /// Arguments of the reading call that are taken over from the call.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What the reading must contain; `{name}` is replaced by that argument of the call.
    pub shows: String,
}

fn yes() -> bool {
    true
}

fn time_out() -> u64 {
    10_000
}

impl ToolSpec {
    /// Whether it makes sense by itself, wherever its results come from.
    ///
    /// # Errors
    /// The first key that does not, and what was expected there.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let key = |key: &str| format!("key `tools.{name}.{key}`");
        if self.command.as_ref().is_some_and(Vec::is_empty) {
            return Err(format!("{}: expected the program and its arguments", key("command")));
        }
        if !self.mutating && self.side_effect.is_some_and(|class| class != SideEffectClass::ReadOnly) {
            return Err(format!("{}: `mutating = false` says that nothing is changed", key("side-effect")));
        }
        let compiles = |schema: &serde_json::Value| countersign_schema::Schema::new(schema).map(drop);
        if let Some(schema) = &self.arguments {
            compiles(schema).map_err(|error| format!("{}: {error}", key("arguments")))?;
        }
        match &self.verify {
            Some(VerifySpec::ResultSchema(schema)) => {
                compiles(schema).map_err(|error| format!("{}: {error}", key("verify.result-schema")))?
            }
            Some(VerifySpec::ReadBack(read)) if read.shows.trim().is_empty() => {
                return Err(format!("{}: expected what must be seen", key("verify.read-back.shows")));
            }
            Some(VerifySpec::Checker(words)) => checker_exists(words, &key("verify.checker"))?,
            _ => {}
        }
        let pointers = self
            .facts
            .values()
            .chain(self.reports.values())
            .chain(&self.volatile)
            .chain(self.identity.iter().flatten())
            .chain([&self.touches.records, &self.touches.money, &self.touches.recipients].into_iter().flatten());
        for pointer in pointers {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(format!("key `tools.{name}`: `{pointer}` is no JSON pointer; expected one like `/amount`"));
            }
        }
        let limits = &self.limits;
        if let (Some(calls), Some(rate)) = (limits.calls, limits.calls_per_minute)
            && rate > calls
        {
            return Err(format!("{}: {rate} a minute of {calls} calls in all cannot be", key("limits")));
        }
        Ok(())
    }

    /// The class of what a call may change.
    pub fn side_effect(&self) -> SideEffectClass {
        match (self.side_effect, self.mutating) {
            (Some(class), _) => class,
            (None, false) => SideEffectClass::ReadOnly,
            (None, true) => match self.category {
                ToolCategory::ReadOnlyLookup | ToolCategory::Retrieval => SideEffectClass::ReadOnly,
                ToolCategory::FileSystem | ToolCategory::Sandbox => SideEffectClass::LocalWrite,
                ToolCategory::Payment => SideEffectClass::Financial,
                ToolCategory::Communication => SideEffectClass::Communication,
                ToolCategory::Infrastructure => SideEffectClass::Infrastructure,
                ToolCategory::LiveApi | ToolCategory::Database | ToolCategory::ReviewQueue => {
                    SideEffectClass::ExternalWrite
                }
            },
        }
    }

    /// As a run is pinned to it.
    pub fn registered(&self, name: &str) -> Tool {
        let definition = crate::canonical(&serde_json::to_value(self).unwrap_or_default());
        let reads = self.side_effect() == SideEffectClass::ReadOnly;
        let networked =
            matches!(self.category, ToolCategory::LiveApi | ToolCategory::Payment | ToolCategory::Communication);
        Tool {
            name: name.into(),
            definition: Arc::clone(sha256(definition.as_bytes()).as_str()),
            category: self.category,
            side_effect: self.side_effect(),
            // What changes nothing needs no way back, whether its declaration says so or not.
            reversibility: match self.reversibility {
                Reversibility::Unknown if reads => Reversibility::Reversible,
                declared => declared,
            },
            idempotent: self.idempotent,
            external: self.external.unwrap_or(networked),
            poller: self.poller,
            internal: self.internal,
            terminal: self.terminal,
            blast_radius: self.blast_radius.or(reads.then_some(0)),
            compliance: self.compliance,
            cost: self.cost,
            time_out: self.time_out,
            permission: self.permission.as_deref().map(Arc::from),
            approval: self.approval,
            limits: self.limits,
            cheaper: self.cheaper.as_deref().map(Arc::from),
            needs_fresh: self.needs_fresh.clone(),
            verifier: self.verify.as_ref().map(|verify| match verify {
                VerifySpec::ExitCode(code) => Verifier::ExitCode(*code),
                VerifySpec::ResultSchema(_) => Verifier::ResultSchema,
                VerifySpec::ReadBack(read) => Verifier::ReadBack(read.tool.as_str().into()),
                VerifySpec::Checker(words) => Verifier::Checker(words.join(" ").as_str().into()),
            }),
        }
    }
}

/// A verifier that is not there would verify nothing, and be found out at the worst moment.
fn checker_exists(words: &[String], key: &str) -> Result<(), String> {
    let Some(program) = words.first() else {
        return Err(format!("{key}: expected the program and its arguments"));
    };
    let found = if program.contains('/') {
        // In the working folder, or anywhere: the first can only be known when the run begins.
        !Path::new(program).is_absolute() || Path::new(program).exists()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    };
    if found { Ok(()) } else { Err(format!("{key}: there is no program `{program}`")) }
}
