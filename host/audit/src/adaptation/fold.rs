//! Frames in, triples out.

mod approvals;

use std::sync::Arc;

use countersign_kernel::contract::{Key, Verdict};
use countersign_kernel::{
    Action, Closed, Code, Decision, Event, Frame, Input, Judgement, Outcome as CallOutcome, Question, Reply, Response,
    Slot, Stage,
};
use countersign_spec::{Driver, Manifest, Mode};

use super::open::{Awaits, Decider, Open, OpenTriples};
use super::recommended::{Judged, policies, recommendation, take_heard};
use super::slots::{self, Awaited};
use super::triple::{Came, Decision as Decided, Did, Outcome, Triple, Used};

/// Turns a run's frames into triples, one frame at a time. The same frames give the same triples.
#[derive(Debug)]
pub struct Triples {
    manifest: Arc<Manifest>,
    class: Option<Arc<str>>,
    /// Confidence below which the classifier's cascade asks a stronger model.
    gate: f64,
    used: Used,
    open: OpenTriples,
    /// Number of the next proposal of a call.
    proposals: u64,
    /// The call that the frame is about and that is not on its way.
    at_hand: Option<Proposal>,
    under_way: Option<UnderWay>,
    /// Calls that wait for an approval, or were given one that they have not used.
    waiting: Vec<Waiting>,
    /// What an answer's outcome hangs on, where it is trusted.
    answer: Awaits,
    /// Something in the frame shows that the claim at hand has no ground.
    groundless: bool,
    ended: Option<(Code, bool)>,
}

/// A call that is proposed.
#[derive(Debug)]
struct Proposal {
    number: u64,
    tool: Arc<str>,
    key: Key,
}

/// A call that was made. One at a time is.
#[derive(Debug)]
struct UnderWay {
    proposal: u64,
    tool: Arc<str>,
    /// Its number in the trace; none before a recording names it.
    call: Option<u64>,
    /// What came back, before a verifier has looked.
    seen: Option<Came>,
    /// It is to be tried again.
    again: bool,
}

#[derive(Debug)]
struct Waiting {
    fingerprint: Arc<str>,
    tool: Arc<str>,
    key: Key,
    proposal: u64,
}

impl Triples {
    /// Of the run with this manifest.
    pub fn new(manifest: Arc<Manifest>) -> Self {
        Triples {
            manifest,
            class: None,
            gate: 0.0,
            used: Used::default(),
            open: OpenTriples::default(),
            proposals: 0,
            at_hand: None,
            under_way: None,
            waiting: Vec::new(),
            answer: Awaits::End,
            groundless: false,
            ended: None,
        }
    }

    /// Takes the next frame, as the run closed or folded it; the triples of which all is known with it, oldest first.
    pub fn frame(&mut self, closed: &Closed) -> Vec<Triple> {
        let frame = &closed.frame;
        self.begin(frame);
        let judged: Vec<(&Question, &Judgement)> = closed.judged().collect();
        let mut rest = judged.as_slice();
        for event in &frame.events {
            self.event(frame, event, &mut rest);
        }
        self.close(frame);
        let mut done = Vec::new();
        self.open.take_complete(&mut done);
        if self.ended.is_some() {
            self.open.take_all(&mut done);
        }
        done
    }

    /// The trace goes no further: the triples of which not all is known, oldest first. Of a run that has
    /// ended there are none.
    pub fn finish(mut self) -> Vec<Triple> {
        let mut left = Vec::new();
        self.open.take_all(&mut left);
        left
    }

    /// What the input alone tells.
    fn begin(&mut self, frame: &Frame) {
        let tool = self.under_way.as_ref().and_then(|under_way| self.manifest.tool(&under_way.tool));
        self.used.book(&frame.input, tool);
        self.look_back(frame);
        self.groundless = false;
        match &frame.input {
            Input::Replied { reply: Reply::Step(step), .. } => {
                self.answer = match &step.action {
                    Action::Call { tool, key, .. } => {
                        let number = self.proposals;
                        self.proposals += 1;
                        self.at_hand = Some(Proposal { number, tool: Arc::clone(tool), key: *key });
                        Awaits::Call(number)
                    }
                    // Nobody looks at the claims of a recording.
                    Action::Finish { .. } if self.manifest.mode != Mode::Recorded => Awaits::Claim,
                    _ => Awaits::End,
                };
            }
            Input::Observed { call, observation } => {
                if let Some(under_way) = &mut self.under_way {
                    under_way.call = Some(*call);
                    under_way.seen = Some(came(observation.outcome));
                    under_way.again = frame.events.iter().any(|event| matches!(event, Event::Retrying { .. }));
                }
            }
            Input::Decided { by, decision, .. } => {
                let persons = self.open.iter_mut().filter(|open| open.decider == Decider::Person);
                persons.for_each(|open| open.decided_by(did(decision), Some(by)));
            }
            Input::Cancelled => {
                let asked = self.open.iter_mut().filter(|open| open.decider != Decider::Decided);
                asked.for_each(|open| open.decided_by(Did::Cancelled, None));
            }
            _ => {}
        }
    }

    /// What came of the call that was observed in the frame before, which this one's input shows.
    fn look_back(&mut self, frame: &Frame) {
        let Some(under_way) = &mut self.under_way else { return };
        let Some(seen) = under_way.seen else { return };
        let came = match &frame.input {
            Input::Verified { verification, .. } if verification.holds => Came::Verified,
            Input::Verified { .. } => Came::Failed,
            // It was lost on the way, and is still to come.
            Input::TakenUp { .. } => return,
            Input::Waited { .. } if under_way.again && dispatches(frame) => {
                (under_way.seen, under_way.again) = (None, false);
                return;
            }
            _ => seen,
        };
        self.call_came(came);
    }

    fn event(&mut self, frame: &Frame, event: &Event, rest: &mut &[Judged<'_>]) {
        match event {
            // They say nothing of what was decided.
            Event::Moved { .. } | Event::Notified { .. } | Event::ReviewDeferred { .. } | Event::WouldHave { .. } => {
                return;
            }
            _ => self.pass(event),
        }
        match event {
            Event::Verdict { slot, verdict, by, .. } => {
                let heard = take_heard(rest, *slot);
                self.heard(frame, *slot, *verdict, by, heard);
            }
            Event::Classified { class, .. } => {
                self.class = class.as_deref().map(Arc::from);
                let own = |open: &&mut Open| slots::classifies(open.triple.slot) && open.triple.frame == frame.frame;
                self.open.iter_mut().filter(own).for_each(|open| open.triple.class.clone_from(&self.class));
            }
            Event::Escalated { .. } => self.open.host(Did::Escalated),
            Event::Replanned { .. } => self.open.host(Did::Replanned),
            // Where the host drives, the run is suspended by it.
            Event::Held { .. } if self.manifest.driver == Driver::Agent => {
                let held = self.open.of_host().filter(|open| open.triple.recommendation.verdict <= Verdict::Ask);
                held.filter(|open| slots::holds(open.triple.slot)).for_each(|open| open.decide(Did::Held));
            }
            Event::Blocked { stage: Stage::Approval, response: Response::AskApproval, .. } => self.asked_again(),
            Event::Blocked { .. } => self.open.actions().for_each(|open| open.decide(Did::Denied)),
            Event::ApprovalRequested { approval } => self.asked(approval),
            Event::Suspended { report, .. } => {
                if let Some(approval) = &report.approval {
                    self.asked(approval);
                }
                self.open.of_host().filter(|open| open.loud).for_each(|open| open.ask(Decider::Person));
            }
            Event::Approved { fingerprint, by } => self.approved(fingerprint, by),
            Event::ApprovalJoined { fingerprint, by, .. } => self.joined(fingerprint, by),
            Event::ApprovalSpent { fingerprint } => self.spent(fingerprint),
            Event::StandingApplied { .. } => self.stood(),
            Event::Rejected { by } => self.rejected(frame, by),
            Event::ApprovalExpired { fingerprint, asked_again: false } => self.expired(fingerprint),
            Event::ApprovalUnavailable => {
                for waiting in std::mem::take(&mut self.waiting) {
                    self.refused(&waiting, Did::Unavailable, None);
                }
            }
            Event::Dispatched { call, .. } => {
                self.open.actions().for_each(|open| {
                    let did = open.by_verdict();
                    open.decide(did);
                });
                self.begin_call(Some(*call));
            }
            Event::Withdrawn { .. } => {
                if let Some(under_way) = self.under_way.take() {
                    self.open.call_came(under_way.proposal, &Outcome::only(Came::NotRun));
                }
            }
            Event::ClaimUnsupported { .. }
            | Event::Assumed { .. }
            | Event::ToolRequired { .. }
            | Event::Incomplete { .. } => self.groundless = true,
            Event::Ended { code, verified, .. } => {
                self.open.host(Did::Terminated);
                self.ended = Some((*code, *verified));
            }
            _ => {}
        }
    }

    /// What calls for nothing is done with as soon as anything else happens, unless that is what the host
    /// does because of the answer: the cascade's gate, an estimate beyond what is left.
    fn pass(&mut self, event: &Event) {
        let gate = self.gate;
        for open in self.open.of_host().filter(|open| !open.loud && !open.action) {
            let below = open.triple.recommendation.score.is_some_and(|score| score < gate);
            if !open.unheard && slots::answers_to(open.triple.slot, event, below) {
                open.loud = true;
            } else {
                let did = open.by_verdict();
                open.decide(did);
            }
        }
    }

    /// A slot has been heard.
    fn heard(&mut self, frame: &Frame, slot: Slot, verdict: Verdict, by: &[Arc<str>], heard: &[Judged<'_>]) {
        let Some((question, _)) = heard.first() else { return };
        let policies = policies(&self.manifest, heard);
        let recommendation = recommendation(slot, verdict, by, &policies);
        self.gate = slots::gate(slot, &policies).unwrap_or(self.gate);
        if !slots::has_line(slot, recommendation.verdict, &policies) {
            return;
        }
        let awaited = slots::awaited(question);
        let action = matches!(awaited, Awaited::Call);
        let awaits = match awaited {
            Awaited::Answer => self.answer.clone(),
            Awaited::NextCall(tool) => Awaits::NextCall {
                tool,
                after: self.under_way.as_ref().map_or(self.proposals, |under_way| under_way.proposal),
            },
            Awaited::Call => self.at_hand.as_ref().map_or(Awaits::End, |proposal| Awaits::Call(proposal.number)),
            Awaited::Run => Awaits::End,
        };
        let tool = self.at_hand.as_ref().map(|proposal| &proposal.tool);
        let tool = tool.or(self.under_way.as_ref().map(|under_way| &under_way.tool));
        let counts = self.manifest.mode == Mode::Enforce && !by.is_empty();
        let loud = slots::is_loud(slot, recommendation.verdict);
        let mut open = Open {
            triple: Triple {
                run: Arc::clone(&self.manifest.run),
                frame: frame.frame,
                at: self.manifest.started.saturating_add(frame.at),
                slot,
                class: self.class.clone(),
                about: slots::about(&self.manifest, question, tool),
                recommendation,
                policies,
                decision: Decided { did: Did::Proceeded, by: None, asked_by: Vec::new() },
                outcome: Outcome::only(Came::Open),
            },
            before: self.used,
            decider: Decider::Host,
            awaits,
            action,
            loud,
            unheard: by.is_empty(),
        };
        let waits = action || slots::shows_later(slot);
        if loud && !counts {
            open.decide(Did::WouldHave);
        } else if !loud && (!waits || self.manifest.mode == Mode::Recorded) {
            let did = open.by_verdict();
            open.decide(did);
        }
        self.open.push(open);
    }

    /// A call is on its way; or once more.
    fn begin_call(&mut self, call: Option<u64>) {
        if let Some(Proposal { number, tool, .. }) = self.at_hand.take() {
            self.under_way = Some(UnderWay { proposal: number, tool, call, seen: None, again: false });
        }
    }

    /// All is known of the call under way.
    fn call_came(&mut self, came: Came) {
        if let Some(UnderWay { proposal, tool, call, .. }) = self.under_way.take() {
            let outcome = Outcome { call, ..Outcome::only(came) };
            self.open.call_came(proposal, &outcome);
            self.open.tool_came(proposal, &tool, &outcome);
        }
    }

    /// What came back from the call under way, where no verifier looks at it any more.
    fn seen_for_good(&self) -> Option<Came> {
        let under_way = self.under_way.as_ref().filter(|under_way| !under_way.again)?;
        let verified = self.manifest.mode != Mode::Recorded
            && self.manifest.tool(&under_way.tool).is_some_and(|tool| tool.verifier.is_some());
        under_way.seen.filter(|_| !verified || self.ended.is_some())
    }

    /// What the whole frame tells.
    fn close(&mut self, frame: &Frame) {
        if let Some(seen) = self.seen_for_good() {
            self.call_came(seen);
        }
        // A loop is acted on when the step is checked: where a verifier looks first, that is the next
        // frame.
        let checked_later = self.under_way.as_ref().is_some_and(|under_way| under_way.seen.is_some());
        for open in self.open.of_host() {
            let later = open.loud && !open.action && checked_later;
            if !later || self.ended.is_some() {
                let did = open.by_verdict();
                open.decide(did);
            }
        }
        self.close_claim(frame);
        if self.manifest.mode == Mode::Recorded {
            self.begin_call(None);
        } else if let Some(proposal) = self.at_hand.take()
            && self.waiting.iter().all(|waiting| waiting.proposal != proposal.number)
        {
            self.open.call_came(proposal.number, &Outcome::only(Came::NotRun));
        }
        let Some((code, verified)) = self.ended else { return };
        let under_way = self.under_way.as_ref().map(|under_way| (under_way.proposal, under_way.call));
        self.open.end(code, verified, self.used, under_way);
        self.open.iter_mut().for_each(|open| open.decider = Decider::Decided);
    }

    /// Whether the claim of the frame was accepted.
    fn close_claim(&mut self, frame: &Frame) {
        let suspended = frame.events.iter().any(|event| matches!(event, Event::Suspended { .. }));
        let came = match self.ended {
            Some((Code::Success, true)) => Came::Verified,
            Some((Code::Success, false)) => Came::Unverified,
            _ if self.groundless => Came::Failed,
            Some((Code::PartialSuccess, _)) => Came::Unverified,
            Some((Code::ValidationFail, _)) => Came::Failed,
            // Somebody stopped it before it was looked at.
            Some(_) => Came::NotRun,
            None if suspended => Came::NotRun,
            None => Came::Failed,
        };
        let claims = self.open.iter_mut().filter(|open| open.awaits == Awaits::Claim);
        claims.for_each(|open| open.come(Outcome::only(came)));
    }
}

/// Whether a call is made in a frame.
fn dispatches(frame: &Frame) -> bool {
    frame.events.iter().any(|event| matches!(event, Event::Dispatched { .. }))
}

fn came(outcome: CallOutcome) -> Came {
    match outcome {
        CallOutcome::Returned { ok: true, .. } => Came::Unverified,
        CallOutcome::Returned { ok: false, .. } => Came::Failed,
        CallOutcome::Rejected => Came::NotRun,
        CallOutcome::TimedOut => Came::TimedOut,
        CallOutcome::Infrastructure | CallOutcome::Unauthenticated => Came::Unavailable,
        CallOutcome::Unknown => Came::Unknown,
    }
}

fn did(decision: &Decision) -> Did {
    match decision {
        Decision::Approved { .. } | Decision::ApprovedFor { .. } | Decision::Standing { .. } => Did::Approved,
        Decision::Withdrawn { .. } => Did::Rejected,
        Decision::Signed { decision, .. } => did(decision),
        Decision::Rejected { .. } => Did::Rejected,
        Decision::Expired => Did::Expired,
        Decision::Unavailable => Did::Unavailable,
        Decision::Answered { .. } => Did::Answered,
        Decision::Accepted => Did::Accepted,
        Decision::Released { .. } => Did::Released,
        Decision::Resumed => Did::Resumed,
    }
}
