use countersign_kernel::contract::Signal;
use countersign_kernel::{Approval, Response, Stage, Usage};
use serde_json::Value;

use super::{Permit, Stop};

/// A call that an agent wants to make.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub(super) tool: String,
    pub(super) arguments: Value,
    pub(super) reasoning: String,
    pub(super) confidence: Option<f64>,
    pub(super) signals: Vec<Signal>,
    pub(super) usage: Usage,
}

impl Proposal {
    /// A call of a tool. What nobody says of it is unknown: without a confidence the strictest column
    /// of the risk matrix holds.
    pub fn new(tool: impl Into<String>, arguments: Value) -> Self {
        Proposal {
            tool: tool.into(),
            arguments,
            reasoning: String::new(),
            confidence: None,
            signals: Vec::new(),
            usage: Usage::default(),
        }
    }

    /// The agent's own word on its confidence, 0..=1.
    #[must_use]
    pub fn confidence(mut self, confidence: f64) -> Self {
        self.confidence = Some(confidence);
        self
    }

    /// Measurements beside its word, as the confidence slot knows them.
    #[must_use]
    pub fn signals(mut self, signals: Vec<Signal>) -> Self {
        self.signals = signals;
        self
    }

    /// Why, in the agent's words. Recorded, secrets replaced.
    #[must_use]
    pub fn reasoning(mut self, reasoning: impl Into<String>) -> Self {
        self.reasoning = reasoning.into();
        self
    }

    /// What the agent's model used to come to it: booked in the run's budget.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }
}

/// What is answered to a proposal.
#[derive(Debug)]
#[must_use]
pub enum CallDecision {
    /// The call may be made, now and once.
    Permitted(Permit),
    /// A person must approve it first. The run goes on; the very same proposal after the approval is
    /// permitted, once.
    Parked(Box<Approval>),
    /// Not this call.
    Refused(Refusal),
    /// The host took it itself (`defer_to_human`, `escalate_to_architect`): nothing is to be called.
    Noted(String),
    /// No call at all: the run waits for a person, or is over.
    Stopped(Stop),
}

/// Why a call is not to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where in the pipeline it was stopped; none where a policy wants something else done.
    pub stage: Option<Stage>,
    /// What may help.
    pub response: Response,
    /// Why.
    pub reason: String,
}
