//! Default policy of the slot `estimator`: progressive interval estimation (document 003;
//! specification D10). What a unit has used so far says what the units that are left will use.

mod config;
mod interval;

use std::fmt::Write as _;

use countersign_sdk::estimator::{Dimension, Estimator, Forecast, Interval, Progress};
use countersign_sdk::{ConfigError, Policy, RunView, policy};

use config::PerUnit;
use interval::{Factor, Rule, Units, interval};

/// The rate so far, widened.
pub struct RateInterval {
    rule: Rule,
    minimum: PerUnit,
}

impl Policy for RateInterval {
    const NAME: &'static str = "estimator";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "estimates what the rest of a task will use from what its units have used so far";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let factor = |key: &str, value| Factor::new(value).ok_or_else(|| ConfigError::at(key, "expected 0..=10"));
        let lower = factor("/lower_factor", configuration.lower_factor)?;
        let upper = factor("/upper_factor", configuration.upper_factor)?;
        if lower > upper {
            return Err(ConfigError::at("/upper_factor", "expected lower_factor <= upper_factor"));
        }
        Ok(RateInterval {
            rule: Rule { lower, upper, after: configuration.after_units },
            minimum: configuration.minimum_per_unit,
        })
    }
}

impl Estimator for RateInterval {
    fn estimate(&mut self, progress: Progress, _run: &dyn RunView) -> Forecast {
        let units = Units { done: progress.done, remaining: progress.total.saturating_sub(progress.done) };
        let mut intervals = Vec::with_capacity(progress.spent.len());
        let mut reason = format!("{} of {} units done", progress.done, progress.total);
        let mut short = 0_u32;
        for spent in &progress.spent {
            let Some((minimum, name)) = self.dimension(spent.dimension) else { continue };
            // Nothing was used, or no unit says by how much, and nothing must be: nothing is known.
            if minimum == 0 && (spent.used == 0 || units.done == 0) {
                continue;
            }
            let (lower, upper) = interval(units, spent.used, minimum, self.rule);
            intervals.push(Interval { dimension: spent.dimension, lower, upper });
            if lower > spent.left {
                short += 1;
                if short == 1 {
                    // Writing to a text cannot fail.
                    let _ = write!(reason, "; {name}: the rest takes at least {lower}, {} left", spent.left);
                }
            }
        }
        if short > 1 {
            let _ = write!(reason, "; short of {} more", short - 1);
        }
        Forecast { intervals, reason }
    }
}

impl RateInterval {
    /// What a unit takes of it at least, and its name; none for a level, which has no rate.
    fn dimension(&self, dimension: Dimension) -> Option<(u64, &'static str)> {
        let minimum = &self.minimum;
        Some(match dimension {
            Dimension::Retries | Dimension::ContextTokens => return None,
            Dimension::Steps => (minimum.steps, "steps"),
            Dimension::InputTokens => (minimum.input_tokens, "input tokens"),
            Dimension::OutputTokens => (minimum.output_tokens, "output tokens"),
            Dimension::ToolCalls => (minimum.tool_calls, "tool calls"),
            Dimension::ExternalCalls => (minimum.external_calls, "external calls"),
            Dimension::RunningTime => (minimum.running_time, "milliseconds of running time"),
            Dimension::Cost => (minimum.cost, "micro-dollars of cost"),
            Dimension::Reflections => (minimum.reflections, "reflections"),
            Dimension::MemoryWrites => (minimum.memory_writes, "memory writes"),
            Dimension::SideEffects => (minimum.side_effects, "side effects"),
            Dimension::RecordsTouched => (minimum.records_touched, "records touched"),
            Dimension::MoneyMoved => (minimum.money_moved, "micro-dollars moved"),
            Dimension::RecipientsReached => (minimum.recipients_reached, "recipients reached"),
        })
    }
}

policy!(RateInterval: estimator);
