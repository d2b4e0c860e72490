//! Default policy of the slot `risk`: the risk × confidence matrix of document 001, parts 6.4, 9.1
//! and 13.2. Where the three disagree the strictest wins.

mod config;
mod matrix;
mod remarks;

use countersign_sdk::risk::{Assessment, Compliance, ProposedAction, Reversibility, Risk, Verdict};
use countersign_sdk::{ConfigError, Policy, RunView, log, policy};

use matrix::{Column, Matrix};

/// The risk × confidence matrix.
pub struct RiskMatrix {
    matrix: Matrix,
}

impl Policy for RiskMatrix {
    const NAME: &'static str = "risk";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "weighs irreversibility, blast radius and compliance exposure against confidence";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let matrix = Matrix::new(configuration)?;
        remarks::of(matrix.contract()).iter().for_each(|remark| log::warn(remark));
        Ok(RiskMatrix { matrix })
    }
}

impl Risk for RiskMatrix {
    fn judge(&mut self, action: ProposedAction, run: &dyn RunView) -> Assessment {
        let column = self.matrix.column(action.confidence);
        let (mut verdict, mut reason) = self.matrix.decide(&action, column);
        if verdict < Verdict::Ask
            && let Some(blast @ 1..) = action.blast_radius
            && let Some(limit) = run.boundary().and_then(|boundary| boundary.blast_radius_limit)
            && blast > limit
        {
            verdict = Verdict::Ask;
            reason = format!("touches {blast} records, the run's limit is {limit}");
        }
        Assessment { verdict, score: score(&action, column), reason }
    }
}

/// Severity × (1 − confidence). Severity is the chance that at least one of three independent
/// dimensions bites, so it never falls when one of them rises.
fn score(action: &ProposedAction, column: Column) -> f64 {
    let irreversibility = match action.reversibility {
        Reversibility::Reversible => 0.1,
        Reversibility::Irreversible | Reversibility::Unknown => 0.8,
    };
    let blast = match action.blast_radius {
        // By powers of two: 0 at nothing, 1 at eight thousand records.
        Some(records) => (f64::from(records.saturating_add(1).ilog2()) / 13.0).min(1.0),
        None => 1.0,
    };
    let exposure = match action.compliance {
        Compliance::None => 0.0,
        Compliance::Pii => 0.5,
        Compliance::Financial => 0.7,
        Compliance::Regulated => 0.9,
    };
    let severity = 1.0 - (1.0 - irreversibility) * (1.0 - 0.8 * blast) * (1.0 - exposure);
    severity * (1.0 - column.confidence)
}

policy!(RiskMatrix: risk);
