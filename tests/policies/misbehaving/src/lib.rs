//! A policy of the slots `risk`, `doom-loop` and `estimator` that does, on request, what policies must not do.

use countersign_sdk::doom_loop::{DoomLoop, ObservedStep, Signal};
use countersign_sdk::estimator::{Dimension, Estimator, Forecast, Interval, Progress};
use countersign_sdk::risk::{Assessment, ProposedAction, Risk, Verdict};
use countersign_sdk::{ConfigError, Policy, RunView, log, policy};
use serde::Deserialize;

/// Misbehaves in one way.
pub struct Misbehaving {
    configuration: Configuration,
    calls: u32,
    hoard: Vec<Vec<u8>>,
}

/// What to do, and from which call on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    behaviour: Behaviour,
    /// Calls before it does so.
    #[serde(default)]
    after: u32,
    /// Do it once, then behave.
    #[serde(default)]
    once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    Behave,
    Panic,
    LoopForever,
    Recurse,
    HoardMemory,
    NotANumber,
    OutOfRange,
    LongAnswer,
    HugeAnswer,
    ReadTooMuch,
    RefuseConfiguration,
    Count,
    /// Only as an estimator: an interval that ends before it begins.
    Backwards,
    /// Only as an estimator: the same dimension once more.
    Twice,
}

impl Policy for Misbehaving {
    const NAME: &'static str = "misbehaving";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "does on request what policies must not do";
    const STATELESS: bool = false;
    const CONFIGURATION_SCHEMA: &'static str = r#"{
        "type": "object", "additionalProperties": false, "required": ["behaviour"],
        "properties": {
            "behaviour": { "type": "string" },
            "after": { "type": "integer", "minimum": 0 },
            "once": { "type": "boolean" }
        }
    }"#;
    type Configuration = Configuration;

    fn configure(configuration: Configuration) -> Result<Self, ConfigError> {
        if configuration.behaviour == Behaviour::RefuseConfiguration {
            return Err(ConfigError::at("/behaviour", "expected anything but this"));
        }
        Ok(Misbehaving { configuration, calls: 0, hoard: Vec::new() })
    }
}

impl Misbehaving {
    /// Misbehaves if it is time to; else the score and reason of an answer.
    fn act(&mut self, run: &dyn RunView) -> (f64, String) {
        self.calls += 1;
        let due = if self.configuration.once {
            self.calls == self.configuration.after + 1
        } else {
            self.calls > self.configuration.after
        };
        let behaviour = if due { self.configuration.behaviour } else { Behaviour::Behave };
        match behaviour {
            Behaviour::Panic => panic!("call {} makes no sense to me", self.calls),
            Behaviour::LoopForever => {
                log::error("I shall never come to an end");
                let mut n = 0_u64;
                loop {
                    n = std::hint::black_box(n + 1);
                }
            }
            Behaviour::Recurse => (depth(0) as f64, String::new()),
            Behaviour::HoardMemory => {
                log::error("I want it all");
                loop {
                    // Asked for and not filled: filling it would cost fuel first.
                    self.hoard.push(std::hint::black_box(Vec::with_capacity(1 << 20)));
                }
            }
            Behaviour::NotANumber => (f64::NAN, String::new()),
            Behaviour::OutOfRange => (1.5, String::new()),
            Behaviour::LongAnswer => (0.0, "x".repeat(2000)),
            Behaviour::HugeAnswer => (0.0, "x".repeat(2 << 20)),
            Behaviour::ReadTooMuch => {
                for n in 0..40 {
                    run.fact(&format!("fact {n}"));
                }
                (0.0, String::new())
            }
            Behaviour::Behave
            | Behaviour::Count
            | Behaviour::RefuseConfiguration
            | Behaviour::Backwards
            | Behaviour::Twice => (0.0, format!("call {}, step {:?}", self.calls, run.step_index())),
        }
    }
}

/// Recursion that no optimiser turns into a loop.
fn depth(n: u64) -> u64 {
    if std::hint::black_box(n) == u64::MAX { 0 } else { 1 + depth(std::hint::black_box(n + 1)) }
}

impl Risk for Misbehaving {
    fn judge(&mut self, _: ProposedAction, run: &dyn RunView) -> Assessment {
        let (score, reason) = self.act(run);
        Assessment { verdict: Verdict::Proceed, score, reason }
    }
}

impl DoomLoop for Misbehaving {
    fn observe(&mut self, _: ObservedStep, run: &dyn RunView) -> Signal {
        match self.act(run) {
            (_, reason) if self.configuration.behaviour == Behaviour::Count => Signal::Caution(reason),
            (score, _) if score > 0.0 => Signal::Warning("a score".to_owned()),
            _ => Signal::Steady,
        }
    }
}

impl Estimator for Misbehaving {
    fn estimate(&mut self, _: Progress, run: &dyn RunView) -> Forecast {
        let (_, reason) = self.act(run);
        let steps = Interval { dimension: Dimension::Steps, lower: 1, upper: 2 };
        let intervals = match self.configuration.behaviour {
            Behaviour::Backwards => vec![Interval { upper: 0, ..steps }],
            Behaviour::Twice => vec![steps, Interval { dimension: Dimension::Cost, ..steps }, steps],
            _ => vec![steps],
        };
        Forecast { intervals, reason }
    }
}

policy!(Misbehaving: risk, doom_loop, estimator);
