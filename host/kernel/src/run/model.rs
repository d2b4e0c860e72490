//! The action-selection node: what a model is told, what it answers, whether that may be trusted.

use std::sync::Arc;

use countersign_spec::boundary::{DecisionRight, Pattern, PlanRule};
use countersign_spec::budget::Demand;
use countersign_spec::graph::{Exit, NodeKind};
use countersign_spec::routing::RiskState;

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::{EscalationCause, StopCause};
use super::joined::SlotVerdict;
use super::next::Next;
use super::proposals::{Claim, Proposal};
use super::tasks::Draft;
use super::waiting::{ModelCall, Retrying, Then, Waiting};
use crate::contract::confidence::{Orientation, Signal, Statement};
use crate::contract::view::StepSummary;
use crate::contract::{Dimension, Key, ObservedStep, Phase, Tier, Verdict};
use crate::contract::{Question, Slot};
use crate::record::effect::{Effect, ModelRequest, Purpose};
use crate::record::event::Event;
use crate::record::input::{Action, Alarm, Reply, StepReply, StepStatus, Unavailability, Usage};
use crate::record::status::Code;
use crate::record::told::{CameOf, Did};

/// Most bytes of a text that policies see.
pub(super) const ACTION_TEXT: usize = 8 << 10;

impl Run {
    /// The action-selection node.
    pub(super) fn select(&mut self) -> Next {
        if self.proposals.pending().is_some() {
            return Next::Leave(Exit::Selected);
        }
        let approved = self.tasks.is_approved() || *self.models.purpose() == Purpose::Plan;
        if self.manifest.boundary.plans == PlanRule::Approved && !approved && !self.recorded() {
            // Nobody approves nothing.
            if self.tasks.plan().is_empty() {
                return self.call_model(Purpose::Plan);
            }
            let outline = self.tasks.plan().outline();
            if self.blocks("plan approval", Verdict::Ask, "a person approves the plan") {
                return self.ask_for("plan", outline.into());
            }
            self.tasks.approve();
        }
        let purpose = self.models.take_purpose();
        self.call_model(purpose)
    }

    pub(super) fn call_model(&mut self, purpose: Purpose) -> Next {
        if self.agent_drives() {
            return self.await_agent();
        }
        self.rate_words(purpose)
    }

    /// Calls a model with the request as it now is.
    pub(super) fn call_model_now(&mut self, purpose: Purpose) -> Next {
        let strongest = || self.manifest.models.last().map_or(self.models.tier(), |model| model.tier);
        let tier = match &purpose {
            Purpose::Patch(_) => self.stronger_tier().unwrap_or(self.models.tier()),
            Purpose::Plan if self.manifest.boundary.pattern == Pattern::PlannerExecutor => strongest(),
            _ => self.models.tier(),
        };
        let mut request = self.compose(purpose);
        if !self.recorded() && self.is_over_the_gate(&request) {
            request = self.compress(request);
        }
        let tokens = self.tokens(&request);
        let Some((choice, parts)) = self.choose_for(tier, &request) else {
            self.put_off(request.purpose);
            return self.nobody_may_be_told(tier);
        };
        let manifest = Arc::clone(&self.manifest);
        let model = &manifest.models[choice.index];
        if model.tier != tier && !self.recorded() {
            let reason = format!("{} texts", self.models.tag());
            self.event(Event::Rerouted { wanted: tier, to: Some(model.tier), reason });
        }
        let tier = model.tier;
        self.models.asks(model.kind);
        let max_output_tokens = model.max_output_tokens;
        let demand = Demand::default()
            .with(Dimension::Steps, 1)
            .with(Dimension::InputTokens, tokens)
            .with(Dimension::OutputTokens, max_output_tokens)
            .with(Dimension::Cost, model.cost(tokens, max_output_tokens));
        if !self.recorded() {
            let most = self.view.budget(Dimension::ContextTokens).limit;
            if tokens > most {
                self.event(Event::BudgetRefused { dimension: Dimension::ContextTokens, demand: tokens, left: most });
                let reason = format!("the next request has {tokens} tokens, {most} are allowed");
                if self.blocks("budget", Verdict::Terminate, &reason) {
                    self.put_off(request.purpose);
                    return self.over_budget(Dimension::ContextTokens, reason);
                }
            }
            self.view_mut().level(Dimension::ContextTokens, tokens);
        }
        let reservation = match self.reserve(demand) {
            Ok(reservation) => reservation,
            Err(refused) => {
                let reason = format!("{} used up: the next model call may need {}", refused.dimension, refused.demand);
                self.put_off(request.purpose);
                return self.over_budget(refused.dimension, reason);
            }
        };
        let call = self.models.call();
        self.see_step(call, Phase::Proposal);
        let purpose = request.purpose.clone();
        self.waiting = Waiting::Model(ModelCall { call, purpose, reservation, message: false });
        // A recording's models are called by nobody.
        if !self.recorded() {
            // Help is asked for with a packet alone: the rest is still to be said.
            if !matches!(request.purpose, Purpose::Patch(_)) {
                self.context.sent();
            }
            self.models.sent(model, parts);
            let name = Arc::clone(&model.name);
            self.event(Event::ModelCalled { call, tier, model: Arc::clone(&name), cached: choice.cached });
            self.effect(Effect::CallModel { call, tier, model: name, request, max_output_tokens, demand });
        }
        Next::Wait
    }

    /// There is no model that may be told what the run holds: a person looks, who may name one or take
    /// the task.
    pub(super) fn nobody_may_be_told(&mut self, wanted: Tier) -> Next {
        let reason = format!("no model may be told {} texts", self.models.tag());
        self.event(Event::Rerouted { wanted, to: None, reason: reason.clone() });
        self.halt = Some(StopCause::review(reason, RiskState::SecurityBreach));
        Next::Interrupt(Exit::Halted)
    }

    /// A model call that does not fit is made after a release all the same. Help for a weaker model is
    /// not: by then the run stands elsewhere, and asks for it again when it needs to.
    fn put_off(&mut self, purpose: Purpose) {
        self.models.aim(if matches!(purpose, Purpose::Patch(_)) { Purpose::Step } else { purpose });
    }

    /// What a model is told now.
    pub(super) fn compose(&self, purpose: Purpose) -> ModelRequest {
        let bare = self.recorded() || matches!(purpose, Purpose::Patch(_));
        let lasting = self.manifest.memory.iter().filter(|memory| self.lasts(memory));
        let memory = lasting.map(|memory| (Arc::clone(&memory.key), self.context.hidden().hidden(&memory.text)));
        ModelRequest {
            purpose,
            goal: Arc::clone(&self.manifest.goal.text),
            constraints: self.manifest.goal.constraints.clone(),
            planning: self.models.planning(),
            acting: self
                .acting()
                .filter(|_| !bare)
                .map(|specialist| (Arc::clone(&specialist.name), Arc::clone(&specialist.description))),
            guidance: self.context.guidance().cloned().filter(|_| !bare),
            notice: self.context.own_notice().cloned().filter(|_| !bare),
            mend: self.context.own_mend().cloned(),
            message: self.context.own_message().cloned().filter(|_| !bare),
            plan: if bare { Vec::new() } else { self.tasks.plan().lines() },
            kept: self.context.kept().cloned().filter(|_| !bare),
            scratchpad: self.context.scratchpad().cloned().filter(|_| !bare),
            memory: if bare { Vec::new() } else { memory.collect() },
            recent: if bare { Vec::new() } else { self.context.recent().cloned().collect() },
        }
    }

    /// Size of a request in tokens, with what it says of the tools. Help is asked for without them.
    pub(super) fn tokens(&self, request: &ModelRequest) -> u64 {
        let overhead = if matches!(request.purpose, Purpose::Patch(_)) { 0 } else { self.manifest.request_overhead };
        request.tokens().saturating_add(overhead)
    }

    fn is_over_the_gate(&self, request: &ModelRequest) -> bool {
        let gate = u64::from(self.manifest.rules.context_gate);
        let most = self.view.budget(Dimension::ContextTokens).limit;
        // In 128 bits: a cap may be as large as a number can be.
        let line = u128::from(most) * u128::from(gate) / 100;
        gate > 0 && !request.recent.is_empty() && u128::from(self.tokens(request)) > line
    }

    /// A model has answered.
    pub(super) fn replied(&mut self, reply: Reply, usage: Usage, in_time: bool) -> Next {
        let Waiting::Model(call) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return Next::Wait };
        if self.agent_drives() {
            // Calls may have come back since the agent was waited for.
            self.place.leave_for(self.place.node());
            self.see_step(call.call, Phase::Proposal);
        }
        // A call that nobody answered was none: an outage does not use up a run.
        let answered = u64::from(!matches!(reply, Reply::Unavailable { .. }));
        let used = Demand::default()
            .with(Dimension::Steps, answered)
            .with(Dimension::InputTokens, usage.input_tokens)
            .with(Dimension::OutputTokens, usage.output_tokens)
            .with(Dimension::Cost, usage.cost);
        self.settle(call.reservation, used);
        if !in_time {
            return self.out_of_time();
        }
        match reply {
            Reply::Unavailable { reason, class, retry_after } => {
                self.without_answer(call.purpose, reason, class, retry_after)
            }
            reply => {
                self.models.settled();
                match reply {
                    Reply::Step(step) => {
                        self.in_form();
                        self.stepped(step, call.purpose == Purpose::Plan)
                    }
                    Reply::Patch { text, .. } => {
                        self.in_form();
                        self.patched(text)
                    }
                    Reply::Invalid { reason, bytes, .. } => self.malformed(call.purpose, reason, bytes),
                    Reply::Unavailable { .. } => Next::Wait,
                }
            }
        }
    }

    /// Tried again after a wait where that may help; an outage is not a loop. A model that wants to be
    /// left alone for longer than a run waits is gone for this run.
    fn without_answer(
        &mut self,
        purpose: Purpose,
        mut reason: String,
        class: Unavailability,
        retry_after: Option<u64>,
    ) -> Next {
        let retry = self.manifest.rules.retry;
        let least = retry_after.unwrap_or(0);
        let again = class == Unavailability::Transient && self.models.retries() < retry.attempts && !self.recorded();
        if again && least <= retry.most {
            let attempt = self.models.retry();
            if !matches!(purpose, Purpose::Patch(_)) {
                self.context.say_again();
            }
            return self.wait_and(attempt, least, reason, Retrying::Model(purpose));
        }
        if least > retry.most {
            reason = format!("{reason}; not to be asked again for {least} ms, a wait takes {} ms at most", retry.most);
        }
        let halt = StopCause::ended(Code::UnavailableDep, reason);
        self.models.settled();
        match self.kind() {
            NodeKind::Plan | NodeKind::ActionSelection | NodeKind::Escalate => self.leave(Exit::Unavailable, halt),
            _ => self.leave(Exit::Hopeless, halt),
        }
    }

    /// Waits before something is tried again: longer each time, and by a jitter that follows from
    /// the run's seed; never shorter than was asked for.
    pub(super) fn wait_and(&mut self, attempt: u32, least: u64, reason: String, what: Retrying) -> Next {
        let wait = self.models.wait();
        let milliseconds = self.manifest.rules.retry.wait(self.manifest.seed ^ wait, attempt).max(least);
        self.event(Event::Retrying { attempt, wait: milliseconds, reason });
        self.effect(Effect::Wait { wait, milliseconds });
        self.waiting = Waiting::Retry(wait, what);
        Next::Wait
    }

    pub(super) fn waited(&mut self, in_time: bool) -> Next {
        let Waiting::Retry(_, what) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return Next::Wait };
        if !in_time {
            return self.out_of_time();
        }
        match what {
            Retrying::Model(purpose) => self.call_model(purpose),
            Retrying::Tool(call) => self.dispatch_again(*call),
        }
    }

    fn patched(&mut self, text: Arc<str>) -> Next {
        self.context.advise(text);
        self.progress.patched();
        self.halt = None;
        self.event(Event::Patched { tier: self.models.tier() });
        Next::Leave(Exit::Patched)
    }

    fn in_form(&mut self) {
        self.models.in_form();
        self.context.mend(None);
    }

    /// The model is told what is wrong with its answer, and asked again, a few times; then somebody else is.
    fn malformed(&mut self, purpose: Purpose, reason: String, bytes: u64) -> Next {
        self.context.carry(bytes);
        self.event(Event::SchemaViolation { reason: reason.clone() });
        self.context.signal(&reason);
        self.context.show("");
        if !matches!(purpose, Purpose::Patch(_)) {
            self.context.say_again();
        }
        if !self.agent_drives()
            && !self.recorded()
            && let Some(attempt) = self.models.send_back(self.manifest.rules.answer_repairs)
        {
            self.event(Event::AnswerSentBack { attempt });
            self.context.mend(Some(reason.into()));
            return self.call_model(purpose);
        }
        self.in_form();
        match purpose {
            Purpose::Patch(_) => {
                let reason = format!("the stronger model's answer: {reason}");
                self.suspend(StopCause::review(reason, RiskState::LowConfidence))
            }
            Purpose::Plan if self.kind() == NodeKind::Plan => {
                self.tasks.draft(Draft::Unreadable(reason));
                Next::Leave(Exit::Drafted)
            }
            _ => self.leave(
                Exit::Malformed,
                StopCause::escalation(EscalationCause::InvalidSchema, format!("invalid schema: {reason}")),
            ),
        }
    }

    fn stepped(&mut self, step: StepReply, planning: bool) -> Next {
        self.context.carry(step.bytes);
        self.context.output(&step.reasoning);
        self.progress.at_step(&step.step);
        // A person may accept what nobody here has looked at.
        self.evidence.claim(if let Action::Finish { claims, .. } = &step.action { claims } else { &[] });
        if planning && self.kind() == NodeKind::Plan {
            return self.plan_given(step);
        }
        if !self.recorded() {
            // What it says is what a stronger model needs to hear.
            let stuck = match step.status {
                StepStatus::Ok => None,
                StepStatus::Confused => Some(("confused", EscalationCause::Confused)),
                StepStatus::Blocked => Some(("blocked", EscalationCause::Blocked)),
            };
            if let Some((word, trouble)) = stuck {
                self.context.signal(&format!("the model is {word}: {}", cut(&step.reasoning, 512)));
                let reason = format!("status {word}");
                if self.blocks("status", Verdict::Escalate, &reason) {
                    return self.leave(Exit::Stuck, StopCause::escalation(trouble, reason));
                }
            }
        }
        let mut signals = step.signals;
        if let Some(confidence) = step.confidence {
            signals.insert(0, verbalised(confidence));
        }
        self.models.trust(None);
        if signals.is_empty() && self.agent_drives() {
            // Unknown, and so the strictest case of whoever asks for it.
            self.event(Event::NotJudged { slot: Slot::Confidence });
            return self.screen_words(step.action);
        }
        let goal = &self.manifest.goal;
        let answer = Statement {
            signals,
            stakes: goal.stakes,
            compliance: goal.compliance,
            model: self.models.kind(),
            evidence: u32::try_from(self.evidence.commits()).unwrap_or(u32::MAX),
            may_investigate: goal.may_investigate,
        };
        self.ask(Question::Confidence(answer), Then::Act(Box::new(step.action)))
    }

    fn plan_given(&mut self, step: StepReply) -> Next {
        self.tasks.draft(match step.action {
            Action::Plan { steps } => Draft::Whole(steps),
            Action::Abandon { reason } if self.may_decide(DecisionRight::Abandon) => {
                return self.leave(Exit::Abandoned, StopCause::ended(Code::Impossible, reason.to_string()));
            }
            _ => Draft::None("expected a plan, found another action".to_owned()),
        });
        Next::Leave(Exit::Drafted)
    }

    pub(super) fn trusted(&mut self, joined: SlotVerdict, action: Action) -> Next {
        self.models.trust(joined.score);
        match self.consequence(Asked::Answer, joined.verdict()) {
            // The cascade has a gate of its own, where there is still somebody stronger.
            Consequence::GoOn
                if joined.score.is_some_and(|score| self.models.is_below_the_gate(score))
                    && self.models.may_escalate()
                    && self.stronger_tier().is_some()
                    && !self.recorded()
                    && self.blocks("cascade", Verdict::Escalate, "the confidence is below the cascade's gate") =>
            {
                let reason = "the confidence is below the cascade's gate".to_owned();
                self.context.signal(&reason);
                self.leave(Exit::Untrusted, StopCause::escalation(EscalationCause::LowConfidence, reason))
            }
            Consequence::GoOn => self.screen_words(action),
            Consequence::Replan => {
                self.replan(joined.reason);
                Next::Leave(Exit::Doubtful)
            }
            Consequence::StrongerModel => {
                let reason = format!("low confidence: {}", joined.reason);
                self.context.signal(&reason);
                self.leave(Exit::Untrusted, StopCause::escalation(EscalationCause::LowConfidence, reason))
            }
            Consequence::End => self.leave(Exit::Unsafe, StopCause::ended(Code::UnsafeDetection, joined.reason)),
            _ => {
                let halt = StopCause {
                    code: Code::LowConfidence,
                    ..StopCause::review(joined.reason, RiskState::LowConfidence)
                };
                self.leave(Exit::Untrusted, halt)
            }
        }
    }

    pub(super) fn act(&mut self, action: Action) -> Next {
        match action {
            Action::Call { tool, arguments, key, invalid, missing, payload, touches } => {
                let index = self.manifest.tools.iter().position(|known| known.name == tool);
                self.proposals.propose(Proposal {
                    tool: index,
                    name: tool,
                    arguments,
                    key,
                    invalid,
                    missing,
                    payload,
                    touches,
                });
                Next::Leave(Exit::Selected)
            }
            Action::Finish { summary, claims } => {
                self.context.output(&summary);
                self.proposals.claim(Claim::Finished { summary, tools: claims });
                Next::Leave(Exit::Finished)
            }
            Action::Say { text, key } => self.said(&text, key),
            Action::Plan { steps } => {
                self.tasks.draft(Draft::Whole(steps));
                Next::Leave(Exit::Planned)
            }
            Action::Split { steps } => {
                self.tasks.draft(Draft::More(steps));
                Next::Leave(Exit::Planned)
            }
            Action::Write { state, key, text, sources } => self.propose_write(state, key, text, sources),
            Action::Reflect { about } => self.asked_to_reflect(&about),
            Action::Ask { question } => self.asks_user(&question),
            Action::Abandon { reason } => {
                if self.withholds(DecisionRight::Abandon) {
                    return self.not_allowed(Did::GaveUp, "give the goal up");
                }
                self.leave(Exit::HandedOver, StopCause::ended(Code::Impossible, reason.to_string()))
            }
            Action::Compact => {
                self.context.ask_for_room();
                self.exchange(Did::AskedForRoom, CameOf::Noted);
                Next::Leave(Exit::Idle)
            }
            Action::Defer { reason } => {
                if self.withholds(DecisionRight::HandOver) {
                    return self.not_allowed(Did::HandedOver, "hand the task over");
                }
                self.event(Event::Deferred { reason: Arc::clone(&reason) });
                let mut halt = StopCause::review(reason.to_string(), RiskState::MissingInput);
                halt.wanted = crate::record::packet::Wanted::Triage;
                halt.endpoint = Some("triage".into());
                self.hand_task_over(halt)
            }
            Action::EscalateToArchitect { severity, reason } => {
                if self.withholds(DecisionRight::HandOver) {
                    return self.not_allowed(Did::HandedOver, "hand the task over");
                }
                self.event(Event::EscalatedToArchitect { severity, reason: Arc::clone(&reason) });
                self.effect(Effect::Alarm { severity, reason: Arc::clone(&reason) });
                let mut halt = StopCause::review(reason.to_string(), RiskState::LowConfidence);
                halt.wanted = crate::record::packet::Wanted::Architect;
                halt.endpoint = Some(match severity {
                    Alarm::Warning => "architect".into(),
                    Alarm::Critical => "architect and operations lead".into(),
                });
                self.hand_task_over(halt)
            }
        }
    }

    /// Only words.
    fn said(&mut self, text: &Arc<str>, key: Key) -> Next {
        self.context.output(text);
        let step = ObservedStep {
            index: self.view.shown_index(),
            action: cut(text, ACTION_TEXT).into(),
            call_key: None,
            result_key: Some(key.0),
            state_before: None,
            state_after: None,
            failure: None,
            mutating: false,
            poller: false,
            internal: false,
            user_boundary: self.progress.take_person_spoke(),
            action_bytes: text.len() as u64,
            result_bytes: 0,
            drift: None,
        };
        self.summarise(None, Some(key), false, false);
        if !self.recorded() {
            self.exchange(Did::Said(Arc::clone(text)), CameOf::NoCall);
            self.proposals.claim(Claim::Words);
        }
        self.ask(Question::DoomLoop(step), Then::Watch(Exit::Idle))
    }

    fn asks_user(&mut self, question: &Arc<str>) -> Next {
        if self.withholds(DecisionRight::Clarify) {
            return self.not_allowed(Did::AskedUser, "ask the user");
        }
        let halt = StopCause::question(Code::MissingInfo, question.to_string(), RiskState::MissingInput);
        self.leave(Exit::HandedOver, halt)
    }

    /// The boundary does not leave that to the model.
    pub(super) fn not_allowed(&mut self, did: Did, what: &str) -> Next {
        let reason = format!("the boundary does not let the model {what}");
        self.context.signal(&reason);
        self.exchange(did, CameOf::NotDone { reason: reason.into() });
        self.progress.fail();
        Next::Leave(Exit::Idle)
    }

    pub(super) fn kind(&self) -> NodeKind {
        self.place.kind()
    }

    /// The weakest model above the one at work.
    pub(super) fn stronger_tier(&self) -> Option<Tier> {
        self.eligible_tiers().into_iter().find(|tier| *tier > self.models.tier())
    }

    pub(super) fn summarise(&mut self, call_key: Option<Key>, result_key: Option<Key>, failed: bool, mutating: bool) {
        let index = self.view.step_index();
        let (call_key, result_key) = (call_key.map(u64::from), result_key.map(u64::from));
        self.view_mut().push_step(StepSummary { index, call_key, result_key, failed, mutating });
    }

    pub(super) fn exchange(&mut self, did: Did, came: CameOf) {
        // What was put back in the place of a mark is told as the mark again.
        let did = match did {
            Did::Called(text) => Did::Called(self.context.hidden().hidden(&text)),
            other => other,
        };
        self.context.exchange(did, came, self.manifest.boundary.exchanges as usize);
    }

    /// An attempt succeeded.
    pub(super) fn succeed(&mut self) {
        self.progress.succeed();
        self.view_mut().level(Dimension::Retries, 0);
        self.context.settled();
    }
}

/// The model's own word on its confidence, as a signal.
pub(super) fn verbalised(value: f64) -> Signal {
    Signal { name: "verbalised".into(), value, orientation: Orientation::Confidence }
}
