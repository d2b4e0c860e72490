//! Is the next action worth it? What calls brought and cost, errors that the agent cannot mend, and
//! what becomes of the run when the slot `threshold` says to stop (specification C1–C4).

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;

use super::Run;
use super::bounded::{cut, push_bounded};
use super::consequence::{Asked, Consequence};
use super::halt::StopCause;
use super::handed::CallDecision;
use super::joined::SlotVerdict;
use super::next::Next;
use super::proposals::Proposal;
use super::waiting::Then;
use crate::contract::remediation::FailedCall;
use crate::contract::threshold::{ActionReturn, AuthorityGap, CostLine, Ledger, NextAction, Trigger};
use crate::contract::{Dimension, FailureClass, Key, ObservedStep, Verdict};
use crate::contract::{Question, Slot};
use crate::record::effect::Effect;
use crate::record::event::{Event, Response, Stage};
use crate::record::status::Code;

/// Returns that a policy is told of.
const RETURNS: usize = 16;
/// Most bytes of an error that policies see.
const ERROR_TEXT: usize = 8 << 10;

/// What the run has come to since its last boundary.
#[derive(Debug, Default)]
pub(super) struct Returns {
    since: u64,
    actions: u32,
    last: VecDeque<ActionReturn>,
    gap: Option<AuthorityGap>,
    /// A call's result has been seen and not been weighed.
    due: bool,
    /// Nothing more is called before the agent has reported.
    hold: Option<Hold>,
}

/// Why nothing more is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What flipped; none where the policy could not decide.
    pub trigger: Option<Trigger>,
    /// Why.
    pub reason: String,
}

impl Returns {
    fn begin(&mut self, at: u64) {
        self.since = at;
        self.actions = 0;
        self.last.clear();
        self.due = false;
    }

    /// What the last call did is known better now.
    fn last(&mut self, note: impl FnOnce(&mut ActionReturn)) {
        if self.due
            && let Some(last) = self.last.back_mut()
        {
            note(last);
        }
    }
}

impl Run {
    /// A call's result has been seen; `exact` is its identity as it is.
    pub(super) fn returned(&mut self, step: &ObservedStep, exact: Option<Key>) {
        let (at, repeated) = (self.at, self.progress.repeats());
        let failed = step.failure.is_some();
        // What is new is what was asked and answered together: the same answer about something else is a finding,
        // and so is a miss. Numbers and dates that differ are noise where the same call answers again. An error is
        // the same whatever call it comes from, unless it says nothing that it could be told by.
        let error = step.failure.and_then(|failure| failure.key);
        let result = step.result_key.map(|result| Key(result ^ if error.is_some() { 0 } else { asked(step) }));
        let own = exact.filter(|_| !failed && !repeated).map(|exact| Key(exact.0 ^ asked(step)));
        let novel = self.progress.saw(own.or(result), [result, own]);
        if novel && repeated && !failed {
            self.progress.brought_news();
        }
        let returns = &mut self.returns;
        let busy = step
            .failure
            .is_some_and(|failure| matches!(failure.class, FailureClass::Infrastructure | FailureClass::TimedOut));
        let changed = match (step.state_before, step.state_after) {
            (Some(before), Some(after)) => before != after,
            _ => step.mutating && !failed,
        };
        let neutral = step.poller || step.internal || busy;
        returns.actions = returns.actions.saturating_add(1);
        returns.due = true;
        let one = ActionReturn { at, advanced: false, changed, novel, confirmed: false, failed, neutral, repeated };
        push_bounded(&mut returns.last, RETURNS, one);
    }

    /// The goal came nearer by the last call.
    pub(super) fn note_advance(&mut self) {
        self.returns.last(|one| one.advanced = true);
    }

    /// A verifier has confirmed the last call.
    pub(super) fn note_confirmation(&mut self) {
        self.returns.last(|one| one.confirmed = true);
    }

    /// A person has spoken, another plan is wanted, or the agent has reported: what came before says
    /// nothing of what comes now.
    pub(super) fn new_boundary(&mut self) {
        self.returns.begin(self.at);
    }

    /// Somebody has seen to what stood in the way, or to the agent.
    pub(super) fn clear_gap(&mut self, by: &str) {
        self.new_boundary();
        self.returns.gap = None;
        if self.returns.hold.take().is_some() {
            self.event(Event::HoldLifted { by: by.into() });
        }
    }

    /// Why nothing more is called before the agent has reported; none while it may call. Only where
    /// the agent drives: elsewhere the run is suspended.
    pub fn held(&self) -> Option<&Hold> {
        self.returns.hold.as_ref()
    }

    /// Counts failures in a row of the tool at hand.
    pub(super) fn count_tool_failure(&mut self, tool: &Arc<str>, failed: bool) {
        self.progress.tool_came_back(tool, failed);
        if !failed && self.returns.gap.as_ref().is_some_and(|gap| gap.tool == *tool) {
            // It works: somebody has mended it.
            self.returns.gap = None;
        }
    }

    /// What a policy is asked of a failed call.
    pub(super) fn failed_call(&self, proposal: &Proposal, class: FailureClass, error: &str) -> FailedCall {
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let worked_before = proposal.tool.is_some_and(|index| self.used.succeeded(index));
        let same_call = self.progress.call_failures(proposal.key).max(1);
        FailedCall {
            tool: Arc::clone(&proposal.name),
            category: tool.map(|tool| tool.category),
            class,
            error: cut(error, ERROR_TEXT).into(),
            same_call,
            same_tool: self.progress.tool_failures().max(1),
            worked_before,
        }
    }

    /// The slot `remediation` has been heard of a failed call.
    pub(super) fn remedied(&mut self, joined: &SlotVerdict, tool: &Arc<str>) {
        if let Some(authority) = &joined.authority {
            let gap = AuthorityGap {
                tool: Arc::clone(tool),
                who: authority.who.as_str().into(),
                what: authority.what.as_str().into(),
            };
            self.event(Event::GapFound { gap: gap.clone() });
            self.returns.gap = Some(gap);
        }
    }

    fn ledger(&self, next: Option<NextAction>) -> Ledger {
        let costs = Dimension::ALL.into_iter().filter_map(|dimension| {
            let line = self.view.budget(dimension);
            let capped = line.limit > 0 && line.limit < u64::MAX;
            let used = line.used.saturating_add(line.reserved);
            capped.then_some(CostLine { dimension, used, limit: line.limit })
        });
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Ledger {
            at: self.at,
            since: self.returns.since,
            actions: self.returns.actions,
            returns: self.returns.last.iter().copied().collect(),
            criteria_met: count(self.evidence.met()),
            criteria: count(self.evidence.criteria()),
            gap: self.returns.gap.clone(),
            costs: costs.collect(),
            next,
        }
    }

    /// Weighs what comes after a call, once all is known of it; none where there is nothing to weigh.
    pub(super) fn weigh_result(&mut self) -> Option<Next> {
        if !std::mem::take(&mut self.returns.due) {
            return None;
        }
        // The loop detector has said what is to be done of the same calls.
        if self.progress.is_stopped_by_loop() {
            self.new_boundary();
            return None;
        }
        if self.recorded() && !self.serves(Slot::Threshold) {
            return None;
        }
        let ledger = self.ledger(None);
        Some(self.ask(Question::Threshold(ledger), Then::Weighed))
    }

    /// The slot has been heard of a call's result. None goes on.
    pub(super) fn weighed(&mut self, joined: SlotVerdict) -> Option<Next> {
        if joined.verdict() <= Verdict::Notify || self.recorded() {
            return None;
        }
        let trigger = joined.trigger;
        let reason = why(&joined);
        let halt = self.halt_at(trigger, reason.clone());
        self.event(Event::Held { trigger, reason: reason.clone() });
        let complete = self.evidence.is_complete();
        if complete && joined.collapse_alone == Some(true) && !self.agent_drives() && self.is_checking() {
            // Nothing is left to find out because all is found.
            return Some(self.leave(Exit::Complete, StopCause::ended(Code::Success, reason)));
        }
        let consequence = self.consequence(Asked::Worth, joined.verdict());
        if consequence == Consequence::End {
            let halt = StopCause::ended(Code::UnsafeDetection, reason);
            return Some(self.leave(Exit::Hopeless, halt));
        }
        self.context.signal(&reason);
        if consequence != Consequence::Hold {
            if trigger == Some(Trigger::BudgetExhausted) {
                self.halt = Some(halt);
                return Some(Next::Interrupt(Exit::OverBudget));
            }
            return Some(self.leave(Exit::Stuck, halt));
        }
        // The agent is told with the result at hand; people are told now.
        let report = self.report(&halt);
        self.effect(Effect::Report { code: halt.code, report });
        self.returns.hold = Some(Hold { trigger, reason });
        None
    }

    fn is_checking(&self) -> bool {
        self.kind() == countersign_spec::graph::NodeKind::CompletionCheck
    }

    fn halt_at(&self, trigger: Option<Trigger>, reason: String) -> StopCause {
        match (trigger, &self.returns.gap) {
            (Some(Trigger::AuthorityGap), Some(gap)) => {
                let halt = StopCause::review(reason, RiskState::ToolFailure);
                StopCause { endpoint: Some(Arc::clone(&gap.who)), ..halt }
            }
            (Some(Trigger::BudgetExhausted), _) => StopCause::budget(reason, None),
            _ => StopCause::review(reason, RiskState::LowConfidence),
        }
    }

    /// A call of an agent that was told to stop is not made, whatever it is (specification C4).
    pub(super) fn stop_by_hold(&mut self, proposal: &Proposal) -> Option<Next> {
        let hold = self.returns.hold.clone()?;
        let (tool, stage, response) = (Arc::clone(&proposal.name), Stage::Threshold, Response::Block);
        self.decide(CallDecision::Refused { stage: Some(stage), response, reason: hold.reason.clone() });
        self.event(Event::Blocked { tool, stage, response, reason: hold.reason });
        self.summarise(Some(proposal.key), None, true, false);
        Some(Next::Leave(Exit::Refused))
    }

    /// Weighs a call about to be dispatched, beside what the risk slot said of it.
    pub(super) fn weigh_next(&mut self, risk: SlotVerdict, proposal: Proposal) -> Next {
        if self.recorded() && !self.serves(Slot::Threshold) {
            return self.assessed(risk, proposal);
        }
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let next = NextAction {
            tool: Arc::clone(&proposal.name),
            reversibility: tool.map(|tool| tool.reversibility).unwrap_or_default(),
            mutating: tool.is_some_and(countersign_spec::tool::Tool::mutating),
            idempotent: tool.is_some_and(|tool| tool.idempotent),
            risk: risk.risk,
        };
        let ledger = self.ledger(Some(next));
        self.ask(Question::Threshold(ledger), Then::WeighedNext(Box::new((risk, proposal))))
    }
}

/// The call of a step, as a part of another identity: keys are hashes already.
fn asked(step: &ObservedStep) -> u64 {
    step.call_key.unwrap_or_default().rotate_left(23)
}

/// Why the threshold slot holds the run up: its first trigger in the words of who gave it.
pub(super) fn why(joined: &SlotVerdict) -> String {
    match joined.trigger {
        Some(trigger) => format!("{trigger}: {}", joined.trigger_reason),
        None => format!("threshold: {}", joined.reason),
    }
}
