//! A run whose loop an agent owns: each call is proposed, made with a permit, and observed.

use std::sync::Arc;
use std::time::Duration;

use countersign_kernel::contract::Verdict;
use countersign_kernel::{
    Action, Approval, CallDecision as Decided, Closed, Code, Decision, Effect, Frame, Input, Observation, Outcome,
    Reply, Response, Run, Slot, Status, StepReply, StepStatus, Usage,
};
use countersign_models::words;
use countersign_spec::{Driver, Mode, PolicyMode, Verifier};
use countersign_store::Entry;
use countersign_tools::Inspected;
use countersign_tools::redact::clean;
use countersign_tools::registry::{Called, Finding, ToolResult};

use super::permit::{Abandoned, Granted};
use super::{
    CallDecision, Observed, Permit, Proposal, ReadBack, Redaction, Refusal, Seen, Session, SessionError, Standing,
    Stop, Task, Turn, VisibleResult, unrecorded,
};

/// Most interventions of monitor mode that are kept for whoever asks; all are in the trace.
const WOULD_HAVE: usize = 256;
/// Most bytes of a result that a guard looks at: as much as the slot ever sees of a text.
const INSPECTED: usize = 32 << 10;
/// Most bytes of an agent's reasoning that are kept.
const REASONING: usize = 2 << 10;

/// The call and the verifier that is to look at it, where there is one.
type Verify = Option<(u64, Verifier)>;

/// What is known of an agent's calls beside the fold.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Number of the proposal that is awaited; none while none is.
    awaiting: Option<u64>,
    notice: Option<Arc<str>>,
    /// The result at hand as a guard inspects it; none where no guard decides what a model may see.
    pub(super) inspected: Option<Inspected>,
    stop: Option<Stop>,
    /// What monitor mode would have stopped, and nobody has asked for yet.
    would_have: Vec<(Verdict, Arc<str>, String)>,
    /// Permits that were dropped without an observation.
    abandoned: Abandoned,
}

impl Calls {
    /// Takes in what a durable frame says.
    pub fn follow(&mut self, run: &Run, closed: &mut Closed) {
        for would_have in std::mem::take(&mut closed.would_have) {
            if self.would_have.len() < WOULD_HAVE {
                self.would_have.push((would_have.verdict, would_have.by, would_have.reason));
            }
        }
        if let Some(inspected) = &mut self.inspected {
            inspected.hide(&closed.hidden);
        }
        self.recall(run, &closed.frame);
    }

    /// The same of a frame that was recorded by an earlier process.
    pub fn recall(&mut self, run: &Run, frame: &Frame) {
        self.awaiting = run.awaited();
        self.stop = frame.events.iter().rev().find_map(Stop::of).or(self.stop.take());
    }

    fn stopped(&self) -> Stop {
        self.stop.clone().unwrap_or_else(|| Stop {
            code: Code::UnavailableDep,
            ended: false,
            reason: "the run does not wait for a proposal".to_owned(),
            report: None,
        })
    }
}

impl Session {
    /// What monitor mode would have stopped since the last time: verdict, who, why.
    pub fn take_would_have(&mut self) -> Vec<(Verdict, Arc<str>, String)> {
        std::mem::take(&mut self.calls.would_have)
    }

    /// Approvals that proposed calls wait for.
    pub fn parked(&self) -> impl Iterator<Item = &Approval> {
        self.run.parked()
    }

    /// Decides on a call. A permit in the answer is for that call, once.
    ///
    /// # Errors
    /// When the frame cannot be made durable, or an earlier one could not: the call must not be made.
    pub fn propose(&mut self, proposal: Proposal) -> Result<CallDecision, SessionError> {
        self.settle_abandoned()?;
        if self.run.status() != Status::Running {
            return Ok(CallDecision::Stopped(self.calls.stopped()));
        }
        let Some(call) = self.calls.awaiting else {
            // As many calls are under way as may be.
            let reason = words::OTHERS_UNDER_WAY.to_owned();
            return Ok(CallDecision::Refused(Refusal { stage: None, response: Response::Defer, reason }));
        };
        if self.cancels_with_open_calls()? {
            let reason = words::CANCELS.to_owned();
            return Ok(CallDecision::Refused(Refusal { stage: None, response: Response::Defer, reason }));
        }
        if let Some(mut halted) = self.operations.halted(self.run.manifest()) {
            // What was permitted before is under way: a halt between two calls holds none of them back.
            if let Input::Halted { in_between, .. } = &mut halted {
                *in_between = true;
            }
            self.step(halted)?;
            return Ok(CallDecision::Stopped(self.calls.stopped()));
        }
        let Proposal { tool, arguments, reasoning, confidence, signals, usage } = proposal;
        let (action, exact) = self.wanted(&tool, arguments);
        let bytes = exact.as_ref().map_or(0, String::len) as u64;
        if let (Action::Call { payload: Some(payload), .. }, Some(exact)) = (&action, &exact) {
            self.hold(payload, exact);
        }
        let reply = Reply::Step(StepReply {
            step: tool[..tool.floor_char_boundary(64)].into(),
            action,
            reasoning: clean(&reasoning, REASONING, &self.salt),
            status: StepStatus::Ok,
            confidence,
            signals,
            bytes,
            unwrapped: Vec::new(),
        });
        self.calls.notice = None;
        let turn = self.proceed(Input::Replied { call, reply, usage, request: None })?;
        if let Some(decision) = self.permit(turn.tasks)? {
            return Ok(decision);
        }
        if self.run.status() != Status::Running {
            return Ok(CallDecision::Stopped(self.calls.stopped()));
        }
        Ok(match turn.decision {
            Some(Decided::Pending(approval)) => CallDecision::Parked(approval),
            Some(Decided::Refused { stage, response, reason }) => {
                CallDecision::Refused(Refusal { stage, response, reason })
            }
            Some(Decided::Noted) => CallDecision::Noted(words::PERSON_TOLD.to_owned()),
            Some(Decided::Permitted { .. } | Decided::Stopped { .. }) | None => {
                let reason = self.calls.notice.as_deref().unwrap_or(words::SOMETHING_ELSE).to_owned();
                CallDecision::Refused(Refusal { stage: None, response: Response::Repair, reason })
            }
        })
    }

    /// One step, and what it tells the agent.
    fn proceed(&mut self, input: Input) -> Result<Turn, SessionError> {
        let turn = self.step(input)?;
        for task in &turn.tasks {
            // A call that returns beside another has nothing to say of what that one was told.
            if let Effect::Await { notice: Some(notice), .. } = &task.effect {
                self.calls.notice = Some(countersign_models::notice(notice).into());
            }
        }
        Ok(turn)
    }

    /// The permit for a call that a frame asks for; none where it asks for none. A call whose exact arguments are gone
    /// is refused.
    fn permit(&mut self, tasks: Vec<Task>) -> Result<Option<CallDecision>, SessionError> {
        let dispatch = tasks.into_iter().find(|task| matches!(task.effect, Effect::Dispatch { .. }));
        let Some(Task { effect: Effect::Dispatch { call, tool, arguments, payload, idempotency_key, demand }, held }) =
            dispatch
        else {
            return Ok(None);
        };
        let exact = match self.exact(&arguments, payload.as_ref()) {
            Ok(exact) => exact,
            Err(problem) => {
                // The run is told that nothing was called; what it does then is its own matter.
                let result = ToolResult::new(Outcome::Rejected, problem);
                let granted =
                    Granted { call, tool, arguments, idempotency_key, demand, held, time_out: Duration::ZERO };
                self.observed(granted, &result)?;
                let reason = problem.to_owned();
                return Ok(Some(CallDecision::Refused(Refusal { stage: None, response: Response::Repair, reason })));
            }
        };
        if self.changes(&tool) {
            // What acts on the world begins after its frame survives even the machine.
            self.whole(|session| session.record.sync())?;
        }
        let time_out = Duration::from_millis(self.registry.spec(&tool).map_or(10_000, |spec| spec.time_out));
        let granted = Granted { call, tool, arguments: exact, idempotency_key, demand, held, time_out };
        let permit = Permit::new(granted, Arc::clone(&self.run.manifest().run), &self.calls.abandoned);
        Ok(Some(CallDecision::Permitted(permit)))
    }

    /// Hands in what came of a permitted call. The result goes in whole; what comes out is what a model may see of it.
    ///
    /// # Errors
    /// A permit of another run; and when the frame cannot be made durable, after which the run takes no proposals.
    pub fn observe(&mut self, mut permit: Permit, result: ToolResult) -> Result<Observed, SessionError> {
        let granted = permit.redeem(&self.run.manifest().run).ok_or(SessionError::Foreign)?;
        self.settle_abandoned()?;
        let called = Called {
            tool: granted.tool.to_string(),
            arguments: granted.arguments.to_string(),
            text: result.text.clone(),
            outcome: result.outcome,
        };
        let (verify, redaction) = self.observed(granted, &result)?;
        let result = VisibleResult::new(result, redaction);
        let Some((call, verifier)) = verify else { return Ok(Observed::Done(self.seen(result))) };
        match self.registry.look(&verifier, &called) {
            Finding::Read(reading) => {
                let run = Arc::clone(&self.run.manifest().run);
                let abandoned = &self.calls.abandoned;
                Ok(Observed::ReadBack(ReadBack::new(run, call, verifier, reading, result, abandoned)))
            }
            finding => {
                self.verified(call, &verifier, &finding)?;
                Ok(Observed::Done(self.seen(result)))
            }
        }
    }

    /// Hands in what a reading that verifies a call has read.
    ///
    /// # Errors
    /// A reading of another run; and when the frame cannot be made durable.
    pub fn read_back(&mut self, mut reading: ReadBack, read: &ToolResult) -> Result<Seen, SessionError> {
        let open = reading.redeem(&self.run.manifest().run).ok_or(SessionError::Foreign)?;
        self.settle_abandoned()?;
        self.verified(open.call, &open.verifier, &open.reading.judge(Some(read)))?;
        Ok(self.seen(open.result))
    }

    /// Records what became of a call: the call and the verifier that is to look at it, where there is one, and what of
    /// the result may not be seen, where a guard decides that.
    fn observed(&mut self, granted: Granted, result: &ToolResult) -> Result<(Verify, Option<Redaction>), SessionError> {
        let observation = if self.is_guarded() {
            let inspected =
                Inspected::of(result.all(), INSPECTED, &self.salt, self.marks.known_in(result.all(), &self.salt));
            let text = Arc::clone(&inspected.text);
            let observation = self.registry.observed(&granted.tool, result, text, &self.salt);
            self.calls.inspected = Some(inspected);
            observation
        } else {
            self.registry.observation(&granted.tool, result, &self.salt)
        };
        self.operations.observed(&observation, &granted.demand, granted.held);
        let turn = self.proceed(Input::Observed { call: granted.call, observation })?;
        if self.changes(&granted.tool) {
            // Whoever is handed the result of a change knows that it is on record.
            let flushed = self.whole(|session| session.record.flush());
            flushed.map_err(|error| unrecorded(Some(granted.call), error))?;
        }
        let redaction = self.calls.inspected.take().map(|inspected| inspected.redaction());
        if let Some(redaction) = &redaction {
            self.know(&granted.tool, result.all(), &redaction.hidden);
            let all = result.all();
            if redaction.seen < all.len() {
                let shown = redaction.shown(all);
                self.parts.cut(&format!("what `{}` gave", granted.tool), &shown, all.len() as u64);
            } else {
                self.parts.whole(all);
            }
        }
        let verify = turn.tasks.into_iter().find_map(|task| match task.effect {
            Effect::Verify { call, verifier } => Some((call, verifier)),
            _ => None,
        });
        Ok((verify, redaction))
    }

    /// Whether a call of this tool acts on the world.
    pub(super) fn changes(&self, tool: &str) -> bool {
        self.run.manifest().tool(tool).is_none_or(countersign_spec::Tool::mutating)
    }

    fn verified(&mut self, call: u64, verifier: &Verifier, finding: &Finding) -> Result<(), SessionError> {
        let verification = finding.verification(verifier, &self.salt);
        self.proceed(Input::Verified { call, verification }).map(drop)
    }

    /// A permit or reading that was dropped, as when a task is cancelled, is a call of which nobody knows what became.
    fn settle_abandoned(&mut self) -> Result<(), SessionError> {
        while let Some((granted, reading)) = self.calls.abandoned.take() {
            if let Some(granted) = granted {
                let unknown = ToolResult::new(Outcome::TimedOut, "given up on the way: nobody knows what became of it");
                if let Some((call, verifier)) = self.observed(granted, &unknown)?.0 {
                    let detail = "there is no result to look at".to_owned();
                    self.verified(call, &verifier, &Finding::Problem { detail, drifted: false })?;
                }
            }
            if let Some(open) = reading {
                self.verified(open.call, &open.verifier, &open.reading.judge(None))?;
            }
        }
        Ok(())
    }

    /// Whether a guard decides what a model may see of results.
    fn is_guarded(&self) -> bool {
        let manifest = self.run.manifest();
        let mut pins = manifest.entries.iter().flat_map(|entry| &entry.slots);
        manifest.mode == Mode::Enforce && pins.any(|pin| pin.slot == Slot::Guard && pin.mode == PolicyMode::Enforce)
    }

    fn seen(&self, result: VisibleResult) -> Seen {
        Seen { result, standing: self.standing() }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let stop = (self.run.status() != Status::Running).then(|| self.calls.stopped());
        let (notice, hold) = (self.calls.notice.clone(), self.run.held().cloned());
        Standing { notice, hold, status: self.run.status(), stop }
    }

    /// A person has decided. The same id counts once.
    ///
    /// # Errors
    /// A decision that nothing waits for; nothing has changed then.
    pub fn decide(&mut self, id: &str, by: &str, decision: Decision) -> Result<(), SessionError> {
        self.settle_abandoned()?;
        self.proceed(Input::Decided { id: id.into(), by: by.into(), decision, given: None }).map(drop)
    }

    /// The same of an entry of the inbox, which was given before it is heard of.
    pub(super) fn decide_given(&mut self, entry: &Entry, decision: Decision) -> Result<(), SessionError> {
        self.settle_abandoned()?;
        let decided = self.decided(entry, decision, self.now());
        self.proceed(decided).map(drop)
    }

    /// A person stops the run.
    ///
    /// # Errors
    /// When it is over already, or the frame cannot be made durable.
    pub fn cancel(&mut self) -> Result<(), SessionError> {
        self.settle_abandoned()?;
        self.give_up_open_calls()?;
        self.proceed(Input::Cancelled).map(drop)
    }

    /// A run that ends hears of no call any more: of what is under way nobody knows what became, and that is on record.
    fn give_up_open_calls(&mut self) -> Result<(), SessionError> {
        while self.run.manifest().driver == Driver::Agent {
            let lost = match self.run.lost() {
                Some(Input::Observed { call, .. }) => {
                    let observation = Observation::new(Outcome::TimedOut, words::CANCELLED_ON_THE_WAY.into());
                    Input::Observed { call, observation }
                }
                Some(verified @ Input::Verified { .. }) => verified,
                _ => break,
            };
            self.proceed(lost)?;
        }
        Ok(())
    }

    /// Whether somebody has cancelled the run while calls of it are under way. They come back first, so that what became
    /// of them is on record; no other begins.
    pub(super) fn cancels_with_open_calls(&self) -> Result<bool, SessionError> {
        let open = self.run.manifest().driver == Driver::Agent
            && matches!(self.run.lost(), Some(Input::Observed { .. } | Input::Verified { .. }));
        Ok(open && self.cancel_waiting()?.is_some())
    }

    /// The agent says that it has reached the goal. That counts as far as verified observations support it: the status
    /// of the answer tells.
    ///
    /// # Errors
    /// When the frame cannot be made durable.
    pub fn finish(&mut self, summary: &str, claims: Vec<Arc<str>>) -> Result<Standing, SessionError> {
        self.settle_abandoned()?;
        let Some(call) = self.calls.awaiting.filter(|_| self.run.status() == Status::Running) else {
            return Ok(self.standing());
        };
        let summary = clean(summary, REASONING, &self.salt);
        let reply = Reply::Step(StepReply {
            step: "finish".into(),
            action: Action::Finish { summary, claims },
            reasoning: "".into(),
            status: StepStatus::Ok,
            confidence: None,
            signals: Vec::new(),
            bytes: 0,
            unwrapped: Vec::new(),
        });
        self.proceed(Input::Replied { call, reply, usage: Usage::default(), request: None })?;
        Ok(self.standing())
    }

    /// The agent is gone: the run ends with this code.
    ///
    /// # Errors
    /// When the frame cannot be made durable.
    pub fn close(mut self, code: Code) -> Result<Status, SessionError> {
        self.settle_abandoned()?;
        if !matches!(self.run.status(), Status::Ended(_)) {
            self.proceed(Input::Closed { code })?;
        }
        self.leave()
    }
}
