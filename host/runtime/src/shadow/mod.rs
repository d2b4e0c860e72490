//! Policies in shadow: asked what the run's policies were asked, beside the run.
//!
//! ```text
//! frame durable ── questions, views, verdicts ──► queue ──► worker: shadow policies ──► side stream
//! ```
//!
//! Nothing that a shadow policy says, costs or breaks reaches the run: its frames, budgets and
//! verdicts are those of the same run without it. What the worker cannot keep up with is dropped and
//! counted, and so is what a policy is not asked while an operator has it revoked. `countersign-audit`
//! compares what was said with what counted.

mod dropped;
mod listener;
mod policies;
mod queue;
mod stream;

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use countersign_bundle::Bundle;
use countersign_kernel::{Run, Sampled, Slot};
use countersign_store::{RunReader, SideLog, StorageError};

use crate::operations::Operations;
use dropped::Dropped;
use listener::Listener;
use policies::{NotShadowed, Place, Policies};
use queue::{Offered, Queue};
use stream::Stream;

/// Frames that may wait for the worker. One more is dropped.
const MOST_WAITING: usize = 64;

/// The shadow of one run; part of its [`Judges`](crate::Judges). A [`Session`](crate::Session) casts it:
/// from its first frame on.
pub struct Shadow {
    state: State,
    /// Entries that an operator has switched off for now.
    revoked: Vec<Arc<str>>,
}

enum State {
    /// It has not begun.
    Waiting(Box<Wanted>),
    /// Off the fold, on a thread of its own.
    Beside(Beside),
    /// With each frame.
    InStep(InStep),
    /// Nobody is in shadow, or no more.
    Off,
}

/// What a shadow is to be once it begins.
struct Wanted {
    bundle: Arc<Bundle>,
    slots: Option<Vec<Slot>>,
    in_step: bool,
    taken_up: bool,
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Waiting(_) => "waiting",
            State::Beside(_) => "beside",
            State::InStep(_) => "in step",
            State::Off => "off",
        };
        f.debug_tuple("Shadow").field(&state).finish()
    }
}

impl Shadow {
    pub(crate) fn of(bundle: &Arc<Bundle>) -> Self {
        if bundle.shadows().next().is_none() {
            return Shadow { state: State::Off, revoked: Vec::new() };
        }
        let bundle = Arc::clone(bundle);
        let wanted = Wanted { bundle, slots: None, in_step: false, taken_up: false };
        Shadow { state: State::Waiting(Box::new(wanted)), revoked: Vec::new() }
    }

    /// Nobody is asked beside the run.
    pub(crate) fn none() -> Self {
        Shadow { state: State::Off, revoked: Vec::new() }
    }

    fn wanted(&mut self) -> Option<&mut Wanted> {
        match &mut self.state {
            State::Waiting(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// Judges nothing in shadow, as where nobody would ever read it. No effect once it has begun.
    pub fn off(&mut self) {
        if self.wanted().is_some() {
            self.state = State::Off;
        }
    }

    /// Hears these slots alone: those of which the run has something to ask. No effect once it has begun.
    pub fn only(&mut self, slots: &[Slot]) {
        if let Some(wanted) = self.wanted() {
            wanted.slots = Some(slots.to_vec());
        }
    }

    /// Judges each frame before [`Shadow::hear`] returns and drops nothing, for runs that nobody waits
    /// for. No effect once it has begun.
    pub fn in_step(&mut self) {
        if let Some(wanted) = self.wanted() {
            wanted.in_step = true;
        }
    }

    pub(crate) fn take_up(&mut self) {
        if let Some(wanted) = self.wanted() {
            wanted.taken_up = true;
        }
    }

    /// Takes in what an operator has switched off: a revoked policy is not asked until it is restored. One
    /// that is revoked when the run begins is not even opened.
    pub(crate) fn heed(&mut self, operations: &mut Operations) {
        let mut off = |component: &str| operations.revoked(component);
        self.revoked = match &self.state {
            State::Waiting(wanted) => {
                let shadows = wanted.bundle.shadows().map(|(entry, _)| entry);
                shadows.filter(|entry| off(&entry.component_digest)).map(|entry| entry.name.as_str().into()).collect()
            }
            State::Beside(Beside { listeners, .. }) | State::InStep(InStep { listeners, .. }) => {
                let revoked = listeners.iter().filter(|listener| off(&listener.component));
                revoked.map(|listener| Arc::clone(&listener.name)).collect()
            }
            State::Off => Vec::new(),
        };
    }

    /// Whether it has yet to begin.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Begins, with the run's next frame: where the run is pinned to the bundle whose shadow policies
    /// these are. What they say goes to `side`, and is read back by `reader`. Once is enough. Whatever goes wrong is a warning
    /// (`tracing`), and the run goes on without a shadow.
    pub(crate) fn begin(&mut self, run: &mut Run, side: Box<dyn SideLog>, reader: Box<dyn RunReader>) {
        let State::Waiting(_) = &self.state else { return };
        let State::Waiting(wanted) = std::mem::replace(&mut self.state, State::Off) else { return };
        if run.manifest().lock != *wanted.bundle.digest().as_str() {
            return;
        }
        let stream = Stream::new(side, reader);
        let place = Place {
            run: Arc::clone(&run.manifest().run),
            from: run.frames(),
            slots: wanted.slots,
            taken_up: wanted.taken_up,
            revoked: std::mem::take(&mut self.revoked),
            bundle: wanted.bundle,
        };
        let listeners = place.listeners();
        if listeners.is_empty() {
            return;
        }
        let begun = if wanted.in_step {
            Policies::open(&place, stream).map(|policies| State::InStep(InStep::new(listeners, policies)))
        } else {
            Ok(Beside::start(place, listeners, stream).map_or(State::Off, State::Beside))
        };
        match begun {
            Ok(begun) => {
                run.sample_slots();
                self.state = begun;
            }
            Err(error) => warn(&run.manifest().run, &error),
        }
    }

    /// Hears what was asked in a frame. Call it once the frame is durable.
    pub fn hear(&mut self, frame: u64, sampled: Vec<Sampled>) {
        let done = match &mut self.state {
            State::Waiting(_) | State::Off => Ok(()),
            State::Beside(beside) => {
                beside.hear(frame, sampled, &self.revoked);
                Ok(())
            }
            State::InStep(in_step) => in_step.hear(frame, sampled, &self.revoked),
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the shadow policies are asked no more");
            self.state = State::Off;
        }
    }

    /// Waits until what was heard is judged and written. Happens by itself when it is dropped.
    pub fn finish(&mut self) {
        match std::mem::replace(&mut self.state, State::Off) {
            State::Waiting(_) | State::Off => {}
            State::Beside(beside) => beside.finish(),
            State::InStep(InStep { mut policies, dropped, .. }) => {
                if let Err(error) = policies.end(&dropped) {
                    tracing::warn!(%error, "what the shadow policies said is not whole");
                }
            }
        }
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A shadow that judges while the run waits.
struct InStep {
    listeners: Vec<Listener>,
    policies: Box<Policies>,
    dropped: Dropped,
}

impl InStep {
    fn new(listeners: Vec<Listener>, policies: Policies) -> Self {
        InStep { listeners, policies: Box::new(policies), dropped: Dropped::default() }
    }

    fn hear(&mut self, frame: u64, sampled: Vec<Sampled>, revoked: &[Arc<str>]) -> Result<(), StorageError> {
        let (off, asked) = apart(&self.listeners, revoked);
        sampled.iter().for_each(|heard| self.dropped.count(heard.question.slot(), off.iter().copied()));
        self.policies.judge(frame, of_interest(sampled, &asked), revoked)
    }
}

/// A shadow on a thread of its own.
struct Beside {
    run: Arc<str>,
    listeners: Vec<Listener>,
    queue: Queue<Message>,
    dropped: Dropped,
}

enum Message {
    /// With the entries that are not to be asked.
    Frame(u64, Vec<Sampled>, Vec<Arc<str>>),
    /// What never came to be asked.
    End(Dropped),
}

impl Beside {
    fn start(place: Place, listeners: Vec<Listener>, stream: Stream) -> Option<Self> {
        let run = Arc::clone(&place.run);
        // Opening the policies is not the run's time either.
        match Queue::start(MOST_WAITING, move |messages| work(&place, stream, messages)) {
            Ok(queue) => Some(Beside { run, listeners, queue, dropped: Dropped::default() }),
            Err(error) => {
                tracing::warn!(%run, %error, "the run has no shadow: cannot start a thread");
                None
            }
        }
    }

    fn hear(&mut self, frame: u64, sampled: Vec<Sampled>, revoked: &[Arc<str>]) {
        let (off, asked) = apart(&self.listeners, revoked);
        sampled.iter().for_each(|heard| self.dropped.count(heard.question.slot(), off.iter().copied()));
        let sampled = of_interest(sampled, &asked);
        if sampled.is_empty() {
            return;
        }
        let slots: Vec<Slot> = sampled.iter().map(|heard| heard.question.slot()).collect();
        if self.queue.offer(Message::Frame(frame, sampled, revoked.to_vec())) == Offered::Full {
            slots.into_iter().for_each(|slot| self.dropped.count(slot, asked.iter().copied()));
        }
    }

    fn finish(self) {
        if !self.queue.finish(Message::End(self.dropped)) {
            tracing::warn!(run = %self.run, "the thread of the shadow policies failed");
        }
    }
}

fn work(place: &Place, stream: Stream, messages: Receiver<Message>) {
    let done = move || -> Result<(), NotShadowed> {
        let mut policies = Policies::open(place, stream)?;
        for message in messages {
            match message {
                Message::Frame(frame, sampled, revoked) => {
                    policies.judge(frame, sampled, &revoked)?;
                    policies.flush()?;
                }
                Message::End(dropped) => policies.end(&dropped)?,
            }
        }
        Ok(())
    };
    if let Err(error) = done() {
        warn(&place.run, &error);
    }
}

/// What nobody listens to takes no place in the queue.
fn of_interest(mut sampled: Vec<Sampled>, listeners: &[&Listener]) -> Vec<Sampled> {
    sampled.retain(|heard| listeners.iter().any(|listener| listener.hears(heard.question.slot())));
    sampled
}

/// Those that are revoked, and those that are asked.
fn apart<'a>(listeners: &'a [Listener], revoked: &[Arc<str>]) -> (Vec<&'a Listener>, Vec<&'a Listener>) {
    listeners.iter().partition(|listener| revoked.contains(&listener.name))
}

fn warn(run: &str, error: &NotShadowed) {
    tracing::warn!(run, %error, "the run has no shadow any more");
}
