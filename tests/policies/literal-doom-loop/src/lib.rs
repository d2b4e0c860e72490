//! The circuit breaker of document 001 to the letter (parts 6.2, 6.3 and 13.3), to run in the shadow
//! of the default policy: what it would have stopped is what the default's reading saves, or misses.
//!
//! Each rule counts by itself and each trips. Polling, infrastructure errors, a person's word,
//! changes that a call may have made and the work a step does by itself are not looked at: the
//! document does not name them. Nothing is forgotten after a trip either, so that a run which goes on
//! as before trips again with its next step. Left out is the output's decline: part 6.2 lists it, but
//! neither the sketch of part 6.3 nor the contract of part 13.3 trips on it.

mod grams;
mod seen;

#[cfg(test)]
mod tests;

use countersign_sdk::doom_loop::{DoomLoop, Handoff, ObservedStep, Signal, Trip, TripReason};
use countersign_sdk::{ConfigError, Policy, RunView, policy};
use serde::Deserialize;

use grams::Grams;
use seen::Seen;

const NO_PROGRESS_LOOPS: u32 = 3;
const SAME_ERROR_LOOPS: u32 = 5;
const TOOL_CALLS_NO_PROGRESS: u32 = 15;
const ACTION_NGRAM_OVERLAP: f64 = 0.85;
const SEMANTIC_DRIFT_SIGMA: f64 = 2.0;
const HARD_TURN_CAP: u32 = 50;
const CAUTION_AT_REMAINING: u32 = 10;
const WARNING_AT_REMAINING: u32 = 3;

/// The sketch of part 6.3.
#[derive(Default)]
pub struct LiteralBreaker {
    /// Steps in a row that changed nothing.
    no_progress: u32,
    /// The last step's error, and how often it has come in a row.
    error: Option<u64>,
    same_error: u32,
    /// Calls since one last brought the state on.
    calls_without_progress: u32,
    results: Seen,
    states: Seen,
    action: Option<Grams>,
}

/// It takes no settings: the document's numbers are what it is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {}

impl Policy for LiteralBreaker {
    const NAME: &'static str = "literal-doom-loop";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "trips on each signal of document 001, part 6.2, as it is written";
    const STATELESS: bool = false;
    const CONFIGURATION_SCHEMA: &'static str = r#"{"type": "object", "additionalProperties": false}"#;
    type Configuration = Configuration;

    fn configure(_: Configuration) -> Result<Self, ConfigError> {
        Ok(LiteralBreaker::default())
    }
}

impl DoomLoop for LiteralBreaker {
    fn observe(&mut self, step: ObservedStep, _run: &dyn RunView) -> Signal {
        self.count_changes(&step);
        self.count_errors(&step);
        let action = Grams::of(&step.action);
        let overlap = self.action.as_ref().map_or(0.0, |last| last.jaccard(&action));
        self.action = Some(action);
        // The order of part 6.3.
        if self.no_progress >= NO_PROGRESS_LOOPS {
            let evidence = format!("nothing has changed for {} steps", self.no_progress);
            trip(TripReason::NoProgress, evidence)
        } else if self.same_error >= SAME_ERROR_LOOPS {
            trip(TripReason::SameError, format!("the same error came {} times in a row", self.same_error))
        } else if self.calls_without_progress > TOOL_CALLS_NO_PROGRESS {
            let evidence = format!("{} calls have not brought the state on", self.calls_without_progress);
            trip(TripReason::ToolThrash, evidence)
        } else if overlap > ACTION_NGRAM_OVERLAP {
            let reason = if step.call_key.is_some() { TripReason::NoProgress } else { TripReason::RepeatedMessage };
            trip(reason, "the action has nearly all 4-grams of the one before".to_owned())
        } else if step.drift.is_some_and(|drift| drift > SEMANTIC_DRIFT_SIGMA) {
            // The contract has no reason of its own for it.
            trip(TripReason::NoProgress, "the action has drifted from the baseline".to_owned())
        } else {
            turn_cap(step.index)
        }
    }
}

impl LiteralBreaker {
    /// "No state change" of a loop and "no state progression" of calls are two things in part 6.2:
    /// back to a state of before is a change and no progression. Where no state is measured, a
    /// result that came before, or none at all, stands for both; and a message, which has a result
    /// in its own text, is no call.
    fn count_changes(&mut self, step: &ObservedStep) {
        let new_result = step.result_key.is_some_and(|key| self.results.is_new(key));
        let (changed, progressed) = match (step.state_before, step.state_after) {
            (Some(before), Some(after)) => {
                self.states.is_new(before);
                (before != after, self.states.is_new(after))
            }
            _ => (new_result, new_result),
        };
        self.no_progress = if changed { 0 } else { self.no_progress.saturating_add(1) };
        if step.call_key.is_some() {
            self.calls_without_progress = if progressed { 0 } else { self.calls_without_progress.saturating_add(1) };
        }
    }

    fn count_errors(&mut self, step: &ObservedStep) {
        let error = step.failure.as_ref().and_then(|failure| failure.key);
        self.same_error = match error {
            None => 0,
            Some(_) if error == self.error => self.same_error.saturating_add(1),
            Some(_) => 1,
        };
        self.error = error;
    }
}

/// Every trip goes to the replanner: what comes of that is not seen from here.
fn trip(reason: TripReason, evidence: String) -> Signal {
    Signal::Trip(Trip { reason, evidence, handoff: Handoff::Replan })
}

/// Nothing where the host hides the index.
fn turn_cap(index: Option<u32>) -> Signal {
    let Some(index) = index else { return Signal::Steady };
    let done = index.saturating_add(1);
    match HARD_TURN_CAP.saturating_sub(done) {
        0 => trip(TripReason::TurnCap, format!("step {done} of at most {HARD_TURN_CAP}")),
        WARNING_AT_REMAINING => Signal::Warning(format!("{WARNING_AT_REMAINING} steps before the turn cap")),
        CAUTION_AT_REMAINING => Signal::Caution(format!("{CAUTION_AT_REMAINING} steps before the turn cap")),
        _ => Signal::Steady,
    }
}

policy!(LiteralBreaker: doom_loop);
