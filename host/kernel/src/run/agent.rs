//! Runs whose loop somebody else owns: the agent proposes, the run permits or does not, and goes on
//! either way. What waits for a person waits by itself; nobody else is held up.

use std::sync::Arc;

use super::halt::Halt;
use super::people::Granted;
use super::pipeline::Proposal;
use super::{InputError, ModelCall, Next, Run, Waiting};
use crate::budget::Demand;
use crate::contract::{Dimension, FailureClass, Key, Phase, Verdict};
use crate::effect::{Effect, Purpose};
use crate::event::{Event, Response, Stage};
use crate::graph::Exit;
use crate::input::Decision;
use crate::manifest::Driver;
use crate::packet::Approval;
use crate::routing::RiskState;
use crate::status::Code;

/// Most approvals that may wait at once: people are asked, not flooded.
const PARKED: usize = 32;
/// Most that are remembered, what people refused included.
const REMEMBERED: usize = 256;

/// A call that waits for a person, or that one has decided on.
#[derive(Debug)]
pub(super) struct Parked {
    pub asked: Granted,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Granted,
    /// With what the person says instead.
    Rejected(Option<Arc<str>>),
    /// Asked for as often as it may be; nobody decided.
    Expired,
}

impl Parked {
    pub fn is_granted(&self) -> bool {
        self.state == State::Granted
    }
}

impl Run {
    /// The agent owns the loop.
    pub(super) fn agent_drives(&self) -> bool {
        self.manifest.driver == Driver::Agent
    }

    /// Approvals that calls of the agent wait for. Empty where the host drives: a run that waits for
    /// one is suspended there, see [`Run::awaits`].
    pub fn parked(&self) -> impl Iterator<Item = &Approval> {
        let waiting = |parked: &&Parked| parked.state == State::Waiting && self.at <= parked.asked.approval.expires;
        self.parked.iter().filter(waiting).map(|parked| &parked.asked.approval)
    }

    /// Number of the proposal that the agent is waited for with; none while it is not.
    pub fn awaited(&self) -> Option<u64> {
        match &self.waiting {
            Waiting::Model(waiting) if self.agent_drives() => Some(waiting.call),
            _ => None,
        }
    }

    /// Waits for the agent's next proposal.
    pub(super) fn await_agent(&mut self) -> Next {
        // What the agent says that its own model used is booked when it is known; what is over then
        // is refused here.
        for dimension in [Dimension::InputTokens, Dimension::OutputTokens, Dimension::Cost] {
            let line = self.view.budget(dimension);
            if line.used > line.limit {
                let reason = format!("{dimension} used up: {} of {}", line.used, line.limit);
                if self.blocks("budget", Verdict::Terminate, &reason) {
                    return self.over_budget(dimension, reason);
                }
            }
        }
        let reservation = match self.reserve(Demand::default().with(Dimension::Steps, 1)) {
            Ok(reservation) => reservation,
            Err(refused) => return self.over_budget(refused.dimension, format!("{} used up", refused.dimension)),
        };
        let call = self.model_calls;
        self.model_calls += 1;
        self.purpose = Purpose::Step;
        self.view_mut().step_index = u32::try_from(call).unwrap_or(u32::MAX);
        self.view_mut().phase = Phase::Proposal;
        self.waiting = Waiting::Model(ModelCall { call, purpose: Purpose::Step, reservation, message: false });
        self.message = None;
        let notice = self.notice.take();
        self.effect(Effect::Await { call, notice });
        Next::Wait
    }

    /// Counts failures of the same call in a row; too many are a loop, whatever the policies say.
    pub(super) fn count_failure(&mut self, key: Key, failure: Option<FailureClass>) {
        let failed = matches!(failure, Some(FailureClass::Failed | FailureClass::Rejected));
        self.failing = match self.failing {
            _ if !failed => (None, 0),
            (Some(last), times) if last == key => (Some(key), times.saturating_add(1)),
            _ => (Some(key), 1),
        };
        let most = self.manifest.rules.failing_calls;
        if self.agent_drives() && most > 0 && self.failing.1 == most {
            let reason = format!("the same call failed {most} times in a row");
            if self.blocks("failing calls", Verdict::Replan, &reason) {
                self.trip(reason);
            }
        }
    }

    /// The call at hand gets nowhere: the agent is told to stop, and that very call is not made again
    /// before something else succeeds (specification C4).
    pub(super) fn trip(&mut self, reason: String) {
        self.event(Event::Replanned { reason: reason.clone() });
        self.attempts.failed = 0;
        if let Some(key) = self.repeated.0 {
            self.tripped = Some((key, reason.clone()));
        }
        self.notice = Some(reason);
    }

    /// The agent hands its task over. Where it owns the loop it may take the next one.
    pub(super) fn hand_task_over(&mut self, halt: Halt) -> Next {
        if !self.agent_drives() {
            return self.leave(Exit::HandedOver, halt);
        }
        let (code, report) = (halt.code, self.report(&halt));
        self.effect(Effect::Report { code, report });
        // It has said what is in the way: the next task may begin.
        self.clear_gap("the agent's report");
        Next::Leave(Exit::Idle)
    }

    /// A person must approve this call. It does not run; a repeat after the approval does.
    pub(super) fn park(&mut self, proposal: &Proposal, by: Vec<Arc<str>>, reason: String) -> Next {
        self.expire_parked();
        let at = self.parked.iter().position(|parked| self.is_of(&parked.asked, proposal));
        let (response, why) = match at.map(|at| &self.parked[at].state) {
            Some(State::Waiting) => (Response::AskApproval, reason),
            Some(State::Rejected(None)) => (Response::Block, "a person refused it".to_owned()),
            Some(State::Rejected(Some(note))) => (Response::Block, format!("a person refused it: {note}")),
            Some(State::Expired) => (Response::Block, "nobody decided in time".to_owned()),
            // Granted, but to be asked by somebody who was not named then: asked again.
            Some(State::Granted) | None if self.open_approvals() < PARKED => {
                if let Some(at) = at {
                    self.parked.remove(at);
                }
                self.request_approval(proposal, by, &reason);
                (Response::AskApproval, reason)
            }
            _ => (Response::Block, format!("{PARKED} calls wait for approval already")),
        };
        let (tool, stage) = (Arc::clone(&proposal.name), Stage::Approval);
        self.event(Event::Blocked { tool, stage, response, reason: why });
        // Asking again whether it may is not a loop: the doom-loop slot hears nothing of it.
        self.summarise(Some(proposal.key), None, false, false);
        Next::Leave(Exit::Refused)
    }

    /// Approvals that wait or were not used yet.
    fn open_approvals(&self) -> usize {
        self.parked.iter().filter(|parked| matches!(parked.state, State::Waiting | State::Granted)).count()
    }

    fn request_approval(&mut self, proposal: &Proposal, by: Vec<Arc<str>>, reason: &str) {
        let mut approval = self.approval(proposal, by, reason.to_owned());
        let payload = proposal.payload.clone();
        approval.fingerprint = self.fingerprint_with(&approval, &payload.clone().unwrap_or_default());
        if self.parked.len() >= REMEMBERED
            && let Some(oldest) =
                self.parked.iter().position(|parked| matches!(parked.state, State::Rejected(_) | State::Expired))
        {
            self.parked.remove(oldest);
        }
        self.parked.push(Parked { asked: Granted { approval: approval.clone(), payload }, state: State::Waiting });
        self.tell_approval(approval);
    }

    fn tell_approval(&mut self, approval: Approval) {
        self.event(Event::ApprovalRequested { approval: approval.clone() });
        let halt = Halt::approval(approval.reason.clone(), RiskState::HighImpactMutation, approval);
        let report = self.report(&halt);
        self.effect(Effect::Report { code: Code::ConfirmRequired, report });
    }

    /// What nobody decided in time is asked for again, as often as it may be; then it stays blocked
    /// (specification D20). An approval that nobody used is worth nothing either.
    fn expire_parked(&mut self) {
        let mut again = Vec::new();
        let (at, reasks) = (self.at, self.manifest.rules.approval_reasks);
        let mut expired = Vec::new();
        self.parked.retain_mut(|parked| {
            let approval = &parked.asked.approval;
            if at <= approval.expires || !matches!(parked.state, State::Waiting | State::Granted) {
                return true;
            }
            let asked_again = parked.state == State::Waiting && approval.expired < reasks;
            expired.push((Arc::clone(&approval.fingerprint), asked_again));
            if asked_again {
                again.push((approval.clone(), parked.asked.payload.clone()));
                return false;
            }
            let used_up = parked.state == State::Waiting;
            parked.state = State::Expired;
            used_up
        });
        for (fingerprint, asked_again) in expired {
            self.event(Event::ApprovalExpired { fingerprint, asked_again });
        }
        for (approval, payload) in again {
            let fingerprint = self.fingerprint_with(&approval, &payload.clone().unwrap_or_default());
            let expires = self.at.saturating_add(self.manifest.rules.approval_expiry);
            let approval = Approval { fingerprint, expires, expired: approval.expired + 1, ..approval };
            self.parked.push(Parked { asked: Granted { approval: approval.clone(), payload }, state: State::Waiting });
            self.tell_approval(approval);
        }
    }

    /// Whether a decision answers an approval that waits.
    pub(super) fn expects_of_parked(&self, decision: &Decision) -> Result<(), InputError> {
        let refuse = |expected| Err(InputError::NotExpected { found: "that decision", expected });
        if matches!(decision, Decision::Resumed) && self.held().is_some() {
            return Ok(());
        }
        let fingerprint = match decision {
            Decision::Approved { fingerprint } | Decision::Rejected { fingerprint: Some(fingerprint), .. } => {
                fingerprint
            }
            _ => return refuse("a proposal, or an approval or a rejection by its fingerprint"),
        };
        let waits = |parked: &Parked| match parked.state {
            State::Waiting => true,
            // A person may think better of it.
            State::Granted => matches!(decision, Decision::Rejected { .. }),
            State::Rejected(_) | State::Expired => false,
        };
        let known = self.parked.iter().any(|parked| parked.asked.approval.fingerprint == *fingerprint && waits(parked));
        if known { Ok(()) } else { refuse("the fingerprint of an approval that waits") }
    }

    /// A person has decided on a call that waits; the agent is not waited for any less.
    pub(super) fn decide_parked(&mut self, id: Arc<str>, by: &Arc<str>, decision: Decision) -> Next {
        self.decided.push(id);
        self.expire_parked();
        if decision == Decision::Resumed {
            self.clear_gap(by);
            self.event(Event::Resumed { by: Arc::clone(by) });
            return Next::Wait;
        }
        let (fingerprint, state) = match decision {
            Decision::Approved { fingerprint } => (fingerprint, State::Granted),
            Decision::Rejected { fingerprint: Some(fingerprint), instead } => (fingerprint, State::Rejected(instead)),
            _ => return Next::Wait,
        };
        let found = self.parked.iter_mut().find(|parked| parked.asked.approval.fingerprint == fingerprint);
        // Gone: it came too late, which counts as not come.
        let Some(parked) = found.filter(|parked| parked.state != State::Expired) else { return Next::Wait };
        let approved = state == State::Granted;
        parked.state = state;
        self.user_boundary = true;
        let by = Arc::clone(by);
        self.event(if approved { Event::Approved { fingerprint, by } } else { Event::Rejected { by } });
        Next::Wait
    }
}
