//! `wit/v0.1/doom-loop.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::Verdict;
use crate::violation::{self, Violation};

pub use crate::FailureClass;

record! {
    #[derive(Copy, Eq)]
    pub struct Failure {
        pub class: FailureClass,
        #[serde(with = "crate::key::maybe")]
        pub key: Option<u64>,
    }
}

record! {
    pub struct ObservedStep {
        pub index: Option<u32>,
        pub action: Arc<str>,
        #[serde(with = "crate::key::maybe")]
        pub call_key as "call-key": Option<u64>,
        #[serde(with = "crate::key::maybe")]
        pub result_key as "result-key": Option<u64>,
        #[serde(with = "crate::key::maybe")]
        pub state_before as "state-before": Option<u64>,
        #[serde(with = "crate::key::maybe")]
        pub state_after as "state-after": Option<u64>,
        pub failure: Option<Failure>,
        pub mutating: bool,
        pub poller: bool,
        pub internal: bool,
        pub user_boundary as "user-boundary": bool,
        pub action_bytes as "action-bytes": u64,
        pub result_bytes as "result-bytes": u64,
        pub drift: Option<f64>,
    }
}

cases! {
    pub enum TripReason {
        NoProgress = "no-progress",
        SameError = "same-error",
        ToolThrash = "tool-thrash",
        RepeatedMessage = "repeated-message",
        TurnCap = "turn-cap",
    }
}

cases! {
    pub enum Handoff {
        Replan = "replan",
        Escalate = "escalate",
        Ask = "ask",
        Terminate = "terminate",
    }
}

record! {
    #[derive(Eq)]
    pub struct Trip {
        pub reason: TripReason,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub evidence: String,
        pub handoff: Handoff,
    }
}

variant! {
    #[derive(Eq)]
    pub enum Signal {
        Steady = "steady",
        Caution(String) = "caution",
        Warning(String) = "warning",
        Trip(Trip) = "trip",
    }
}

impl crate::Answer for Signal {
    type Question = ObservedStep;

    fn check(&self, _: &ObservedStep) -> Result<(), Violation> {
        match self {
            Signal::Steady => Ok(()),
            Signal::Caution(text) => violation::text("caution", text),
            Signal::Warning(text) => violation::text("warning", text),
            Signal::Trip(trip) => violation::text("trip.evidence", &trip.evidence),
        }
    }

    fn verdict(&self) -> Verdict {
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

    fn reason(&self) -> &str {
        match self {
            Signal::Steady => "",
            Signal::Caution(text) | Signal::Warning(text) => text,
            Signal::Trip(trip) => &trip.evidence,
        }
    }

    fn without_words(&self) -> Self {
        match self {
            Signal::Steady => Signal::Steady,
            Signal::Caution(_) => Signal::Caution(String::new()),
            Signal::Warning(_) => Signal::Warning(String::new()),
            Signal::Trip(trip) => Signal::Trip(Trip { evidence: String::new(), ..*trip }),
        }
    }
}
