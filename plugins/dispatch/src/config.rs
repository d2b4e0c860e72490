//! Keys of the policy; the numbers that document 001, part 5 gives are its defaults.

use serde::Deserialize;

/// `dispatch.v1`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    _version: u32,
    /// Whether specialists are used at all.
    pub spawn: bool,
    /// Share of the sub-task's words that a description must have for it to match, above 0 up to 1.
    pub match_at_least: f64,
    /// Reliability of a chain of agents below which a person takes over, 0..=1.
    pub reliability_floor: f64,
    /// Agents in the longest chain that does not go to a person.
    pub longest_chain: u32,
}

impl Default for Configuration {
    fn default() -> Self {
        // Between five agents at 0.95 (0.774) and six (0.735), so that both limits say the same.
        Configuration { _version: 1, spawn: true, match_at_least: 0.3, reliability_floor: 0.75, longest_chain: 5 }
    }
}
