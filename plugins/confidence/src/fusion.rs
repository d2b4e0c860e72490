//! Weighted mean of the signals present.

use std::collections::BTreeMap;

use countersign_sdk::ConfigError;
use countersign_sdk::confidence::{Orientation, Signal, Stakes};

use crate::config;

const SELF_CONSISTENCY: &str = "self_consistency";

pub struct Fusion {
    weighted: Vec<Weighted>,
    fallback: Vec<String>,
    gates: Vec<String>,
}

struct Weighted {
    name: String,
    weight: f64,
    least_stakes: Stakes,
}

pub struct Fused {
    /// 0..=1; none when nothing could be used.
    pub score: Option<f64>,
    /// In the order of the input.
    pub used: Vec<String>,
    pub self_consistency_alone: bool,
}

impl Fusion {
    pub fn new(
        signals: BTreeMap<String, config::Signal>,
        fallback: Vec<String>,
        gates: Vec<String>,
    ) -> Result<Self, ConfigError> {
        let weighted = signals
            .into_iter()
            .map(|(name, signal)| {
                let least_stakes = match signal.fire_when.as_deref() {
                    None => Stakes::Low,
                    Some(text) => least_stakes(text).ok_or_else(|| {
                        ConfigError::at(
                            format!("/signals/{name}/fire_when"),
                            format!("expected `stakes >= ` and low, medium, high or critical, found `{text}`"),
                        )
                    })?,
                };
                Ok(Weighted { name, weight: signal.weight, least_stakes })
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(Fusion { weighted, fallback, gates })
    }

    pub fn fuse(&self, signals: &[Signal], stakes: Stakes) -> Fused {
        let mut sum = 0.0;
        let mut weights = 0.0;
        let mut used: Vec<&Signal> = Vec::new();
        for signal in signals {
            let weighted = self.weighted.iter().find(|weighted| weighted.name == signal.name);
            if let Some(weighted) = weighted
                && stakes >= weighted.least_stakes
                && weighted.weight > 0.0
            {
                sum += weighted.weight * trust(signal);
                weights += weighted.weight;
                used.push(signal);
            }
        }
        let mut score = (weights > 0.0).then(|| sum / weights);
        if score.is_none() {
            let stand_in = self.fallback.iter().find_map(|name| signals.iter().find(|signal| signal.name == *name));
            if let Some(signal) = stand_in {
                score = Some(trust(signal));
                used.push(signal);
            }
        }
        let self_consistency_alone = used.iter().all(|signal| signal.name == SELF_CONSISTENCY);
        if let Some(value) = &mut score {
            for signal in signals.iter().filter(|signal| self.gates.contains(&signal.name)) {
                if trust(signal) < *value {
                    *value = trust(signal);
                    used.push(signal);
                }
            }
        }
        let used = signals
            .iter()
            .filter(|signal| used.iter().any(|other| std::ptr::eq(*other, *signal)))
            .map(|signal| signal.name.clone())
            .collect();
        // A weighted mean of values in 0..=1 may leave the range by one rounding.
        Fused { score: score.map(|value| value.clamp(0.0, 1.0)), used, self_consistency_alone }
    }
}

/// 0..=1, higher is more trustworthy. An entropy of H nats is as unsure as a fair choice among
/// e^H answers, so its trust is e^-H.
fn trust(signal: &Signal) -> f64 {
    match signal.orientation {
        Orientation::Confidence => signal.value,
        Orientation::Doubt => 1.0 - signal.value,
        Orientation::Entropy => libm::exp(-signal.value),
    }
}

fn least_stakes(text: &str) -> Option<Stakes> {
    match text.strip_prefix("stakes")?.trim_start().strip_prefix(">=")?.trim() {
        "low" => Some(Stakes::Low),
        "medium" => Some(Stakes::Medium),
        "high" => Some(Stakes::High),
        "critical" => Some(Stakes::Critical),
        _ => None,
    }
}
