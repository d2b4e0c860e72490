//! `wit/v0.1/doom-loop.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{Key, Verdict};

pub use super::FailureClass;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    pub class: FailureClass,
    pub key: Option<Key>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObservedStep {
    pub index: Option<u32>,
    pub action: Arc<str>,
    pub call_key: Option<Key>,
    pub result_key: Option<Key>,
    pub state_before: Option<Key>,
    pub state_after: Option<Key>,
    pub failure: Option<Failure>,
    pub mutating: bool,
    pub poller: bool,
    pub internal: bool,
    pub user_boundary: bool,
    pub action_bytes: u64,
    pub result_bytes: u64,
    pub drift: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TripReason {
    NoProgress,
    SameError,
    ToolThrash,
    RepeatedMessage,
    TurnCap,
}

impl std::fmt::Display for TripReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            TripReason::NoProgress => "no progress",
            TripReason::SameError => "same error",
            TripReason::ToolThrash => "tool thrash",
            TripReason::RepeatedMessage => "repeated message",
            TripReason::TurnCap => "turn cap",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handoff {
    Replan,
    Escalate,
    Ask,
    Terminate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trip {
    pub reason: TripReason,
    pub evidence: String,
    pub handoff: Handoff,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    Steady,
    Caution(String),
    Warning(String),
    Trip(Trip),
}

impl Signal {
    /// What the host does, as the slot documents it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Signal::Steady => Verdict::Proceed,
            Signal::Caution(_) => Verdict::Log,
            Signal::Warning(_) => Verdict::Notify,
            Signal::Trip(trip) => match trip.handoff {
                Handoff::Replan => Verdict::Replan,
                Handoff::Escalate => Verdict::Escalate,
                Handoff::Ask => Verdict::Ask,
                Handoff::Terminate => Verdict::Terminate,
            },
        }
    }

    /// Whether the contract allows it.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self) -> Result<(), Violation> {
        match self {
            Signal::Steady => Ok(()),
            Signal::Caution(text) => violation::text("caution", text),
            Signal::Warning(text) => violation::text("warning", text),
            Signal::Trip(trip) => violation::text("trip.evidence", &trip.evidence),
        }
    }
}
