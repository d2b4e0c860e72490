//! Is the next action worth it? What calls brought and cost, errors that the agent cannot mend, and
//! what becomes of the run when the slot `threshold` says to stop (specification C1–C4).

use std::collections::VecDeque;
use std::sync::Arc;

use super::halt::Halt;
use super::joined::Joined;
use super::pipeline::Proposal;
use super::{Next, Run, Then, cut, push_bounded};
use crate::contract::remediation::FailedCall;
use crate::contract::threshold::{ActionReturn, AuthorityGap, CostLine, Ledger, NextAction, Trigger};
use crate::contract::{Dimension, FailureClass, Key, ObservedStep, Verdict};
use crate::contract::{Question, Slot};
use crate::effect::Effect;
use crate::event::{Event, Response, Stage};
use crate::graph::Exit;
use crate::routing::RiskState;
use crate::status::Code;

/// Returns that a policy is told of.
const RETURNS: usize = 16;
/// Results that are remembered as seen.
const SEEN: usize = 1024;
/// Most bytes of an error that policies see.
const ERROR_TEXT: usize = 8 << 10;

/// What the run has come to since its last boundary.
#[derive(Debug, Default)]
pub(super) struct Returns {
    since: u64,
    actions: u32,
    last: VecDeque<ActionReturn>,
    seen: VecDeque<Key>,
    gap: Option<AuthorityGap>,
    /// The tool that failed last, and how often in a row.
    failing: (Option<Arc<str>>, u32),
    /// The call at hand was made before.
    repeated: bool,
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
    /// A call is made.
    pub(super) fn note_call(&mut self, key: Key) {
        self.returns.repeated = self.calls_seen.contains(&key);
    }

    /// A call's result has been seen; `exact` is its identity as it is.
    pub(super) fn returned(&mut self, step: &ObservedStep, exact: Option<Key>) {
        let (at, returns) = (self.at, &mut self.returns);
        let failed = step.failure.is_some();
        // Numbers and dates that differ are noise in what the same call says again, and in errors; in
        // what another call says they may be all that it was made for.
        let own = if failed || returns.repeated { None } else { exact };
        let seen = step.result_key.map(Key);
        let key = own.or(seen);
        let novel = key.is_some_and(|key| !returns.seen.contains(&key));
        for key in [seen, exact].into_iter().flatten() {
            if !returns.seen.contains(&key) {
                push_bounded(&mut returns.seen, SEEN, key);
            }
        }
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
        let one = ActionReturn {
            at,
            advanced: false,
            changed,
            novel,
            confirmed: false,
            failed,
            neutral,
            repeated: returns.repeated,
        };
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
        let failing = &mut self.returns.failing;
        *failing = match failing {
            _ if !failed => (None, 0),
            (Some(last), times) if last == tool => (Some(Arc::clone(tool)), times.saturating_add(1)),
            _ => (Some(Arc::clone(tool)), 1),
        };
        if !failed && self.returns.gap.as_ref().is_some_and(|gap| gap.tool == *tool) {
            // It works: somebody has mended it.
            self.returns.gap = None;
        }
    }

    /// What a policy is asked of a failed call.
    pub(super) fn failed_call(&self, proposal: &Proposal, class: FailureClass, error: &str) -> FailedCall {
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let worked_before = proposal.tool.is_some_and(|index| self.records[index].succeeded);
        let same_call = match self.failing {
            (Some(key), times) if key == proposal.key => times.max(1),
            _ => 1,
        };
        FailedCall {
            tool: Arc::clone(&proposal.name),
            category: tool.map(|tool| tool.category),
            class,
            error: cut(error, ERROR_TEXT).into(),
            same_call,
            same_tool: self.returns.failing.1.max(1),
            worked_before,
        }
    }

    /// The slot `remediation` has been heard of a failed call.
    pub(super) fn remedied(&mut self, joined: &Joined, tool: &Arc<str>) {
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
            criteria_met: count(self.criteria.iter().filter(|criterion| criterion.met).count()),
            criteria: count(self.criteria.len()),
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
        if self.watched.as_ref().is_some_and(|watched| watched.verdict > Verdict::Notify) {
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
    pub(super) fn weighed(&mut self, joined: Joined) -> Option<Next> {
        if joined.verdict() <= Verdict::Notify || self.recorded() {
            return None;
        }
        let trigger = joined.trigger;
        let reason = why(&joined);
        let halt = self.halt_at(trigger, reason.clone());
        self.event(Event::Held { trigger, reason: reason.clone() });
        let complete = !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met);
        if complete && joined.collapse_alone == Some(true) && !self.agent_drives() && self.is_checking() {
            // Nothing is left to find out because all is found.
            return Some(self.leave(Exit::Complete, Halt::ended(Code::Success, reason)));
        }
        if joined.verdict() > Verdict::Ask {
            let halt = Halt::ended(Code::UnsafeDetection, reason);
            return Some(self.leave(Exit::Hopeless, halt));
        }
        self.signal(&reason);
        if !self.agent_drives() {
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
        self.kind() == crate::graph::NodeKind::CompletionCheck
    }

    fn halt_at(&self, trigger: Option<Trigger>, reason: String) -> Halt {
        match (trigger, &self.returns.gap) {
            (Some(Trigger::AuthorityGap), Some(gap)) => {
                let halt = Halt::review(reason, RiskState::ToolFailure);
                Halt { endpoint: Some(Arc::clone(&gap.who)), ..halt }
            }
            (Some(Trigger::BudgetExhausted), _) => Halt::budget(reason, None),
            _ => Halt::review(reason, RiskState::LowConfidence),
        }
    }

    /// A call of an agent that was told to stop is not made, whatever it is (specification C4).
    pub(super) fn stop_by_hold(&mut self, proposal: &Proposal) -> Option<Next> {
        let hold = self.returns.hold.clone()?;
        let (tool, stage, response) = (Arc::clone(&proposal.name), Stage::Threshold, Response::Block);
        self.event(Event::Blocked { tool, stage, response, reason: hold.reason });
        self.summarise(Some(proposal.key), None, true, false);
        Some(Next::Leave(Exit::Refused))
    }

    /// Weighs a call about to be dispatched, beside what the risk slot said of it.
    pub(super) fn weigh_next(&mut self, risk: Joined, proposal: Proposal) -> Next {
        if self.recorded() && !self.serves(Slot::Threshold) {
            return self.assessed(risk, proposal);
        }
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let next = NextAction {
            tool: Arc::clone(&proposal.name),
            reversibility: tool.map(|tool| tool.reversibility).unwrap_or_default(),
            mutating: tool.is_some_and(crate::tool::Tool::mutating),
            idempotent: tool.is_some_and(|tool| tool.idempotent),
            risk: risk.risk,
        };
        let ledger = self.ledger(Some(next));
        self.ask(Question::Threshold(ledger), Then::WeighedNext(Box::new((risk, proposal))))
    }
}

/// Why the threshold slot holds the run up: its first trigger in the words of who gave it.
pub(super) fn why(joined: &Joined) -> String {
    match joined.trigger {
        Some(trigger) => format!("{trigger}: {}", joined.trigger_reason),
        None => format!("threshold: {}", joined.reason),
    }
}
