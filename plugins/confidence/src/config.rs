//! The keys of document 001, part 13.4.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `socrates-fusion.v1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    #[serde(default, rename = "version")]
    _version: u32,
    #[serde(default = "default_signals")]
    pub signals: BTreeMap<String, Signal>,
    /// Consulted in this order, one of them, when none of `signals` was measured.
    #[serde(default = "default_fallback")]
    pub fallback_signals: Vec<String>,
    /// The score is never above one of these.
    #[serde(default = "default_gates")]
    pub gates: Vec<String>,
    #[serde(default)]
    pub thresholds: Thresholds,
    #[serde(default)]
    pub abstention_override: AbstentionOverride,
    #[serde(default)]
    pub resampling: Resampling,
    /// What happens below `spawn_socrates`.
    #[serde(default)]
    pub below_every_band: Lowest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// 0 or more; the weights of the signals present are made to sum to 1.
    pub weight: f64,
    /// Where the measurement comes from; documentation only.
    #[serde(default, rename = "source")]
    _source: serde::de::IgnoredAny,
    /// `stakes >= medium`: ignored at lower stakes.
    #[serde(default)]
    pub fire_when: Option<String>,
}

/// Lower edges of the bands, 0..=1.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    pub ship: f64,
    pub resample: f64,
    pub retrieve: f64,
    pub spawn_socrates: f64,
    pub abstain: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { ship: 0.80, resample: 0.65, retrieve: 0.50, spawn_socrates: 0.30, abstain: 0.0 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AbstentionOverride {
    pub if_compliance_tagged: Tagged,
    pub if_user_disabled_socrates: Disabled,
}

impl Default for AbstentionOverride {
    fn default() -> Self {
        AbstentionOverride {
            if_compliance_tagged: Tagged::AlwaysRequireExplicitEvidence,
            if_user_disabled_socrates: Disabled::NeverAbstainSilently,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tagged {
    AlwaysRequireExplicitEvidence,
    None,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disabled {
    NeverAbstainSilently,
    Escalate,
}

/// Part 4.3: temperature 0.7, five samples.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resampling {
    pub temperature: f64,
    pub samples: u32,
}

impl Default for Resampling {
    fn default() -> Self {
        Resampling { temperature: 0.7, samples: 5 }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lowest {
    #[default]
    Escalate,
    Abstain,
}

fn default_signals() -> BTreeMap<String, Signal> {
    let signal = |weight, fire_when: Option<&str>| Signal {
        weight,
        _source: serde::de::IgnoredAny,
        fire_when: fire_when.map(str::to_owned),
    };
    BTreeMap::from([
        ("logprob_entropy".to_owned(), signal(0.4, None)),
        ("sep_estimate".to_owned(), signal(0.4, None)),
        ("self_consistency".to_owned(), signal(0.2, Some("stakes >= medium"))),
    ])
}

fn default_fallback() -> Vec<String> {
    vec!["verbalised".to_owned()]
}

fn default_gates() -> Vec<String> {
    vec!["verifier".to_owned(), "schema".to_owned()]
}
