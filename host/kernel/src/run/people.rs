//! Where the run passes to somebody else: a stronger model, or a person who approves, answers,
//! releases, reviews or refuses (design §5; specification D15, D16).

use std::sync::Arc;

use countersign_spec::boundary::FailClosed;
use countersign_spec::graph::Exit;
use countersign_spec::routing::{RiskState, route};
use countersign_spec::state::StateKind;

use super::Run;
use super::approvals::{Joined, State};
use super::asked::Asked;
use super::bounded::cut;
use super::halt::{EscalationCause, StopCause};
use super::next::Next;
use super::proposals::Proposal;
use super::waiting::Waiting;
use crate::contract::{Dimension, Key};
use crate::record::effect::{Effect, Purpose};
use crate::record::event::Event;
use crate::record::input::{Decision, Touched};
use crate::record::packet::{Approval, Packet, Report, Wanted};
use crate::record::status::{Code, Status};

impl Run {
    /// The ask-user node.
    pub(super) fn ask_user(&mut self) -> Next {
        let halt = self.halt.take().unwrap_or_else(|| {
            StopCause::question(Code::MissingInfo, "something is missing".to_owned(), RiskState::MissingInput)
        });
        if !halt.code.may_suspend() {
            return self.leave(Exit::Withdrawn, halt);
        }
        self.suspend_at(halt, true)
    }

    /// The escalate node: a stronger model where one may help, else a person, else the end.
    pub(super) fn hand_over(&mut self) -> Next {
        let halt = self
            .halt
            .take()
            .unwrap_or_else(|| StopCause::review("the graph led here".to_owned(), RiskState::LowConfidence));
        let may = match halt.trouble {
            Some(EscalationCause::InvalidSchema) => self.models.may_escalate_for_form(),
            Some(_) => self.models.may_escalate(),
            None => false,
        };
        if may && let Some(to) = self.stronger_tier() {
            return self.ask_stronger(halt, to);
        }
        if halt.code.may_suspend() { self.suspend(halt) } else { self.leave(Exit::Unavailable, halt) }
    }

    fn ask_stronger(&mut self, halt: StopCause, to: crate::contract::Tier) -> Next {
        match halt.trouble {
            Some(EscalationCause::InvalidSchema) => self.models.escalate_for_form(),
            _ => self.models.escalate(),
        }
        let cause = halt.reason.clone();
        let step = self.progress.step().unwrap_or("the first step");
        let packet = Packet {
            goal: self.manifest.goal.text.clone(),
            last_valid_state: self.context.last_valid_state().to_owned(),
            failure_point: format!("step `{}`: {cause}", cut(step, 128)),
            error_signals: match self.context.signals() {
                signals if signals.is_empty() => vec![cause.clone()],
                signals => signals,
            },
            snippet: self.context.snippet().to_owned(),
            constraints: self.manifest.goal.constraints.clone(),
        };
        self.event(Event::Escalated {
            from: self.models.tier(),
            to,
            cause,
            boundary: Arc::clone(&self.manifest.boundary.digest),
            packet_tokens: packet.tokens(),
            history_tokens: self.history_tokens(),
            packet: packet.clone(),
        });
        self.progress.anew();
        self.call_model(Purpose::Patch(packet))
    }

    pub(super) fn suspend(&mut self, halt: StopCause) -> Next {
        self.suspend_at(halt, false)
    }

    /// What people are told.
    pub(super) fn report(&self, halt: &StopCause) -> Report {
        let criteria = &self.manifest.goal.criteria;
        let met = |wanted: bool| self.evidence.ids(criteria, wanted).cloned().collect();
        let mut authority = route(&self.manifest.escalation.table, halt.state);
        if let Some(endpoint) = &halt.endpoint {
            authority.endpoint = Arc::clone(endpoint);
        }
        Report {
            goal: Arc::clone(&self.manifest.goal.text),
            reason: halt.reason.clone(),
            last_valid_state: match self.context.last_valid_state() {
                "" => "nothing has been done yet".to_owned(),
                state => state.to_owned(),
            },
            authority,
            wanted: halt.wanted,
            dimension: halt.dimension,
            met: met(true),
            unmet: met(false),
            approval: halt.approval.clone(),
        }
    }

    fn suspend_at(&mut self, halt: StopCause, user: bool) -> Next {
        let report = self.report(&halt);
        let code = halt.code;
        self.stop_awaiting();
        self.place.settle();
        self.status = Status::Suspended(code);
        self.waiting = Waiting::Person(Asked { halt, user });
        self.event(Event::Suspended { code, report: report.clone() });
        self.effect(Effect::Suspend { code, report });
        Next::Wait
    }

    /// A person has decided, or has not.
    pub(super) fn decided(&mut self, id: Arc<str>, by: &Arc<str>, decision: Decision, given: u64) -> Next {
        if let Decision::Withdrawn { standing } = decision {
            // It waits for a person all the same.
            self.approvals.take(id);
            return self.withdraw_standing(&standing, by);
        }
        let Waiting::Person(asked) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return Next::Wait };
        self.approvals.take(id);
        self.status = Status::Running;
        let approves =
            matches!(decision, Decision::Approved { .. } | Decision::ApprovedFor { .. } | Decision::Standing { .. });
        if let Some(approval) = asked.halt.approval.as_ref().filter(|_| !approves) {
            self.approvals.withdraw(&approval.fingerprint);
        }
        let late = asked.halt.approval.as_ref().is_some_and(|approval| given > approval.expires);
        let decision = match decision {
            // What comes too late counts as not come.
            Decision::Approved { .. }
            | Decision::ApprovedFor { .. }
            | Decision::Rejected { .. }
            | Decision::Released { .. }
                if late =>
            {
                Decision::Expired
            }
            other => other,
        };
        let on = |user: Exit, other: Exit| if asked.user { user } else { other };
        match decision {
            Decision::Approved { fingerprint } => self.approved(asked, fingerprint, by, given),
            Decision::ApprovedFor { fingerprint, standing } => {
                self.event(Event::Approved { fingerprint: Arc::clone(&fingerprint), by: Arc::clone(by) });
                self.grant_with(&fingerprint, &standing, given);
                self.give_standing(*standing, Some(&fingerprint), by);
                Next::Leave(Exit::Approved)
            }
            Decision::Standing { standing } => {
                if let Some(approval) = &asked.halt.approval {
                    self.give_standing(*standing, Some(&approval.fingerprint), by);
                }
                Next::Leave(Exit::Approved)
            }
            // Taken before anybody was answered; a key was looked at before it came here.
            Decision::Withdrawn { .. } | Decision::Signed { .. } => Next::Wait,
            Decision::Rejected { instead, .. } => {
                self.event(Event::Rejected { by: Arc::clone(by) });
                self.rejected(asked, instead)
            }
            Decision::Expired => self.expired(asked),
            Decision::Unavailable => {
                self.event(Event::ApprovalUnavailable);
                self.proposals.take_pending();
                self.memories.take_asked();
                let exit = on(Exit::Withdrawn, Exit::Unavailable);
                self.leave(exit, asked.halt)
            }
            Decision::Answered { text } => {
                self.event(Event::Resumed { by: Arc::clone(by) });
                self.context.message(text);
                self.take_up();
                Next::Leave(on(Exit::Answered, Exit::Revised))
            }
            Decision::Accepted => {
                let done = self.evidence.is_complete();
                let code = if done { Code::Success } else { Code::PartialSuccess };
                self.event(Event::Resumed { by: Arc::clone(by) });
                self.leave(Exit::Accepted, StopCause::ended(code, format!("accepted as it is by {by}")))
            }
            Decision::Released { extra } => {
                for (dimension, more) in extra {
                    let ceiling = self.manifest.ceilings.of(dimension);
                    let limit = self.view_mut().release(dimension, more, ceiling);
                    self.event(Event::Released { dimension, limit, by: Arc::clone(by) });
                }
                self.progress.anew();
                self.memories.take_asked();
                Next::Leave(on(Exit::Answered, Exit::Released))
            }
            Decision::Resumed => {
                self.event(Event::Resumed { by: Arc::clone(by) });
                self.context.looked().pass();
                self.take_up();
                Next::Leave(on(Exit::Answered, Exit::Revised))
            }
        }
    }

    /// Somebody else has looked: what failed before does not count any more.
    fn take_up(&mut self) {
        self.progress.taken_up();
        self.used.person_spoke();
        self.view_mut().level(Dimension::Retries, 0);
        self.proposals.take_pending();
        self.clear_gap("a person");
        self.memories.take_asked();
    }

    /// An approval is worth as much time from when it is given as a person has to give it.
    pub(super) fn worth_until(&self, given: u64) -> u64 {
        given.saturating_add(self.manifest.rules.approval_expiry)
    }

    fn approved(&mut self, asked: Asked, fingerprint: Arc<str>, by: &Arc<str>, given: u64) -> Next {
        self.event(Event::Approved { fingerprint: Arc::clone(&fingerprint), by: Arc::clone(by) });
        match (asked.halt.approval, self.memories.take_asked()) {
            (Some(_), _) if self.proposals.pending().is_some() => {
                let until = self.worth_until(given);
                self.approvals.decide(&fingerprint, State::Granted, until);
            }
            (Some(_), Some(memory)) => self.accept_memory(memory),
            // The plan was what waited.
            _ => self.tasks.approve(),
        }
        self.progress.person_spoke();
        Next::Leave(Exit::Approved)
    }

    fn rejected(&mut self, asked: Asked, instead: Option<Arc<str>>) -> Next {
        let what = self.proposals.take_pending().map(|pending| pending.name);
        // Whatever was approved before: a person has thought better of it.
        self.approvals.revoke();
        let exit = if asked.user { Exit::Answered } else { Exit::Revised };
        if let Some(memory) = self.memories.take_asked() {
            // Nothing hangs on a memory: the run goes on without it.
            let reason = "a person does not want it kept".to_owned();
            self.event(Event::WriteRefused { state: StateKind::Memory, key: memory.key, reason });
            self.context.rejected(None, instead);
            self.take_up();
            return Next::Leave(exit);
        }
        let plan = asked.halt.approval.as_ref().is_some_and(|approval| what.is_none() && *approval.tool == *"plan");
        if let Some(note) = instead {
            if plan {
                self.tasks.drop_plan();
                self.models.aim(Purpose::Plan);
            }
            self.context.rejected(what, Some(note));
            self.take_up();
            return Next::Leave(exit);
        }
        let mut halt = asked.halt;
        if halt.approval.is_some() {
            if let Some(next) = self.fails_closed(FailClosed::MissingApproval, "the approval was refused") {
                return next;
            }
            halt.code = Code::PermissionDenied;
            halt.reason = format!("refused by a person: {}", halt.reason);
        }
        self.leave(if asked.user { Exit::Withdrawn } else { Exit::Rejected }, halt)
    }

    /// Nobody decided in time. That is neither a yes nor a no.
    fn expired(&mut self, asked: Asked) -> Next {
        let mut halt = asked.halt;
        let Some(approval) = halt.approval.take() else {
            return self.leave(Exit::Expired, halt);
        };
        let again = approval.expired < self.manifest.rules.approval_reasks;
        let fingerprint = Arc::clone(&approval.fingerprint);
        self.approvals.withdraw(&fingerprint);
        self.event(Event::ApprovalExpired { fingerprint, asked_again: again });
        if again {
            let payload = self.proposals.pending().and_then(|pending| pending.payload.clone());
            let approval = self.renewed(approval, payload.as_ref());
            self.approvals.ask(approval.clone(), payload);
            halt.approval = Some(approval);
            return self.suspend_at(halt, asked.user);
        }
        self.proposals.take_pending();
        self.memories.take_asked();
        if let Some(next) = self.fails_closed(FailClosed::MissingApproval, "the approval ran out") {
            return next;
        }
        halt.reason = format!("nobody decided in time: {}", halt.reason);
        self.leave(Exit::Expired, halt)
    }

    /// What a person is to approve: exactly this call.
    pub(super) fn approval(&mut self, proposal: &Proposal, by: Vec<Arc<str>>, reason: String) -> Approval {
        let definition = proposal.tool.map(|index| Arc::clone(&self.manifest.tools[index].definition));
        let approval = Approval {
            call: self.proposals.calls(),
            tool: Arc::clone(&proposal.name),
            arguments: Arc::clone(&proposal.arguments),
            key: proposal.key,
            definition: definition.unwrap_or_default(),
            asked_by: by,
            reason,
            confidence: self.models.confidence(),
            touches: proposal.touches,
            fingerprint: "".into(),
            expires: self.at.saturating_add(self.manifest.rules.approval_expiry),
            expired: 0,
        };
        self.sealed(approval, proposal.payload.as_ref())
    }

    /// With a fingerprint of its own.
    fn sealed(&mut self, approval: Approval, payload: Option<&Arc<str>>) -> Approval {
        self.approvals.seal(approval, payload, &self.manifest.run, self.manifest.seed)
    }

    /// The same, asked for once more.
    pub(super) fn renewed(&mut self, approval: Approval, payload: Option<&Arc<str>>) -> Approval {
        let expires = self.at.saturating_add(self.manifest.rules.approval_expiry);
        let approval = Approval { expires, expired: approval.expired + 1, ..approval };
        self.sealed(approval, payload)
    }

    /// A person approves what is no call: the plan before anything is called, or a memory.
    pub(super) fn ask_for(&mut self, what: &str, text: Arc<str>) -> Next {
        let reason = format!("a person approves the {what}");
        let approval = Approval {
            call: self.proposals.calls(),
            tool: what.into(),
            arguments: text,
            key: Key(0),
            definition: "".into(),
            asked_by: vec!["boundary".into()],
            reason: reason.clone(),
            confidence: None,
            touches: Touched::default(),
            fingerprint: "".into(),
            expires: self.at.saturating_add(self.manifest.rules.approval_expiry),
            expired: 0,
        };
        let approval = self.sealed(approval, None);
        self.leave(Exit::HandedOver, StopCause::approval(reason, RiskState::HighImpactMutation, approval))
    }

    /// Uses an approval for the very call it was given for, whoever asks by now. People are told of those whom nobody
    /// was shown who approved it.
    pub(super) fn spend_approval(&mut self, proposal: &Proposal, by: &[Arc<str>], reason: &str) -> bool {
        let call = proposal.approved_as(&self.manifest.tools);
        let Some(Joined { approval, by }) = self.approvals.spend(call, by, self.at) else { return false };
        let fingerprint = approval.fingerprint;
        if !by.is_empty() {
            let others = by.join(", ");
            self.event(Event::ApprovalJoined { fingerprint: Arc::clone(&fingerprint), by, reason: reason.to_owned() });
            self.notify(format!("`{}` is approved and made; by then {others} asked too: {reason}", proposal.name));
        }
        self.event(Event::ApprovalSpent { fingerprint });
        true
    }

    /// What the run waits for a person to do; none while it does not.
    pub fn wanted(&self) -> Option<Wanted> {
        match &self.waiting {
            Waiting::Person(asked) => Some(asked.halt.wanted),
            _ => None,
        }
    }

    /// The approval that waits; none when none does.
    pub fn awaits(&self) -> Option<&Approval> {
        match &self.waiting {
            Waiting::Person(asked) => asked.halt.approval.as_ref(),
            _ => None,
        }
    }
}
