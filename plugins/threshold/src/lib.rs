//! Default policy of the slot `threshold`: the inequality and the four triggers of document 002
//! (specification C1 to C4). The ledger says everything; nothing is kept between calls.

mod config;
mod cost;
mod reason;
#[cfg(test)]
mod tests;
mod value;

use countersign_sdk::threshold::{Assessment, Decision, Ledger, NextAction, Reversibility, Threshold, Trigger};
use countersign_sdk::{ConfigError, Policy, RunView, log, policy};

use cost::Cost;
use value::{Expectation, expectation};

/// Value against risk, cost, irreversibility and authority gap.
pub struct Inequality {
    configuration: config::Configuration,
    costs: cost::Rule,
}

/// The five terms, each 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Terms {
    value: f64,
    risk: f64,
    cost: f64,
    irreversibility: f64,
    authority_gap: f64,
}

impl Policy for Inequality {
    const NAME: &'static str = "threshold";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str =
        "goes on while the value expected of the next action exceeds risk, cost, irreversibility and authority gap";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        if configuration.value.gain > configuration.value.gain_confirmed {
            return Err(ConfigError::at("/value/gain_confirmed", "expected gain <= gain_confirmed"));
        }
        if configuration.irreversible.unknown_idempotent_share > configuration.irreversible.unknown_share {
            return Err(ConfigError::at(
                "/irreversible/unknown_idempotent_share",
                "expected unknown_idempotent_share <= unknown_share",
            ));
        }
        let weakest = if configuration.collapse.after > 0 { configuration.value.floor } else { 0.0 };
        let strong = configuration.irreversible.strong_value;
        if 0.0 < strong && strong <= weakest {
            log::warn("irreversible.strong_value has no effect: value.floor keeps the value above it");
        }
        Ok(Inequality { costs: cost::Rule::new(&configuration)?, configuration })
    }
}

impl Threshold for Inequality {
    fn assess(&mut self, ledger: Ledger, run: &dyn RunView) -> Assessment {
        let expected = expectation(&ledger, &self.configuration);
        let cost = self.costs.measure(&ledger, run);
        let next = ledger.next.as_ref();
        let terms = Terms {
            value: unit(if self.collapsed(&expected) { 0.0 } else { expected.value }),
            risk: unit(next.map_or(0.0, |next| self.risk(next))),
            cost: unit(cost.term),
            irreversibility: unit(next.map_or(0.0, |next| self.irreversibility(next))),
            authority_gap: if ledger.gap.is_some() { 1.0 } else { 0.0 },
        };
        let trigger = self.trigger(&ledger, &terms, &expected, &cost);
        Assessment {
            decision: trigger.map_or(Decision::Continue, Decision::Escalate),
            value: terms.value,
            risk: terms.risk,
            cost: terms.cost,
            irreversibility: terms.irreversibility,
            authority_gap: terms.authority_gap,
            reason: reason::text(trigger, &ledger, &terms, &expected, &cost, self),
        }
    }
}

impl Inequality {
    /// The document's order: the three about the situation come before the blunt one.
    fn trigger(&self, ledger: &Ledger, terms: &Terms, expected: &Expectation, cost: &Cost) -> Option<Trigger> {
        if ledger.gap.is_some() {
            return Some(Trigger::AuthorityGap);
        }
        if self.collapsed(expected) {
            return Some(Trigger::ConfidenceCollapse);
        }
        if self.too_weak_for(ledger, terms) {
            return Some(Trigger::IrreversibleAction);
        }
        if cost.reached.is_some() {
            return Some(Trigger::BudgetExhausted);
        }
        if terms.value > terms.risk + cost.weighed + terms.irreversibility + terms.authority_gap {
            return None;
        }
        Some(if terms.value < self.configuration.collapse.below {
            Trigger::ConfidenceCollapse
        } else if cost.weighed > terms.risk.max(terms.irreversibility) {
            Trigger::BudgetExhausted
        } else {
            // Of the four it is the one about the call at hand, as risk is.
            Trigger::IrreversibleAction
        })
    }

    fn collapsed(&self, expected: &Expectation) -> bool {
        let after = self.configuration.collapse.after;
        after > 0 && expected.unproductive >= after
    }

    /// An irreversible call comes next, and the value is not strong.
    fn too_weak_for(&self, ledger: &Ledger, terms: &Terms) -> bool {
        let rule = &self.configuration.irreversible;
        let irreversible = |next: &NextAction| match next.reversibility {
            Reversibility::Reversible => false,
            Reversibility::Irreversible => true,
            Reversibility::Unknown => rule.unknown_counts,
        };
        terms.value < rule.strong_value && ledger.next.as_ref().is_some_and(|next| next.mutating && irreversible(next))
    }

    fn risk(&self, next: &NextAction) -> f64 {
        let unknown = if next.mutating { self.configuration.unknown_risk } else { 0.0 };
        self.configuration.weights.risk * next.risk.map_or(unknown, unit)
    }

    fn irreversibility(&self, next: &NextAction) -> f64 {
        let rule = &self.configuration.irreversible;
        let share = match next.reversibility {
            _ if !next.mutating => 0.0,
            Reversibility::Reversible => 0.0,
            Reversibility::Irreversible => 1.0,
            Reversibility::Unknown if next.idempotent => rule.unknown_idempotent_share,
            Reversibility::Unknown => rule.unknown_share,
        };
        self.configuration.weights.irreversibility * share
    }
}

/// Into 0..=1; what is no number counts as 1, the worst of a risk.
fn unit(value: f64) -> f64 {
    if value <= 0.0 {
        0.0
    } else if value < 1.0 {
        value
    } else {
        1.0
    }
}

policy!(Inequality: threshold);
