//! `wit/v0.1/context.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use crate::Verdict;
use crate::violation::{self, Violation};

cases! {
    pub enum ItemKind {
        Goal = "goal",
        Notice = "notice",
        Guidance = "guidance",
        Plan = "plan",
        Digest = "digest",
        Scratchpad = "scratchpad",
        Memory = "memory",
        Exchange = "exchange",
    }
}

cases! {
    pub enum Tenure {
        Pinned = "pinned",
        Working = "working",
        Transient = "transient",
    }
}

record! {
    #[derive(Copy)]
    pub struct Item {
        pub kind: ItemKind,
        pub tokens: u32,
        pub tenure: Tenure,
    }
}

record! {
    pub struct Pressure {
        pub used: u64,
        pub window: u64,
        pub boundary: bool,
        pub asked: bool,
        pub items: Vec<Item>,
    }
}

cases! {
    pub enum Layer {
        BudgetReduction = "budget-reduction",
        Snip = "snip",
        Microcompact = "microcompact",
        Collapse = "collapse",
        FullCompaction = "full-compaction",
    }
}

variant! {
    #[derive(Copy, Eq, PartialOrd, Ord)]
    pub enum Strategy {
        Keep = "keep",
        Layer(Layer) = "layer",
        Branch = "branch",
    }
}

record! {
    pub struct Compaction {
        pub strategy: Strategy,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl crate::Answer for Compaction {
    type Question = Pressure;

    fn check(&self, _: &Pressure) -> Result<(), Violation> {
        violation::text("reason", &self.reason)
    }

    fn verdict(&self) -> Verdict {
        match self.strategy {
            Strategy::Keep => Verdict::Proceed,
            Strategy::Layer(_) | Strategy::Branch => Verdict::Log,
        }
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Compaction { reason: String::new(), ..self.clone() }
    }
}
