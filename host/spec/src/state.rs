//! The seven kinds of state and who may write them (document 003, state governance; specification
//! D12). Scratchpads help a model think; task state tells what is true; observations prove what
//! happened; the trace and the audit record preserve why.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A kind of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// Working notes of one step. Gone with the next.
    Scratchpad,
    /// Goal, plan, committed facts, budget. Changed by verified transitions only.
    TaskState,
    /// Material that lookups brought, with its source and age. Read-only to the model.
    Evidence,
    /// What tools answered. Append-only.
    Observations,
    /// What outlives the run. Written after verification, with sources and an end.
    Memory,
    /// The run's frames. Append-only, then read-only.
    Trace,
    /// Approvals, decisions and exceptions. Append-only, for reviewers.
    AuditRecord,
}

impl StateKind {
    /// All seven.
    pub const ALL: [StateKind; 7] = [
        StateKind::Scratchpad,
        StateKind::TaskState,
        StateKind::Evidence,
        StateKind::Observations,
        StateKind::Memory,
        StateKind::Trace,
        StateKind::AuditRecord,
    ];

    /// Whether a model's proposal to write it is looked at at all. The boundary may allow less.
    pub fn model_may_propose(self) -> bool {
        matches!(self, StateKind::Scratchpad | StateKind::Memory)
    }

    /// Whether it survives the compression of a request.
    pub fn survives_compression(self) -> bool {
        !matches!(self, StateKind::Scratchpad | StateKind::Evidence)
    }

    /// As it is written in traces and configuration.
    pub fn name(self) -> &'static str {
        match self {
            StateKind::Scratchpad => "scratchpad",
            StateKind::TaskState => "task-state",
            StateKind::Evidence => "evidence",
            StateKind::Observations => "observations",
            StateKind::Memory => "memory",
            StateKind::Trace => "trace",
            StateKind::AuditRecord => "audit-record",
        }
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that outlives the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Memory {
    /// Under this name.
    pub key: Arc<str>,
    /// What is remembered.
    pub text: Arc<str>,
    /// The run it comes from.
    pub run: Arc<str>,
    /// Numbers of the calls there that support it.
    pub sources: Vec<u64>,
    /// When it was written, UTC milliseconds; none counts from the start of the run that reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// Milliseconds after which it no longer counts; none never ends.
    pub tenure: Option<u64>,
}
