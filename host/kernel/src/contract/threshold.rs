//! `wit/v0.1/threshold.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{Dimension, Reversibility, Verdict};

/// Sixteen of them stand in a trace twice an action, most with one flag set: what is false is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ActionReturn {
    pub at: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advanced: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub novel: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub neutral: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AuthorityGap {
    pub tool: Arc<str>,
    pub who: Arc<str>,
    pub what: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CostLine {
    pub dimension: Dimension,
    pub used: u64,
    pub limit: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NextAction {
    pub tool: Arc<str>,
    pub reversibility: Reversibility,
    pub mutating: bool,
    pub idempotent: bool,
    pub risk: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ledger {
    pub at: u64,
    pub since: u64,
    pub actions: u32,
    pub returns: Vec<ActionReturn>,
    pub criteria_met: u32,
    pub criteria: u32,
    pub gap: Option<AuthorityGap>,
    pub costs: Vec<CostLine>,
    pub next: Option<NextAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    AuthorityGap,
    ConfidenceCollapse,
    IrreversibleAction,
    BudgetExhausted,
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Trigger::AuthorityGap => "authority gap",
            Trigger::ConfidenceCollapse => "confidence collapse",
            Trigger::IrreversibleAction => "irreversible action",
            Trigger::BudgetExhausted => "budget exhausted",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    Continue,
    Escalate(Trigger),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Weighing {
    pub decision: Decision,
    pub value: f64,
    pub risk: f64,
    pub cost: f64,
    pub irreversibility: f64,
    pub authority_gap: f64,
    pub reason: String,
}

impl Weighing {
    /// What the host does, as the slot documents it.
    pub fn verdict(&self) -> Verdict {
        match self.decision {
            Decision::Continue => Verdict::Proceed,
            Decision::Escalate(_) => Verdict::Ask,
        }
    }

    /// Whether the contract allows it.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self) -> Result<(), Violation> {
        violation::unit("value", self.value)?;
        violation::unit("risk", self.risk)?;
        violation::unit("cost", self.cost)?;
        violation::unit("irreversibility", self.irreversibility)?;
        violation::unit("authority-gap", self.authority_gap)?;
        violation::text("reason", &self.reason)
    }
}
