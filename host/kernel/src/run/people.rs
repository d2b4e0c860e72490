//! Where the run passes to somebody else: a stronger model, or a person who approves, answers,
//! releases, reviews or refuses (design §5; specification D15, D16).

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::halt::Halt;
use super::pipeline::Proposal;
use super::{Attempts, InputError, Next, Run, Waiting, cut};
use crate::boundary::FailClosed;
use crate::contract::{Dimension, Key};
use crate::effect::{Effect, Purpose};
use crate::event::Event;
use crate::graph::Exit;
use crate::host_rules::mix;
use crate::input::{Decision, Touched};
use crate::packet::{Approval, Packet, Report, Wanted};
use crate::plan::Plan;
use crate::routing::{RiskState, route};
use crate::state::StateKind;
use crate::status::{Code, Status};

/// What a person was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    halt: Halt,
    /// The node is one where the user is asked, not one that hands over.
    user: bool,
}

/// An approval that was given and not yet used.
#[derive(Debug)]
pub(super) struct Granted {
    pub approval: Approval,
    pub payload: Option<Arc<str>>,
}

impl Granted {
    pub fn tool(&self) -> &Arc<str> {
        &self.approval.tool
    }
}

impl Asked {
    /// Whether a decision answers what was asked.
    pub fn expects(&self, decision: &Decision) -> Result<(), InputError> {
        let refuse = |expected| Err(InputError::NotExpected { found: "that decision", expected });
        let waiting = self.halt.approval.as_ref();
        match (decision, waiting) {
            (Decision::Approved { fingerprint }, Some(approval)) if *fingerprint == approval.fingerprint => Ok(()),
            (Decision::Approved { .. }, Some(_)) => refuse("an approval of the fingerprint that it shows"),
            (Decision::Approved { .. }, None) => refuse("something else than an approval"),
            (Decision::Rejected { fingerprint: Some(fingerprint), .. }, Some(approval))
                if *fingerprint != approval.fingerprint =>
            {
                refuse("a rejection of the fingerprint that it shows")
            }
            (Decision::Accepted, _) if self.user => refuse("an answer"),
            (Decision::Answered { .. } | Decision::Resumed | Decision::Accepted, Some(_)) => {
                refuse("an approval or a rejection")
            }
            (Decision::Released { extra }, _) if extra.is_empty() => refuse("a release of some dimension"),
            (Decision::Released { .. }, _) if self.halt.wanted == Wanted::Resumption => {
                refuse("somebody above the run to make room, and then to let it go on")
            }
            _ => Ok(()),
        }
    }
}

impl Run {
    /// The ask-user node.
    pub(super) fn ask_user(&mut self) -> Next {
        let halt = self.halt.take().unwrap_or_else(|| {
            Halt::question(Code::MissingInfo, "something is missing".to_owned(), RiskState::MissingInput)
        });
        if !halt.code.may_suspend() {
            return self.leave(Exit::Withdrawn, halt);
        }
        self.suspend_at(halt, true)
    }

    /// The escalate node: a stronger model where one may help, else a person, else the end.
    pub(super) fn hand_over(&mut self) -> Next {
        let halt =
            self.halt.take().unwrap_or_else(|| Halt::review("the graph led here".to_owned(), RiskState::LowConfidence));
        if halt.trouble.is_some()
            && self.escalations < self.max_escalations
            && let Some(to) = self.stronger_tier()
        {
            return self.ask_stronger(halt, to);
        }
        if halt.code.may_suspend() { self.suspend(halt) } else { self.leave(Exit::Unavailable, halt) }
    }

    fn ask_stronger(&mut self, halt: Halt, to: crate::contract::Tier) -> Next {
        self.escalations += 1;
        let cause = halt.reason.clone();
        let step = self.attempts.step.as_deref().unwrap_or("the first step");
        let packet = Packet {
            goal: self.manifest.goal.text.clone(),
            last_valid_state: self.last_valid_state.clone(),
            failure_point: format!("step `{}`: {cause}", cut(step, 128)),
            error_signals: if self.error_signals.is_empty() {
                vec![cause.clone()]
            } else {
                self.error_signals.iter().cloned().collect()
            },
            snippet: if self.snippet.is_empty() { "(nothing was run)".to_owned() } else { self.snippet.clone() },
            constraints: if self.manifest.goal.constraints.is_empty() {
                vec!["none".into()]
            } else {
                self.manifest.goal.constraints.clone()
            },
        };
        self.event(Event::Escalated {
            from: self.tier,
            to,
            cause,
            boundary: Arc::clone(&self.manifest.boundary.digest),
            packet_tokens: packet.tokens(),
            history_tokens: self.history_tokens(),
            packet: packet.clone(),
        });
        self.attempts = Attempts::default();
        self.call_model(Purpose::Patch(packet))
    }

    pub(super) fn suspend(&mut self, halt: Halt) -> Next {
        self.suspend_at(halt, false)
    }

    /// What people are told.
    pub(super) fn report(&self, halt: &Halt) -> Report {
        let met = |wanted: bool| {
            let states = self.manifest.goal.criteria.iter().zip(&self.criteria);
            states.filter(|(_, state)| state.met == wanted).map(|(criterion, _)| Arc::clone(&criterion.id)).collect()
        };
        let mut authority = route(&self.manifest.escalation.table, halt.state);
        if let Some(endpoint) = &halt.endpoint {
            authority.endpoint = Arc::clone(endpoint);
        }
        Report {
            goal: Arc::clone(&self.manifest.goal.text),
            reason: halt.reason.clone(),
            last_valid_state: self.last_valid_state.clone(),
            authority,
            wanted: halt.wanted,
            dimension: halt.dimension,
            met: met(true),
            unmet: met(false),
            approval: halt.approval.clone(),
        }
    }

    fn suspend_at(&mut self, halt: Halt, user: bool) -> Next {
        let report = self.report(&halt);
        let code = halt.code;
        self.status = Status::Suspended(code);
        self.waiting = Waiting::Person(Asked { halt, user });
        self.event(Event::Suspended { code, report: report.clone() });
        self.effect(Effect::Suspend { code, report });
        Next::Wait
    }

    /// A person has decided, or has not.
    pub(super) fn decided(&mut self, id: Arc<str>, by: &Arc<str>, decision: Decision) -> Next {
        let Waiting::Person(asked) = std::mem::replace(&mut self.waiting, Waiting::Nothing) else { return Next::Wait };
        self.decided.push(id);
        self.status = Status::Running;
        let late = asked.halt.approval.as_ref().is_some_and(|approval| self.at > approval.expires);
        let decision = match decision {
            // What comes too late counts as not come.
            Decision::Approved { .. } | Decision::Rejected { .. } | Decision::Released { .. } if late => {
                Decision::Expired
            }
            other => other,
        };
        let on = |user: Exit, other: Exit| if asked.user { user } else { other };
        match decision {
            Decision::Approved { fingerprint } => self.approved(asked, fingerprint, by),
            Decision::Rejected { instead, .. } => {
                self.event(Event::Rejected { by: Arc::clone(by) });
                self.rejected(asked, instead)
            }
            Decision::Expired => self.expired(asked),
            Decision::Unavailable => {
                self.event(Event::ApprovalUnavailable);
                self.pending = None;
                self.doubted = None;
                let exit = on(Exit::Withdrawn, Exit::Unavailable);
                self.leave(exit, asked.halt)
            }
            Decision::Answered { text } => {
                self.event(Event::Resumed { by: Arc::clone(by) });
                self.message = Some(text);
                self.unrated = true;
                self.take_up();
                Next::Leave(on(Exit::Answered, Exit::Revised))
            }
            Decision::Accepted => {
                let done = !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met);
                let code = if done { Code::Success } else { Code::PartialSuccess };
                self.event(Event::Resumed { by: Arc::clone(by) });
                self.leave(Exit::Accepted, Halt::ended(code, format!("accepted as it is by {by}")))
            }
            Decision::Released { extra } => {
                for (dimension, more) in extra {
                    let ceiling = self.manifest.ceilings.of(dimension);
                    let limit = self.view_mut().budget.release(dimension, more, ceiling);
                    self.event(Event::Released { dimension, limit, by: Arc::clone(by) });
                }
                self.attempts = Attempts::default();
                self.doubted = None;
                Next::Leave(on(Exit::Answered, Exit::Released))
            }
            Decision::Resumed => {
                self.event(Event::Resumed { by: Arc::clone(by) });
                self.take_up();
                Next::Leave(on(Exit::Answered, Exit::Revised))
            }
        }
    }

    /// Somebody else has looked: what failed before does not count any more.
    fn take_up(&mut self) {
        self.attempts = Attempts::default();
        self.failures = 0;
        self.view_mut().budget.level(Dimension::Retries, 0);
        self.user_boundary = true;
        self.pending = None;
        self.refused = 0;
        self.clear_gap("a person");
        self.repeated = (None, 0);
        self.tripped = None;
        self.doubted = None;
    }

    fn approved(&mut self, asked: Asked, fingerprint: Arc<str>, by: &Arc<str>) -> Next {
        self.event(Event::Approved { fingerprint, by: Arc::clone(by) });
        let payload = self.pending.as_ref().and_then(|pending| pending.payload.clone());
        match (asked.halt.approval, self.doubted.take()) {
            (Some(approval), _) if self.pending.is_some() => self.granted = Some(Granted { approval, payload }),
            (Some(_), Some(memory)) => self.accept_memory(memory),
            // The plan was what waited.
            _ => self.plan_approved = true,
        }
        self.user_boundary = true;
        Next::Leave(Exit::Approved)
    }

    fn rejected(&mut self, asked: Asked, instead: Option<Arc<str>>) -> Next {
        let what = self.pending.take().map(|pending| pending.name);
        // Whatever was approved before: a person has thought better of it.
        self.granted = None;
        let exit = if asked.user { Exit::Answered } else { Exit::Revised };
        if let Some(memory) = self.doubted.take() {
            // Nothing hangs on a memory: the run goes on without it.
            let reason = "a person does not want it kept".to_owned();
            self.event(Event::WriteRefused { state: StateKind::Memory, key: memory.key, reason });
            self.notice = instead.as_deref().map(str::to_owned);
            self.unrated = true;
            self.take_up();
            return Next::Leave(exit);
        }
        let plan = asked.halt.approval.as_ref().is_some_and(|approval| what.is_none() && *approval.tool == *"plan");
        if let Some(note) = instead {
            if plan {
                self.plan = Plan::default();
                self.purpose = Purpose::Plan;
            }
            let refused = what.map_or_else(String::new, |name| format!("`{name}` is not approved. "));
            self.notice = Some(format!("{refused}{note}"));
            self.unrated = true;
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
        self.event(Event::ApprovalExpired { fingerprint, asked_again: again });
        if again {
            let fresh = self.fingerprint(&approval);
            let expires = self.at.saturating_add(self.manifest.rules.approval_expiry);
            let approval = Approval { fingerprint: fresh, expires, expired: approval.expired + 1, ..approval };
            halt.approval = Some(approval);
            return self.suspend_at(halt, asked.user);
        }
        self.pending = None;
        self.doubted = None;
        if let Some(next) = self.fails_closed(FailClosed::MissingApproval, "the approval ran out") {
            return next;
        }
        halt.reason = format!("nobody decided in time: {}", halt.reason);
        self.leave(Exit::Expired, halt)
    }

    /// What a person is to approve: exactly this call.
    pub(super) fn approval(&mut self, proposal: &Proposal, by: Vec<Arc<str>>, reason: String) -> Approval {
        let definition = proposal.tool.map(|index| Arc::clone(&self.manifest.tools[index].definition));
        let mut approval = Approval {
            call: self.tool_calls,
            tool: Arc::clone(&proposal.name),
            arguments: Arc::clone(&proposal.arguments),
            key: proposal.key,
            definition: definition.unwrap_or_default(),
            asked_by: by,
            reason,
            confidence: self.confidence,
            touches: proposal.touches,
            fingerprint: "".into(),
            expires: self.at.saturating_add(self.manifest.rules.approval_expiry),
            expired: 0,
        };
        approval.fingerprint = self.fingerprint(&approval);
        approval
    }

    /// A person approves what is no call: the plan before anything is called, or a memory.
    pub(super) fn ask_for(&mut self, what: &str, text: Arc<str>) -> Next {
        let reason = format!("a person approves the {what}");
        let mut approval = Approval {
            call: self.tool_calls,
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
        approval.fingerprint = self.fingerprint(&approval);
        self.leave(Exit::HandedOver, Halt::approval(reason, RiskState::HighImpactMutation, approval))
    }

    /// Digest over run, tool, definition, arguments and a number used once.
    fn fingerprint(&mut self, approval: &Approval) -> Arc<str> {
        let payload = self.pending.as_ref().and_then(|pending| pending.payload.clone()).unwrap_or_default();
        self.fingerprint_with(approval, &payload)
    }

    pub(super) fn fingerprint_with(&mut self, approval: &Approval, payload: &Arc<str>) -> Arc<str> {
        let once = mix(self.manifest.seed ^ mix(self.asks));
        self.asks += 1;
        let mut hasher = Sha256::new();
        hasher.update(b"countersign approval 1\0");
        let parts = [&self.manifest.run, &approval.tool, &approval.definition, &approval.arguments, payload];
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(once.to_le_bytes());
        let mut text = String::with_capacity(32);
        for byte in &hasher.finalize()[..16] {
            text.push_str(&format!("{byte:02x}"));
        }
        text.into()
    }

    /// Uses an approval for the very call it was given for, and only against those who asked.
    pub(super) fn spend_approval(&mut self, proposal: &Proposal, by: &[Arc<str>]) -> bool {
        let fits = |granted: &Granted| {
            self.is_of(granted, proposal)
                && self.at <= granted.approval.expires
                && by.iter().all(|name| granted.approval.asked_by.contains(name))
        };
        let parked = self.parked.iter().position(|parked| parked.is_granted() && fits(&parked.asked));
        let granted = self.granted.as_ref().is_some_and(fits);
        let spent = match parked {
            Some(at) => Some(self.parked.remove(at).asked),
            None if granted => self.granted.take(),
            None => None,
        };
        let Some(spent) = spent else { return false };
        self.event(Event::ApprovalSpent { fingerprint: spent.approval.fingerprint });
        true
    }

    /// Whether an approval is of this very call.
    pub(super) fn is_of(&self, granted: &Granted, proposal: &Proposal) -> bool {
        let approval = &granted.approval;
        let definition = proposal.tool.map(|index| &self.manifest.tools[index].definition);
        approval.tool == proposal.name
            && approval.arguments == proposal.arguments
            && Some(&approval.definition) == definition
            && granted.payload == proposal.payload
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
