//! A policy of the slot `risk` that decides nothing: its answer is always the same, in the shape of the default
//! policy's. What a call of it costs is what a call costs.

use countersign_sdk::risk::{Assessment, ProposedAction, Risk, Verdict};
use countersign_sdk::{ConfigError, Policy, RunView, policy};
use serde::Deserialize;

/// The same answer to everything.
pub struct ConstantRisk;

/// It takes no settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {}

impl Policy for ConstantRisk {
    const NAME: &'static str = "constant-risk";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "lets everything pass, to measure what a call costs";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = r#"{"type": "object", "additionalProperties": false}"#;
    type Configuration = Configuration;

    fn configure(_: Configuration) -> Result<Self, ConfigError> {
        Ok(ConstantRisk)
    }
}

impl Risk for ConstantRisk {
    fn judge(&mut self, _: ProposedAction, _run: &dyn RunView) -> Assessment {
        Assessment {
            verdict: Verdict::Proceed,
            score: 0.01,
            reason: "reversible, fewer than 10 records, confidence 0.85 or more".to_owned(),
        }
    }
}

policy!(ConstantRisk: risk);
