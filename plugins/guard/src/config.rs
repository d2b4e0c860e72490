//! The keys.

use std::collections::BTreeMap;

use countersign_sdk::guard::Severity;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    pub _version: u32,
    /// Beside the built-in ones.
    pub injection_phrases: Vec<String>,
    /// Beside the built-in ones.
    pub toxic_words: Vec<String>,
    /// By name of a rule, in place of its default.
    pub severity: BTreeMap<String, Level>,
    /// Findings below it do not count, 0..=1.
    pub least_score: f64,
    /// Of a text of which not all was seen.
    pub cut: Level,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            _version: 1,
            injection_phrases: Vec::new(),
            toxic_words: Vec::new(),
            severity: BTreeMap::new(),
            least_score: 0.5,
            cut: Level::Off,
        }
    }
}

/// A severity, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Off,
    Low,
    Medium,
    Ask,
    High,
}

impl Level {
    pub fn severity(self) -> Option<Severity> {
        match self {
            Level::Off => None,
            Level::Low => Some(Severity::Low),
            Level::Medium => Some(Severity::Medium),
            Level::Ask => Some(Severity::Ask),
            Level::High => Some(Severity::High),
        }
    }
}
