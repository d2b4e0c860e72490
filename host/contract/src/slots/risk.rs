//! `wit/v0.1/risk.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::violation::{self, Violation};
use crate::{Compliance, ToolCategory, Verdict};

pub use crate::Reversibility;

cases! {
    pub enum Novelty {
        NewTool = "new-tool",
        NewArguments = "new-arguments",
        Repeated = "repeated",
    }
}

record! {
    pub struct ProposedAction {
        pub tool: Arc<str>,
        pub category: ToolCategory,
        pub arguments: Arc<str>,
        pub reversibility: Reversibility,
        pub blast_radius as "blast-radius": Option<u64>,
        pub compliance: Compliance,
        pub novelty: Novelty,
        pub working_context as "working-context": Arc<str>,
        pub confidence: Option<f64>,
    }
}

record! {
    pub struct Assessment {
        pub verdict: Verdict,
        pub score: f64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl crate::Answer for Assessment {
    type Question = ProposedAction;

    fn check(&self, _: &ProposedAction) -> Result<(), Violation> {
        violation::unit("score", self.score)?;
        violation::text("reason", &self.reason)
    }

    fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn score(&self) -> Option<f64> {
        Some(self.score)
    }

    const WORDS: &'static [&'static str] = Verdict::NAMES;

    fn word(&self) -> Option<&'static str> {
        Some(self.verdict.name())
    }

    fn without_words(&self) -> Self {
        Assessment { reason: String::new(), ..self.clone() }
    }
}
