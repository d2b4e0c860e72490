//! Runs whose loop somebody else owns: the agent proposes, the run permits or does not, and goes on
//! either way. What waits for a person waits by itself; nobody else is held up. The agent may have several
//! calls under way: what it proposes next is judged knowing of them.

use std::sync::Arc;

use countersign_spec::Driver;
use countersign_spec::budget::Demand;
use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;

use super::Run;
use super::approvals::{Joined, State, WAITING};
use super::halt::StopCause;
use super::handed::{CallDecision, InputError};
use super::next::Next;
use super::proposals::Proposal;
use super::waiting::{ModelCall, Waiting};
use crate::contract::{Dimension, FailureClass, Key, Phase, Verdict};
use crate::record::effect::{Effect, Purpose};
use crate::record::event::{Event, Response, Stage};
use crate::record::input::Decision;
use crate::record::packet::Approval;
use crate::record::status::Code;
use crate::record::told::Notice;

impl Run {
    /// The agent owns the loop.
    pub(super) fn agent_drives(&self) -> bool {
        self.manifest.driver == Driver::Agent
    }

    /// Approvals that calls of the agent wait for. Empty where the host drives: a run that waits for
    /// one is suspended there, see [`Run::awaits`].
    pub fn parked(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.waiting(self.at).filter(|_| self.agent_drives())
    }

    /// Number of the proposal that the agent is waited for with; none while it is not.
    pub fn awaited(&self) -> Option<u64> {
        match &self.waiting {
            Waiting::Model(waiting) if self.agent_drives() => Some(waiting.call),
            _ => None,
        }
    }

    /// What the agent says that its own model used is booked when it is known: what is over by then.
    fn overspent(&self) -> Option<Dimension> {
        let spent = [Dimension::InputTokens, Dimension::OutputTokens, Dimension::Cost];
        spent.into_iter().find(|dimension| {
            let line = self.view.budget(*dimension);
            line.used > line.limit
        })
    }

    /// Waits for the agent's next proposal.
    pub(super) fn await_agent(&mut self) -> Next {
        if matches!(self.waiting, Waiting::Model(_)) {
            self.tell_awaited();
            return Next::Wait;
        }
        if !self.proposals.is_idle() {
            // Before the budget stops anything, what is under way comes back.
            self.waiting = Waiting::Calls;
            self.offer_another();
            return Next::Wait;
        }
        if let Some(dimension) = self.overspent() {
            let line = self.view.budget(dimension);
            let reason = format!("{dimension} used up: {} of {}", line.used, line.limit);
            if self.blocks("budget", Verdict::Terminate, &reason) {
                return self.over_budget(dimension, reason);
            }
        }
        let one = Demand::default().with(Dimension::Steps, 1);
        match self.reserve(one) {
            Ok(reservation) => self.expect_proposal(reservation),
            Err(refused) => return self.over_budget(refused.dimension, format!("{} used up", refused.dimension)),
        }
        self.tell_awaited();
        Next::Wait
    }

    /// While calls are under way the agent may propose one more, as long as there is room for it.
    pub(super) fn offer_another(&mut self) {
        if !self.proposals.has_room() || (self.enforces() && self.overspent().is_some()) {
            return;
        }
        let one = Demand::default().with(Dimension::Steps, 1);
        if self.enforces() && self.view.fits(one).is_err() {
            return;
        }
        if let Ok(reservation) = self.reserve(one) {
            self.expect_proposal(reservation);
            self.tell_awaited();
        }
    }

    fn expect_proposal(&mut self, reservation: Option<super::budget::Reservation>) {
        let call = self.models.call();
        self.models.aim(Purpose::Step);
        self.context.forget_message();
        self.waiting = Waiting::Model(ModelCall { call, purpose: Purpose::Step, reservation, message: false });
    }

    fn tell_awaited(&mut self) {
        let Some(call) = self.awaited() else { return };
        self.see_step(call, Phase::Proposal);
        let notice = self.context.take_notice();
        self.effect(Effect::Await { call, notice });
    }

    /// Policies see the step that is judged now.
    pub(super) fn see_step(&mut self, step: u64, phase: Phase) {
        self.view_mut().at(u32::try_from(step).unwrap_or(u32::MAX), phase);
    }

    /// Counts failures of the same call in a row; too many are a loop, whatever the policies say. Whoever lets time pass
    /// before the next try waits for something to come up, and begins a row anew.
    pub(super) fn count_failure(&mut self, key: Key, failure: Option<FailureClass>) {
        let failed = matches!(failure, Some(FailureClass::Failed | FailureClass::Rejected));
        if self.took_its_time() {
            self.progress.came_back(key, false);
        }
        let times = self.progress.came_back(key, failed);
        let most = self.manifest.rules.failing_calls;
        if self.agent_drives() && most > 0 && times == most {
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
        self.progress.trip(&reason, self.at);
        self.context.notice(Notice::GetsNowhere { reason: reason.into() });
    }

    /// The agent hands its task over. Where it owns the loop it may take the next one.
    pub(super) fn hand_task_over(&mut self, halt: StopCause) -> Next {
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
        self.expire_parked(self.at);
        let manifest = Arc::clone(&self.manifest);
        let call = proposal.approved_as(&manifest.tools);
        let (response, why) = match self.approvals.of(call) {
            Some(State::Waiting) => {
                self.ask_too(proposal, &by, &reason);
                (Response::AskApproval, reason)
            }
            Some(State::Rejected(None)) => (Response::Block, "a person refused it".to_owned()),
            Some(State::Rejected(Some(note))) => (Response::Block, format!("a person refused it: {note}")),
            Some(State::Expired) => (Response::Block, "nobody decided in time".to_owned()),
            None if self.approvals.has_room() => {
                let approval = self.approval(proposal, by, reason.clone());
                self.ask_beside(approval, proposal.payload.clone());
                (Response::AskApproval, reason)
            }
            _ => (Response::Block, format!("{WAITING} calls wait for approval already")),
        };
        let waits = |approval: &&Approval| approval.tool == proposal.name && approval.arguments == proposal.arguments;
        let waiting = self.approvals.waiting(self.at).find(waits).filter(|_| response == Response::AskApproval);
        let decision = match waiting {
            Some(approval) => CallDecision::Pending(Box::new(approval.clone())),
            None => CallDecision::Refused { stage: Some(Stage::Approval), response, reason: why.clone() },
        };
        self.decide(decision);
        let (tool, stage) = (Arc::clone(&proposal.name), Stage::Approval);
        self.event(Event::Blocked { tool, stage, response, reason: why });
        // Asking again whether it may is not a loop: the doom-loop slot hears nothing of it.
        self.summarise(Some(proposal.key), None, false, false);
        Next::Leave(Exit::Refused)
    }

    /// Others ask about a call that waits for a person already: who decides is told.
    fn ask_too(&mut self, proposal: &Proposal, by: &[Arc<str>], reason: &str) {
        let call = proposal.approved_as(&self.manifest.tools);
        let Some(Joined { approval, by }) = self.approvals.join(call, by, reason) else { return };
        let fingerprint = Arc::clone(&approval.fingerprint);
        self.event(Event::ApprovalJoined { fingerprint, by, reason: reason.to_owned() });
        let halt = StopCause::approval(approval.reason.clone(), RiskState::HighImpactMutation, approval);
        let report = self.report(&halt);
        self.effect(Effect::Report { code: Code::ConfirmRequired, report });
    }

    /// A person is asked while the run goes on.
    fn ask_beside(&mut self, approval: Approval, payload: Option<Arc<str>>) {
        self.approvals.ask(approval.clone(), payload);
        self.event(Event::ApprovalRequested { approval: approval.clone() });
        let halt = StopCause::approval(approval.reason.clone(), RiskState::HighImpactMutation, approval);
        let report = self.report(&halt);
        self.effect(Effect::Report { code: Code::ConfirmRequired, report });
    }

    /// What nobody had decided by then, though time was up, is asked for again, as often as it may be.
    fn expire_parked(&mut self, by: u64) {
        for (lapsed, payload) in self.approvals.expire(by, self.manifest.rules.approval_reasks) {
            let (fingerprint, asked_again) = (lapsed.fingerprint, lapsed.again.is_some());
            self.event(Event::ApprovalExpired { fingerprint, asked_again });
            if let Some(approval) = lapsed.again {
                let approval = self.renewed(approval, payload.as_ref());
                self.ask_beside(approval, payload);
            }
        }
    }

    /// Whether a decision answers an approval that waits.
    pub(super) fn expects_of_parked(&self, decision: &Decision) -> Result<(), InputError> {
        let refuse = |expected| Err(InputError::NotExpected { found: "that decision", expected });
        if matches!(decision, Decision::Resumed) && self.held().is_some() {
            return Ok(());
        }
        match decision {
            Decision::Standing { standing } => self.expects_standing(standing),
            Decision::Withdrawn { standing } => self.expects_withdrawal(standing),
            _ if self.approvals.expects(decision) => Ok(()),
            Decision::ApprovedFor { .. } => refuse(
                "the fingerprint of an approval that waits, and a rule that covers its call and no more than it may",
            ),
            Decision::Approved { .. } | Decision::Rejected { fingerprint: Some(_), .. } => {
                refuse("the fingerprint of an approval that waits")
            }
            _ => refuse("a proposal, or an approval or a rejection by its fingerprint"),
        }
    }

    /// A person has decided on a call that waits; the agent is not waited for any less.
    pub(super) fn decide_parked(&mut self, id: Arc<str>, by: &Arc<str>, decision: Decision, given: u64) -> Next {
        self.approvals.take(id);
        // Whoever decided in time is heard, though time is up by now.
        self.expire_parked(given);
        self.heard_of_parked(by, decision, given);
        self.expire_parked(self.at);
        Next::Wait
    }

    fn heard_of_parked(&mut self, by: &Arc<str>, decision: Decision, given: u64) {
        if decision == Decision::Resumed {
            self.clear_gap(by);
            self.event(Event::Resumed { by: Arc::clone(by) });
            return;
        }
        let decision = match decision {
            Decision::Standing { standing } => {
                self.give_standing(*standing, None, by);
                return;
            }
            Decision::Withdrawn { standing } => {
                self.withdraw_standing(&standing, by);
                return;
            }
            Decision::ApprovedFor { fingerprint, standing } => {
                // It may have run out while the decision was on its way: too late is not come.
                if self.approvals.expects(&Decision::Approved { fingerprint: Arc::clone(&fingerprint) }) {
                    self.event(Event::Approved { fingerprint: Arc::clone(&fingerprint), by: Arc::clone(by) });
                    self.grant_with(&fingerprint, &standing, given);
                    self.give_standing(*standing, Some(&fingerprint), by);
                }
                return;
            }
            other => other,
        };
        let (fingerprint, state) = match decision {
            Decision::Approved { fingerprint } => (fingerprint, State::Granted),
            Decision::Rejected { fingerprint: Some(fingerprint), instead } => (fingerprint, State::Rejected(instead)),
            _ => return,
        };
        let approved = state == State::Granted;
        let until = self.worth_until(given);
        if !self.approvals.decide(&fingerprint, state, until) {
            return;
        }
        self.progress.person_spoke();
        let by = Arc::clone(by);
        self.event(if approved { Event::Approved { fingerprint, by } } else { Event::Rejected { by } });
    }
}
