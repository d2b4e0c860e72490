//! The configuration. Document 003 names the protocol and gives no numbers: the defaults are ours.

use serde::Deserialize;

/// `interval-estimator.v1`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    _version: u32,
    /// The lower end is this much of the rate so far, 0..=10.
    pub lower_factor: f64,
    /// The upper end is this much of the rate so far, 0..=10.
    pub upper_factor: f64,
    /// Units that must be done before the rate so far enters the lower end.
    pub after_units: u32,
    pub minimum_per_unit: PerUnit,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            _version: 1,
            lower_factor: 0.5,
            upper_factor: 2.0,
            after_units: 2,
            minimum_per_unit: PerUnit::default(),
        }
    }
}

/// What one unit takes at least, in the unit of the dimension. Levels have no place here: they are
/// no sums.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerUnit {
    pub steps: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub tool_calls: u64,
    pub external_calls: u64,
    pub running_time: u64,
    pub cost: u64,
    pub reflections: u64,
    pub memory_writes: u64,
    pub side_effects: u64,
    pub records_touched: u64,
    pub money_moved: u64,
    pub recipients_reached: u64,
}

impl Default for PerUnit {
    fn default() -> Self {
        PerUnit {
            // A unit that takes no model call is not the model's to do.
            steps: 1,
            input_tokens: 0,
            output_tokens: 0,
            tool_calls: 0,
            external_calls: 0,
            running_time: 0,
            cost: 0,
            reflections: 0,
            memory_writes: 0,
            side_effects: 0,
            records_touched: 0,
            money_moved: 0,
            recipients_reached: 0,
        }
    }
}
