use std::sync::Arc;
use std::time::Duration;

use countersign_kernel::budget::Demand;
use countersign_kernel::{Input, Outcome, Verifier};

use super::{GuardError, GuardedRun, Standing};
use crate::operate::BucketReservation;
use crate::registry::{Called, Finding, Reading, ToolResult};

/// The proof that one call may be made.
///
/// Only a [`GuardedRun`] makes one. It is used up by the observation, and it borrows its run, so it
/// cannot be kept for later:
///
/// ```compile_fail,E0451
/// # use countersign::guard::Permit;
/// let forged = Permit { inner: todo!() };
/// ```
///
/// ```compile_fail,E0382
/// # use countersign::{guard::Permit, registry::ToolResult};
/// fn twice(permit: Permit<'_>, result: &ToolResult) {
///     let _ = permit.observe(result);
///     let _ = permit.observe(result);
/// }
/// ```
///
/// ```compile_fail,E0505
/// # use countersign::{guard::{GuardedRun, Proposal, Ruling}, kernel::Code, registry::ToolResult};
/// fn outlives(mut run: GuardedRun, call: Proposal, result: &ToolResult) {
///     if let Ok(Ruling::Permitted(permit)) = run.propose(call) {
///         let _ = run.close(Code::Success);
///         let _ = permit.observe(result);
///     }
/// }
/// ```
///
/// One that is dropped without an observation, as when a task is cancelled, is recorded as a call of
/// which nobody knows what became: it may have been made, and where it changes something it is not
/// made again in this run.
#[derive(Debug)]
#[must_use]
pub struct Permit<'run> {
    inner: Option<Open<'run>>,
}

#[derive(Debug)]
struct Open<'run> {
    run: &'run mut GuardedRun,
    granted: Box<Granted>,
}

/// What a permit is for.
#[derive(Debug)]
pub(super) struct Granted {
    pub call: u64,
    pub tool: Arc<str>,
    /// As the tool is to receive them.
    pub arguments: String,
    pub idempotency_key: Option<Arc<str>>,
    pub demand: Demand,
    pub held: Option<BucketReservation>,
    pub time_out: Duration,
}

/// What came of an observation.
#[derive(Debug)]
#[must_use]
pub enum Seen<'run> {
    /// It is recorded; the next call can be proposed.
    Done(Standing),
    /// Another tool must show first that the call did what it should.
    ReadBack(ReadBack<'run>),
}

/// A reading that verifies a call. Dropped, it verifies nothing.
#[derive(Debug)]
pub struct ReadBack<'run> {
    inner: Option<OpenReading<'run>>,
}

#[derive(Debug)]
struct OpenReading<'run> {
    run: &'run mut GuardedRun,
    call: u64,
    verifier: Verifier,
    reading: Reading,
}

impl<'run> Permit<'run> {
    pub(super) fn new(run: &'run mut GuardedRun, granted: Granted) -> Self {
        Permit { inner: Some(Open { run, granted: Box::new(granted) }) }
    }

    fn granted(&self) -> Option<&Granted> {
        self.inner.as_ref().map(|open| &*open.granted)
    }

    /// The tool.
    pub fn tool(&self) -> &str {
        self.granted().map_or("", |granted| &granted.tool)
    }

    /// Its arguments as canonical JSON: exactly what was judged, and approved where a person was asked.
    /// Give the tool these, not what the agent wrote.
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

    /// Hands in what came of the call.
    ///
    /// # Errors
    /// When it cannot be made durable: the run takes no proposals then.
    pub fn observe(mut self, result: &ToolResult) -> Result<Seen<'run>, GuardError> {
        let Some(Open { run, granted }) = self.inner.take() else { return Err(GuardError::Broken) };
        let called = Called {
            tool: granted.tool.to_string(),
            arguments: granted.arguments.clone(),
            text: result.text.clone(),
            outcome: result.outcome,
        };
        let verify = run.observed(*granted, result)?;
        let Some((call, verifier)) = verify else { return Ok(Seen::Done(run.standing())) };
        match run.look(&verifier, &called) {
            Finding::Read(reading) => {
                Ok(Seen::ReadBack(ReadBack { inner: Some(OpenReading { run, call, verifier, reading }) }))
            }
            finding => {
                run.verified(call, &verifier, &finding)?;
                Ok(Seen::Done(run.standing()))
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let Some(Open { run, granted }) = self.inner.take() else { return };
        let unknown = ToolResult::new(Outcome::TimedOut, "given up on the way: nobody knows what became of it");
        // What fails here is told by the next proposal.
        if let Ok(Some((call, verifier))) = run.observed(*granted, &unknown) {
            let nothing = Finding::Problem { detail: "there is no result to look at".to_owned(), drifted: false };
            let _ = run.verified(call, &verifier, &nothing);
        }
    }
}

impl<'run> ReadBack<'run> {
    /// The tool that reads.
    pub fn tool(&self) -> &str {
        self.inner.as_ref().map_or("", |open| &open.reading.tool)
    }

    /// Its arguments as canonical JSON.
    pub fn arguments(&self) -> &str {
        self.inner.as_ref().map_or("{}", |open| &open.reading.arguments)
    }

    /// Hands in what it read.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn answer(mut self, seen: &ToolResult) -> Result<Standing, GuardError> {
        let Some(OpenReading { run, call, verifier, reading }) = self.inner.take() else {
            return Err(GuardError::Broken);
        };
        run.verified(call, &verifier, &reading.judge(Some(seen)))?;
        Ok(run.standing())
    }
}

impl Drop for ReadBack<'_> {
    fn drop(&mut self) {
        let Some(OpenReading { run, call, verifier, reading }) = self.inner.take() else { return };
        let _ = run.verified(call, &verifier, &reading.judge(None));
    }
}

impl GuardedRun {
    /// Records an observation; the call and the verifier that is to look at it, where there is one.
    fn observed(&mut self, granted: Granted, result: &ToolResult) -> Result<Option<(u64, Verifier)>, GuardError> {
        let observation = self.observation(&granted.tool, result);
        self.operations_mut().observed(&observation, &granted.demand, granted.held);
        let outcome = self.step(Input::Observed { call: granted.call, observation })?;
        Ok(outcome.verify)
    }
}
