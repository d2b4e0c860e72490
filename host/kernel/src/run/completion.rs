//! The completion check: is the goal reached, out of reach, or neither? And what outlives the run.

use std::sync::Arc;

use countersign_spec::boundary::{DecisionRight, FailClosed};
use countersign_spec::budget::Demand;
use countersign_spec::graph::Exit;
use countersign_spec::host_rules::TerminalTools;
use countersign_spec::routing::RiskState;
use countersign_spec::state::{Memory, StateKind};

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::{EscalationCause, StopCause};
use super::joined::SlotVerdict;
use super::memories::MEMORIES;
use super::next::Next;
use super::proposals::Claim;
use super::waiting::Then;
use crate::contract::estimator::{Progress, Spent};
use crate::contract::{Dimension, Verdict};
use crate::contract::{Question, Slot};
use crate::record::effect::Effect;
use crate::record::event::{Event, IncompleteKind};
use crate::record::status::Code;
use crate::record::told::{CameOf, Did, Notice};

/// What a boundary names when memories need approval.
const MEMORY: &str = "memory";

impl Run {
    /// The completion-check node.
    pub(super) fn check_completion(&mut self) -> Next {
        if let Some(next) = self.weigh_result() {
            return next;
        }
        let claim = self.proposals.take_claim();
        if self.recorded() {
            self.progress.take_watched();
            return Next::Leave(Exit::Incomplete);
        }
        if let Some(next) = self.loop_verdict() {
            return next;
        }
        match claim {
            Some(Claim::Finished { summary, tools }) => return self.claims_success(&summary, &tools),
            Some(Claim::Words) => {
                self.progress.fail();
                if let Some(next) = self.incomplete(IncompleteKind::SilentGiveUp) {
                    return next;
                }
            }
            None => {}
        }
        let complete = self.evidence.is_complete();
        if complete && self.manifest.rules.stop_when_complete {
            return self
                .leave(Exit::Complete, StopCause::ended(Code::Success, "every criterion is verified".to_owned()));
        }
        if let Some((conflict, times)) = self.evidence.take_conflict()
            && let Some(next) = self.conflicting(conflict, times)
        {
            return next;
        }
        let attempts = self.manifest.escalation.failed_attempts.max(1);
        let refusals = self.manifest.rules.refusals;
        if (self.progress.failed_attempts() >= attempts || (refusals > 0 && self.progress.refused() >= refusals))
            && self.blocks("attempts", Verdict::Escalate, "failed too often")
        {
            let halt = self.failed_too_often();
            return self.leave(Exit::Exhausted, halt);
        }
        if self.manifest.rules.acyclic_plans && self.tasks.plan().stalled() {
            let halt =
                StopCause::escalation(EscalationCause::Divergence, "no step of the plan can be begun".to_owned());
            return self.leave(Exit::Stuck, halt);
        }
        self.estimate()
    }

    /// Asks what the rest will cost, where it is known how much there is to do.
    fn estimate(&mut self) -> Next {
        let (open, all) = self.evidence.tools(&self.manifest.goal.criteria);
        let (done, total) = if !self.tasks.plan().is_empty() {
            (self.tasks.plan().done(), self.tasks.plan().len())
        } else if all > 0 {
            (all - open, all)
        } else {
            let total = self.manifest.goal.step_estimate.unwrap_or(0);
            (usize::try_from(self.models.calls()).unwrap_or(usize::MAX).min(total as usize), total as usize)
        };
        if total == 0 || self.manifest.entries_in(Slot::Estimator).next().is_none() {
            return Next::Leave(Exit::Incomplete);
        }
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let spent = Dimension::ALL.map(|dimension| {
            let line = self.view.budget(dimension);
            Spent { dimension, used: line.used, left: line.left() }
        });
        let progress = Progress { done: count(done), total: count(total), spent: spent.to_vec() };
        self.ask(Question::Estimator(progress), Then::Estimate)
    }

    pub(super) fn estimated(&mut self, joined: &SlotVerdict) -> Next {
        match self.consequence(Asked::Rest, joined.verdict()) {
            Consequence::GoOn => {}
            Consequence::End => {
                let halt = StopCause::ended(Code::UnsafeDetection, joined.reason.clone());
                return self.leave(Exit::Hopeless, halt);
            }
            _ => {
                let halt = StopCause::review(joined.reason.clone(), RiskState::BudgetLimit);
                return self.leave(Exit::Stuck, halt);
            }
        }
        for interval in &joined.intervals {
            let left = self.view.budget(interval.dimension).left();
            if left >= interval.lower {
                continue;
            }
            let (dimension, lower) = (interval.dimension, interval.lower);
            let reason = format!("{dimension}: the rest needs at least {lower}, {left} left");
            if self.blocks("estimate", Verdict::Terminate, &reason) {
                self.event(Event::WillNotSuffice { dimension, lower, left });
                return self.leave(Exit::Hopeless, StopCause::budget(reason, Some(dimension)));
            }
        }
        Next::Leave(Exit::Incomplete)
    }

    /// Two sources disagree: one cross-check, then a person.
    fn conflicting(&mut self, conflict: String, times: u32) -> Option<Next> {
        if let Some(next) = self.fails_closed(FailClosed::SourceConflict, &conflict) {
            return Some(next);
        }
        self.context.signal(&conflict);
        if times <= self.manifest.rules.conflict_reflections && self.reflect(conflict.clone()) {
            return None;
        }
        if !self.blocks("conflict", Verdict::Ask, &conflict) {
            return None;
        }
        let halt = StopCause { code: Code::SourceConflict, ..StopCause::review(conflict, RiskState::LowConfidence) };
        Some(self.leave(Exit::Conflicting, halt))
    }

    /// Criteria that no verified observation supports so far.
    /// The ids of the goal's criteria that are verified, or that are not.
    pub fn criteria(&self, verified: bool) -> impl Iterator<Item = &Arc<str>> {
        self.evidence.ids(&self.manifest.goal.criteria, verified)
    }

    /// The last thing that is known to hold; empty where nothing is.
    pub fn last_valid_state(&self) -> &str {
        self.context.last_valid_state()
    }

    pub(super) fn unmet(&self) -> impl Iterator<Item = &Arc<str>> {
        self.evidence.ids(&self.manifest.goal.criteria, false)
    }

    /// The model says that it is done. That counts as far as what tools were seen to do supports it.
    fn claims_success(&mut self, summary: &Arc<str>, claims: &[Arc<str>]) -> Next {
        let rules = &self.manifest.rules;
        let (grounded, verified) = (rules.grounded_claims, rules.verified_completion);
        let mut lacking: Vec<String> = Vec::new();
        let unmet: Vec<Arc<str>> = self.unmet().cloned().collect();
        if verified && !unmet.is_empty() {
            let list = unmet.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
            lacking.push(format!("no verified observation supports {list}"));
            self.event(Event::ClaimUnsupported { unmet: unmet.clone() });
        }
        let undone = self.tasks.plan().len() - self.tasks.plan().done();
        if self.manifest.rules.plan_adherence && undone > 0 && !self.may_decide(DecisionRight::Plan) {
            lacking.push(format!("{undone} steps of the task's plan are not done"));
        }
        if grounded {
            let assumed: Vec<Arc<str>> = claims.iter().filter(|tool| !self.has_succeeded(tool)).cloned().collect();
            if !assumed.is_empty() {
                lacking.push(format!("{} was not seen to succeed", assumed.join(", ")));
                self.event(Event::Assumed { tools: assumed });
            }
            for need in self.manifest.goal.needs.clone() {
                let mut tools = self.manifest.tools.iter().enumerate();
                if !tools.any(|(index, tool)| self.used.succeeded(index) && need.met_by(tool.category)) {
                    lacking.push(format!("{} must come from a tool", need.name()));
                    self.event(Event::ToolRequired { need });
                }
            }
        }
        let reason = lacking.join("; ");
        if !lacking.is_empty() && self.blocks("grounding", Verdict::Replan, &reason) {
            return self.ungrounded(&reason, unmet.len(), claims);
        }
        if let Some(next) = self.incomplete(IncompleteKind::PseudoCompletion) {
            return next;
        }
        self.evidence.claim(claims);
        let summary = cut(summary, 1024).to_owned();
        self.leave(Exit::Complete, StopCause::ended(Code::Success, summary))
    }

    /// A claim without ground: repaired a few times, then it is what it is.
    fn ungrounded(&mut self, reason: &str, unmet: usize, claims: &[Arc<str>]) -> Next {
        if let Some(next) = self.fails_closed(FailClosed::UngroundedClaim, reason) {
            return next;
        }
        self.context.signal(&format!("claimed success: {reason}"));
        self.exchange(Did::Finished, CameOf::NotAccepted { reason: reason.into() });
        self.context.show(&format!("finish\n{reason}"));
        self.progress.fail();
        if self.progress.failed_attempts() < self.manifest.escalation.failed_attempts.max(1) {
            return Next::Leave(Exit::Ungrounded);
        }
        if self.stronger_tier().is_some() && self.models.may_escalate() {
            let halt = self.failed_too_often();
            return self.leave(Exit::Exhausted, halt);
        }
        if unmet < self.evidence.criteria() {
            self.evidence.claim(claims);
            return self
                .leave(Exit::Partial, StopCause::ended(Code::PartialSuccess, format!("not all of it: {reason}")));
        }
        self.leave(Exit::Hopeless, StopCause::ended(Code::ValidationFail, format!("claimed success: {reason}")))
    }

    /// A cycle that ends well in its own words, without a terminal tool, has not ended well
    /// (specification E1, E3).
    fn incomplete(&mut self, kind: IncompleteKind) -> Option<Next> {
        let rule = self.manifest.rules.terminal_tools;
        let boundary = &self.manifest.boundary;
        let tools = self.manifest.tools.iter().enumerate();
        let mut terminal = tools.filter(|(_, tool)| tool.terminal && boundary.tools.contains(&tool.name)).peekable();
        if rule == TerminalTools::Off
            || terminal.peek().is_none()
            || terminal.any(|(index, _)| self.used.succeeded(index))
        {
            return None;
        }
        let retried = rule == TerminalTools::RequiredWithRetry && !self.progress.was_directed();
        self.tell_incomplete(kind, retried);
        if !self.blocks("terminal tools", Verdict::Replan, "no terminal tool was called") {
            return None;
        }
        if retried {
            self.progress.direct();
            self.context.notice(Notice::NoTerminalTool);
            return Some(Next::Leave(Exit::Ungrounded));
        }
        let reason = "incomplete: the cycle ended without a terminal tool".to_owned();
        Some(self.leave(Exit::Hopeless, StopCause::ended(Code::ValidationFail, reason)))
    }

    /// The run went in circles to its end.
    pub(super) fn polite_loop(&mut self) {
        self.tell_incomplete(IncompleteKind::PoliteLoop, false);
    }

    fn tell_incomplete(&mut self, kind: IncompleteKind, retried: bool) {
        let last_calls = self.progress.last_calls();
        let last_output = Arc::clone(self.context.last_output());
        self.event(Event::Incomplete { kind, last_calls, last_output, retried });
    }

    /// The model proposes to write some state. Only a note to itself comes to pass at once.
    pub(super) fn propose_write(&mut self, state: StateKind, key: Arc<str>, text: Arc<str>, sources: Vec<u64>) -> Next {
        let boundary = &self.manifest.boundary;
        let refused = if !state.model_may_propose() {
            Some(format!("{state} is not a model's to write"))
        } else if !boundary.writes.contains(&state) {
            Some(format!("the boundary does not let the model write {state}"))
        } else if state == StateKind::Memory && !self.may_decide(DecisionRight::Remember) {
            Some("the boundary does not let the model remember".to_owned())
        } else if state == StateKind::Memory && !self.memories.has_room() {
            Some(format!("a run may propose at most {MEMORIES} memories"))
        } else {
            None
        };
        if let Some(reason) = refused
            && self.blocks("state", Verdict::Deny, &reason)
        {
            self.context.signal(&reason);
            self.exchange(Did::Wrote { state, key: None }, CameOf::NotWritten { reason: reason.as_str().into() });
            self.event(Event::WriteRefused { state, key, reason });
            self.progress.fail();
            return Next::Leave(Exit::Idle);
        }
        if state == StateKind::Scratchpad {
            self.context.note(text);
            return Next::Leave(Exit::Idle);
        }
        let tenure = Some(self.manifest.rules.memory_tenure).filter(|tenure| *tenure > 0);
        let written = Some(self.manifest.started.saturating_add(self.at));
        let memory = Memory { key, text, run: Arc::clone(&self.manifest.run), sources, written, tenure };
        self.event(Event::MemoryProposed { key: Arc::clone(&memory.key) });
        self.exchange(Did::Wrote { state, key: Some(Arc::clone(&memory.key)) }, CameOf::LookedAtLater);
        if self.manifest.boundary.asks.iter().any(|name| **name == *MEMORY)
            && self.blocks("boundary", Verdict::Ask, "the boundary wants approval for memories")
        {
            let text = format!("{}: {} (from calls {:?})", memory.key, memory.text, memory.sources).into();
            self.memories.ask(memory);
            return self.ask_for(MEMORY, text);
        }
        self.accept_memory(memory);
        Next::Leave(Exit::Idle)
    }

    /// A memory waits for the end of the run, or for nothing where nothing is to be waited for.
    pub(super) fn accept_memory(&mut self, memory: Memory) {
        if self.manifest.rules.memory_after_verification {
            self.memories.keep(memory);
        } else {
            self.write_memory(memory);
        }
    }

    /// The memory-write node.
    pub(super) fn write_memories(&mut self) -> Next {
        let verified = self.evidence.is_complete();
        for memory in self.memories.take_kept() {
            if verified {
                self.write_memory(memory);
            } else {
                let reason = "the run's success is not verified".to_owned();
                self.event(Event::WriteRefused { state: StateKind::Memory, key: memory.key, reason });
            }
        }
        Next::Leave(Exit::Written)
    }

    fn write_memory(&mut self, memory: Memory) {
        let unsupported = !self.evidence.supports(&memory.sources);
        let one = Demand::default().with(Dimension::MemoryWrites, 1);
        let reason = if self.manifest.rules.memory_sources && unsupported {
            Some("no verified observation supports it".to_owned())
        } else {
            match self.view_mut().reserve(one) {
                Ok(reservation) => {
                    self.view_mut().settle(reservation, one);
                    None
                }
                Err(_) => Some("memory writes used up".to_owned()),
            }
        };
        if let Some(reason) = reason {
            return self.event(Event::WriteRefused { state: StateKind::Memory, key: memory.key, reason });
        }
        self.event(Event::MemoryWritten {
            key: Arc::clone(&memory.key),
            sources: memory.sources.clone(),
            boundary: Arc::clone(&self.manifest.boundary.digest),
        });
        self.effect(Effect::Remember(memory));
    }
}
