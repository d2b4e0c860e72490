use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_models::words;
use countersign_operate::BucketReservation;
use countersign_spec::Verifier;
use countersign_spec::budget::Demand;
use countersign_tools::registry::Reading;

use super::{Redaction, Standing, VisibleResult};

/// The proof that one call may be made.
///
/// Only a [`Session`](super::Session) makes one, and it is used up by [`Session::observe`](super::Session::observe). It
/// does not borrow the session: a program may hold it across an await, and hand it to another task.
///
/// ```compile_fail,E0451
/// # use countersign::session::Permit;
/// let forged = Permit { granted: todo!(), run: todo!(), abandoned: todo!() };
/// ```
///
/// ```compile_fail,E0382
/// # use countersign::session::{Permit, Session}; use countersign::registry::ToolResult;
/// fn twice(session: &mut Session, permit: Permit, result: ToolResult) {
///     let _ = session.observe(permit, result.clone());
///     let _ = session.observe(permit, result);
/// }
/// ```
///
/// One that is dropped without an observation, as when a task is cancelled, is recorded with the session's next
/// input as a call of which nobody knows what became: it may have been made, and where it changes something it is not
/// made again in this run.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    granted: Option<Box<Granted>>,
    run: Arc<str>,
    abandoned: Abandoned,
}

/// What a permit is for.
#[derive(Debug)]
pub(super) struct Granted {
    pub call: u64,
    pub tool: Arc<str>,
    /// As the tool is to receive them.
    pub arguments: Arc<str>,
    pub idempotency_key: Option<Arc<str>>,
    pub demand: Demand,
    pub held: Option<BucketReservation>,
    pub time_out: Duration,
}

impl Permit {
    pub(super) fn new(granted: Granted, run: Arc<str>, abandoned: &Abandoned) -> Self {
        Permit { granted: Some(Box::new(granted)), run, abandoned: abandoned.clone() }
    }

    fn granted(&self) -> Option<&Granted> {
        self.granted.as_deref()
    }

    /// The tool.
    pub fn tool(&self) -> &str {
        self.granted().map_or("", |granted| &granted.tool)
    }

    /// Its arguments as canonical JSON: exactly what was judged, and approved where a person was asked, with secrets
    /// in their places. Give the tool these, not what the agent wrote, and show them to nobody else.
    pub fn arguments(&self) -> &str {
        self.granted().map_or("{}", |granted| &granted.arguments)
    }

    /// For tools that can tell a repeat; none for a call that changes nothing.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.granted().and_then(|granted| granted.idempotency_key.as_deref())
    }

    /// How long the call may take.
    pub fn time_out(&self) -> Duration {
        self.granted().map_or(Duration::ZERO, |granted| granted.time_out)
    }

    /// What it is for, where it is of this run. It is used up by that.
    pub(super) fn redeem(&mut self, run: &Arc<str>) -> Option<Granted> {
        if self.run != *run {
            return None;
        }
        self.granted.take().map(|granted| *granted)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(granted) = self.granted.take() {
            self.abandoned.put((Some(*granted), None));
        }
    }
}

/// What came of an observation.
#[derive(Debug)]
#[must_use]
pub enum Observed {
    /// It is recorded; the next call can be proposed.
    Done(Seen),
    /// Another tool must show first that the call did what it should.
    ReadBack(ReadBack),
}

/// A result as a model may see it, and how the run stands after it.
#[derive(Debug)]
pub struct Seen {
    /// What of the result may be shown.
    pub result: VisibleResult,
    /// How the run stands.
    pub standing: Standing,
}

impl Seen {
    /// All that the model is to be told: what of the result it may see, or what stands in its place, and what it must
    /// hear beside it.
    pub fn text(&self) -> String {
        if let Some(instead) = self.standing.instead() {
            return instead;
        }
        let orders = self.result.redaction().is_some_and(Redaction::withholds_orders);
        let parts = [
            Some(self.result.text().into_owned()),
            orders.then(|| words::ORDERS_WITHHELD.to_owned()),
            self.standing.told(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

/// A reading that verifies a call. Dropped, it verifies nothing.
#[derive(Debug)]
pub struct ReadBack {
    open: Option<Box<OpenReading>>,
    run: Arc<str>,
    abandoned: Abandoned,
}

#[derive(Debug)]
pub(super) struct OpenReading {
    pub call: u64,
    pub verifier: Verifier,
    pub reading: Reading,
    /// What the call itself gave, as it may be seen.
    pub result: VisibleResult,
}

impl ReadBack {
    pub(super) fn new(
        run: Arc<str>,
        call: u64,
        verifier: Verifier,
        reading: Reading,
        result: VisibleResult,
        abandoned: &Abandoned,
    ) -> Self {
        let open = OpenReading { call, verifier, reading, result };
        ReadBack { open: Some(Box::new(open)), run, abandoned: abandoned.clone() }
    }

    /// The tool that reads.
    pub fn tool(&self) -> &str {
        self.open.as_ref().map_or("", |open| &open.reading.tool)
    }

    /// Its arguments as canonical JSON.
    pub fn arguments(&self) -> &str {
        self.open.as_ref().map_or("{}", |open| &open.reading.arguments)
    }

    pub(super) fn redeem(&mut self, run: &Arc<str>) -> Option<OpenReading> {
        if self.run != *run {
            return None;
        }
        self.open.take().map(|open| *open)
    }
}

impl Drop for ReadBack {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.abandoned.put((None, Some(*open)));
        }
    }
}

type Left = (Option<Granted>, Option<OpenReading>);

/// What was dropped on the way, from whichever thread, until the session records it.
#[derive(Debug, Clone, Default)]
pub(super) struct Abandoned(Arc<Mutex<Vec<Left>>>);

impl Abandoned {
    fn put(&self, left: Left) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(left);
    }

    pub fn take(&self) -> Option<Left> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!left.is_empty()).then(|| left.remove(0))
    }
}
