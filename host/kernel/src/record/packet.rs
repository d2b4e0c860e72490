use std::sync::Arc;

use countersign_spec::routing::Authority;
use serde::{Deserialize, Serialize};

use crate::contract::{Dimension, Key};
use crate::record::input::Touched;

/// All that a stronger model is told (specification A4). Never the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Packet {
    /// What is to be achieved.
    pub goal: Arc<str>,
    /// The last thing that is known to hold.
    pub last_valid_state: String,
    /// Where it went wrong.
    pub failure_point: String,
    /// How it showed.
    pub error_signals: Vec<String>,
    /// The one piece of text that matters, at most 1 KiB.
    pub snippet: String,
    /// What must be respected.
    pub constraints: Vec<Arc<str>>,
}

impl Packet {
    /// Size in tokens, estimated as a quarter of the bytes of its texts.
    pub fn tokens(&self) -> u64 {
        let bytes = self.goal.len()
            + self.last_valid_state.len()
            + self.failure_point.len()
            + self.error_signals.iter().map(String::len).sum::<usize>()
            + self.snippet.len()
            + self.constraints.iter().map(|text| text.len()).sum::<usize>();
        tokens(bytes as u64)
    }
}

/// What a person is asked to approve. Bound to exactly this call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approval {
    /// Number of the call.
    pub call: u64,
    /// The tool.
    pub tool: Arc<str>,
    /// Canonical JSON, secrets replaced.
    pub arguments: Arc<str>,
    /// Identity of the call.
    pub key: Key,
    /// Digest of the tool's definition.
    pub definition: Arc<str>,
    /// Entries that ask.
    pub asked_by: Vec<Arc<str>>,
    /// Why, in their words.
    pub reason: String,
    /// Fused confidence in the answer that proposes it.
    pub confidence: Option<f64>,
    /// What it touches, as far as its arguments say.
    #[serde(default, skip_serializing_if = "Touched::is_empty")]
    pub touches: Touched,
    /// Digest over run, tool, definition, arguments and a number used once: what is approved.
    pub fingerprint: Arc<str>,
    /// Milliseconds of the run's time after which it can no longer be approved.
    pub expires: u64,
    /// How often it was asked for before and nobody decided.
    pub expired: u32,
}

/// What a person is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// An approval.
    Approval,
    /// An answer.
    Answer,
    /// A look at what was done.
    Review,
    /// More budget.
    Release,
    /// The task goes back to triage.
    Triage,
    /// An architect.
    Architect,
    /// An operator's switch is to be lifted.
    Resumption,
}

/// What a person gets who takes a run over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Report {
    /// The goal.
    pub goal: Arc<str>,
    /// Why the run stands still.
    pub reason: String,
    /// The last thing that is known to hold.
    pub last_valid_state: String,
    /// Who receives authority.
    pub authority: Authority,
    /// What for.
    pub wanted: Wanted,
    /// The dimension that is used up, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<Dimension>,
    /// Criteria that are verified.
    pub met: Vec<Arc<str>>,
    /// Criteria that are not.
    pub unmet: Vec<Arc<str>>,
    /// The action that waits for approval, where there is one.
    pub approval: Option<Approval>,
}

/// Tokens of a text of so many bytes, by the rule of thumb of four bytes a token, rounded up.
pub(crate) fn tokens(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}
