//! One loop and one life for every run, whoever drives it.
//!
//! ```text
//! begin | take_up ─► input ─► accept ─► judge ─► close ─► append ─► shadow ─► operate ─► tasks ─► …─► leave | close
//! ```
//!
//! A [`Session`] owns what a run needs while it lives: the fold, its policies, the log its frames go to, the salt and
//! the exact arguments that stand behind marks, its clock, and what the operator has set above it. Nothing else
//! opens or closes a frame. Scenarios, recordings, the gateway and embedders are its callers.
//!
//! Who owns the loop decides which half of it is used:
//!
//! * the host drives: [`Session::drive`] asks models and tools of a [`World`] until the run waits or is over;
//! * an agent drives: each call is [proposed](Session::propose), made only with a [`Permit`], and
//!   [observed](Session::observe).
//!
//! ```text
//! propose(call) → CallDecision ─┬─ Permitted(permit) → make the call → observe(permit, result) → Observed
//!                               ├─ Parked   a person must approve; a repeat after that is permitted, once
//!                               ├─ Refused  not this call; the agent is told why and goes on
//!                               ├─ Noted    the host took it itself: nothing is to be called
//!                               └─ Stopped  no call at all until a person has looked, or for good
//! ```
//!
//! Nothing in it waits, sleeps or needs an executor: it fits into any loop, synchronous or not. For an async
//! program the [`Governor`](crate::Governor) keeps sessions on threads of their own.

mod calls;
mod clock;
mod decision;
mod drive;
mod error;
mod inbox;
mod life;
mod marks;
mod observer;
mod permit;
mod record;
mod rules;
mod setup;
mod standing;
mod vault;
mod words;

use std::sync::Arc;
use std::time::Duration;

use countersign_kernel::{Closed, Effect, Input, Outcome, Run, Status};
use countersign_operate::BucketReservation;
use countersign_spec::Mode;
use countersign_store::{Diagnostic, SharedStore, Side};
use countersign_tools::marks::Marks;
use countersign_tools::parts::Parts;
use countersign_tools::redact::Salt;
use countersign_tools::registry::Registry;

use crate::host::Judges;
use crate::operations::Operations;
use crate::shadow::Shadow;

pub use clock::Clock;
pub use countersign_tools::{Hidden, Redaction, VisibleResult};
pub use decision::{CallDecision, Proposal, Refusal};
pub use drive::{ModelAnswer, World};
pub use error::{SessionError, TakeUpError};
pub use inbox::Decided;
pub use life::Held;
pub use observer::{Observer, Silent};
pub use permit::{Observed, Permit, ReadBack, Seen};
pub use record::Past;
pub use setup::Setup;
pub use setup::slots;
pub use standing::{Standing, Stop};

use calls::Calls;
use clock::Running;
pub(crate) use record::Record;
use vault::Vault;

/// A run while it lives.
pub struct Session {
    run: Run,
    judges: Judges,
    store: SharedStore,
    record: Record,
    registry: Registry,
    operations: Operations,
    salt: Salt,
    clock: Running,
    /// That it was taken up, until it is on record.
    taken_up: Option<TakenUp>,
    vault: Vault,
    /// What marks stand for that its model was told.
    marks: Marks,
    /// What it was told only the beginning of.
    parts: Parts,
    /// Whether the store may keep what is in the vault.
    keep_secrets: bool,
    /// Whether it may have done so.
    secrets_kept: bool,
    observer: Box<dyn Observer + Send>,
    /// The entry of the inbox that is taken now, as its approver signed it.
    signed_entry: Option<String>,
    /// What is known of the calls of an agent that owns the loop.
    calls: Calls,
    /// An error came in the middle of a frame: nobody can go on from there but from the log.
    broken: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (run, status) = (&self.run.manifest().run, self.run.status());
        f.debug_struct("Session").field("run", run).field("status", &status).finish_non_exhaustive()
    }
}

/// Something that a frame asks for, with what the operator's buckets hold for it.
#[derive(Debug)]
pub(crate) struct Task {
    pub effect: Effect,
    pub held: Option<BucketReservation>,
}

/// A run that was taken up.
#[derive(Debug)]
struct TakenUp {
    /// When, by its own time.
    at: u64,
    /// The engine that judges from now on, where it is another.
    engine: Option<Arc<str>>,
}

/// What one input led to.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// What the run decides on the proposal that it was.
    pub decision: Option<countersign_kernel::CallDecision>,
    /// What may now be done, in order.
    pub tasks: Vec<Task>,
}

impl Session {
    /// The fold: status, budgets, what policies see.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Where the run stands.
    pub fn status(&self) -> Status {
        self.run.status()
    }

    /// The fold, once nothing more is to happen to it here.
    pub fn into_run(self) -> Run {
        self.run
    }

    /// An error left it in the middle of something: it is to be taken up again from its log.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The policies that are asked beside the run.
    pub fn shadow(&mut self) -> &mut Shadow {
        self.judges.shadow()
    }

    /// Lets nobody call a tool, for this reason; none lets it be called again.
    pub fn withhold(&mut self, tool: &str, reason: Option<String>) {
        self.registry.withhold(tool, reason);
    }

    /// Waits until the sinks have taken everything there is to tell people, at most so long. No call waits for that.
    pub fn told(&self, most: Duration) {
        self.operations.told(most);
    }

    /// Milliseconds of the run's own time.
    pub fn now(&self) -> u64 {
        self.clock.now().max(self.run.at())
    }

    /// Takes one input at this moment of the run's time: it is judged, its frame made durable, and what the frame
    /// asks for handed out. What the operator does not admit is not handed out; the run is told instead.
    ///
    /// # Errors
    /// An input that the run does not expect, which changes nothing. After any other error the session is broken.
    pub(crate) fn take(&mut self, at: u64, input: Input, watch: &mut dyn Observer) -> Result<Turn, SessionError> {
        if self.broken {
            return Err(SessionError::Broken);
        }
        self.run.expects(&input)?;
        let made = self.made(&input);
        self.whole(|session| session.frames(at, input, watch)).map_err(|error| unrecorded(made, error))
    }

    /// The call that an input tells of, where it was made or may have been.
    fn made(&self, input: &Input) -> Option<u64> {
        let made = match input {
            Input::Observed { call, observation } if observation.outcome != Outcome::Rejected => Some(*call),
            Input::Verified { call, .. } => Some(*call),
            _ => None,
        };
        made.filter(|_| self.run.manifest().mode != Mode::Recorded)
    }

    /// The same, watched by the session's own observer.
    pub(crate) fn step(&mut self, input: Input) -> Result<Turn, SessionError> {
        let mut observer: Box<dyn Observer + Send> = std::mem::replace(&mut self.observer, Box::new(Silent));
        let turn = self.take(self.now(), input, &mut *observer);
        self.observer = observer;
        turn
    }

    /// An error in the middle of what belongs together leaves the run where nobody can go on from.
    fn whole<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, SessionError>) -> Result<T, SessionError> {
        let done = act(self);
        self.broken = done.is_err();
        done
    }

    fn frames(&mut self, at: u64, input: Input, watch: &mut dyn Observer) -> Result<Turn, SessionError> {
        self.judges.shadow().heed(&mut self.operations);
        if self.judges.shadow().is_waiting() {
            self.begin_shadow();
        }
        // Until it was taken up nobody drove it, which is no running time.
        if let Some(TakenUp { at: then, engine }) = self.taken_up.take() {
            let (input, is_news) = (Input::TakenUp { engine: engine.clone() }, engine.is_some());
            // While a person is waited for, time is no matter; who judges is.
            if is_news || self.run.expects(&input).is_ok() {
                self.frame(then.min(at), input, watch)?;
            }
        }
        let mut turn = Turn::default();
        let mut next = Some(input);
        let mut cancel: Option<String> = None;
        while let Some(input) = next.take() {
            let closed = self.frame(at, input, watch)?;
            if let Some(id) = cancel.take() {
                self.entry_taken(&id)?;
            }
            turn.decision = closed.decision.or(turn.decision);
            turn.tasks.clear();
            for effect in closed.effects {
                // Whoever cancels a run means what it is about to do.
                if matches!(effect, Effect::CallModel { .. } | Effect::Dispatch { .. })
                    && let Some(id) = self.cancel_waiting()?
                {
                    cancel = Some(id);
                    next = Some(Input::Cancelled);
                    break;
                }
                match self.operations.admit(&self.run, &effect) {
                    Ok(held) => {
                        self.tell(&effect);
                        turn.tasks.push(Task { effect, held });
                    }
                    Err(refused) => next = Some(*refused),
                }
            }
            if next.is_some() {
                turn.tasks.clear();
            }
        }
        Ok(turn)
    }

    /// One frame, from its input to the durable record. The only place that opens and closes one.
    fn frame(&mut self, at: u64, input: Input, watch: &mut dyn Observer) -> Result<Closed, SessionError> {
        self.run.accept(at.max(self.run.at()), input)?;
        let number = self.run.frames();
        let mut diagnostics = Vec::new();
        self.judges.evaluate(&mut self.run, &mut self.record, |entry, outcome, took| {
            watch.judged(entry, outcome, took);
            diagnostics.extend(Diagnostic::of(number, entry, outcome.failure.as_deref(), lines(&outcome.log)));
        })?;
        diagnostics.iter().for_each(|diagnostic| self.record.diagnose(diagnostic));
        let mut closed = self.run.close()?;
        // What a frame asks for starts after the frame is durable, never before.
        self.record.append(&closed.frame, self.run.status())?;
        if matches!(self.run.status(), countersign_kernel::Status::Ended(_)) {
            self.forget_secrets();
        }
        self.judges.shadow().heed(&mut self.operations);
        self.judges.shadow().hear(closed.frame.frame, std::mem::take(&mut closed.sampled));
        self.keep_rules(&closed.frame);
        self.operations.watch(&self.run, &closed.frame);
        self.calls.follow(&self.run, &mut closed);
        watch.frame(&self.run, &closed);
        Ok(closed)
    }

    /// Has the policies in shadow asked from the next frame on, and what they say kept beside the record.
    fn begin_shadow(&mut self) {
        let beside = self.record.side(Side::Shadow).map_err(|error| error.to_string()).and_then(|side| {
            let reader = self.store.read(&self.run.manifest().run).map_err(|error| error.to_string())?;
            Ok((side, reader))
        });
        match beside {
            Ok((side, reader)) => self.judges.shadow().begin(&mut self.run, side, reader),
            Err(error) => {
                tracing::warn!(run = %self.run.manifest().run, error, "the run has no shadow");
                self.judges.shadow().off();
            }
        }
    }

    /// Tells people what an effect has to tell them.
    fn tell(&mut self, effect: &Effect) {
        let (run, operations) = (&self.run, &mut self.operations);
        match effect {
            Effect::Notify { text } => operations.notify(run, text),
            Effect::Alarm { severity, reason } => operations.alarm(run, *severity, reason),
            Effect::Report { code, report } | Effect::Suspend { code, report } => {
                operations.suspended(run, *code, report);
            }
            Effect::End { code, reason, authority } => operations.ended(run, *code, reason, authority.as_ref()),
            _ => {}
        }
    }
}

/// An error after which nobody finds on record what came of a call that was made.
fn unrecorded(made: Option<u64>, error: SessionError) -> SessionError {
    match made {
        Some(call) => SessionError::Unrecorded { call, source: Box::new(error) },
        None => error,
    }
}

fn lines(log: &[countersign_engine::LogLine]) -> Vec<(String, String)> {
    log.iter().map(|line| (format!("{:?}", line.level).to_lowercase(), line.message.clone())).collect()
}
