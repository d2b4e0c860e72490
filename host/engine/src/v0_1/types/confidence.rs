//! Slot `confidence`.

use std::sync::Arc;

use countersign_kernel::contract::confidence;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::Compliance;

twin!(Orientation, confidence::Orientation {
    Confidence = "confidence", Doubt = "doubt", Entropy = "entropy",
});
twin!(Stakes, confidence::Stakes { Low = "low", Medium = "medium", High = "high", Critical = "critical" });
twin!(ModelKind, confidence::ModelKind { General = "general", Reasoning = "reasoning" });

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Signal {
    name: Arc<str>,
    value: f64,
    orientation: Orientation,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Answer {
    signals: Vec<Signal>,
    stakes: Stakes,
    compliance: Compliance,
    model: ModelKind,
    evidence: u32,
    #[component(name = "may-investigate")]
    may_investigate: bool,
}

impl From<&confidence::Answer> for Answer {
    fn from(answer: &confidence::Answer) -> Self {
        Answer {
            signals: answer
                .signals
                .iter()
                .map(|signal| Signal {
                    name: Arc::clone(&signal.name),
                    value: signal.value,
                    orientation: signal.orientation.into(),
                })
                .collect(),
            stakes: answer.stakes.into(),
            compliance: answer.compliance.into(),
            model: answer.model.into(),
            evidence: answer.evidence,
            may_investigate: answer.may_investigate,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Resampling {
    temperature: f64,
    samples: u32,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum TrustAction {
    #[component(name = "ship")]
    Ship,
    #[component(name = "resample")]
    Resample(Resampling),
    #[component(name = "retrieve")]
    Retrieve,
    #[component(name = "investigate")]
    Investigate,
    #[component(name = "escalate")]
    Escalate,
    #[component(name = "abstain")]
    Abstain,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Trust {
    score: Option<f64>,
    action: TrustAction,
    #[component(name = "signals-used")]
    signals_used: Vec<String>,
    #[component(name = "surface-uncertainty")]
    surface_uncertainty: bool,
    reason: String,
}

impl From<Trust> for confidence::Trust {
    fn from(answer: Trust) -> Self {
        confidence::Trust {
            score: answer.score,
            action: match answer.action {
                TrustAction::Ship => confidence::TrustAction::Ship,
                TrustAction::Resample(resampling) => confidence::TrustAction::Resample(confidence::Resampling {
                    temperature: resampling.temperature,
                    samples: resampling.samples,
                }),
                TrustAction::Retrieve => confidence::TrustAction::Retrieve,
                TrustAction::Investigate => confidence::TrustAction::Investigate,
                TrustAction::Escalate => confidence::TrustAction::Escalate,
                TrustAction::Abstain => confidence::TrustAction::Abstain,
            },
            signals_used: answer.signals_used,
            surface_uncertainty: answer.surface_uncertainty,
            reason: answer.reason,
        }
    }
}
