//! `wit/v0.1/confidence.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{Compliance, Verdict};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    Confidence,
    Doubt,
    Entropy,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Signal {
    pub name: Arc<str>,
    pub value: f64,
    pub orientation: Orientation,
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stakes {
    #[default]
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    #[default]
    General,
    Reasoning,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    pub signals: Vec<Signal>,
    pub stakes: Stakes,
    pub compliance: Compliance,
    pub model: ModelKind,
    pub evidence: u32,
    pub may_investigate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resampling {
    pub temperature: f64,
    pub samples: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustAction {
    Ship,
    Resample(Resampling),
    Retrieve,
    Investigate,
    Escalate,
    Abstain,
}

impl TrustAction {
    /// What the host does, as the slot documents it.
    pub fn verdict(self) -> Verdict {
        match self {
            TrustAction::Ship => Verdict::Proceed,
            TrustAction::Resample(_) => Verdict::Log,
            TrustAction::Retrieve | TrustAction::Investigate | TrustAction::Escalate => Verdict::Escalate,
            TrustAction::Abstain => Verdict::Ask,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trust {
    pub score: Option<f64>,
    pub action: TrustAction,
    pub signals_used: Vec<String>,
    pub surface_uncertainty: bool,
    pub reason: String,
}

impl Trust {
    /// Whether the contract allows it as an answer to this question.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self, answer: &Answer) -> Result<(), Violation> {
        if let Some(score) = self.score {
            violation::unit("score", score)?;
        }
        if let TrustAction::Resample(resampling) = self.action {
            violation::number("action.temperature", resampling.temperature, 0.0..=2.0, "0..=2")?;
            if resampling.samples < 2 {
                return Err(violation::other("action.samples", "at least 2"));
            }
        }
        violation::text("reason", &self.reason)?;
        let given = |name: &String| answer.signals.iter().any(|signal| *signal.name == **name);
        if !self.signals_used.iter().all(given) {
            return Err(violation::other("signals-used", "names of signals in the input"));
        }
        Ok(())
    }
}
