//! Slot `confidence`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::confidence::{ModelKind, Orientation, Signal, Stakes, Statement};
use countersign::kernel::contract::{Compliance, confidence as contract};
use countersign_sdk::confidence as sdk;

use crate::generate::Random;
use crate::laws::{Law, Trial, answered, view};
use crate::native::shared::to_compliance;

native!(Confidence, countersign_confidence::SignalFusion, sdk::Confidence.judge);

/// A question's record as the SDK has it.
pub fn to_sdk(statement: &contract::Statement) -> sdk::Statement {
    sdk::Statement {
        signals: statement
            .signals
            .iter()
            .map(|signal| sdk::Signal {
                name: signal.name.to_string(),
                value: signal.value,
                orientation: map_enum!(signal.orientation, contract::Orientation => sdk::Orientation {
                    Confidence, Doubt, Entropy
                }),
            })
            .collect(),
        stakes: map_enum!(statement.stakes, contract::Stakes => sdk::Stakes { Low, Medium, High, Critical }),
        compliance: to_compliance(statement.compliance),
        model: map_enum!(statement.model, contract::ModelKind => sdk::ModelKind { General, Reasoning }),
        evidence: statement.evidence,
        may_investigate: statement.may_investigate,
    }
}

fn from_sdk(answer: sdk::Trust) -> contract::Trust {
    contract::Trust {
        score: answer.score,
        action: match answer.action {
            sdk::TrustAction::Ship => contract::TrustAction::Ship,
            sdk::TrustAction::Resample(resampling) => contract::TrustAction::Resample(contract::Resampling {
                temperature: resampling.temperature,
                samples: resampling.samples,
            }),
            sdk::TrustAction::Retrieve => contract::TrustAction::Retrieve,
            sdk::TrustAction::Investigate => contract::TrustAction::Investigate,
            sdk::TrustAction::Escalate => contract::TrustAction::Escalate,
            sdk::TrustAction::Abstain => contract::TrustAction::Abstain,
        },
        signals_used: answer.signals_used,
        surface_uncertainty: answer.surface_uncertainty,
        reason: answer.reason,
    }
}

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Statement {
    Statement {
        signals: random.some(12, signal),
        stakes: random.pick(&[Stakes::Low, Stakes::Medium, Stakes::High, Stakes::Critical]),
        compliance: random.pick(&Compliance::ALL),
        model: random.pick(&[ModelKind::General, ModelKind::Reasoning]),
        evidence: random.count(),
        may_investigate: random.toss(),
    }
}

fn signal(random: &mut Random) -> Signal {
    const NAMES: [&str; 7] =
        ["logprob_entropy", "sep_estimate", "self_consistency", "verbalised", "verifier", "schema", "own"];
    let orientation = random.pick(&[Orientation::Confidence, Orientation::Doubt, Orientation::Entropy]);
    let value = match orientation {
        Orientation::Confidence | Orientation::Doubt => random.share(),
        Orientation::Entropy if random.once_in(16) => random.pick(&[f64::MAX, 745.2, 1e-300]),
        Orientation::Entropy => random.share() * 5.0,
    };
    Signal { name: random.pick(&NAMES).into(), value, orientation }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 1] = [Law { name: "fused confidence never falls when one signal improves", check: improves }];

fn improves(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (mut before, view) = (question(random), view(random));
    while before.signals.is_empty() {
        before = question(random);
    }
    let mut after = before.clone();
    let at = random.below(after.signals.len());
    better(&mut after.signals[at], random);
    let low = answered!(trial, Confidence, before.clone(), &view);
    let high = answered!(trial, Confidence, after.clone(), &view);
    let holds = match (low.score, high.score) {
        (Some(low), Some(high)) => high >= low,
        (low, high) => low == high,
    };
    ensure!(holds, "{:?} for {:?}, but {:?} for {:?}", low.score, before.signals, high.score, after.signals);
    Ok(())
}

fn better(signal: &mut Signal, random: &mut Random) {
    match signal.orientation {
        Orientation::Confidence => signal.value += (1.0 - signal.value) * random.share(),
        Orientation::Doubt | Orientation::Entropy => signal.value *= random.share(),
    }
}
