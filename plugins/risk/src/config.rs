//! The keys of document 001, part 13.2.

use serde::Deserialize;

/// `risk-confidence-matrix.v1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    #[serde(default, rename = "version")]
    _version: u32,
    /// What the dimensions are; documentation only.
    #[serde(default, rename = "risk_dimensions")]
    _risk_dimensions: serde::de::IgnoredAny,
    #[serde(default)]
    pub confidence_thresholds: Thresholds,
    #[serde(default)]
    pub blast_bands: BlastBands,
    #[serde(default = "default_matrix")]
    pub matrix: Vec<Row>,
    /// For the offline calibrator.
    #[serde(default, rename = "calibration")]
    _calibration: serde::de::IgnoredAny,
}

/// Where the columns of the matrix begin, 0..=1.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    pub proceed: f64,
    pub notify_and_proceed: f64,
    pub escalate: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { proceed: 0.85, notify_and_proceed: 0.70, escalate: 0.0 }
    }
}

/// Where the blast radius stops being low, and medium, in records (part 9.1).
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlastBands {
    pub low_below: u64,
    pub medium_below: u64,
}

impl Default for BlastBands {
    fn default() -> Self {
        BlastBands { low_below: 10, medium_below: 100 }
    }
}

/// One row of the contract's matrix; the first that matches counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// `true`, `false` or `"any"`.
    pub irreversible: OrAny<bool>,
    /// `"<10"` or `"any"`.
    pub blast: String,
    /// `"none"`, `"any"` or `"pii_or_higher"`.
    pub compliance: ComplianceMatch,
    /// `"proceed_at_0.70"`, `"notify_at_0.85_else_escalate"` or `"always_escalate"`.
    pub decision: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum OrAny<T> {
    Exactly(T),
    Any(Any),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Any {
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComplianceMatch {
    None,
    Any,
    PiiOrHigher,
}

pub fn default_matrix() -> Vec<Row> {
    let row = |irreversible, blast: &str, compliance, decision: &str| Row {
        irreversible,
        blast: blast.to_owned(),
        compliance,
        decision: decision.to_owned(),
    };
    let any = OrAny::Any(Any::Any);
    vec![
        row(OrAny::Exactly(false), "<10", ComplianceMatch::None, "proceed_at_0.0"),
        row(OrAny::Exactly(false), "<100", ComplianceMatch::None, "proceed_at_0.70"),
        row(OrAny::Exactly(true), "any", ComplianceMatch::Any, "notify_at_0.85_else_escalate"),
        row(any, "any", ComplianceMatch::PiiOrHigher, "always_escalate"),
    ]
}

#[cfg(test)]
impl Configuration {
    pub fn with_matrix(matrix: Vec<Row>) -> Self {
        Configuration {
            _version: 1,
            _risk_dimensions: serde::de::IgnoredAny,
            confidence_thresholds: Thresholds::default(),
            blast_bands: BlastBands::default(),
            matrix,
            _calibration: serde::de::IgnoredAny,
        }
    }
}
