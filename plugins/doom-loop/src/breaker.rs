//! The rules that trip.

use std::collections::VecDeque;

use countersign_sdk::doom_loop::{FailureClass, ObservedStep, TripReason};

use crate::config::Trips;
use crate::history::{History, pair};

/// Why the breaker trips.
pub struct Cause {
    pub reason: TripReason,
    pub evidence: String,
}

pub struct Breaker {
    trips: Trips,
    /// Cut by progress and by a person's word.
    history: History,
    /// Pairs since something last changed.
    seen: History,
    /// States the tools have been in lately, hashed.
    states: VecDeque<u64>,
    calls_without_news: u32,
    error: Repeats,
    rejected: Repeats,
    message: Repeats,
}

/// The same thing in a row.
#[derive(Debug, Default)]
struct Repeats {
    last: Option<u64>,
    count: u32,
}

impl Repeats {
    fn note(&mut self, key: Option<u64>) -> u32 {
        self.count = match key {
            None => 0,
            Some(_) if key == self.last => self.count + 1,
            Some(_) => 1,
        };
        self.last = key;
        self.count
    }
}

const STATES: usize = 64;

impl Breaker {
    pub fn new(trips: &Trips) -> Self {
        Breaker {
            trips: trips.clone(),
            history: History::default(),
            seen: History::default(),
            states: VecDeque::new(),
            calls_without_news: 0,
            error: Repeats::default(),
            rejected: Repeats::default(),
            message: Repeats::default(),
        }
    }

    /// Takes one step; a cause when it is one too many. After a trip the history starts anew, so
    /// that the same loop must be run through again before it trips again.
    pub fn observe(&mut self, step: &ObservedStep) -> Option<Cause> {
        let cause = self.judge(step)?;
        self.forget();
        self.message = Repeats::default();
        Some(cause)
    }

    fn judge(&mut self, step: &ObservedStep) -> Option<Cause> {
        if step.user_boundary {
            // What a person asks for again is not a loop. A message repeated word for word is,
            // whatever was said in between.
            self.forget();
        }
        let Some(call) = step.call_key else { return self.message(step) };
        let infrastructure = step.failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Infrastructure);
        if step.poller || infrastructure {
            return None;
        }
        if step.internal {
            return self.internal(call);
        }
        self.message = Repeats::default();
        self.note_state(step);

        let pair = pair(call, step.result_key);
        self.history.push(pair);
        if let Some(cycle) = self.history.cycle(self.trips.no_progress_loops, self.trips.longest_cycle) {
            let evidence = if cycle.period == 1 {
                format!("the same call gave the same result {} times in a row", cycle.calls)
            } else {
                let passes = cycle.calls / cycle.period;
                format!("the same {} calls gave the same results {passes} times over", cycle.period)
            };
            return Some(Cause { reason: TripReason::NoProgress, evidence });
        }
        self.news(step, pair).or_else(|| self.failures(step, call))
    }

    /// A state never seen before is progress, whatever the call and its result look like.
    fn note_state(&mut self, step: &ObservedStep) {
        let (Some(before), Some(after)) = (step.state_before, step.state_after) else { return };
        if self.states.is_empty() {
            self.states.push_back(before);
        }
        if !self.states.contains(&after) {
            if self.states.len() == STATES {
                self.states.pop_front();
            }
            self.states.push_back(after);
            self.history.clear();
            self.seen.clear();
            self.calls_without_news = 0;
        }
    }

    fn news(&mut self, step: &ObservedStep, pair: u64) -> Option<Cause> {
        if self.seen.contains(pair) {
            self.calls_without_news += 1;
        } else {
            self.calls_without_news = 0;
            // With the state measured, `note_state` knows better.
            if step.mutating && step.failure.is_none() && step.state_after.is_none() {
                self.seen.clear();
            }
            self.seen.push(pair);
        }
        (self.calls_without_news > self.trips.tool_calls_no_progress).then(|| Cause {
            reason: TripReason::ToolThrash,
            evidence: format!("{} calls in a row brought nothing that had not been seen", self.calls_without_news),
        })
    }

    fn failures(&mut self, step: &ObservedStep, call: u64) -> Option<Cause> {
        let failure = step.failure.as_ref();
        let rejected = failure.is_some_and(|failure| failure.class == FailureClass::Rejected);
        let times = self.rejected.note(rejected.then_some(call));
        if times >= self.trips.no_progress_loops {
            return Some(Cause {
                reason: TripReason::NoProgress,
                evidence: format!("the same call was refused {times} times in a row"),
            });
        }
        let times = self.error.note(failure.and_then(|failure| failure.key));
        (times >= self.trips.same_error_loops).then(|| Cause {
            reason: TripReason::SameError,
            evidence: format!("the same error came back {times} times in a row"),
        })
    }

    fn message(&mut self, step: &ObservedStep) -> Option<Cause> {
        if let Some(key) = step.result_key {
            // A message between two calls is part of what must repeat.
            self.history.push(pair(key, None));
        }
        self.repeated(step.result_key, "the same message was sent")
    }

    fn internal(&mut self, thought: u64) -> Option<Cause> {
        self.repeated(Some(thought), "the same thought was noted")
    }

    fn repeated(&mut self, key: Option<u64>, what: &str) -> Option<Cause> {
        let times = self.message.note(key);
        (times >= self.trips.no_progress_loops)
            .then(|| Cause { reason: TripReason::RepeatedMessage, evidence: format!("{what} {times} times in a row") })
    }

    fn forget(&mut self) {
        self.history.clear();
        self.seen.clear();
        self.calls_without_news = 0;
        self.error = Repeats::default();
        self.rejected = Repeats::default();
    }
}
