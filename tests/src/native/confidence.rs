//! Slot `confidence`.

use countersign::kernel::contract::confidence as contract;
use countersign_sdk::confidence as sdk;

use super::shared::to_compliance;

native!(Confidence, sdk::Confidence, judge, to_answer, trust);

/// A question's record as the SDK has it.
pub fn to_answer(answer: &contract::Answer) -> sdk::Answer {
    sdk::Answer {
        signals: answer
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
        stakes: map_enum!(answer.stakes, contract::Stakes => sdk::Stakes { Low, Medium, High, Critical }),
        compliance: to_compliance(answer.compliance),
        model: map_enum!(answer.model, contract::ModelKind => sdk::ModelKind { General, Reasoning }),
        evidence: answer.evidence,
        may_investigate: answer.may_investigate,
    }
}

fn trust(answer: sdk::Trust) -> contract::Trust {
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
