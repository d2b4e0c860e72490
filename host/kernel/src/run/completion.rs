//! The completion check: is the goal reached, out of reach, or neither? And what outlives the run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::halt::{Halt, Trouble};
use super::joined::Joined;
use super::{Claim, Next, Run, Then};
use crate::boundary::{DecisionRight, FailClosed};
use crate::budget::Demand;
use crate::contract::estimator::{Progress, Spent};
use crate::contract::{Dimension, Verdict};
use crate::contract::{Question, Slot};
use crate::effect::Effect;
use crate::event::{Event, IncompleteKind};
use crate::graph::Exit;
use crate::host_rules::TerminalTools;
use crate::routing::RiskState;
use crate::state::{Memory, StateKind};
use crate::status::Code;

/// What a boundary names when memories need approval.
const MEMORY: &str = "memory";
/// Most memories that one run may propose.
const MEMORIES: usize = 64;
/// What a cycle is told that ended without a terminal tool (document 004).
const DIRECTIVE: &str = "Your last cycle ended without a call of any terminal tool. Either finish the work with one, \
or call defer_to_human or escalate_to_architect with a reason.";

impl Run {
    /// The completion-check node.
    pub(super) fn check_completion(&mut self) -> Next {
        if let Some(next) = self.weigh_result() {
            return next;
        }
        let claim = self.claim.take();
        if self.recorded() {
            self.watched = None;
            return Next::Leave(Exit::Incomplete);
        }
        if let Some(next) = self.loop_verdict() {
            return next;
        }
        match claim {
            Some(Claim::Finished { summary, tools }) => return self.claims_success(&summary, &tools),
            Some(Claim::Words) => {
                self.fail();
                if let Some(next) = self.incomplete(IncompleteKind::SilentGiveUp) {
                    return next;
                }
            }
            None => {}
        }
        let complete = !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met);
        if complete && self.manifest.rules.stop_when_complete {
            return self.leave(Exit::Complete, Halt::ended(Code::Success, "every criterion is verified".to_owned()));
        }
        if let Some(conflict) = self.conflict.take()
            && let Some(next) = self.conflicting(conflict)
        {
            return next;
        }
        let attempts = self.manifest.escalation.failed_attempts.max(1);
        let refusals = self.manifest.rules.refusals;
        if (self.attempts.failed >= attempts || (refusals > 0 && self.refused >= refusals))
            && self.blocks("attempts", Verdict::Escalate, "failed too often")
        {
            let halt = self.failed_too_often();
            return self.leave(Exit::Exhausted, halt);
        }
        if self.manifest.rules.acyclic_plans && self.plan.stalled() {
            let halt = Halt::trouble(Trouble::Divergence, "no step of the plan can be begun".to_owned());
            return self.leave(Exit::Stuck, halt);
        }
        self.estimate()
    }

    /// Asks what the rest will cost, where it is known how much there is to do.
    fn estimate(&mut self) -> Next {
        // One call can verify every criterion that hangs on its tool: tools are the units.
        let tools = |met: bool| {
            let states = self.manifest.goal.criteria.iter().zip(&self.criteria);
            let tools: BTreeSet<&str> =
                states.filter(|(_, state)| met || !state.met).map(|(criterion, _)| &*criterion.tool).collect();
            tools.len()
        };
        let (done, total) = if !self.plan.is_empty() {
            (self.plan.done(), self.plan.len())
        } else if !self.criteria.is_empty() {
            (tools(true) - tools(false), tools(true))
        } else {
            let total = self.manifest.goal.step_estimate.unwrap_or(0);
            (usize::try_from(self.model_calls).unwrap_or(usize::MAX).min(total as usize), total as usize)
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

    pub(super) fn estimated(&mut self, joined: &Joined) -> Next {
        match joined.verdict() {
            Verdict::Proceed | Verdict::Log | Verdict::Notify => {}
            Verdict::Deny | Verdict::Terminate => {
                let halt = Halt::ended(Code::UnsafeDetection, joined.reason.clone());
                return self.leave(Exit::Hopeless, halt);
            }
            Verdict::Replan | Verdict::Escalate | Verdict::Ask => {
                let halt = Halt::review(joined.reason.clone(), RiskState::BudgetLimit);
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
                return self.leave(Exit::Hopeless, Halt::budget(reason, Some(dimension)));
            }
        }
        Next::Leave(Exit::Incomplete)
    }

    /// Two sources disagree: one cross-check, then a person.
    fn conflicting(&mut self, conflict: String) -> Option<Next> {
        if let Some(next) = self.fails_closed(FailClosed::SourceConflict, &conflict) {
            return Some(next);
        }
        self.signal(&conflict);
        self.conflicts += 1;
        if self.conflicts <= self.manifest.rules.conflict_reflections && self.reflect(conflict.clone()) {
            return None;
        }
        if !self.blocks("conflict", Verdict::Ask, &conflict) {
            return None;
        }
        let halt = Halt { code: Code::SourceConflict, ..Halt::review(conflict, RiskState::LowConfidence) };
        Some(self.leave(Exit::Conflicting, halt))
    }

    /// Criteria that no verified observation supports so far.
    pub(super) fn unmet(&self) -> impl Iterator<Item = &Arc<str>> {
        let criteria = self.manifest.goal.criteria.iter().zip(&self.criteria);
        criteria.filter(|(_, state)| !state.met).map(|(criterion, _)| &criterion.id)
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
        let undone = self.plan.len() - self.plan.done();
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
                let met = self.manifest.tools.iter().zip(&self.records);
                if !met.clone().any(|(tool, record)| record.succeeded && need.met_by(tool.category)) {
                    lacking.push(format!("{} must come from a tool", need.name()));
                    self.event(Event::ToolRequired { need });
                }
            }
        }
        let reason = lacking.join("; ");
        if !lacking.is_empty() && self.blocks("grounding", Verdict::Replan, &reason) {
            return self.ungrounded(&reason, unmet.len());
        }
        if let Some(next) = self.incomplete(IncompleteKind::PseudoCompletion) {
            return next;
        }
        let summary = super::cut(summary, 1024).to_owned();
        self.leave(Exit::Complete, Halt::ended(Code::Success, summary))
    }

    /// A claim without ground: repaired a few times, then it is what it is.
    fn ungrounded(&mut self, reason: &str, unmet: usize) -> Next {
        if let Some(next) = self.fails_closed(FailClosed::UngroundedClaim, reason) {
            return next;
        }
        self.signal(&format!("claimed success: {reason}"));
        self.exchange("finish", &format!("Not accepted: {reason}."));
        self.snippet = format!("finish\n{reason}");
        self.fail();
        if self.attempts.failed < self.manifest.escalation.failed_attempts.max(1) {
            return Next::Leave(Exit::Ungrounded);
        }
        if self.stronger_tier().is_some() && self.escalations < self.max_escalations {
            let halt = self.failed_too_often();
            return self.leave(Exit::Exhausted, halt);
        }
        if unmet < self.criteria.len() {
            return self.leave(Exit::Partial, Halt::ended(Code::PartialSuccess, format!("not all of it: {reason}")));
        }
        self.leave(Exit::Hopeless, Halt::ended(Code::ValidationFail, format!("claimed success: {reason}")))
    }

    /// A cycle that ends well in its own words, without a terminal tool, has not ended well
    /// (specification E1, E3).
    fn incomplete(&mut self, kind: IncompleteKind) -> Option<Next> {
        let rule = self.manifest.rules.terminal_tools;
        let boundary = &self.manifest.boundary;
        let mut terminal = self
            .manifest
            .tools
            .iter()
            .zip(&self.records)
            .filter(|(tool, _)| tool.terminal && boundary.tools.contains(&tool.name))
            .peekable();
        if rule == TerminalTools::Off || terminal.peek().is_none() || terminal.any(|(_, record)| record.succeeded) {
            return None;
        }
        let retried = rule == TerminalTools::RequiredWithRetry && !self.terminal_retried;
        self.tell_incomplete(kind, retried);
        if !self.blocks("terminal tools", Verdict::Replan, "no terminal tool was called") {
            return None;
        }
        if retried {
            self.terminal_retried = true;
            self.notice = Some(DIRECTIVE.to_owned());
            return Some(Next::Leave(Exit::Ungrounded));
        }
        let reason = "incomplete: the cycle ended without a terminal tool".to_owned();
        Some(self.leave(Exit::Hopeless, Halt::ended(Code::ValidationFail, reason)))
    }

    /// The run went in circles to its end.
    pub(super) fn polite_loop(&mut self) {
        self.tell_incomplete(IncompleteKind::PoliteLoop, false);
    }

    fn tell_incomplete(&mut self, kind: IncompleteKind, retried: bool) {
        let last_calls = self.last_calls.iter().cloned().collect();
        let last_output = Arc::clone(&self.last_output);
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
        } else if state == StateKind::Memory && self.memories.len() >= MEMORIES {
            Some(format!("a run may propose at most {MEMORIES} memories"))
        } else {
            None
        };
        if let Some(reason) = refused
            && self.blocks("state", Verdict::Deny, &reason)
        {
            self.signal(&reason);
            self.exchange(&format!("write {state}"), &format!("Not written: {reason}."));
            self.event(Event::WriteRefused { state, key, reason });
            self.fail();
            return Next::Leave(Exit::Idle);
        }
        if state == StateKind::Scratchpad {
            self.scratchpad = Some(text);
            return Next::Leave(Exit::Idle);
        }
        let tenure = Some(self.manifest.rules.memory_tenure).filter(|tenure| *tenure > 0);
        let written = Some(self.manifest.started.saturating_add(self.at));
        let memory = Memory { key, text, run: Arc::clone(&self.manifest.run), sources, written, tenure };
        self.event(Event::MemoryProposed { key: Arc::clone(&memory.key) });
        self.exchange(&format!("write memory {}", memory.key), "It is looked at when the run is over.");
        if self.manifest.boundary.asks.iter().any(|name| **name == *MEMORY)
            && self.blocks("boundary", Verdict::Ask, "the boundary wants approval for memories")
        {
            let text = format!("{}: {} (from calls {:?})", memory.key, memory.text, memory.sources).into();
            self.doubted = Some(memory);
            return self.ask_for(MEMORY, text);
        }
        self.accept_memory(memory);
        Next::Leave(Exit::Idle)
    }

    /// A memory waits for the end of the run, or for nothing where nothing is to be waited for.
    pub(super) fn accept_memory(&mut self, memory: Memory) {
        if self.manifest.rules.memory_after_verification {
            self.memories.push(memory);
        } else {
            self.write_memory(memory);
        }
    }

    /// The memory-write node.
    pub(super) fn write_memories(&mut self) -> Next {
        let verified = !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met);
        for memory in std::mem::take(&mut self.memories) {
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
        let unsupported = memory.sources.is_empty() || memory.sources.iter().any(|call| !self.committed.contains(call));
        let one = Demand::default().with(Dimension::MemoryWrites, 1);
        let reason = if self.manifest.rules.memory_sources && unsupported {
            Some("no verified observation supports it".to_owned())
        } else {
            match self.view_mut().budget.reserve(one) {
                Ok(reservation) => {
                    self.view_mut().budget.settle(reservation, one);
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
