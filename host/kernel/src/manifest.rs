use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::budget::Limits;
use crate::contract::confidence::{ModelKind, Stakes};
use crate::contract::risk::Reversibility;
use crate::contract::{Compliance, Tier, ToolCategory, Verdict};
use crate::input::Verifier;
use crate::judgement::Slot;

/// Everything a run is pinned to: frame 0 of its trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Version of the trace's format, [`crate::TRACE_FORMAT`].
    pub format: u32,
    /// Version of the fold, [`crate::KERNEL_RULES`].
    pub kernel_rules: u32,
    /// Id of the run.
    pub run: Arc<str>,
    /// On whose account.
    pub tenant: Option<String>,
    /// Whether verdicts are enforced.
    pub mode: Mode,
    /// What is to be achieved.
    pub goal: Goal,
    /// The operating envelope.
    pub boundary: Boundary,
    /// Caps.
    pub limits: Limits,
    /// Whether policies are told step index, budgets and caps. A model that is shown how little is
    /// left gives up early; so may a policy.
    pub show_budget: bool,
    /// When to ask a stronger model.
    pub escalation: EscalationRules,
    /// One for each tier, weakest first; at least one.
    pub models: Vec<Model>,
    /// The tool registry.
    pub tools: Vec<Tool>,
    /// Digest of the texts that requests are made of.
    pub prompt_templates: Arc<str>,
    /// Digest of the bundle's lock.
    pub lock: Arc<str>,
    /// Version of the contract.
    pub contract: Arc<str>,
    /// What, beside the components, can change what a call does.
    pub engine: Arc<str>,
    /// The bundle's entries, in lock order.
    pub entries: Vec<EntryPin>,
    /// Where a recorded run comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Whether verdicts are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They are.
    Enforce,
    /// They are recorded and nothing is blocked.
    Monitor,
}

/// What is to be achieved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Goal {
    /// In the words of whoever asked. At most 16 KiB.
    pub text: Arc<str>,
    /// What must be respected on the way.
    pub constraints: Vec<Arc<str>>,
    /// What must be verified for success. Empty: success is unverified.
    pub criteria: Vec<Criterion>,
    /// What depends on it.
    pub stakes: Stakes,
    /// Strictest tag of what it touches.
    pub compliance: Compliance,
    /// Steps somebody estimated.
    pub step_estimate: Option<u32>,
    /// The user lets the host investigate before it answers.
    pub may_investigate: bool,
}

/// An acceptance criterion: met by a verified observation of a tool, lost by a failed one, and, if
/// the tool only reads, lost by any later call that may change something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Criterion {
    /// Its id.
    pub id: Arc<str>,
    /// In words.
    pub text: Arc<str>,
    /// The tool whose verifier must hold.
    pub tool: Arc<str>,
}

/// The operating envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Boundary {
    /// Its name.
    pub name: String,
    /// Tools the run may use; a registered tool outside is denied.
    pub tools: Vec<Arc<str>>,
    /// Records or people one action may touch without consent.
    pub blast_radius_limit: Option<u64>,
    /// Where tools run, for people.
    pub working_context: Arc<str>,
}

/// When to ask a stronger model (specification A3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EscalationRules {
    /// Failed attempts at the same step; default 2.
    pub failed_attempts: u32,
    /// Where no classifier sets it: escalations a run may make.
    pub max_escalations: u32,
}

/// A model behind a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// The tier.
    pub tier: Tier,
    /// Its id.
    pub name: Arc<str>,
    /// Which training it had.
    pub kind: ModelKind,
    /// Micro-dollars for 1,000 tokens sent.
    pub input_price: u64,
    /// Micro-dollars for 1,000 tokens received.
    pub output_price: u64,
    /// Tokens it may answer at most.
    pub max_output_tokens: u64,
}

impl Model {
    /// Micro-dollars of a call, rounded up.
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        let of = |tokens: u64, price: u64| tokens.saturating_mul(price);
        of(input_tokens, self.input_price).saturating_add(of(output_tokens, self.output_price)).div_ceil(1000)
    }
}

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
    /// Whether it can be undone.
    pub reversibility: Reversibility,
    /// It may change something outside the run.
    pub mutating: bool,
    /// Repeating it is its purpose.
    pub poller: bool,
    /// It works inside the run only.
    pub internal: bool,
    /// Records or people one call touches; none when unknown.
    pub blast_radius: Option<u64>,
    /// Strictest tag of what it touches.
    pub compliance: Compliance,
    /// What makes its observation a verified one; none leaves it unverified.
    pub verifier: Option<Verifier>,
}

/// A bundle entry as the run is pinned to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EntryPin {
    /// Name of the entry.
    pub name: Arc<str>,
    /// The policy's own name and version.
    pub policy: Arc<str>,
    /// Digest of the component.
    pub component: Arc<str>,
    /// Digest of the configuration.
    pub configuration: Arc<str>,
    /// The slots it serves.
    pub slots: Vec<SlotPin>,
}

/// An entry in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SlotPin {
    /// The slot.
    pub slot: Slot,
    /// Whether its verdicts count.
    pub mode: PolicyMode,
    /// What applies when it cannot decide.
    pub failure_verdict: Verdict,
}

/// Whether a policy's verdicts count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyMode {
    /// They do.
    Enforce,
}

/// Where a recorded run comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// The file's name.
    pub recording: String,
    /// Position in it, from 0.
    pub index: u64,
    /// Who recorded it, which task, which model: as the recording says.
    pub labels: Vec<(String, String)>,
}

/// A manifest that no run can start from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Made by another version of the fold.
    #[error("kernel rules {found} are not known here, expected {expected}")]
    KernelRules {
        /// In the manifest.
        found: u32,
        /// Here.
        expected: u32,
    },
    /// A value makes no sense.
    #[error("`{key}`: {problem}")]
    Invalid {
        /// Where.
        key: String,
        /// What was expected.
        problem: String,
    },
}

impl Manifest {
    /// Whether a run can start from it.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.kernel_rules != crate::KERNEL_RULES {
            return Err(ManifestError::KernelRules { found: self.kernel_rules, expected: crate::KERNEL_RULES });
        }
        let invalid = |key: String, problem: &str| Err(ManifestError::Invalid { key, problem: problem.to_owned() });
        if self.limits.steps == 0 {
            return invalid("limits.steps".to_owned(), "a run needs at least 1");
        }
        if self.models.is_empty() {
            return invalid("models".to_owned(), "at least one is needed");
        }
        if !self.models.is_sorted_by(|a, b| a.tier < b.tier) {
            return invalid("models".to_owned(), "one for each tier, weakest first");
        }
        for tool in &self.tools {
            if self.tools.iter().filter(|other| other.name == tool.name).count() > 1 {
                return invalid(format!("tools.{}", tool.name), "declared twice");
            }
        }
        for name in &self.boundary.tools {
            if self.tool(name).is_none() {
                return invalid(format!("boundary.tools.{name}"), "no such tool is registered");
            }
        }
        for criterion in &self.goal.criteria {
            if self.goal.criteria.iter().filter(|other| other.id == criterion.id).count() > 1 {
                return invalid(format!("goal.criteria.{}", criterion.id), "declared twice");
            }
            match self.tool(&criterion.tool) {
                Some(tool) if tool.verifier.is_some() => {}
                Some(_) => {
                    return invalid(
                        format!("goal.criteria.{}", criterion.id),
                        "its tool has no verifier, so nothing could ever verify it",
                    );
                }
                None => {
                    return invalid(
                        format!("goal.criteria.{}", criterion.id),
                        &format!("tool `{}` is not registered", criterion.tool),
                    );
                }
            }
        }
        Ok(())
    }

    /// A registered tool.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| *tool.name == *name)
    }

    /// The model of a tier.
    pub fn model(&self, tier: Tier) -> Option<&Model> {
        self.models.iter().find(|model| model.tier == tier)
    }

    /// Entries in a slot, in lock order, by their position.
    pub fn entries_in(&self, slot: Slot) -> impl Iterator<Item = usize> + '_ {
        let serves = move |entry: &EntryPin| entry.slots.iter().any(|pin| pin.slot == slot);
        self.entries.iter().enumerate().filter(move |(_, entry)| serves(entry)).map(|(index, _)| index)
    }
}
