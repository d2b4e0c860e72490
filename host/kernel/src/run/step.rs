//! One step of the loop: reply, trust, action, observation, verification.

use std::sync::Arc;

use super::escalate::Trouble;
use super::{Attempts, Joined, ModelCall, Run, Then, ToolCall, Waiting, Watched, cut, push_bounded, used, verbalised};
use crate::budget::{Demand, Refused, Reservation};
use crate::contract::classifier::{SideEffect, Task, TierOffer};
use crate::contract::confidence::Answer;
use crate::contract::doom_loop::{Failure, FailureClass, ObservedStep};
use crate::contract::risk::{Novelty, ProposedAction, Reversibility};
use crate::contract::view::StepSummary;
use crate::contract::{Key, Phase, Verdict};
use crate::effect::{Effect, ModelRequest, Purpose};
use crate::event::Event;
use crate::grounding::{Call, Intended, Observed};
use crate::input::{Action, Input, Observation, Outcome, Reply, StepReply, StepStatus, Usage, Verification};
use crate::judgement::Question;
use crate::packet::Approval;
use crate::status::Code;

/// Most bytes of a text that policies see.
const ACTION_TEXT: usize = 8 << 10;
const GOAL_TEXT: usize = 16 << 10;
const ARGUMENTS_TEXT: usize = 64 << 10;
const FACT_TEXT: usize = 4 << 10;
/// Most bytes of an action or a result that the next request carries, and how many exchanges.
const EXCHANGE_TEXT: usize = 2 << 10;
const EXCHANGES: usize = 4;
/// Calls remembered for novelty and repeated denials.
const CALLS: usize = 64;

/// A tool call that a model wants.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// Position in the registry; none for a tool that a recording used and nobody registered.
    pub tool: Option<usize>,
    pub name: Arc<str>,
    pub arguments: Arc<str>,
    pub key: Key,
}

impl Run {
    pub(super) fn begin(&mut self, input: Input, in_time: bool) {
        match input {
            Input::Started => self.start(),
            Input::Message { text } => {
                if let Waiting::Model(call) = &mut self.waiting {
                    call.message = true;
                }
                self.history_bytes = self.history_bytes.saturating_add(text.len() as u64);
                self.message = Some(text);
                self.user_boundary = true;
            }
            Input::Replied { reply, usage, .. } => self.replied(reply, usage, in_time),
            Input::Observed { observation, .. } => self.observed(observation, in_time),
            Input::Verified { verification, .. } => self.verified(&verification, in_time),
            Input::Cancelled => self.end(Code::UserCancel, "cancelled"),
            Input::Closed { code } => self.end(code, "the recording is over"),
        }
    }

    fn start(&mut self) {
        let goal: Arc<str> = cut(&self.manifest.goal.text, GOAL_TEXT).into();
        let worst = self.manifest.tools.iter().filter(|tool| self.manifest.boundary.tools.contains(&tool.name));
        let side_effects = worst
            .map(|tool| match (tool.mutating, tool.reversibility) {
                (false, _) => SideEffect::None,
                (true, Reversibility::Reversible) => SideEffect::Reversible,
                (true, _) => SideEffect::Irreversible,
            })
            .max();
        let request = self.compose(Purpose::Step);
        let task = Task {
            prompt: self.prompt(&request).into(),
            goal,
            tools: self.manifest.boundary.tools.clone(),
            step_estimate: self.manifest.goal.step_estimate,
            side_effects: side_effects.unwrap_or(SideEffect::None),
            tiers: self
                .manifest
                .models
                .iter()
                .map(|model| TierOffer {
                    tier: model.tier,
                    cheapest_call: model.cost(request.tokens(), model.max_output_tokens),
                })
                .collect(),
            past: Vec::new(),
        };
        self.ask(Question::Classifier(task), Then::Route);
    }

    /// The words of the first request, as a classifier sees them.
    fn prompt(&self, request: &ModelRequest) -> String {
        let mut prompt = cut(&request.goal, GOAL_TEXT).to_owned();
        for constraint in &request.constraints {
            prompt.push('\n');
            prompt.push_str(constraint);
        }
        cut(&prompt, 64 << 10).to_owned()
    }

    pub(super) fn route(&mut self, joined: Joined) {
        let mut class = None;
        if let Some(classification) = joined.classification {
            self.tier = classification.tier;
            self.planning = classification.planning;
            self.max_escalations = classification.cascade.map_or(0, |cascade| cascade.max_escalations);
            class = Some(classification.class);
        }
        self.event(Event::Classified { class, tier: self.tier, planning: self.planning });
        match joined.verdict.unwrap_or(Verdict::Proceed) {
            Verdict::Deny | Verdict::Terminate => self.end(Code::UnsafeDetection, joined.reason),
            Verdict::Ask | Verdict::Replan => self.suspend(Code::AmbiguousIntent, joined.reason, None),
            Verdict::Escalate => self.escalate(Trouble::Review, joined.reason),
            Verdict::Proceed | Verdict::Log | Verdict::Notify => self.call_model(Purpose::Step),
        }
    }

    pub(super) fn call_model(&mut self, purpose: Purpose) {
        let tier = match &purpose {
            Purpose::Patch(_) => self.stronger_tier().unwrap_or(self.tier),
            _ => self.tier,
        };
        let patch = matches!(purpose, Purpose::Patch(_));
        let request = self.compose(purpose);
        let Some(model) = self.manifest.model(tier) else {
            return self.end(Code::UnavailableDep, format!("no model of tier {tier}"));
        };
        let max_output_tokens = model.max_output_tokens;
        let demand = Demand {
            steps: 1,
            input_tokens: request.tokens(),
            output_tokens: max_output_tokens,
            tool_calls: 0,
            cost: model.cost(request.tokens(), max_output_tokens),
        };
        let reservation = match self.reserve(demand) {
            Ok(reservation) => reservation,
            Err(refused) => {
                let reason = format!("{} used up: the next model call may need {}", refused.dimension, refused.demand);
                return self.end(Code::BudgetExhausted, reason);
            }
        };
        let call = self.model_calls;
        self.model_calls += 1;
        self.view_mut().step_index = u32::try_from(call).unwrap_or(u32::MAX);
        self.view_mut().phase = Phase::Proposal;
        self.waiting = Waiting::Model(ModelCall { call, patch, reservation, message: false });
        // A recording's models are called by nobody.
        if !self.monitor() {
            self.notice = None;
            self.message = None;
            self.event(Event::ModelCalled { call, tier });
            self.effect(Effect::CallModel { call, tier, request, max_output_tokens });
        }
    }

    /// Sets a demand aside; nothing in monitor mode, where the recording has long spent it.
    fn reserve(&mut self, demand: Demand) -> Result<Option<Reservation>, Refused> {
        if self.monitor() {
            return Ok(None);
        }
        let reserved = self.view_mut().budget.reserve(demand);
        if let Err(refused) = &reserved {
            self.event(Event::BudgetRefused {
                dimension: refused.dimension,
                demand: refused.demand,
                left: refused.left,
            });
        }
        reserved.map(Some)
    }

    fn compose(&self, purpose: Purpose) -> ModelRequest {
        if self.monitor() || matches!(purpose, Purpose::Patch(_)) {
            return ModelRequest {
                purpose,
                goal: Arc::clone(&self.manifest.goal.text),
                constraints: self.manifest.goal.constraints.clone(),
                planning: self.planning,
                guidance: None,
                notice: None,
                recent: Vec::new(),
            };
        }
        let notice = match (&self.notice, &self.message) {
            (Some(notice), Some(message)) => Some(format!("{notice}\n{message}")),
            (Some(notice), None) => Some(notice.clone()),
            (None, message) => message.as_deref().map(str::to_owned),
        };
        ModelRequest {
            purpose,
            goal: Arc::clone(&self.manifest.goal.text),
            constraints: self.manifest.goal.constraints.clone(),
            planning: self.planning,
            guidance: self.guidance.clone(),
            notice,
            recent: self.recent.iter().cloned().collect(),
        }
    }

    fn replied(&mut self, reply: Reply, usage: Usage, in_time: bool) {
        let Waiting::Model(call) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return };
        match call.reservation {
            Some(reservation) => self.view_mut().budget.settle(reservation, used(usage)),
            None => self.view_mut().budget.book(used(usage)),
        }
        if !in_time {
            return self.end(Code::Timeout, "the running time is used up");
        }
        match reply {
            Reply::Step(step) => self.stepped(step),
            Reply::Patch { text } => {
                self.guidance = Some(text);
                self.attempts = Attempts::default();
                self.recent.clear();
                self.notice = None;
                self.event(Event::Patched { tier: self.tier });
                self.call_model(Purpose::Step);
            }
            Reply::Invalid { reason, bytes, .. } => {
                self.history_bytes = self.history_bytes.saturating_add(bytes);
                self.event(Event::SchemaViolation { reason: reason.clone() });
                self.signal(&reason);
                self.snippet.clear();
                if call.patch {
                    return self.suspend(Code::ReviewRequired, format!("the stronger model's answer: {reason}"), None);
                }
                self.escalate(Trouble::InvalidSchema, format!("invalid schema: {reason}"));
            }
            Reply::Unavailable { reason } => self.end(Code::UnavailableDep, reason),
        }
    }

    fn stepped(&mut self, step: StepReply) {
        self.history_bytes = self.history_bytes.saturating_add(step.bytes);
        if self.attempts.step.as_ref().is_none_or(|last| *last != step.step) {
            self.attempts = Attempts { step: Some(Arc::clone(&step.step)), failed: 0 };
        }
        if !self.monitor() {
            // What it says is what a stronger model needs to hear.
            match step.status {
                StepStatus::Ok => {}
                StepStatus::Confused => {
                    self.signal(&format!("the model is confused: {}", cut(&step.reasoning, 512)));
                    return self.escalate(Trouble::Confused, "status confused".to_owned());
                }
                StepStatus::Blocked => {
                    self.signal(&format!("the model is blocked: {}", cut(&step.reasoning, 512)));
                    return self.escalate(Trouble::Blocked, "status blocked".to_owned());
                }
            }
        }
        let mut signals = step.signals;
        if let Some(confidence) = step.confidence {
            signals.insert(0, verbalised(confidence));
        }
        self.confidence = None;
        let goal = &self.manifest.goal;
        let answer = Answer {
            signals,
            stakes: goal.stakes,
            compliance: goal.compliance,
            model: self.manifest.model(self.tier).map(|model| model.kind).unwrap_or_default(),
            evidence: self.committed,
            may_investigate: goal.may_investigate,
        };
        self.ask(Question::Confidence(answer), Then::Act(step.action));
    }

    pub(super) fn trusted(&mut self, joined: Joined, action: Action) {
        self.confidence = joined.score;
        match joined.verdict.unwrap_or(Verdict::Proceed) {
            Verdict::Proceed | Verdict::Log | Verdict::Notify => self.act(action),
            Verdict::Replan => self.replan(joined.reason),
            Verdict::Escalate => {
                self.signal(&format!("low confidence: {}", joined.reason));
                self.escalate(Trouble::LowConfidence, format!("low confidence: {}", joined.reason));
            }
            Verdict::Ask | Verdict::Deny => self.suspend(Code::LowConfidence, joined.reason, None),
            Verdict::Terminate => self.end(Code::UnsafeDetection, joined.reason),
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Call { tool, arguments, key, invalid, .. } => {
                let index = self.manifest.tools.iter().position(|known| known.name == tool);
                let proposal = Proposal { tool: index, name: tool, arguments, key };
                if self.monitor() {
                    return match index {
                        Some(_) => self.assess(proposal),
                        None => self.assessed(Joined::default(), proposal),
                    };
                }
                if index.is_none() {
                    let reason = format!("no tool `{}` is registered", proposal.name);
                    return self.block(proposal, reason);
                }
                if !self.manifest.boundary.tools.contains(&proposal.name) {
                    let reason = format!("tool `{}` is outside the boundary", proposal.name);
                    return self.deny(proposal, reason);
                }
                if let Some(problem) = invalid {
                    return self.block(proposal, format!("invalid arguments: {problem}"));
                }
                self.assess(proposal);
            }
            Action::Finish { .. } if self.monitor() => self.call_model(Purpose::Step),
            Action::Finish { summary } => self.finish(&summary),
            Action::Say { text, key } => {
                let step = ObservedStep {
                    index: self.view.shown_index(),
                    action: cut(&text, ACTION_TEXT).into(),
                    call_key: None,
                    result_key: Some(key),
                    state_before: None,
                    state_after: None,
                    failure: None,
                    mutating: false,
                    poller: false,
                    internal: false,
                    user_boundary: std::mem::take(&mut self.user_boundary),
                    action_bytes: text.len() as u64,
                    result_bytes: 0,
                    drift: None,
                };
                self.summarise(None, Some(key), false, false);
                if !self.monitor() {
                    self.exchange(&text, "No tool was called. Call a tool, or finish.");
                }
                self.ask(Question::DoomLoop(step), Then::GoOn { failed: true });
            }
        }
    }

    fn assess(&mut self, proposal: Proposal) {
        let Some(tool) = proposal.tool.map(|index| &self.manifest.tools[index]) else { return };
        let novelty = if !self.tools_used.contains(&proposal.name) {
            Novelty::NewTool
        } else if self.calls_seen.contains(&proposal.key) {
            Novelty::Repeated
        } else {
            Novelty::NewArguments
        };
        let arguments = if proposal.arguments.len() <= ARGUMENTS_TEXT {
            Arc::clone(&proposal.arguments)
        } else {
            cut(&proposal.arguments, ARGUMENTS_TEXT).into()
        };
        let action = ProposedAction {
            tool: Arc::clone(&proposal.name),
            category: tool.category,
            arguments,
            reversibility: tool.reversibility,
            blast_radius: tool.blast_radius,
            compliance: tool.compliance.max(self.manifest.goal.compliance),
            novelty,
            working_context: Arc::clone(&self.manifest.boundary.working_context),
            confidence: self.confidence,
        };
        self.ask(Question::Risk(action), Then::Dispatch(proposal));
    }

    pub(super) fn assessed(&mut self, mut joined: Joined, proposal: Proposal) {
        match joined.verdict.unwrap_or(Verdict::Proceed) {
            Verdict::Proceed | Verdict::Log | Verdict::Notify => self.dispatch(proposal),
            Verdict::Replan => self.replan(joined.reason),
            Verdict::Escalate => {
                self.signal(&format!("risk: {}", joined.reason));
                self.escalate(Trouble::Review, format!("risk: {}", joined.reason));
            }
            Verdict::Ask => {
                let definition = proposal.tool.map(|index| Arc::clone(&self.manifest.tools[index].definition));
                let approval = Approval {
                    call: self.tool_calls,
                    tool: proposal.name,
                    arguments: proposal.arguments,
                    key: proposal.key,
                    definition: definition.unwrap_or_default(),
                    asked_by: std::mem::take(&mut joined.by),
                    reason: joined.reason.clone(),
                    confidence: self.confidence,
                };
                self.suspend(Code::ConfirmRequired, joined.reason, Some(approval));
            }
            Verdict::Deny => self.deny(proposal, joined.reason),
            Verdict::Terminate => self.end(Code::UnsafeDetection, joined.reason),
        }
    }

    fn dispatch(&mut self, proposal: Proposal) {
        let demand = Demand { tool_calls: 1, ..Demand::default() };
        let reservation = match self.reserve(demand) {
            Ok(reservation) => reservation,
            // A cap of 0 forbids tools; it does not stop the run.
            Err(refused) if refused.limit == 0 => {
                return self.block(proposal, "this run may call no tools".to_owned());
            }
            Err(_) => return self.end(Code::BudgetExhausted, "tool calls used up"),
        };
        let call: Call<Intended> = Call::intend(self.tool_calls, Arc::clone(&proposal.name));
        self.tool_calls += 1;
        if !self.tools_used.contains(&proposal.name) {
            self.tools_used.push(Arc::clone(&proposal.name));
        }
        push_bounded(&mut self.calls_seen, CALLS, proposal.key);
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        if tool.is_some_and(|tool| tool.mutating) {
            self.lose_readings();
        }
        if !self.monitor() {
            self.event(Event::Dispatched { call: call.id(), tool: Arc::clone(&proposal.name) });
            self.effect(Effect::Dispatch {
                call: call.id(),
                tool: Arc::clone(&proposal.name),
                arguments: Arc::clone(&proposal.arguments),
            });
        }
        self.waiting = Waiting::Tool(ToolCall { call: call.attempt(), proposal, reservation });
    }

    fn observed(&mut self, observation: Observation, in_time: bool) {
        let Waiting::Tool(waiting) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return };
        let demand = Demand { tool_calls: 1, ..Demand::default() };
        match waiting.reservation {
            Some(reservation) => self.view_mut().budget.settle(reservation, demand),
            None => self.view_mut().budget.book(demand),
        }
        self.view_mut().phase = Phase::Observation;
        if !in_time {
            return self.end(Code::Timeout, "the running time is used up");
        }
        let proposal = waiting.proposal;
        let action = format!("{} {}", proposal.name, proposal.arguments);
        self.history_bytes = self.history_bytes.saturating_add(observation.bytes);
        let failure = observation.outcome.failure();
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let mutating = observation.mutating.unwrap_or_else(|| tool.is_some_and(|tool| tool.mutating));
        let step = ObservedStep {
            index: self.view.shown_index(),
            action: cut(&action, ACTION_TEXT).into(),
            call_key: Some(proposal.key),
            result_key: observation.result_key,
            state_before: observation.state_before,
            state_after: observation.state_after,
            failure: failure.map(|class| Failure { class, key: observation.error_key }),
            mutating,
            poller: observation.poller.unwrap_or_else(|| tool.is_some_and(|tool| tool.poller)),
            internal: tool.is_some_and(|tool| tool.internal),
            user_boundary: std::mem::take(&mut self.user_boundary),
            action_bytes: action.len() as u64,
            result_bytes: observation.bytes,
            drift: None,
        };
        self.summarise(step.call_key, step.result_key, failure.is_some(), mutating);
        if !self.monitor() {
            self.exchange(&action, &observation.text);
            self.snippet = cut(&format!("{action}\n{}", observation.text), 1024).to_owned();
            if let Some(class) = failure {
                let what = match class {
                    FailureClass::Rejected => "was refused",
                    FailureClass::Failed => "failed",
                    FailureClass::TimedOut => "timed out",
                    FailureClass::Infrastructure => "could not be reached",
                };
                self.signal(&format!("{} {what}: {}", proposal.name, cut(&observation.text, 256)));
            }
        }
        let call = waiting.call.observe(observation);
        self.ask(Question::DoomLoop(step), Then::Settle(Some(call), proposal.tool));
    }

    /// The doom-loop slot has been heard on a call; its verifier comes next, then the verdict.
    pub(super) fn watched(&mut self, joined: Joined, call: Option<Call<Observed>>, tool: Option<usize>) {
        let watched = Watched { verdict: joined.verdict.unwrap_or(Verdict::Proceed), reason: joined.reason };
        let Some(call) = call else { return self.go_on(watched) };
        if self.monitor() {
            return self.go_on(watched);
        }
        let verifier = tool.and_then(|index| self.manifest.tools[index].verifier);
        match (verifier, call.observation().outcome) {
            (Some(verifier), Outcome::Returned { .. }) => {
                self.effect(Effect::Verify { call: call.id(), verifier });
                self.waiting = Waiting::Verifier(call, watched);
            }
            (_, outcome) => {
                if outcome.failure().is_some() {
                    self.lose_criteria(call.tool());
                    self.fail();
                } else {
                    self.succeed();
                    self.last_valid_state = state_text(call.tool(), call.observation(), "unverified");
                }
                self.go_on(watched);
            }
        }
    }

    fn verified(&mut self, verification: &Verification, in_time: bool) {
        let Waiting::Verifier(call, watched) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return };
        if !in_time {
            return self.end(Code::Timeout, "the running time is used up");
        }
        match call.verify(verification) {
            Ok(call) => {
                let call = call.commit();
                let text: Arc<str> = cut(&call.observation().text, FACT_TEXT).into();
                self.last_valid_state = state_text(call.tool(), call.observation(), "verified");
                self.view_mut().commit(call.tool(), text);
                self.committed = self.committed.saturating_add(1);
                self.event(Event::Committed { call: call.id(), fact: Arc::clone(call.tool()) });
                self.meet_criteria(call.tool());
                self.succeed();
                if !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met) {
                    return self.end(Code::Success, "every criterion is verified");
                }
            }
            Err(call) => {
                self.event(Event::VerificationFailed { call: call.id(), detail: verification.detail.clone() });
                self.signal(&format!("{}: {}", call.tool(), verification.detail));
                self.lose_criteria(call.tool());
                self.fail();
            }
        }
        self.go_on(watched);
    }

    /// A step without a call has been watched.
    pub(super) fn passed(&mut self, joined: Joined, failed: bool) {
        if failed && !self.monitor() {
            self.fail();
        }
        self.go_on(Watched { verdict: joined.verdict.unwrap_or(Verdict::Proceed), reason: joined.reason });
    }

    fn go_on(&mut self, watched: Watched) {
        match watched.verdict {
            Verdict::Terminate | Verdict::Deny => self.end(Code::RepeatedFailure, watched.reason),
            Verdict::Ask => self.suspend(Code::ReviewRequired, watched.reason, None),
            Verdict::Escalate => {
                self.signal(&format!("loop: {}", watched.reason));
                self.escalate(Trouble::Loop, format!("loop: {}", watched.reason));
            }
            Verdict::Replan => {
                self.signal(&format!("loop: {}", watched.reason));
                self.replan(watched.reason);
            }
            Verdict::Proceed | Verdict::Log | Verdict::Notify => {
                let limit = self.manifest.escalation.failed_attempts.max(1);
                if !self.monitor() && self.attempts.failed >= limit {
                    let step = self.attempts.step.as_deref().unwrap_or_default();
                    let cause = format!("step `{}` failed {} times", cut(step, 64), self.attempts.failed);
                    self.escalate(Trouble::RepeatedFailure, cause);
                } else {
                    self.call_model(Purpose::Step);
                }
            }
        }
    }

    pub(super) fn replan(&mut self, reason: String) {
        self.event(Event::Replanned { reason: reason.clone() });
        self.attempts = Attempts::default();
        self.notice = Some(format!("Stop: {reason}. Make another plan."));
        self.call_model(Purpose::Replan);
    }

    /// The model says that it is done. That counts as far as verified observations support it.
    fn finish(&mut self, summary: &Arc<str>) {
        let unmet: Vec<Arc<str>> = self
            .manifest
            .goal
            .criteria
            .iter()
            .zip(&self.criteria)
            .filter(|(_, state)| !state.met)
            .map(|(criterion, _)| Arc::clone(&criterion.id))
            .collect();
        if unmet.is_empty() {
            return self.end(Code::Success, cut(summary, 1024).to_owned());
        }
        let list = unmet.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
        self.signal(&format!("claimed success without verifying {list}"));
        self.event(Event::ClaimUnsupported { unmet: unmet.clone() });
        self.exchange("finish", &format!("Not accepted: no verified observation supports {list}."));
        self.snippet = format!("finish\nnot verified: {list}");
        self.fail();
        let last_word = self.attempts.failed >= self.manifest.escalation.failed_attempts.max(1)
            && (self.stronger_tier().is_none() || self.escalations >= self.max_escalations);
        if !last_word {
            return self.go_on(Watched { verdict: Verdict::Proceed, reason: String::new() });
        }
        if unmet.len() < self.criteria.len() {
            self.end(Code::PartialSuccess, format!("not verified: {list}"));
        } else {
            self.end(Code::ValidationFail, format!("claimed success, nothing verified: {list}"));
        }
    }

    /// The action does not run and the model is told why.
    fn block(&mut self, proposal: Proposal, reason: String) {
        self.event(Event::Blocked { tool: Arc::clone(&proposal.name), reason: reason.clone() });
        self.signal(&reason);
        let action = format!("{} {}", proposal.name, proposal.arguments);
        self.exchange(&action, &format!("Not run: {reason}."));
        self.snippet = cut(&action, 1024).to_owned();
        let step = ObservedStep {
            index: self.view.shown_index(),
            action: cut(&action, ACTION_TEXT).into(),
            call_key: Some(proposal.key),
            result_key: None,
            state_before: None,
            state_after: None,
            failure: Some(Failure { class: FailureClass::Rejected, key: None }),
            mutating: false,
            poller: false,
            internal: false,
            user_boundary: std::mem::take(&mut self.user_boundary),
            action_bytes: action.len() as u64,
            result_bytes: 0,
            drift: None,
        };
        self.summarise(Some(proposal.key), None, true, false);
        self.ask(Question::DoomLoop(step), Then::GoOn { failed: true });
    }

    /// Blocked for lack of permission: a second try of the same call ends the run.
    fn deny(&mut self, proposal: Proposal, reason: String) {
        if self.denied.contains(&proposal.key) {
            self.event(Event::Blocked { tool: proposal.name, reason: reason.clone() });
            return self.end(Code::PermissionDenied, format!("tried again what was denied: {reason}"));
        }
        push_bounded(&mut self.denied, CALLS, proposal.key);
        self.block(proposal, reason);
    }

    fn summarise(&mut self, call_key: Option<Key>, result_key: Option<Key>, failed: bool, mutating: bool) {
        let index = self.view.step_index;
        self.view_mut().push_step(StepSummary { index, call_key, result_key, failed, mutating });
    }

    fn exchange(&mut self, action: &str, result: &str) {
        let pair = (cut(action, EXCHANGE_TEXT).into(), cut(result, EXCHANGE_TEXT).into());
        push_bounded(&mut self.recent, EXCHANGES, pair);
    }

    fn fail(&mut self) {
        self.attempts.failed += 1;
    }

    fn succeed(&mut self) {
        self.attempts.failed = 0;
        self.error_signals.clear();
    }

    fn meet_criteria(&mut self, tool: &Arc<str>) {
        self.change_criteria(tool, true);
    }

    fn lose_criteria(&mut self, tool: &Arc<str>) {
        self.change_criteria(tool, false);
    }

    fn change_criteria(&mut self, tool: &Arc<str>, met: bool) {
        for index in 0..self.criteria.len() {
            if self.manifest.goal.criteria[index].tool == *tool {
                self.set_criterion(index, met);
            }
        }
    }

    /// What was read before a change says nothing about after it.
    fn lose_readings(&mut self) {
        for index in 0..self.criteria.len() {
            if self.criteria[index].reading {
                self.set_criterion(index, false);
            }
        }
    }

    fn set_criterion(&mut self, index: usize, met: bool) {
        if self.criteria[index].met != met {
            self.criteria[index].met = met;
            let id = Arc::clone(&self.manifest.goal.criteria[index].id);
            self.event(if met { Event::CriterionMet { id } } else { Event::CriterionLost { id } });
        }
    }
}

fn state_text(tool: &str, observation: &Observation, how: &str) -> String {
    format!("{tool} ({how}): {}", cut(&observation.text, 256))
}
