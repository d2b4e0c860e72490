//! Triples whose decision or outcome is not known yet.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_kernel::Code;
use countersign_kernel::contract::Verdict;

use super::slots;
use super::triple::{Came, Did, Outcome, Triple, Used};

/// Most triples that are kept open. Of more the oldest are given out as they stand: a run may be longer
/// than anybody's memory.
const KEPT: usize = 4096;

/// One of them.
#[derive(Debug)]
pub(super) struct Open {
    pub triple: Triple,
    /// What the run had used when the slot was heard.
    pub before: Used,
    pub decider: Decider,
    pub awaits: Awaits,
    /// It is about a call, which a person may be asked to approve.
    pub action: bool,
    /// The verdict calls for something, or the host does because of the answer.
    pub loud: bool,
    /// Only watched entries said it: it went into the frame and nowhere else.
    pub unheard: bool,
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decider {
    /// The host: the events that follow tell.
    Host,
    /// A person, who is asked to approve the call.
    Approver,
    /// A person, who is asked to look at the run.
    Person,
    /// Nobody any more.
    Decided,
}

/// What the outcome hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Awaits {
    /// Nothing any more.
    Nothing,
    /// What comes of a proposed call, by the number of the proposal.
    Call(u64),
    /// What comes of the next call of a tool, after that of a proposal.
    NextCall { tool: Arc<str>, after: u64 },
    /// Whether the claim of success at hand is accepted.
    Claim,
    /// The end of the run.
    End,
}

impl Open {
    /// What the host does by itself at a verdict that calls for nothing. Of any other that nothing
    /// followed from: a graph of its own led back to the model.
    pub fn by_verdict(&self) -> Did {
        match self.triple.recommendation.verdict {
            _ if self.loud => Did::Replanned,
            Verdict::Proceed => Did::Proceeded,
            Verdict::Log => Did::Logged,
            _ => Did::Notified,
        }
    }

    /// The host has decided. What nobody heard nobody acted on.
    pub fn decide(&mut self, did: Did) {
        let acts = matches!(did, Did::Notified | Did::Replanned | Did::Escalated | Did::Held);
        let did = if self.unheard && acts { Did::WouldHave } else { did };
        self.triple.decision.did = did;
        self.decider = Decider::Decided;
        self.unused_after(did);
    }

    /// A person is asked.
    pub fn ask(&mut self, decider: Decider) {
        self.triple.decision.did = Did::Pending;
        self.triple.decision.by = None;
        self.decider = decider;
        self.unused_after(Did::Pending);
    }

    /// A person has decided.
    pub fn decided_by(&mut self, did: Did, by: Option<&Arc<str>>) {
        self.triple.decision.did = did;
        self.triple.decision.by = by.cloned();
        self.decider = Decider::Decided;
    }

    /// An answer that is not trusted is not used.
    fn unused_after(&mut self, did: Did) {
        let unused = matches!(did, Did::Escalated | Did::Replanned | Did::Terminated | Did::Pending);
        if slots::is_of_an_answer(self.triple.slot) && unused {
            self.come(Outcome::only(Came::NotRun));
        }
    }

    pub fn come(&mut self, outcome: Outcome) {
        self.triple.outcome = outcome;
        self.awaits = Awaits::Nothing;
    }

    fn is_complete(&self) -> bool {
        self.decider == Decider::Decided && self.awaits == Awaits::Nothing
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct OpenTriples {
    all: VecDeque<Open>,
}

impl OpenTriples {
    pub fn push(&mut self, open: Open) {
        self.all.push_back(open);
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        self.all.iter_mut()
    }

    /// Those that the host decides on.
    pub fn of_host(&mut self) -> impl Iterator<Item = &mut Open> {
        self.all.iter_mut().filter(|open| open.decider == Decider::Host)
    }

    /// Those about a call that the host decides on.
    pub fn actions(&mut self) -> impl Iterator<Item = &mut Open> {
        self.of_host().filter(|open| open.action)
    }

    /// Those about a call that a person is asked to approve, or has approved.
    pub fn asked(&mut self, proposal: u64) -> impl Iterator<Item = &mut Open> {
        let asked = |open: &Open| open.decider == Decider::Approver || open.triple.decision.did == Did::Approved;
        self.all.iter_mut().filter(move |open| open.action && open.awaits == Awaits::Call(proposal) && asked(open))
    }

    /// The host decides so on what calls for something.
    pub fn host(&mut self, did: Did) {
        self.of_host().filter(|open| open.loud).for_each(|open| open.decide(did));
    }

    /// What hung on one proposal hangs on another: it is the same call once more. Where a person was
    /// asked about that one before, this is no other triple.
    pub fn join(&mut self, proposal: u64, earlier: u64) {
        if self.asked(earlier).next().is_some() {
            self.all.retain(|open| !(open.action && open.decider == Decider::Host));
        }
        for open in self.all.iter_mut().filter(|open| open.awaits == Awaits::Call(proposal)) {
            open.awaits = Awaits::Call(earlier);
        }
    }

    /// What came of a proposed call.
    pub fn call_came(&mut self, proposal: u64, outcome: &Outcome) {
        for open in self.all.iter_mut().filter(|open| open.awaits == Awaits::Call(proposal)) {
            open.come(outcome.clone());
        }
    }

    /// A call of a tool was made, and this came of it.
    pub fn tool_came(&mut self, proposal: u64, tool: &Arc<str>, outcome: &Outcome) {
        for open in &mut self.all {
            if matches!(&open.awaits, Awaits::NextCall { tool: awaited, after } if awaited == tool && *after < proposal)
            {
                open.come(outcome.clone());
            }
        }
    }

    /// The run is over: what nobody knows by now nobody will know. `under_way` is the proposal whose
    /// call has not answered.
    pub fn end(&mut self, code: Code, verified: bool, used: Used, under_way: Option<(u64, Option<u64>)>) {
        for open in &mut self.all {
            let outcome = match &open.awaits {
                Awaits::Nothing => continue,
                Awaits::Call(proposal) => match under_way.filter(|(waiting, _)| waiting == proposal) {
                    Some((_, call)) => Outcome { call, ..Outcome::only(Came::Unknown) },
                    None => Outcome::only(Came::NotRun),
                },
                Awaits::NextCall { .. } | Awaits::Claim | Awaits::End => Outcome {
                    came: Came::Ended,
                    call: None,
                    code: Some(code),
                    verified: Some(verified),
                    after: Some(used.since(open.before)),
                },
            };
            open.come(outcome);
        }
    }

    /// Takes out what is complete, and the oldest of what is too much.
    pub fn take_complete(&mut self, done: &mut Vec<Triple>) {
        if self.all.iter().any(Open::is_complete) {
            for open in std::mem::take(&mut self.all) {
                if open.is_complete() {
                    done.push(open.triple);
                } else {
                    self.all.push_back(open);
                }
            }
        }
        while self.all.len() > KEPT {
            done.extend(self.all.pop_front().map(|open| open.triple));
        }
    }

    /// Takes out everything as it stands.
    pub fn take_all(&mut self, done: &mut Vec<Triple>) {
        done.extend(std::mem::take(&mut self.all).into_iter().map(|open| open.triple));
    }
}
