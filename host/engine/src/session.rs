//! One policy in one run: its calls in order, its failures, its second life.

use std::sync::Arc;

use countersign_contract::Violation;
use countersign_contract::view::{Answer, Query, Read, RunView};
use countersign_contract::{Answered, Cause, Judged, Question};

use crate::call::LogLine;
use crate::cause::{cause_of, message};
use crate::engine::with_stack;
use crate::error::OpenError;
use crate::limits::Limits;
use crate::policy::{Open, Policy};
use crate::watchdog::Watchdog;

/// The earlier judgements of an entry, for rebuilding its instance after a trap. Read back from
/// where they are recorded, never kept in memory.
pub trait History {
    /// Feeds every earlier judgement of the session's entry in this run, in order. False when
    /// they cannot be had.
    fn feed(&mut self, each: &mut dyn FnMut(&Question, &[Read], &Answered) -> bool) -> bool;
}

/// Where nothing is recorded: a stateful policy is dead after its first trap.
#[derive(Debug, Clone, Copy)]
pub struct NoHistory;

impl History for NoHistory {
    fn feed(&mut self, _: &mut dyn FnMut(&Question, &[Read], &Answered) -> bool) -> bool {
        false
    }
}

/// A judgement and what was logged on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// To be recorded.
    pub judged: Judged,
    /// To be kept beside the trace.
    pub log: Vec<LogLine>,
    /// For people, when the policy could not decide: `name@version: slot.function: ` and the
    /// author's own message, else the cause.
    pub failure: Option<String>,
}

/// One policy in one run. Calls are totally ordered; nothing is shared with other runs.
pub struct Session {
    policy: Policy,
    configuration: Arc<str>,
    limits: Limits,
    state: State,
}

enum State {
    /// Nobody has asked it yet: an instance is made for the first question.
    Unopened,
    Live(Box<Open>),
    /// It failed once: rebuilt before its next call.
    Broken,
    /// The run was taken up by another process: rebuilt before its next call, and its failures are
    /// counted again from the record.
    Behind,
    Dead,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Policy {
    /// Opens the policy for one run and bundle entry. `configuration` is canonical JSON that
    /// [`Policy::check_configuration`] has passed.
    ///
    /// The first time an instance is made at once, so that a configuration which the policy refuses is an error
    /// here. Where it has accepted the very same before, as when its bundle was loaded, an instance is made for the
    /// first question: a run pays for no policy that it does not ask.
    ///
    /// # Errors
    /// When the policy refuses the configuration, or the instance cannot be made.
    pub fn open(&self, configuration: Arc<str>, limits: Limits) -> Result<Session, OpenError> {
        if self.has_accepted(&configuration, &limits) {
            return Ok(Session::new(self.clone(), configuration, limits, None));
        }
        let open = with_stack(|| self.instantiate(&configuration, &limits))?;
        self.accept(&configuration, &limits);
        Ok(Session::new(self.clone(), configuration, limits, Some(open)))
    }
}

impl Session {
    /// With an instance, or one that is made for the first question.
    pub(crate) fn new(policy: Policy, configuration: Arc<str>, limits: Limits, open: Option<Open>) -> Self {
        let state = open.map_or(State::Unopened, |open| State::Live(Box::new(open)));
        Session { policy, configuration, limits, state }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The run has a past that this instance has not seen: it is rebuilt before its next call.
    pub fn take_up(&mut self) {
        self.state = State::Behind;
    }

    /// Puts a question. An instance that failed is rebuilt first, from `history` unless the policy
    /// is stateless; on a second failure it is dead for the run.
    pub fn judge(
        &mut self,
        question: &Question,
        view: Arc<dyn RunView + Send + Sync>,
        history: &mut dyn History,
    ) -> Outcome {
        with_stack(|| self.judge_here(question, view, history))
    }

    fn judge_here(
        &mut self,
        question: &Question,
        view: Arc<dyn RunView + Send + Sync>,
        history: &mut dyn History,
    ) -> Outcome {
        let mut second_life = matches!(self.state, State::Broken);
        if matches!(self.state, State::Broken | State::Behind) {
            // What another process called must leave the same instance behind, to the last unit of
            // fuel; after a failure a stateless one begins anew.
            let (open, failures) = self.rebuild(history, matches!(self.state, State::Behind));
            second_life |= failures == 1;
            let alive = open.filter(|_| failures < 2);
            self.state = alive.map_or(State::Dead, |open| State::Live(Box::new(open)));
        }
        if matches!(self.state, State::Unopened) {
            let Ok(open) = self.policy.instantiate(&self.configuration, &self.limits) else {
                // It accepted the configuration before: what it lacks now is room on this machine.
                self.state = State::Broken;
                return self.undecided(question, Cause::Environment, Vec::new(), Vec::new(), 0);
            };
            self.state = State::Live(Box::new(open));
        }
        let State::Live(open) = &mut self.state else {
            return self.undecided(question, Cause::Dead, Vec::new(), Vec::new(), 0);
        };
        let (result, reads, log, fuel) = call(open, question, view, &self.limits);
        match result {
            Ok(answer) => Outcome { judged: Judged { answer, reads, fuel }, log, failure: None },
            Err(cause) => {
                // Whatever failed: an instance is not called again after it.
                self.state = if second_life { State::Dead } else { State::Broken };
                self.undecided(question, cause, reads, log, fuel)
            }
        }
    }

    fn undecided(&self, question: &Question, cause: Cause, reads: Vec<Read>, log: Vec<LogLine>, fuel: u64) -> Outcome {
        let slot = question.slot();
        let failure = format!("{}: {}.{}: {}", self.policy.label(), slot, slot.function(), message(&log, &cause));
        Outcome { judged: Judged { answer: Answered::Undecided(cause), reads, fuel }, log, failure: Some(failure) }
    }

    /// A fresh instance with the recorded inputs behind it, without the calls that failed; and how
    /// many of those there were. None when it cannot be had.
    fn rebuild(&self, history: &mut dyn History, everything: bool) -> (Option<Open>, u32) {
        let fresh = || self.policy.instantiate(&self.configuration, &self.limits).ok();
        let Some(mut open) = fresh() else { return (None, 0) };
        let stateless = self.policy.descriptor().stateless;
        let cap = self.limits.rebuild_fuel;
        let mut spent = 0_u64;
        let (mut whole, mut failures) = (true, 0);
        let fed = history.feed(&mut |question, reads, answer| {
            if matches!(answer, Answered::Undecided(_)) {
                failures += 1;
                whole = match stateless {
                    true if everything => fresh().map(|again| open = again).is_some(),
                    true => true,
                    // Else the process in which it failed would not have called it again either.
                    false => spent <= cap,
                };
                return whole;
            }
            if stateless && !everything {
                return true;
            }
            let view = Arc::new(RecordedReads(reads.to_vec()));
            let (result, _, _, fuel) = call(&mut open, question, view, &self.limits);
            spent = spent.saturating_add(fuel);
            // The cap is for failures: taking a run up costs what it has cost, which is no fault of the policy.
            whole = result.is_ok() && (everything || spent <= cap);
            whole
        });
        // A stateless policy needs no history to be called again after a failure.
        (((fed && whole) || (stateless && !everything)).then_some(open), failures)
    }
}

/// A view that serves what was read then.
struct RecordedReads(Vec<Read>);

impl RunView for RecordedReads {
    fn read(&self, query: &Query) -> Option<Answer> {
        self.0.iter().find(|read| read.query == *query).map(|read| read.answer.clone())
    }
}

type Called = (Result<Answered, Cause>, Vec<Read>, Vec<LogLine>, u64);

fn call(open: &mut Open, question: &Question, view: Arc<dyn RunView + Send + Sync>, limits: &Limits) -> Called {
    let store = &mut open.store;
    if store.set_fuel(limits.fuel_per_call).is_err() {
        return (Err(Cause::Environment), Vec::new(), Vec::new(), 0);
    }
    Watchdog::arm(store);
    store.data_mut().begin(Some(view));
    let result = open.functions.call(store, question);
    let fuel = limits.fuel_per_call - store.get_fuel().unwrap_or(0);
    let (reads, violation, log) = store.data_mut().end();
    let result = match result {
        None => Err(Cause::MalformedAnswer),
        Some(Err(error)) => Err(cause_of(&error, violation)),
        Some(Ok(answer)) => match answer.check(question).and_then(|()| within(&answer, limits)) {
            Ok(()) => Ok(answer),
            Err(violation) => Err(Cause::ContractViolation(violation)),
        },
    };
    (result, reads, log, fuel)
}

fn within(answer: &Answered, limits: &Limits) -> Result<(), Violation> {
    if answer.bytes() as u64 <= limits.answer_bytes {
        return Ok(());
    }
    Err(Violation {
        field: "answer".to_owned(),
        expected: format!("at most {} bytes of text", limits.answer_bytes),
        bits: None,
    })
}
