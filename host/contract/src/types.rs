//! `wit/v0.1/types.wit`: what more than one slot or the view of the run uses; and what the host itself knows
//! of tasks, models and their answers, whichever slot is asked about them.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::Violation;
use crate::violation;

cases! {
    pub enum Verdict {
        Proceed = "proceed",
        Log = "log",
        Notify = "notify",
        Replan = "replan",
        Escalate = "escalate",
        Ask = "ask",
        Deny = "deny",
        Terminate = "terminate",
    }
}

cases! {
    pub enum Tier { Cheap = "cheap", Mid = "mid", Strong = "strong" }
}

cases! {
    #[derive(Default)]
    pub enum Compliance {
        #[default]
        None = "none",
        Pii = "pii",
        Financial = "financial",
        Regulated = "regulated",
    }
}

cases! {
    pub enum ToolCategory {
        ReadOnlyLookup = "read-only-lookup",
        Retrieval = "retrieval",
        LiveApi = "live-api",
        Sandbox = "sandbox",
        FileSystem = "file-system",
        Database = "database",
        Communication = "communication",
        Payment = "payment",
        Infrastructure = "infrastructure",
        ReviewQueue = "review-queue",
    }
}

cases! {
    #[derive(Default)]
    pub enum Reversibility {
        Reversible = "reversible",
        Irreversible = "irreversible",
        #[default]
        Unknown = "unknown",
    }
}

cases! {
    pub enum FailureClass {
        Rejected = "rejected",
        Failed = "failed",
        TimedOut = "timed-out",
        Infrastructure = "infrastructure",
    }
}

cases! {
    #[derive(Default)]
    pub enum SensitivityTag {
        #[default]
        Public = "public",
        Internal = "internal",
        Confidential = "confidential",
        Restricted = "restricted",
        Critical = "critical",
    }
}

record! {
    /// Part of a text, in bytes, with what it is.
    pub struct Span {
        pub start: u32,
        pub end: u32,
        pub kind: String,
        pub score: f64,
    }
}

cases! {
    pub enum Phase { Intake = "intake", Proposal = "proposal", Observation = "observation" }
}

cases! {
    pub enum Dimension {
        Steps = "steps",
        InputTokens = "input-tokens",
        OutputTokens = "output-tokens",
        ToolCalls = "tool-calls",
        ExternalCalls = "external-calls",
        RunningTime = "running-time",
        Cost = "cost",
        Retries = "retries",
        Reflections = "reflections",
        ContextTokens = "context-tokens",
        MemoryWrites = "memory-writes",
        SideEffects = "side-effects",
        RecordsTouched = "records-touched",
        MoneyMoved = "money-moved",
        RecipientsReached = "recipients-reached",
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct BudgetLine {
        pub limit: u64,
        pub used: u64,
        pub reserved: u64,
    }
}

impl BudgetLine {
    /// What is neither spent nor set aside.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.reserved)
    }
}

cases! {
    pub enum Orientation {
        Confidence = "confidence",
        Doubt = "doubt",
        Entropy = "entropy",
    }
}

record! {
    pub struct Signal {
        pub name: Arc<str>,
        pub value: f64,
        pub orientation: Orientation,
    }
}

cases! {
    #[derive(Default)]
    pub enum Stakes {
        #[default]
        Low = "low",
        Medium = "medium",
        High = "high",
        Critical = "critical",
    }
}

cases! {
    #[derive(Default)]
    pub enum ModelKind {
        #[default]
        General = "general",
        Reasoning = "reasoning",
    }
}

impl Signal {
    /// Whether the contract allows it as an input.
    ///
    /// # Errors
    /// The value, when out of range or NaN.
    pub fn check(&self) -> Result<(), Violation> {
        match self.orientation {
            Orientation::Confidence | Orientation::Doubt => violation::unit("value", self.value),
            Orientation::Entropy => violation::number("value", self.value, 0.0..=f64::MAX, "0 or more nats"),
        }
    }
}
