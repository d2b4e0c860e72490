use std::sync::Arc;
use std::time::Duration;

use countersign_kernel::contract::Verdict;
use countersign_kernel::contract::guard::Passage;
use countersign_kernel::{
    Action, Answered, Approval, Closed, Code, Decision, Driver, Effect, Event, Frame, Input, InputError, Manifest,
    ManifestError, Mode, Observation, PolicyMode, Question, Reply, Response, Run, Slot, Status, StepReply, StepStatus,
    Usage, Verifier,
};
use countersign_store::{Entry, Inbox, Offer, StoreError};

use super::clock::Running;
use super::permit::Granted;
use super::sight::Look;
use super::{Permit, Proposal, Refusal, Ruling, SLOTS, Setup, Standing, Stop};
use crate::drive::tell;
use crate::host::{Host, HostError, Judges};
use crate::operate::BucketReservation;
use crate::operations::{NotDispatched, Operations};
use crate::redact::Salt;
use crate::registry::{Called, Finding, Registry, ToolResult};
use crate::reply::{clean, proposed};
use crate::scenario::utc_now;

/// Most interventions of monitor mode that are kept for whoever asks; all are in the trace.
const WOULD_HAVE: usize = 256;
/// Most bytes of a result that a guard looks at: as much as the slot ever sees of a text.
const LOOKED_AT: usize = 32 << 10;
/// Most bytes of an agent's reasoning that are kept.
const REASONING: usize = 2 << 10;

/// A guarded run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Its manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is not of a run whose loop an agent owns.
    #[error("`driver`: expected `agent`; `Host::guarded_manifest` makes such a manifest")]
    Driver,
    /// The host has another bundle than the run is pinned to.
    #[error("the run is pinned to the bundle {pinned}, this host has {found}; `LiveHost::host_for` gives its own")]
    Bundle {
        /// Digest of the lock that the manifest names.
        pinned: Arc<str>,
        /// Digest of the host's.
        found: Arc<str>,
    },
    /// The policies.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The agent is paused, or something is switched off.
    #[error(transparent)]
    NotDispatched(#[from] NotDispatched),
    /// A frame cannot be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run does not expect what came.
    #[error("the run cannot take that: {0}")]
    Input(#[from] InputError),
    /// A trace that is not of this run.
    #[error("its trace does not fold: {0}")]
    Fold(String),
    /// An earlier error left the run in the middle of something.
    #[error("the run broke off at an earlier error; take it up again from its trace")]
    Broken,
}

/// A run whose loop somebody else owns.
#[derive(Debug)]
pub struct GuardedRun {
    run: Run,
    judges: Judges,
    setup: Parts,
    clock: Running,
    /// Number of the proposal that is awaited; none while none is.
    awaiting: Option<u64>,
    notice: Option<Arc<str>>,
    /// What a guard looks at of the last result; none where no guard decides what a model may see.
    look: Option<Look>,
    stop: Option<Stop>,
    /// What monitor mode would have stopped, and nobody has asked for yet.
    would_have: Vec<(Verdict, Arc<str>, String)>,
    /// A frame could not be made durable.
    broken: bool,
}

struct Parts {
    registry: Registry,
    store: Box<dyn countersign_store::Store + Send>,
    operations: Operations,
    salt: Salt,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// What one input led to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    dispatch: Option<Dispatch>,
    pub verify: Option<(u64, Verifier)>,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Dispatch {
    call: u64,
    tool: Arc<str>,
    idempotency_key: Option<Arc<str>>,
    demand: countersign_kernel::budget::Demand,
    held: Option<BucketReservation>,
}

/// What became of the entries of an inbox.
#[derive(Debug, Default)]
pub struct Heard {
    /// Now frames of the run, by id.
    pub taken: Vec<String>,
    /// What the run did not expect, and why.
    pub refused: Vec<(String, String)>,
}

impl GuardedRun {
    /// Begins a run.
    ///
    /// # Errors
    /// A manifest that makes no sense, is not of a run whose loop an agent owns or is pinned to another
    /// bundle than the host's, a paused agent, a machine that gives no more instances, a store that takes
    /// nothing.
    pub fn begin(host: &Host, manifest: Manifest, setup: Setup) -> Result<Self, GuardError> {
        let mut guarded = GuardedRun::open(host, Arc::new(manifest), setup)?;
        let now = guarded.run.manifest().started;
        let manifest = Arc::clone(guarded.run.manifest());
        guarded.setup.operations.dispatch(&manifest, now)?;
        guarded.step(Input::Started)?;
        Ok(guarded)
    }

    /// Takes a run up again from its manifest and frames, and goes on in `setup.store`. What it was
    /// doing when its host was lost counts as a call of which nobody knows what became.
    ///
    /// # Errors
    /// As [`GuardedRun::begin`], and frames that do not fold.
    pub fn resume(host: &Host, manifest: Manifest, frames: &[Frame], setup: Setup) -> Result<Self, GuardError> {
        let mut guarded = GuardedRun::open(host, Arc::new(manifest), setup)?;
        for frame in frames {
            guarded.run.fold(frame).map_err(|error| GuardError::Fold(error.to_string()))?;
            guarded.note_stop(&frame.events);
        }
        let manifest = Arc::clone(guarded.run.manifest());
        let now = utc_now();
        guarded.clock.before = now.saturating_sub(manifest.started).max(guarded.run.at());
        guarded.setup.operations.dispatch(&manifest, now)?;
        guarded.judges.take_up();
        guarded.awaiting = guarded.run.awaited();
        if let Some(lost) = guarded.run.lost() {
            guarded.step(lost)?;
        }
        Ok(guarded)
    }

    fn open(host: &Host, manifest: Arc<Manifest>, setup: Setup) -> Result<Self, GuardError> {
        if manifest.driver != Driver::Agent {
            return Err(GuardError::Driver);
        }
        // Entries are found by their names: another bundle's would judge, and their digests be recorded
        // wrongly.
        let found = host.bundle().digest().as_str();
        if manifest.lock != *found {
            return Err(GuardError::Bundle { pinned: Arc::clone(&manifest.lock), found: Arc::clone(found) });
        }
        let run = Run::open(manifest)?;
        let mut judges = host.open(&run)?;
        judges.shadow().only(&SLOTS);
        let Setup { registry, store, operations, salt, clock } = setup;
        let clock = Running::new(clock);
        let setup = Parts { registry, store, operations, salt };
        Ok(GuardedRun {
            run,
            judges,
            setup,
            clock,
            awaiting: None,
            notice: None,
            look: None,
            stop: None,
            would_have: Vec::new(),
            broken: false,
        })
    }

    /// The fold: status, budgets, what policies see.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Lets nobody call a tool, for this reason; none lets it be called again.
    pub fn withhold(&mut self, tool: &str, reason: Option<String>) {
        self.setup.registry.withhold(tool, reason);
    }

    /// What monitor mode would have stopped since the last time: verdict, who, why.
    pub fn take_would_have(&mut self) -> Vec<(Verdict, Arc<str>, String)> {
        std::mem::take(&mut self.would_have)
    }

    /// An error left it in the middle of something: it is to be taken up again from its trace.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Approvals that proposed calls wait for.
    pub fn parked(&self) -> impl Iterator<Item = &Approval> {
        self.run.parked()
    }

    /// Rules on a call. The permit in the answer borrows the run: the next call can be proposed once
    /// this one is observed.
    ///
    /// # Errors
    /// When the frame cannot be made durable, or an earlier one could not: the call must not be made.
    pub fn propose(&mut self, proposal: Proposal) -> Result<Ruling<'_>, GuardError> {
        if self.broken {
            return Err(GuardError::Broken);
        }
        let Some(call) = self.awaiting.filter(|_| self.run.status() == Status::Running) else {
            return Ok(Ruling::Stopped(self.stopped()));
        };
        if let Some(halted) = self.setup.operations.halted(self.run.manifest()) {
            self.step(halted)?;
            return Ok(Ruling::Stopped(self.stopped()));
        }
        let Proposal { tool, arguments, reasoning, confidence, signals, usage } = proposal;
        let (registry, salt) = (&self.setup.registry, &self.setup.salt);
        let (action, exact) = proposed(&tool, arguments, registry, salt);
        let proposed = match &action {
            Action::Call { tool, arguments, .. } => Some((Arc::clone(tool), Arc::clone(arguments))),
            _ => None,
        };
        let reply = Reply::Step(StepReply {
            step: tool[..tool.floor_char_boundary(64)].into(),
            action,
            reasoning: clean(&reasoning, REASONING, salt),
            status: StepStatus::Ok,
            confidence,
            signals,
            bytes: exact.as_ref().map_or(0, String::len) as u64,
        });
        self.notice = None;
        self.look = None;
        let outcome = self.step(Input::Replied { call, reply, usage })?;
        if let Some(dispatch) = outcome.dispatch {
            let time_out = registry_time_out(&self.setup.registry, &dispatch.tool);
            let changes = self.run.manifest().tool(&dispatch.tool).is_none_or(countersign_kernel::Tool::mutating);
            if changes {
                // What acts on the world begins after its frame survives even the machine.
                self.kept(|guarded| guarded.setup.store.sync().map_err(GuardError::from))?;
            }
            let Dispatch { call, tool, idempotency_key, demand, held } = dispatch;
            let arguments = exact.unwrap_or_default();
            let granted = Granted { call, tool, arguments, idempotency_key, demand, held, time_out };
            return Ok(Ruling::Permitted(Permit::new(self, granted)));
        }
        if self.run.status() != Status::Running {
            return Ok(Ruling::Stopped(self.stopped()));
        }
        Ok(self.not_dispatched(&outcome.events, proposed))
    }

    fn not_dispatched(&self, events: &[Event], proposed: Option<(Arc<str>, Arc<str>)>) -> Ruling<'static> {
        let blocked = events.iter().rev().find_map(|event| match event {
            Event::Blocked { stage, response, reason, .. } => Some((*stage, *response, reason.clone())),
            _ => None,
        });
        match (blocked, proposed) {
            (Some((stage, response, reason)), proposed) => {
                // Asked for now, or before: the same call waits once.
                let waits = |approval: &&Approval| {
                    proposed
                        .as_ref()
                        .is_some_and(|(tool, arguments)| approval.tool == *tool && approval.arguments == *arguments)
                };
                match self.run.parked().find(waits).filter(|_| response == Response::AskApproval) {
                    Some(approval) => Ruling::Parked(Box::new(approval.clone())),
                    None => Ruling::Refused(Refusal { stage: Some(stage), response, reason }),
                }
            }
            (None, None) => Ruling::Noted("handed over; a person is told".to_owned()),
            (None, Some(_)) => {
                let reason = self.notice.as_deref().unwrap_or("a policy wants something else done").to_owned();
                Ruling::Refused(Refusal { stage: None, response: Response::Repair, reason })
            }
        }
    }

    /// Hears what people have put into the run's inbox. The agent is not among them.
    ///
    /// # Errors
    /// When a frame cannot be made durable, or the inbox cannot be read.
    pub fn hear(&mut self, inbox: &Inbox) -> Result<Heard, GuardError> {
        let mut heard = Heard::default();
        loop {
            let entries = inbox.by_caution().map_err(|error| GuardError::Fold(error.to_string()))?;
            let Some(Entry { id, by, wants, .. }) = entries.into_iter().next() else { return Ok(heard) };
            let decided = match wants {
                Offer::Decide(decision) => self.decide(&id, &by, decision),
                Offer::Cancel => self.cancel(),
            };
            match decided {
                Ok(()) => heard.taken.push(id.clone()),
                Err(GuardError::Input(error)) => heard.refused.push((id.clone(), error.to_string())),
                Err(error) => return Err(error),
            }
            inbox.take(&id).map_err(|error| GuardError::Fold(error.to_string()))?;
        }
    }

    /// A person has decided. The same id counts once.
    ///
    /// # Errors
    /// A decision that nothing waits for; nothing has changed then.
    pub fn decide(&mut self, id: &str, by: &str, decision: Decision) -> Result<(), GuardError> {
        self.step(Input::Decided { id: id.into(), by: by.into(), decision }).map(drop)
    }

    /// A person stops the run.
    ///
    /// # Errors
    /// When it is over already, or the frame cannot be made durable.
    pub fn cancel(&mut self) -> Result<(), GuardError> {
        self.step(Input::Cancelled).map(drop)
    }

    /// The agent says that it has reached the goal. That counts as far as verified observations
    /// support it: the status of the answer tells.
    ///
    /// # Errors
    /// When the frame cannot be made durable.
    pub fn finish(&mut self, summary: &str, claims: Vec<Arc<str>>) -> Result<Standing, GuardError> {
        let Some(call) = self.awaiting.filter(|_| self.run.status() == Status::Running) else {
            return Ok(self.standing());
        };
        let summary = clean(summary, REASONING, &self.setup.salt);
        let reply = Reply::Step(StepReply {
            step: "finish".into(),
            action: Action::Finish { summary, claims },
            reasoning: "".into(),
            status: StepStatus::Ok,
            confidence: None,
            signals: Vec::new(),
            bytes: 0,
        });
        self.step(Input::Replied { call, reply, usage: Usage::default() })?;
        Ok(self.standing())
    }

    /// The agent is gone: the run ends with this code.
    ///
    /// # Errors
    /// When the frame cannot be made durable.
    pub fn close(mut self, code: Code) -> Result<Status, GuardError> {
        if !matches!(self.run.status(), Status::Ended(_)) {
            self.step(Input::Closed { code })?;
        }
        self.setup.store.finish()?;
        Ok(self.run.status())
    }

    /// The agent may come back: the trace is put in its place, and the run can be taken up again.
    ///
    /// # Errors
    /// When it cannot be put in its place.
    pub fn leave(mut self) -> Result<Status, GuardError> {
        self.setup.store.finish()?;
        Ok(self.run.status())
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let stop = (self.run.status() != Status::Running).then(|| self.stopped());
        let sight = self.look.as_ref().map(Look::sight);
        let (notice, hold) = (self.notice.clone(), self.run.held().cloned());
        Standing { notice, hold, sight, status: self.run.status(), stop }
    }

    fn stopped(&self) -> Stop {
        self.stop.clone().unwrap_or_else(|| Stop {
            code: Code::UnavailableDep,
            ended: false,
            reason: "the run does not wait for a proposal".to_owned(),
            report: None,
        })
    }

    pub(super) fn operations_mut(&mut self) -> &mut Operations {
        &mut self.setup.operations
    }

    pub(super) fn observation(&mut self, tool: &str, result: &ToolResult) -> Observation {
        let Parts { registry, salt, .. } = &self.setup;
        if !self.is_guarded() {
            return registry.observation(tool, result, salt);
        }
        let look = Look::at(result.all(), LOOKED_AT, salt);
        let observation = registry.observed(tool, result, Arc::clone(&look.text), salt);
        self.look = Some(look);
        observation
    }

    /// Whether a guard decides what a model may see of results.
    fn is_guarded(&self) -> bool {
        let manifest = self.run.manifest();
        let mut pins = manifest.entries.iter().flat_map(|entry| &entry.slots);
        manifest.mode == Mode::Enforce && pins.any(|pin| pin.slot == Slot::Guard && pin.mode == PolicyMode::Enforce)
    }

    pub(super) fn look(&self, verifier: &Verifier, called: &Called) -> Finding {
        self.setup.registry.look(verifier, called)
    }

    pub(super) fn verified(&mut self, call: u64, verifier: &Verifier, finding: &Finding) -> Result<(), GuardError> {
        let verification = finding.verification(verifier, &self.setup.salt);
        self.step(Input::Verified { call, verification }).map(drop)
    }

    /// Takes an input: judged, made durable, told.
    pub(super) fn step(&mut self, input: Input) -> Result<Outcome, GuardError> {
        if self.broken {
            return Err(GuardError::Broken);
        }
        // What it does not expect changes nothing.
        self.run.expects(&input)?;
        self.kept(|guarded| guarded.frames(input))
    }

    /// An error in the middle of a frame leaves the run where nobody can go on from.
    fn kept<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, GuardError>) -> Result<T, GuardError> {
        let done = act(self);
        self.broken = done.is_err();
        done
    }

    fn frames(&mut self, input: Input) -> Result<Outcome, GuardError> {
        self.judges.shadow().heed(&mut self.setup.operations);
        self.judges.shadow().begin(&mut self.run, &*self.setup.store);
        let mut outcome = Outcome::default();
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let now = self.clock.now().max(self.run.at());
            self.run.accept(now, input)?;
            self.judges.settle(&mut self.run, &mut *self.setup.store, |_, _| {})?;
            let Closed { frame, effects, sampled, .. } = self.run.close()?;
            self.setup.store.append(&frame)?;
            self.judges.shadow().heed(&mut self.setup.operations);
            self.judges.shadow().hear(frame.frame, sampled);
            self.setup.operations.watch(&self.run, &frame);
            self.note_stop(&frame.events);
            self.note_findings(&frame);
            for event in &frame.events {
                if let Event::WouldHave { verdict, by, reason } = event
                    && self.would_have.len() < WOULD_HAVE
                {
                    self.would_have.push((*verdict, Arc::clone(by), reason.clone()));
                }
            }
            self.awaiting = self.run.awaited();
            outcome.events = frame.events;
            for effect in effects {
                let held = match self.setup.operations.admit(&self.run, &effect) {
                    Ok(held) => held,
                    // Not to be done: the run is told instead.
                    Err(input) => {
                        next = Some(*input);
                        continue;
                    }
                };
                tell(&self.run, &mut self.setup.operations, &effect);
                match effect {
                    Effect::Await { notice, .. } => self.notice = notice.map(Arc::from),
                    Effect::Dispatch { call, tool, idempotency_key, demand, .. } => {
                        outcome.dispatch = Some(Dispatch { call, tool, idempotency_key, demand, held });
                    }
                    Effect::Verify { call, verifier } => outcome.verify = Some((call, verifier)),
                    _ => {}
                }
            }
            if next.is_some() {
                outcome.dispatch = None;
            }
        }
        Ok(outcome)
    }

    /// What the guard found in a result that a model must not see.
    fn note_findings(&mut self, frame: &Frame) {
        let Some(look) = &mut self.look else { return };
        let manifest = self.run.manifest();
        let heard = |name: &Arc<str>| {
            let pins = manifest.entries.iter().filter(|entry| entry.name == *name).flat_map(|entry| &entry.slots);
            pins.clone().any(|pin| pin.slot == Slot::Guard && pin.mode == PolicyMode::Enforce)
        };
        for judgement in frame.judgements.iter().filter(|judgement| heard(&judgement.entry)) {
            if let (Question::Guard(passing), Answered::Guard(inspection)) = (&*judgement.question, &judgement.answer)
                && passing.passage == Passage::Input
            {
                look.hide(&inspection.findings);
            }
        }
    }

    fn note_stop(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Suspended { code, report } => {
                    let (reason, report) = (report.reason.clone(), Some(Box::new(report.clone())));
                    self.stop = Some(Stop { code: *code, ended: false, reason, report });
                }
                Event::Ended { code, reason, .. } => {
                    self.stop = Some(Stop { code: *code, ended: true, reason: reason.clone(), report: None });
                }
                _ => {}
            }
        }
    }
}

fn registry_time_out(registry: &Registry, tool: &str) -> Duration {
    Duration::from_millis(registry.spec(tool).map_or(10_000, |spec| spec.time_out))
}
