//! A call and what comes of it: invocation, capture, verification, the task's state.

use std::sync::Arc;

use countersign_spec::boundary::FailClosed;
use countersign_spec::budget::Demand;
use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;
use countersign_spec::tool::Verifier;

use super::Run;
use super::bounded::cut;
use super::evidence::Reading;
use super::halt::RepairCause;
use super::halt::StopCause;
use super::handed::CallDecision;
use super::joined::SlotVerdict;
use super::model::ACTION_TEXT;
use super::next::Next;
use super::proposals::{Captured, Proposal, ToolCall};
use super::used::Change;
use super::waiting::{Retrying, Then, Waiting};
use crate::contract::Direction;
use crate::contract::{Dimension, Key, Phase, ToolCategory};
use crate::contract::{Failure, FailureClass, Finding, ObservedStep};
use crate::contract::{Question, Slot};
use crate::record::effect::{Effect, Purpose};
use crate::record::event::Event;
use crate::record::grounding::Call;
use crate::record::input::{Observation, Outcome, Verification};
use crate::record::told::{CameOf, Did};

/// Most bytes of a committed fact.
const FACT_TEXT: usize = 4 << 10;

impl Run {
    /// The tool-invocation node.
    pub(super) fn invoke(&mut self) -> Next {
        let Some(proposal) = self.proposals.take_pending() else { return Next::Leave(Exit::Answered) };
        let demand = self.demand(&proposal);
        let reservation = match self.reserve(demand) {
            Ok(reservation) => reservation,
            Err(refused) => {
                let reason = format!("{} used up", refused.dimension);
                return self.over_budget(refused.dimension, reason);
            }
        };
        let call = self.proposals.number(Arc::clone(&proposal.name));
        self.progress.made(proposal.key, &proposal.name, &proposal.arguments, self.at);
        let call = ToolCall { call: call.attempt(), proposal, demand, reservation, attempt: 0 };
        self.send(call);
        Next::Wait
    }

    /// Emits the effect of a call; nobody calls the tools of a recording.
    fn send(&mut self, call: ToolCall) {
        if !self.recorded() {
            let proposal = &call.proposal;
            let mutating = proposal.tool.is_some_and(|index| self.manifest.tools[index].mutating());
            let idempotency_key: Option<Arc<str>> =
                mutating.then(|| format!("{}-{}", self.manifest.run, call.call.id()).into());
            let tool = Arc::clone(&proposal.name);
            let (key, arguments) = (proposal.key, Arc::clone(&proposal.arguments));
            let payload = proposal.payload.clone();
            self.event(Event::Dispatched {
                call: call.call.id(),
                tool: Arc::clone(&tool),
                key,
                idempotency_key: idempotency_key.clone(),
                boundary: Arc::clone(&self.manifest.boundary.digest),
            });
            self.effect(Effect::Dispatch {
                call: call.call.id(),
                tool,
                arguments,
                payload,
                idempotency_key,
                demand: call.demand,
            });
        }
        self.decide(CallDecision::Permitted { call: call.call.id() });
        self.proposals.send(call, self.place.node(), self.view.step_index(), self.frames);
        self.waiting = Waiting::Calls;
    }

    /// The same call once more, under its old number.
    pub(super) fn dispatch_again(&mut self, mut call: ToolCall) -> Next {
        match self.reserve(call.demand) {
            Ok(reservation) => call.reservation = reservation,
            Err(refused) => {
                let reason = format!("{} used up", refused.dimension);
                return self.over_budget(refused.dimension, reason);
            }
        }
        self.send(call);
        Next::Wait
    }

    /// A tool has answered, or failed to.
    pub(super) fn answered(&mut self, call: u64, observation: Observation, in_time: bool) -> Next {
        self.turn_to(call);
        let Some(mut waiting) = self.proposals.take_sent(call) else { return Next::Wait };
        let used = used(&waiting, &observation);
        self.settle(waiting.reservation.take(), used);
        if !in_time {
            return self.out_of_time();
        }
        self.count(&waiting.proposal);
        if let Some(reason) = self.may_retry(&waiting, observation.outcome) {
            waiting.attempt += 1;
            return self.wait_and(waiting.attempt, 0, reason, Retrying::Tool(Box::new(waiting)));
        }
        self.watch_later(waiting, observation);
        Next::Leave(Exit::Answered)
    }

    /// The frame is about an open call: the run stands with it until it is done.
    fn turn_to(&mut self, call: u64) {
        let Some((node, step)) = self.proposals.place(call) else { return };
        self.see_step(u64::from(step), Phase::Observation);
        if self.agent_drives() {
            self.place.leave_for(node);
            if let Some(open) = &mut self.open {
                // The frame is about this call: it moves from where the call stands.
                open.from = node;
            }
        } else {
            self.waiting = Waiting::Nothing;
        }
    }

    /// A call was made: what was known before a change says nothing about after it.
    fn count(&mut self, proposal: &Proposal) {
        let Some(index) = proposal.tool else { return };
        let manifest = Arc::clone(&self.manifest);
        self.used.count(index, &manifest.tools[index], self.at);
        if manifest.tools[index].mutating() {
            let lost = self.evidence.forget_readings(&manifest.goal.criteria);
            self.tell_criteria(lost, false);
        }
    }

    /// Why a call may be made again as it is. A call whose outcome is unknown is made again only if
    /// doing it twice is doing it once.
    fn may_retry(&self, waiting: &ToolCall, outcome: Outcome) -> Option<String> {
        let tool = waiting.proposal.tool.map(|index| &self.manifest.tools[index])?;
        let passing = matches!(outcome, Outcome::Infrastructure | Outcome::TimedOut);
        let harmless = tool.idempotent || !tool.mutating();
        let left = self.manifest.rules.retry.attempts.saturating_sub(waiting.attempt);
        let asked_to = !self.recorded() && !self.agent_drives();
        let room = self.view.budget(Dimension::ToolCalls).left() > 0
            && u64::from(waiting.attempt) < self.view.budget(Dimension::Retries).limit;
        let capped = self.over_own_caps(tool, 0);
        (asked_to && passing && harmless && left > 0 && room && capped.is_none()).then(|| {
            let what = if outcome == Outcome::TimedOut { "timed out" } else { "could not be reached" };
            format!("{} {what}", tool.name)
        })
    }

    /// Turns the answer into an observed call, kept for the capture node.
    fn watch_later(&mut self, waiting: ToolCall, observation: Observation) {
        self.proposals.propose(waiting.proposal);
        self.proposals.observe(waiting.call.observe(observation));
    }

    /// The observation-capture node: the raw answer is kept before anybody reads anything into it.
    pub(super) fn capture(&mut self) -> Next {
        let (Some(proposal), Some(call)) = (self.proposals.take_pending(), self.proposals.take_observed()) else {
            return Next::Leave(Exit::Captured);
        };
        let observation = call.observation();
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let action = proposal.text();
        self.context.carry(observation.bytes);
        let failure = observation.outcome.failure();
        let waits = observation.pending && failure.is_none() && self.took_its_time();
        let mutating = observation.mutating.unwrap_or_else(|| tool.is_some_and(countersign_spec::tool::Tool::mutating));
        let step = ObservedStep {
            index: self.view.shown_index(),
            action: cut(&action, ACTION_TEXT).into(),
            call_key: Some(proposal.key.0),
            result_key: observation.result_key.map(u64::from),
            state_before: observation.state_before.map(u64::from),
            state_after: observation.state_after.map(u64::from),
            failure: failure.map(|class| Failure { class, key: observation.error_key.map(u64::from) }),
            mutating,
            poller: observation.poller.unwrap_or_else(|| tool.is_some_and(|tool| tool.poller)) || waits,
            internal: tool.is_some_and(|tool| tool.internal),
            user_boundary: self.progress.take_person_spoke(),
            action_bytes: action.len() as u64,
            result_bytes: observation.bytes,
            drift: None,
        };
        self.summarise(Some(proposal.key), observation.result_key, failure.is_some(), mutating);
        self.returned(&step, observation.exact_key);
        let text = Arc::clone(&observation.text);
        self.proposals.observe(call);
        self.proposals.capture(Captured { proposal, step, action, text, redacted: None });
        self.screen_result()
    }

    fn screen_result(&mut self) -> Next {
        let Some(captured) = self.proposals.captured() else { return Next::Leave(Exit::Captured) };
        if self.recorded() && !self.serves(Slot::Guard) {
            return self.rate_result();
        }
        let (tool, text) = (Some(Arc::clone(&captured.proposal.name)), Arc::clone(&captured.text));
        self.inspect(Direction::Input, tool, &text, Then::ScreenedResult)
    }

    pub(super) fn screened_result(&mut self, joined: &SlotVerdict) -> Next {
        let Some(captured) = self.proposals.captured() else { return Next::Leave(Exit::Captured) };
        let (tool, text) = (Some(Arc::clone(&captured.proposal.name)), Arc::clone(&captured.text));
        if let Some(next) = self.stopped_by_guard(joined, &text) {
            return next;
        }
        let withheld = |finding: &Finding| finding.is_withheld();
        if self.enforces()
            && let Some((told, parts)) = self.context.hidden_mut().withhold(&text, &joined.findings, withheld)
        {
            self.proposals.redact(told.into());
            self.event(Event::Redacted { tool, parts: super::screening::counted(&parts) });
            self.hide(parts);
        }
        self.rate_result()
    }

    /// What a model is to be told of a result is rated, and not what marks stand for in it.
    fn rate_result(&mut self) -> Next {
        // Where the agent brings its own model, nobody routes by how sensitive a text is.
        if self.recorded() || self.agent_drives() {
            return self.take_in();
        }
        let Some(captured) = self.proposals.captured() else { return Next::Leave(Exit::Captured) };
        let text = Arc::clone(captured.redacted.as_ref().unwrap_or(&captured.text));
        self.rate(&text, Then::RatedResult)
    }

    pub(super) fn rated_result(&mut self, joined: &SlotVerdict) -> Next {
        self.raise_tag(joined);
        self.take_in()
    }

    /// What a result says is taken in, as a model may see it.
    fn take_in(&mut self) -> Next {
        let Some(captured) = self.proposals.captured() else { return Next::Leave(Exit::Captured) };
        let Captured { proposal, step, action, text, redacted } = captured.clone();
        let Some(mut call) = self.proposals.take_observed() else { return Next::Leave(Exit::Captured) };
        if let Some(redacted) = &redacted {
            call = call.with_text(Arc::clone(redacted));
        }
        let text = redacted.unwrap_or(text);
        let failure = step.failure.map(|failure| failure.class);
        let failed = matches!(failure, Some(FailureClass::Failed | FailureClass::Rejected));
        self.count_tool_failure(&proposal.name, failed);
        if self.recorded() {
            self.proposals.observe(call);
            return self.remedy();
        }
        self.count_failure(proposal.key, failure);
        let left_out = call.observation().left_out;
        let cut_from = left_out.map(|left_out| left_out.saturating_add(text.len() as u64));
        let result = CameOf::Result { text: Arc::clone(&text), cut_from };
        self.exchange(Did::Called(action.as_str().into()), result);
        self.context.show(&format!("{action}\n{text}"));
        if let Some(class) = failure {
            // It did not answer, or died on the way: what it had done by then nobody knows.
            let died = matches!(call.observation().outcome, Outcome::Returned { exit_code: None, ok: false });
            if (class == FailureClass::TimedOut || died) && step.mutating {
                self.note_change(proposal.key, Change::Uncertain);
            } else if class == FailureClass::Failed && step.mutating {
                self.used.broke_off();
            }
            let what = match class {
                FailureClass::Rejected => "was refused",
                FailureClass::Failed => "failed",
                FailureClass::TimedOut => "timed out",
                FailureClass::Infrastructure => "could not be reached",
            };
            self.context.signal(&format!("{} {what}: {}", proposal.name, cut(&text, 256)));
        } else if let Some(index) = proposal.tool {
            self.keep(index, &proposal, &call);
        }
        let reports = call.observation().reports.clone();
        self.proposals.observe(call);
        for condition in reports {
            if let Some(next) = self.fails_closed(condition, &format!("`{}` reports it", proposal.name)) {
                return next;
            }
        }
        self.remedy()
    }

    /// Asks whether the agent can mend what failed.
    fn remedy(&mut self) -> Next {
        let Some(captured) = self.proposals.captured() else { return Next::Leave(Exit::Captured) };
        let Some(failure) = captured.step.failure else { return self.watch() };
        if self.recorded() && !self.serves(Slot::Remediation) {
            return self.watch();
        }
        let text = captured.redacted.as_ref().unwrap_or(&captured.text);
        let question = self.failed_call(&captured.proposal, failure.class, text);
        self.ask(Question::Remediation(question), Then::Remedied)
    }

    pub(super) fn remedied_result(&mut self, joined: &SlotVerdict) -> Next {
        if let Some(tool) = self.proposals.captured().map(|captured| Arc::clone(&captured.proposal.name)) {
            self.remedied(joined, &tool);
        }
        self.watch()
    }

    /// Tells the doom-loop slot of the step.
    fn watch(&mut self) -> Next {
        let Some(captured) = self.proposals.take_captured() else { return Next::Leave(Exit::Captured) };
        self.ask(Question::DoomLoop(captured.step), Then::Watch(Exit::Captured))
    }

    /// Whether the agent let time pass before it made the same call again.
    pub(super) fn took_its_time(&self) -> bool {
        let interval = self.manifest.rules.waiting_interval;
        interval > 0 && self.progress.since_last().is_some_and(|passed| passed >= interval)
    }

    fn note_change(&mut self, key: Key, change: Change) {
        // Between two calls lies the time from the one to the other, however long the first took.
        let made = self.progress.made_at(key).unwrap_or(self.at);
        self.used.note_change(key, change, made, self.manifest.rules.repetition_window);
    }

    /// What a good answer leaves behind before anything is verified: that it was done, evidence
    /// with its source and age, what it states.
    fn keep(&mut self, index: usize, proposal: &Proposal, call: &Call<crate::record::grounding::Observed>) {
        let tool = &self.manifest.tools[index];
        let (category, mutating, name) = (tool.category, tool.mutating(), Arc::clone(&tool.name));
        if mutating {
            self.note_change(proposal.key, Change::Done);
        }
        if matches!(category, ToolCategory::ReadOnlyLookup | ToolCategory::Retrieval | ToolCategory::LiveApi) {
            self.event(Event::EvidenceKept { call: call.id(), source: Arc::clone(&name), at: self.at });
        }
        for (fact, value) in call.observation().facts.clone() {
            let now = Reading { value: Arc::clone(&value), source: Arc::clone(&name), at: self.at };
            let contradicted = self.evidence.read(&fact, now).filter(|_| self.manifest.rules.source_conflicts);
            if let Some(before) = contradicted {
                let said = format!("`{fact}`: {} says {}, {name} says {value}", before.source, before.value);
                self.evidence.contradict(self.context.hidden().hide(&said).into_owned());
                let (first, now) = ((before.value, before.source), (value, Arc::clone(&name)));
                self.event(Event::Conflict { fact, first, now });
            }
        }
    }

    /// The observation-verification node.
    pub(super) fn verification(&mut self) -> Next {
        let Some(call) = self.proposals.take_observed() else { return Next::Leave(Exit::Unverified) };
        if self.recorded() {
            return Next::Leave(Exit::Unverified);
        }
        let index = self.manifest.tools.iter().position(|tool| tool.name == *call.tool());
        let outcome = call.observation().outcome;
        if outcome == Outcome::Unauthenticated
            && self.manifest.rules.credential_expiry
            && index.is_some_and(|index| self.used.succeeded(index))
        {
            let tool = Arc::clone(call.tool());
            let reason = format!("`{tool}` no longer accepts its credential: renew it, then go on");
            if self.blocks("credential", crate::contract::Verdict::Ask, &reason) {
                self.event(Event::CredentialExpired { tool });
                return self.leave(Exit::Expired, StopCause::halted(reason));
            }
        }
        let verifier = index.and_then(|index| self.manifest.tools[index].verifier.clone());
        // What a tool itself calls a failure needs no verifier; an exit code is the verifier's to read.
        let has_result = match outcome {
            Outcome::Returned { ok, .. } => ok || matches!(verifier, Some(Verifier::ExitCode(_))),
            _ => false,
        };
        match verifier {
            Some(verifier) if has_result => {
                self.effect(Effect::Verify { call: call.id(), verifier });
                self.proposals.verify(call, self.place.node(), self.view.step_index(), self.frames);
                if !matches!(self.waiting, Waiting::Model(_) | Waiting::Person(_)) {
                    self.waiting = Waiting::Calls;
                }
                Next::Wait
            }
            _ => match outcome.failure() {
                Some(class) => {
                    self.meet_criteria(call.tool(), false);
                    let reason = format!("{} did not succeed", call.tool());
                    self.proposals.repair(RepairCause::Failed(reason));
                    Next::Leave(match class {
                        FailureClass::Infrastructure | FailureClass::TimedOut => Exit::Unavailable,
                        FailureClass::Rejected | FailureClass::Failed => Exit::Failed,
                    })
                }
                None => {
                    if outcome != Outcome::Unknown {
                        self.note_success(index);
                        self.complete_step(
                            &Arc::clone(call.tool()),
                            index.is_some_and(|at| !self.manifest.tools[at].mutating()),
                        );
                    }
                    self.succeed();
                    self.context.reached(state_text(call.tool(), call.observation(), "unverified"));
                    Next::Leave(Exit::Unverified)
                }
            },
        }
    }

    /// A verifier has looked.
    pub(super) fn looked(&mut self, call: u64, verification: &Verification, in_time: bool) -> Next {
        self.turn_to(call);
        let Some(call) = self.proposals.take_verified(call) else { return Next::Wait };
        if !in_time {
            return self.out_of_time();
        }
        match call.verify(verification) {
            Ok(call) => {
                self.note_confirmation();
                self.proposals.confirm(call);
                Next::Leave(Exit::Verified)
            }
            Err(call) => self.not_verified(&call, verification),
        }
    }

    fn not_verified(&mut self, call: &Call<crate::record::grounding::Observed>, verification: &Verification) -> Next {
        let detail = self.context.hidden().hide(&verification.detail).into_owned();
        self.event(Event::VerificationFailed { call: call.id(), detail: detail.clone() });
        self.context.signal(&format!("{}: {detail}", call.tool()));
        self.meet_criteria(call.tool(), false);
        let index = self.manifest.tools.iter().position(|tool| tool.name == *call.tool());
        if verification.drifted
            && let Some(index) = index
            && self.used.drift(index, self.manifest.rules.parser_drift)
        {
            let (tool, payload) = (Arc::clone(call.tool()), call.observation().payload.clone());
            self.event(Event::ToolSetAside { tool: Arc::clone(&tool), payload });
            let reason = format!("results of `{tool}` no longer have their form: {detail}");
            return self.leave(Exit::Drifted, StopCause::review(reason, RiskState::ToolFailure));
        }
        if self.used.has_changed()
            && let Some(next) = self.fails_closed(FailClosed::FailedCheckAfterChange, &detail)
        {
            return next;
        }
        self.proposals.repair(RepairCause::Invalid(format!("{}: {detail}", call.tool())));
        Next::Leave(Exit::Failed)
    }

    /// The state-update node: only here does anything become part of the task's state.
    pub(super) fn update_state(&mut self) -> Next {
        let Some(call) = self.proposals.take_confirmed() else { return Next::Leave(Exit::Updated) };
        let call = call.commit();
        let text: Arc<str> = cut(&call.observation().text, FACT_TEXT).into();
        self.context.reached(state_text(call.tool(), call.observation(), "verified"));
        self.view_mut().commit(call.tool(), text);
        let index = self.manifest.tools.iter().position(|tool| tool.name == *call.tool());
        let reading = index.is_some_and(|at| !self.manifest.tools[at].mutating());
        self.evidence.commit(call.id(), call.tool(), reading);
        self.event(Event::Committed { call: call.id(), fact: Arc::clone(call.tool()) });
        self.note_success(index);
        self.meet_criteria(call.tool(), true);
        self.complete_step(&Arc::clone(call.tool()), reading);
        self.succeed();
        Next::Leave(Exit::Updated)
    }

    fn note_success(&mut self, index: Option<usize>) {
        if let Some(index) = index {
            self.used.succeed(index);
        }
    }

    /// A tool was called before.
    pub(super) fn was_used(&self, name: &str) -> bool {
        let index = self.manifest.tools.iter().position(|tool| *tool.name == *name);
        index.is_some_and(|index| self.used.calls(index) > 0)
    }

    /// A tool has answered well before.
    pub(super) fn has_succeeded(&self, name: &str) -> bool {
        let index = self.manifest.tools.iter().position(|tool| *tool.name == *name);
        index.is_some_and(|index| self.used.succeeded(index))
    }

    /// What became of the criteria that changed.
    pub(super) fn tell_criteria(&mut self, changed: Vec<Arc<str>>, met: bool) {
        for id in changed {
            if met {
                self.note_advance();
            }
            self.event(if met { Event::CriterionMet { id } } else { Event::CriterionLost { id } });
        }
    }

    fn meet_criteria(&mut self, tool: &Arc<str>, met: bool) {
        let changed = self.evidence.set_tool(&self.manifest.goal.criteria, tool, met);
        self.tell_criteria(changed, met);
    }

    /// The next model call is one of reflection, as far as the budget has any.
    pub(super) fn reflect(&mut self, about: String) -> bool {
        if self.reserve_reflection().is_err() {
            return false;
        }
        let passes = self.view.budget(Dimension::Reflections).used;
        let about: Arc<str> = cut(&about, 1024).into();
        self.event(Event::Reflecting { about: Arc::clone(&about), passes });
        self.models.aim(Purpose::Reflect(about));
        true
    }

    fn reserve_reflection(&mut self) -> Result<(), ()> {
        let one = Demand::default().with(Dimension::Reflections, 1);
        let reservation = self.view_mut().reserve(one).map_err(drop)?;
        self.view_mut().settle(reservation, one);
        Ok(())
    }
}

/// What a call has used: what was set aside, without what it did not do.
fn used(waiting: &ToolCall, observation: &Observation) -> Demand {
    let demand = waiting.demand;
    let did_nothing =
        matches!(observation.outcome, Outcome::Infrastructure | Outcome::Rejected | Outcome::Unauthenticated);
    let mut used = Demand::default()
        .with(Dimension::ToolCalls, demand.of(Dimension::ToolCalls))
        .with(Dimension::ExternalCalls, demand.of(Dimension::ExternalCalls));
    if did_nothing {
        return used;
    }
    used = used.with(Dimension::Cost, observation.cost.unwrap_or_else(|| demand.of(Dimension::Cost)));
    for dimension in
        [Dimension::SideEffects, Dimension::RecordsTouched, Dimension::MoneyMoved, Dimension::RecipientsReached]
    {
        used = used.with(dimension, demand.of(dimension));
    }
    used
}

fn state_text(tool: &str, observation: &Observation, how: &str) -> String {
    format!("{tool} ({how}): {}", cut(&observation.text, 256))
}
