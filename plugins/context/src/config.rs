//! Keys of the policy; the pressures are those of the specification, B7.

use serde::Deserialize;

/// `context.v1`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    _version: u32,
    pub layers: Layers,
    /// Tokens from which one exchange is large enough to be cut.
    pub large_item: u32,
    /// How much earlier a layer comes at a natural boundary.
    pub boundary_bonus: f64,
    /// Pressure from which the model's wish to compact counts.
    pub asked_at_least: f64,
    /// Whether to branch rather than to compact everything.
    pub branch: bool,
    /// Pressure from which it branches, at a boundary.
    pub branch_at: f64,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            _version: 1,
            layers: Layers::default(),
            large_item: 256,
            boundary_bonus: 0.10,
            asked_at_least: 0.25,
            branch: false,
            branch_at: 0.90,
        }
    }
}

/// Pressure from which each layer may be chosen, above 0 up to 0.90.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layers {
    pub budget_reduction: f64,
    pub snip: f64,
    pub microcompact: f64,
    pub collapse: f64,
    pub full_compaction: f64,
}

impl Default for Layers {
    fn default() -> Self {
        Layers { budget_reduction: 0.50, snip: 0.60, microcompact: 0.70, collapse: 0.80, full_compaction: 0.90 }
    }
}
