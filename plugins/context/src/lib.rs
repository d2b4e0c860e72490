//! Default policy of the slot `context`: the five layers of document 001, part 7.2, each at its own
//! pressure (specification B7).

mod config;
mod pressure;
mod relief;

#[cfg(test)]
mod tests;

use countersign_sdk::context::{Compaction, Context, Pressure, Strategy};
use countersign_sdk::{ConfigError, Policy, RunView, policy};

use pressure::{Fill, Share};
use relief::{LAYERS, Loose};

/// Position of collapse, which a model that asks gets at least.
const COLLAPSE: usize = 3;
/// Position of full compaction, whose place a branch takes.
const FULL_COMPACTION: usize = 4;

/// Layers by pressure.
pub struct Layers {
    /// Where each begins, in the order of [`LAYERS`].
    thresholds: [Share; 5],
    /// The same at a boundary.
    at_boundary: [Share; 5],
    large_item: u32,
    asked_at_least: Share,
    branch_at: Option<Share>,
}

impl Policy for Layers {
    const NAME: &'static str = "context";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "picks the layer that makes room in the context, by pressure and natural boundaries";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let layers = &configuration.layers;
        let named = [
            ("budget_reduction", layers.budget_reduction),
            ("snip", layers.snip),
            ("microcompact", layers.microcompact),
            ("collapse", layers.collapse),
            ("full_compaction", layers.full_compaction),
        ];
        let thresholds = named.map(|(_, value)| Share::of(value));
        for at in 0..named.len() {
            let key = || format!("/layers/{}", named[at].0);
            if thresholds[at] > Share::of(0.9) {
                return Err(ConfigError::at(key(), "expected at most 0.9"));
            }
            if at > 0 && thresholds[at] <= thresholds[at - 1] {
                return Err(ConfigError::at(key(), format!("expected more than {}", named[at - 1].0)));
            }
        }
        let bonus = Share::of(configuration.boundary_bonus);
        if bonus >= thresholds[0] {
            return Err(ConfigError::at("/boundary_bonus", "expected less than layers.budget_reduction"));
        }
        let at_boundary = thresholds.map(|threshold| threshold.less(bonus));
        let branch_at = configuration.branch.then(|| Share::of(configuration.branch_at));
        if branch_at.is_some_and(|branch_at| branch_at < at_boundary[FULL_COMPACTION]) {
            return Err(ConfigError::at("/branch_at", "expected at least layers.full_compaction less boundary_bonus"));
        }
        Ok(Layers {
            thresholds,
            at_boundary,
            large_item: configuration.large_item,
            asked_at_least: Share::of(configuration.asked_at_least),
            branch_at,
        })
    }
}

impl Context for Layers {
    fn compact(&mut self, pressure: Pressure, _run: &dyn RunView) -> Compaction {
        let fill = Fill::new(pressure.used, pressure.window);
        let thresholds = if pressure.boundary { &self.at_boundary } else { &self.thresholds };
        let reached = thresholds.iter().rposition(|threshold| fill.reaches(*threshold));
        let wished = (pressure.asked && fill.reaches(self.asked_at_least)).then_some(COLLAPSE);
        let boundary = if pressure.boundary { " at a natural boundary" } else { "" };
        let full = format!("{} % of the window used{boundary}", fill.percent());
        let Some(highest) = reached.max(wished) else {
            let least = if pressure.asked { thresholds[0].min(self.asked_at_least) } else { thresholds[0] };
            let reason = format!("{full}, below {} %", least.percent());
            return Compaction { strategy: Strategy::Keep, reason };
        };
        let loose = Loose::of(&pressure.items);
        let chosen = (0..=highest).rev().find(|at| loose.would_free(LAYERS[*at].0, self.large_item));
        let Some(chosen) = chosen else {
            return Compaction {
                strategy: Strategy::Keep,
                reason: format!("{full}, but no layer would free anything"),
            };
        };
        let why = if wished > reached {
            "the model asked".to_owned()
        } else {
            format!("from {} %", thresholds[highest].percent())
        };
        let branches = pressure.boundary && self.branch_at.is_some_and(|branch_at| fill.reaches(branch_at));
        if chosen == FULL_COMPACTION && branches {
            return Compaction { strategy: Strategy::Branch, reason: format!("{full}: branch ({why})") };
        }
        let (layer, name) = LAYERS[chosen];
        let instead =
            if chosen < highest { format!("; {} would free nothing", LAYERS[highest].1) } else { String::new() };
        Compaction { strategy: Strategy::Layer(layer), reason: format!("{full}: {name} ({why}{instead})") }
    }
}

policy!(Layers: context);
