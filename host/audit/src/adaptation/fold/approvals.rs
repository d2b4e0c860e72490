//! Calls that a person is asked about: one triple each, however often they are asked for, proposed and
//! judged again.

use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::{Approval, Decision, Frame, Input};
use countersign_spec::Driver;

use super::super::open::{Awaits, Decider, Open};
use super::super::triple::{Came, Did, Outcome};
use super::{Proposal, Triples, Waiting};

impl Triples {
    /// A person is asked to approve a call, or once more.
    pub(super) fn asked(&mut self, approval: &Approval) {
        let at_hand = self.at_hand.as_ref().filter(|own| own.tool == approval.tool && own.key == approval.key);
        let at_hand = at_hand.map(|own| own.number);
        let known = self.waiting.iter().position(|own| own.tool == approval.tool && own.key == approval.key);
        let number = match (known, at_hand) {
            (Some(at), at_hand) => {
                self.waiting[at].fingerprint = Arc::clone(&approval.fingerprint);
                let earlier = self.waiting[at].proposal;
                if let Some(number) = at_hand {
                    self.join(number, earlier);
                }
                for open in self.open.asked(earlier) {
                    open.ask(Decider::Approver);
                    open.triple.decision.asked_by.clone_from(&approval.asked_by);
                }
                earlier
            }
            (None, Some(number)) => {
                let (tool, key) = (Arc::clone(&approval.tool), approval.key);
                let fingerprint = Arc::clone(&approval.fingerprint);
                self.waiting.push(Waiting { fingerprint, tool, key, proposal: number });
                number
            }
            // A plan or a memory waits, and no call.
            (None, None) => return,
        };
        let own = |open: &&mut Open| open.awaits == Awaits::Call(number);
        for open in self.open.actions().filter(own) {
            open.ask(Decider::Approver);
            open.triple.decision.asked_by.clone_from(&approval.asked_by);
        }
    }

    /// Slots that let a call pass when a person was asked about it ask too: each is a triple of its own, beside what it
    /// recommended before.
    pub(super) fn joined(&mut self, fingerprint: &Arc<str>, by: &[Arc<str>]) {
        let Some(waiting) = self.waiting.iter().find(|waiting| waiting.fingerprint == *fingerprint) else { return };
        let proposal = waiting.proposal;
        let asks = |open: &Open| open.triple.recommendation.verdict == Verdict::Ask;
        let mut asked = Vec::new();
        for open in self.open.asked(proposal) {
            open.triple.decision.asked_by.extend(by.iter().cloned());
            if asks(open) {
                asked.push(open.triple.slot);
            }
        }
        for open in self.open.actions().filter(|open| asks(open) && !asked.contains(&open.triple.slot)) {
            open.ask(Decider::Approver);
            open.triple.decision.asked_by = by.to_vec();
        }
    }

    /// An agent proposes a call again that waits for an approval: no other triple.
    pub(super) fn asked_again(&mut self) {
        let Some(own) = &self.at_hand else { return };
        let same = |waiting: &&Waiting| waiting.tool == own.tool && waiting.key == own.key;
        if let Some(waiting) = self.waiting.iter().find(same) {
            self.join(own.number, waiting.proposal);
        }
    }

    fn join(&mut self, number: u64, earlier: u64) {
        self.open.join(number, earlier);
        if let Some(proposal) = &mut self.at_hand {
            proposal.number = earlier;
        }
    }

    pub(super) fn approved(&mut self, fingerprint: &Arc<str>, by: &Arc<str>) {
        let Some(waiting) = self.waiting.iter().find(|waiting| waiting.fingerprint == *fingerprint) else { return };
        self.open.asked(waiting.proposal).for_each(|open| open.decided_by(Did::Approved, Some(by)));
        if self.manifest.driver == Driver::Host {
            // The run goes on with that very call.
            let (number, tool, key) = (waiting.proposal, Arc::clone(&waiting.tool), waiting.key);
            self.at_hand = Some(Proposal { number, tool, key });
        }
    }

    /// The approved call passes: it is judged again on its way, which is no other triple.
    pub(super) fn spent(&mut self, fingerprint: &Arc<str>) {
        let at = self.waiting.iter().position(|waiting| waiting.fingerprint == *fingerprint);
        if let Some(waiting) = at.map(|at| self.waiting.remove(at)) {
            let number = self.at_hand.as_ref().map_or(waiting.proposal, |proposal| proposal.number);
            self.join(number, waiting.proposal);
            let by = self.open.asked(waiting.proposal).find_map(|open| open.triple.decision.by.clone());
            // Who came to ask behind the person's back is answered by the same approval.
            let joined = self.open.asked(waiting.proposal).filter(|open| open.decider == Decider::Approver);
            joined.for_each(|open| open.decided_by(Did::Approved, by.as_ref()));
        }
        // Where the first one is not kept any more, this is what is left of it.
        self.open.actions().for_each(|open| open.decide(Did::Approved));
    }

    /// A person has approved such calls beforehand.
    pub(super) fn stood(&mut self) {
        self.open.actions().for_each(|open| open.decide(Did::Approved));
    }

    pub(super) fn rejected(&mut self, frame: &Frame, by: &Arc<str>) {
        let named = match &frame.input {
            Input::Decided { decision, .. } => match decision.plain() {
                Decision::Rejected { fingerprint, .. } => fingerprint.as_ref(),
                _ => None,
            },
            _ => None,
        };
        let refused = |waiting: &Waiting| named.is_none_or(|fingerprint| waiting.fingerprint == *fingerprint);
        let (refused, left) = std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(refused);
        self.waiting = left;
        refused.iter().for_each(|waiting| self.refused(waiting, Did::Rejected, Some(by)));
    }

    /// Nobody decided in time, or nobody used what was approved.
    pub(super) fn expired(&mut self, fingerprint: &Arc<str>) {
        let at = self.waiting.iter().position(|waiting| waiting.fingerprint == *fingerprint);
        let Some(waiting) = at.map(|at| self.waiting.remove(at)) else { return };
        let undecided = self.open.asked(waiting.proposal).filter(|open| open.decider == Decider::Approver);
        undecided.for_each(|open| open.decided_by(Did::Expired, None));
        self.open.call_came(waiting.proposal, &Outcome::only(Came::NotRun));
    }

    /// A call that waited is not made.
    pub(super) fn refused(&mut self, waiting: &Waiting, did: Did, by: Option<&Arc<str>>) {
        self.open.asked(waiting.proposal).for_each(|open| open.decided_by(did, by));
        self.open.call_came(waiting.proposal, &Outcome::only(Came::NotRun));
    }
}
