//! The keys of document 001, part 13.3.

use serde::Deserialize;

/// `circuit-breaker.v1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    #[serde(default, rename = "version")]
    _version: u32,
    #[serde(default)]
    pub trips: Trips,
    #[serde(default)]
    pub warnings: Warnings,
    #[serde(default)]
    pub trip_action: TripAction,
    /// Replans before the ladder's end.
    #[serde(default = "two")]
    pub replanner_max_retries: u32,
    #[serde(default)]
    pub on_replanner_failure: OnReplannerFailure,
}

fn two() -> u32 {
    2
}

/// Document 001, part 6.2, but for `longest_cycle`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trips {
    /// A single call repeated so often after its first time, or so many passes over a longer
    /// cycle, each with the same results.
    pub no_progress_loops: u32,
    /// The same error text this often in a row.
    pub same_error_loops: u32,
    /// More calls than this in a row that bring nothing new.
    pub tool_calls_no_progress: u32,
    /// Cosine of the 4-grams of two actions above which they look alike. A vote.
    pub action_ngram_overlap: f64,
    /// Drift in standard deviations. A vote.
    pub semantic_drift_sigma: f64,
    /// Fall of the result's length against the mean so far, 0..=1. A vote.
    pub output_decline: f64,
    /// Steps of a run.
    pub hard_turn_cap: u32,
    /// Calls in the longest cycle looked for.
    pub longest_cycle: u32,
}

impl Default for Trips {
    fn default() -> Self {
        Trips {
            no_progress_loops: 3,
            same_error_loops: 5,
            tool_calls_no_progress: 15,
            action_ngram_overlap: 0.85,
            semantic_drift_sigma: 2.0,
            output_decline: 0.70,
            hard_turn_cap: 50,
            longest_cycle: 4,
        }
    }
}

/// Steps before the turn cap.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Warnings {
    pub caution_at_remaining: u32,
    pub warning_at_remaining: u32,
}

impl Default for Warnings {
    fn default() -> Self {
        Warnings { caution_at_remaining: 10, warning_at_remaining: 3 }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripAction {
    #[default]
    HandoffToReplanner,
    EscalateToHitl,
    Terminate,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReplannerFailure {
    #[default]
    EscalateToHitl,
    Terminate,
}
