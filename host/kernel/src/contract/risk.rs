//! `wit/v0.1/risk.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{Compliance, ToolCategory, Verdict};

pub use super::Reversibility;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Novelty {
    NewTool,
    NewArguments,
    Repeated,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProposedAction {
    pub tool: Arc<str>,
    pub category: ToolCategory,
    pub arguments: Arc<str>,
    pub reversibility: Reversibility,
    pub blast_radius: Option<u64>,
    pub compliance: Compliance,
    pub novelty: Novelty,
    pub working_context: Arc<str>,
    pub confidence: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Assessment {
    pub verdict: Verdict,
    pub score: f64,
    pub reason: String,
}

impl Assessment {
    /// Whether the contract allows it.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self) -> Result<(), Violation> {
        violation::unit("score", self.score)?;
        violation::text("reason", &self.reason)
    }
}
