//! `wit/v0.1/classifier.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{Tier, Verdict};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SideEffect {
    None,
    Reversible,
    Irreversible,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TierOffer {
    pub tier: Tier,
    pub cheapest_call: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PastOutcomes {
    pub class: String,
    pub runs: u32,
    pub succeeded: u32,
    pub lessons: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Task {
    pub goal: Arc<str>,
    pub prompt: Arc<str>,
    pub tools: Vec<Arc<str>>,
    pub step_estimate: Option<u32>,
    pub side_effects: SideEffect,
    pub tiers: Vec<TierOffer>,
    pub past: Vec<PastOutcomes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cascade {
    pub escalate_below: f64,
    pub max_escalations: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanningMode {
    Act,
    ActWithReflexion,
    PlanThenExecute,
    ExtendedThinking(u32),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Classification {
    pub class: String,
    pub tier: Tier,
    pub cascade: Option<Cascade>,
    pub planning: PlanningMode,
    pub ambiguity: f64,
    pub verdict: Verdict,
    pub reason: String,
}

impl Classification {
    /// Whether the contract allows it as an answer to this task.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self, task: &Task) -> Result<(), Violation> {
        violation::unit("ambiguity", self.ambiguity)?;
        if let Some(cascade) = &self.cascade {
            violation::unit("cascade.escalate-below", cascade.escalate_below)?;
        }
        violation::text("reason", &self.reason)?;
        let named = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if self.class.is_empty() || self.class.len() > 64 || !self.class.bytes().all(named) {
            return Err(violation::other("class", "1 to 64 lower-case letters, digits and hyphens"));
        }
        if !task.tiers.iter().any(|offer| offer.tier == self.tier) {
            return Err(violation::other("tier", "one of the tiers offered"));
        }
        Ok(())
    }
}
