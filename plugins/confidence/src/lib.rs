//! Default policy of the slot `confidence`: weighted fusion of trust signals into bands
//! (document 001, parts 4.2, 4.3 and 13.4).

mod config;
mod fusion;

use countersign_sdk::confidence::{Compliance, Confidence, ModelKind, Resampling, Statement, Trust, TrustAction};
use countersign_sdk::{ConfigError, Policy, RunView, policy};

use config::Lowest;
use fusion::{Fused, Fusion};

/// Signal fusion.
pub struct SignalFusion {
    fusion: Fusion,
    thresholds: config::Thresholds,
    resampling: Resampling,
    evidence_required: bool,
    never_silent: bool,
    lowest: Lowest,
}

impl Policy for SignalFusion {
    const NAME: &'static str = "confidence";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "fuses trust signals by weight and sorts the score into bands";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let thresholds = configuration.thresholds;
        let order =
            [thresholds.abstain, thresholds.spawn_socrates, thresholds.retrieve, thresholds.resample, thresholds.ship];
        if !order.is_sorted() {
            return Err(ConfigError::at(
                "/thresholds",
                "expected abstain <= spawn_socrates <= retrieve <= resample <= ship",
            ));
        }
        Ok(SignalFusion {
            fusion: Fusion::new(configuration.signals, configuration.fallback_signals, configuration.gates)?,
            thresholds,
            resampling: Resampling {
                temperature: configuration.resampling.temperature,
                samples: configuration.resampling.samples,
            },
            evidence_required: configuration.abstention_override.if_compliance_tagged
                == config::Tagged::AlwaysRequireExplicitEvidence,
            never_silent: configuration.abstention_override.if_user_disabled_socrates
                == config::Disabled::NeverAbstainSilently,
            lowest: configuration.below_every_band,
        })
    }
}

impl Confidence for SignalFusion {
    fn judge(&mut self, answer: Statement, _run: &dyn RunView) -> Trust {
        let fused = self.fusion.fuse(&answer.signals, answer.stakes);
        let (mut action, mut reason) = self.band(&fused, answer.model);
        if fused.self_consistency_alone && matches!(action, TrustAction::Ship) {
            // Samples that agree on the same mistake agree perfectly.
            action = TrustAction::Retrieve;
            reason = "self-consistency alone never ships".to_owned();
        }
        if self.evidence_required
            && answer.compliance != Compliance::None
            && answer.evidence == 0
            && matches!(action, TrustAction::Ship | TrustAction::Resample(_))
        {
            action = TrustAction::Retrieve;
            reason = "compliance-tagged and no verified evidence".to_owned();
        }
        let mut surface_uncertainty = !matches!(action, TrustAction::Ship);
        if !answer.may_investigate && matches!(action, TrustAction::Investigate | TrustAction::Abstain) {
            if self.never_silent {
                reason = format!("{reason}; investigation is switched off, so the doubt is shown");
            }
            action = TrustAction::Escalate;
            surface_uncertainty = true;
        }
        Trust { score: fused.score, action, signals_used: fused.used, surface_uncertainty, reason }
    }
}

impl SignalFusion {
    fn band(&self, fused: &Fused, model: ModelKind) -> (TrustAction, String) {
        let Some(score) = fused.score else {
            return (TrustAction::Escalate, "no usable signal".to_owned());
        };
        let (action, least) = if score >= self.thresholds.ship {
            return (TrustAction::Ship, String::new());
        } else if score >= self.thresholds.resample {
            (TrustAction::Resample(self.resampling), self.thresholds.ship)
        } else if score >= self.thresholds.retrieve {
            (TrustAction::Retrieve, self.thresholds.resample)
        } else if score >= self.thresholds.spawn_socrates {
            (TrustAction::Investigate, self.thresholds.retrieve)
        } else if self.lowest == Lowest::Abstain || model == ModelKind::Reasoning {
            // Models tuned for reasoning overclaim: the abstention is imposed from outside.
            (TrustAction::Abstain, self.thresholds.spawn_socrates)
        } else {
            (TrustAction::Escalate, self.thresholds.spawn_socrates)
        };
        let reason = format!("score {} is below {}", hundredths(score), hundredths(least));
        (action, reason)
    }
}

/// Two decimals, cut, so that a score just below a band does not read as in it. By integer
/// arithmetic: formatting a float would be a sixth of the component.
fn hundredths(value: f64) -> String {
    let whole = libm::floor(value * 100.0 + 1e-9) as u64;
    format!("{}.{:02}", whole / 100, whole % 100)
}

policy!(SignalFusion: confidence);
