//! A second policy of the slot `risk`, to swap for the default one: asks about everything that may
//! change something and cannot surely be undone.

use countersign_sdk::risk::{Assessment, ProposedAction, Reversibility, Risk, Verdict};
use countersign_sdk::{ConfigError, Policy, RunView, policy};
use serde::Deserialize;

/// Asks about what cannot surely be undone, and about every new tool.
pub struct CautiousRisk;

/// It takes no settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {}

impl Policy for CautiousRisk {
    const NAME: &'static str = "risk";
    const VERSION: &'static str = "0.2.0";
    const PURPOSE: &'static str = "asks about everything that cannot surely be undone";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = r#"{"type": "object", "additionalProperties": false}"#;
    type Configuration = Configuration;

    fn configure(_: Configuration) -> Result<Self, ConfigError> {
        Ok(CautiousRisk)
    }
}

impl Risk for CautiousRisk {
    fn judge(&mut self, action: ProposedAction, _run: &dyn RunView) -> Assessment {
        if action.reversibility == Reversibility::Reversible && action.blast_radius == Some(0) {
            Assessment { verdict: Verdict::Proceed, score: 0.0, reason: "touches nothing".to_owned() }
        } else {
            Assessment { verdict: Verdict::Ask, score: 1.0, reason: "may touch something".to_owned() }
        }
    }
}

policy!(CautiousRisk: risk);
