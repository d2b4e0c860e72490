//! How a run moves: an input wakes its node, rules lead along edges, slots are heard, demands are set
//! aside, until something is waited for or over.

use std::sync::Arc;

use countersign_spec::Mode;
use countersign_spec::budget::Demand;
use countersign_spec::graph::{Exit, NodeId, NodeKind};
use countersign_spec::state::StateKind;

use super::budget::{Refused, Reservation};
use super::halt::{self, StopCause};
use super::handed::{CallDecision, InputError, Sampled};
use super::joined::SlotVerdict;
use super::next::Next;
use super::progress::Watched;
use super::waiting::{Open, Stage, Then, Waiting};
use super::{MOST_MOVES, MOST_TAKEN_UP, Run, View, model};
use crate::contract::{Compliance, Dimension, Verdict};
use crate::contract::{Question, Slot};
use crate::record::effect::{Effect, Purpose};
use crate::record::event::{Event, Move};
use crate::record::input::{Decision, Input, Reply};
use crate::record::status::{Code, Status};

impl Run {
    pub(super) fn expect(&self, input: &Input) -> Result<(), InputError> {
        let refuse = |expected| Err(InputError::NotExpected { found: input.name(), expected });
        match (&self.waiting, input) {
            (Waiting::Nothing, _) => Err(InputError::Over),
            // A person costs no running time anyway.
            (Waiting::Person(_), Input::TakenUp { engine: None }) => refuse("a person's decision"),
            (_, Input::TakenUp { .. }) if self.view.taken_up() < MOST_TAKEN_UP => Ok(()),
            (_, Input::TakenUp { .. }) => {
                Err(InputError::Order("it was taken up again and again, and nothing came of it: the time counts"))
            }
            (_, Input::Cancelled) => Ok(()),
            (Waiting::Start, Input::Started) => Ok(()),
            (Waiting::Start, _) => refuse("its start"),
            (_, Input::Closed { .. }) if self.recorded() => Ok(()),
            (Waiting::Model(_) | Waiting::Person(_) | Waiting::Calls, Input::Closed { .. }) if self.agent_drives() => {
                Ok(())
            }
            // A call that is under way comes back whatever else is waited for.
            (_, Input::Observed { call, .. }) if self.proposals.is_sent(*call) => Ok(()),
            (_, Input::Verified { call, .. }) if self.proposals.is_verified(*call) => Ok(()),
            (_, Input::Decided { id, .. }) if self.approvals.was_taken(id) => {
                Err(InputError::Order("this entry of the inbox was taken before"))
            }
            (_, Input::Decided { .. }) if !self.approvals.takes_more() => {
                Err(InputError::Order("the run takes no more decisions than it has taken"))
            }
            (Waiting::Person(asked), Input::Decided { decision, .. }) => match decision.plain() {
                Decision::Withdrawn { standing } => self.expects_withdrawal(standing),
                Decision::Standing { standing } => self.standing_answers(asked, standing),
                decision => asked.expects(decision),
            },
            (Waiting::Person(_), _) => refuse("a person's decision"),
            (_, Input::Halted { .. }) => Ok(()),
            (Waiting::Model(call), Input::Message { .. }) if self.recorded() || !call.message => Ok(()),
            (Waiting::Model(_) | Waiting::Calls, Input::Refused { .. }) => Ok(()),
            (Waiting::Model(waiting), Input::Replied { call, reply, .. }) if *call == waiting.call => {
                check_reply(reply, matches!(waiting.purpose, Purpose::Patch(_)))
            }
            (Waiting::Model(_) | Waiting::Calls, Input::Decided { decision, .. }) if self.agent_drives() => {
                self.expects_of_parked(decision.plain())
            }
            (Waiting::Model(_), _) if self.agent_drives() => refuse("a proposal"),
            (Waiting::Model(_), _) => refuse("a model's reply"),
            (Waiting::Calls, _) if self.is_verifying() => refuse("a verification"),
            (Waiting::Calls, _) => refuse("a tool's answer"),
            (Waiting::Retry(waiting, _), Input::Waited { wait }) if wait == waiting => Ok(()),
            (Waiting::Retry(..), _) => refuse("the end of its wait"),
        }
    }

    fn is_verifying(&self) -> bool {
        self.proposals.oldest().is_some_and(|(_, verifying)| verifying.is_some())
    }

    /// What an input does at the node that the run stands at.
    pub(super) fn begin(&mut self, input: Input, in_time: bool) -> Next {
        match input {
            Input::Started => {
                self.waiting = Waiting::Nothing;
                self.enter()
            }
            Input::Message { text } => {
                if let Waiting::Model(call) = &mut self.waiting {
                    call.message = true;
                }
                self.context.carry(text.len() as u64);
                self.context.message(text);
                self.progress.person_spoke();
                self.used.person_spoke();
                self.clear_gap("a message");
                Next::Wait
            }
            Input::Replied { reply, usage, .. } => self.replied(reply, usage, in_time),
            Input::Observed { call, observation } => self.answered(call, observation, in_time),
            Input::Verified { call, verification } => self.looked(call, &verification, in_time),
            Input::Waited { .. } => self.waited(in_time),
            Input::Refused { bucket, dimension, demand, left } => {
                self.give_back();
                let reason = format!("{bucket}: {dimension} used up, {demand} wanted, {left} left");
                self.event(Event::BucketRefused { bucket, dimension });
                self.halt = Some(StopCause::bucket(reason));
                // Whatever the graph says of the run's own budget: this is not its own.
                Next::Interrupt(Exit::Halted)
            }
            Input::Halted { switch, reason, in_between } => {
                if in_between {
                    self.stop_awaiting();
                    self.waiting = Waiting::Nothing;
                } else {
                    self.give_back();
                }
                self.event(Event::Halted { switch: Arc::clone(&switch) });
                self.halt = Some(StopCause::halted(format!("{switch} is switched off: {reason}")));
                Next::Interrupt(Exit::Halted)
            }
            Input::Decided { id, by, decision, given } => {
                let decision = decision.into_plain();
                let given = given.map_or(self.at, |given| given.min(self.at));
                match self.waiting {
                    Waiting::Person(_) => self.decided(id, &by, decision, given),
                    _ => self.decide_parked(id, &by, decision, given),
                }
            }
            Input::TakenUp { .. } => Next::Wait,
            Input::Cancelled => {
                self.abandon();
                self.halt = Some(StopCause::ended(Code::UserCancel, "cancelled".to_owned()));
                Next::Interrupt(Exit::Cancelled)
            }
            Input::Closed { code } => {
                let what = if self.recorded() { "the recording is over" } else { "the agent is gone" };
                self.abandon();
                self.end(code, what.to_owned());
                Next::Wait
            }
        }
    }

    /// Follows rules until a node waits.
    pub(super) fn go(&mut self, mut next: Next) {
        let mut moves = 0;
        loop {
            let (on, to) = match next {
                Next::Wait => return self.rest(),
                Next::Leave(on) => self.edge(on),
                Next::Interrupt(on) => (on, self.place.interrupt(on)),
            };
            moves += 1;
            let Some(to) = to.filter(|_| moves <= MOST_MOVES) else {
                let halt = self.halt.take();
                let reason = halt.map_or_else(|| format!("no way on by `{on}`"), |halt| halt.reason);
                return self.end(Code::Impossible, reason);
            };
            let name = Arc::clone(self.place.name_of(to));
            if let Some(open) = &mut self.open {
                open.path.push(Move { on, to: name });
            }
            self.place.stand_at(to);
            next = self.enter();
        }
    }

    /// The edge of an exit, unless it was taken as often as it may be.
    pub(super) fn edge(&mut self, on: Exit) -> (Exit, Option<NodeId>) {
        match self.place.edge(on) {
            Ok(to) => (on, to),
            Err(limit) => {
                let reason = format!("`{}` was left by `{on}` {limit} times", self.place.name());
                self.halt = Some(StopCause::budget(reason, None));
                (Exit::OverBudget, self.place.interrupt(Exit::OverBudget))
            }
        }
    }

    /// The frame waits, for a judgement or to be closed. An agent may have several calls under way: the
    /// run does not stand with one of them, but where the next proposal comes in.
    fn rest(&mut self) {
        let asking = self.open.as_ref().is_some_and(|open| open.stage.is_some());
        if asking {
            return;
        }
        let kind = self.place.kind();
        match self.status {
            Status::Suspended(_) => self.place.return_to_rest(),
            Status::Running if self.agent_drives() && (kind.is_of_a_call() || kind == NodeKind::ToolInvocation) => {
                self.place.return_to_rest();
                if matches!(self.waiting, Waiting::Calls) {
                    self.offer_another();
                }
            }
            Status::Running | Status::Ended(_) => self.place.settle(),
        }
    }

    /// Begins the node that the run stands at.
    pub(super) fn enter(&mut self) -> Next {
        let kind = self.place.kind();
        if matches!(self.status, Status::Suspended(_)) && !kind.is_of_a_call() && !kind.is_terminal() {
            // A call came back while a person is waited for: it is taken in, and nothing goes on.
            return Next::Wait;
        }
        match kind {
            NodeKind::Intake => self.intake(),
            NodeKind::Classify => self.classify(),
            NodeKind::Scope => self.resolve_scope(),
            NodeKind::StateInit => self.initialise(),
            NodeKind::Plan => {
                // Going on: what would have ended the run is over.
                self.halt = None;
                self.draft_plan()
            }
            NodeKind::PlanValidation => self.validate_plan(),
            NodeKind::ActionSelection => self.select(),
            NodeKind::ToolEligibility => self.eligibility(),
            NodeKind::ToolInvocation => self.invoke(),
            NodeKind::ObservationCapture => self.capture(),
            NodeKind::ObservationVerification => self.verification(),
            NodeKind::Repair => self.repair(),
            NodeKind::AskUser => self.ask_user(),
            NodeKind::Escalate => self.hand_over(),
            NodeKind::StateUpdate => self.update_state(),
            NodeKind::CompletionCheck => self.check_completion(),
            NodeKind::Finalise => self.finalise(),
            NodeKind::MemoryWrite => self.write_memories(),
            NodeKind::Terminate => {
                let halt = self.halt.take();
                let last = self.open.as_ref().and_then(|open| open.path.last()).map(|step| step.on);
                let halt = halt.unwrap_or_else(|| {
                    let how = last.map_or_else(|| "at once".to_owned(), |on| format!("when something was `{on}`"));
                    StopCause::ended(Code::Impossible, format!("the graph ends the run {how}"))
                });
                self.end(halt.code, halt.reason);
                Next::Wait
            }
        }
    }

    /// Verdicts and rules block.
    pub(super) fn enforces(&self) -> bool {
        self.manifest.mode == Mode::Enforce
    }

    /// Nothing is called: it has long happened.
    pub(super) fn recorded(&self) -> bool {
        self.manifest.mode == Mode::Recorded
    }

    /// Whether a rule of the host that has found something blocks; in monitor mode it is only recorded.
    pub(super) fn blocks(&mut self, rule: &str, verdict: Verdict, reason: &str) -> bool {
        match self.manifest.mode {
            Mode::Enforce => true,
            Mode::Monitor => {
                self.event(Event::WouldHave { verdict, by: rule.into(), reason: reason.to_owned() });
                false
            }
            Mode::Recorded => false,
        }
    }

    pub(super) fn view_mut(&mut self) -> &mut View {
        Arc::make_mut(&mut self.view)
    }

    pub(super) fn event(&mut self, event: Event) {
        if let Some(open) = &mut self.open {
            open.events.push(event);
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        if let Some(open) = &mut self.open {
            open.effects.push(effect);
        }
    }

    /// Sets a demand aside. Outside enforcement nothing is: what is used is booked all the same.
    pub(super) fn reserve(&mut self, demand: Demand) -> Result<Option<Reservation>, Refused> {
        if self.recorded() {
            return Ok(None);
        }
        match self.view_mut().reserve(demand) {
            Ok(reservation) => Ok(Some(reservation)),
            Err(refused) => {
                self.event(Event::BudgetRefused {
                    dimension: refused.dimension,
                    demand: refused.demand,
                    left: refused.left,
                });
                let reason = format!("{} used up", refused.dimension);
                if self.blocks("budget", Verdict::Terminate, &reason) || self.is_over_a_ceiling(&demand) {
                    Err(refused)
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// An operator's ceiling holds even where nothing else blocks.
    pub(super) fn is_over_a_ceiling(&self, demand: &Demand) -> bool {
        Dimension::ALL.into_iter().any(|dimension| {
            let used = self.view.budget(dimension).used;
            used.saturating_add(demand.of(dimension)) > self.manifest.ceilings.of(dimension)
        })
    }

    /// Gives back or books what an effect has used.
    pub(super) fn settle(&mut self, reservation: Option<Reservation>, used: Demand) {
        match reservation {
            Some(reservation) => self.view_mut().settle(reservation, used),
            None => self.view_mut().book(used),
        }
    }

    /// Whatever is under way is not waited for: it may well have been done, so it is booked.
    pub(super) fn abandon(&mut self) {
        if let Waiting::Model(call) = std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            let used = call.reservation.as_ref().map(|reservation| *reservation.demand()).unwrap_or_default();
            self.settle(call.reservation, used);
        }
        for (_, call) in self.proposals.abandon() {
            if let Some(call) = call {
                self.settle(call.reservation, call.demand);
            }
        }
    }

    /// What was about to be done is not done: the model call, or the call that was sent by the last frame.
    pub(super) fn give_back(&mut self) {
        let last = self.proposals.calls().checked_sub(1);
        // What an agent was permitted earlier is under way, whatever is switched off now.
        let sent = last.filter(|call| !self.agent_drives() || self.proposals.sent_by(*call) + 1 == self.frames);
        if let Some(call) = sent.and_then(|call| self.proposals.take_sent(call)) {
            self.event(Event::Withdrawn { call: call.call.id() });
            let unspent = self.approvals.unspend(call.proposal.approved_as(&self.manifest.tools));
            if let Some(fingerprint) = unspent {
                self.event(Event::ApprovalReturned { fingerprint });
            }
            if let Some(reservation) = call.reservation {
                self.view_mut().settle(reservation, Demand::default());
            }
        }
        self.stop_awaiting();
        self.waiting = Waiting::Nothing;
    }

    /// Nobody is waited for with a proposal any more, or with a reply.
    pub(super) fn stop_awaiting(&mut self) {
        if let Waiting::Model(call) = std::mem::replace(&mut self.waiting, Waiting::Nothing)
            && let Some(reservation) = call.reservation
        {
            self.view_mut().settle(reservation, Demand::default());
        }
    }

    /// What became of the proposal that the frame holds.
    pub(super) fn decision(&self, open: &Open) -> Option<CallDecision> {
        if !matches!(open.input, Input::Replied { .. }) {
            return None;
        }
        let stopped = open.events.iter().rev().find_map(|event| match event {
            Event::Suspended { code, report } => Some((*code, report.reason.clone())),
            Event::Ended { code, reason, .. } => Some((*code, reason.clone())),
            _ => None,
        });
        Some(match stopped {
            Some((code, reason)) => CallDecision::Stopped { code, reason },
            None => open.decision.clone().unwrap_or(CallDecision::Noted),
        })
    }

    /// Something was decided on the proposal of the open frame.
    pub(super) fn decide(&mut self, decision: CallDecision) {
        if let Some(open) = &mut self.open {
            open.decision = Some(decision);
        }
    }

    /// Puts a question to a slot; when nobody serves it, says so and goes on at once.
    pub(super) fn ask(&mut self, question: Question, then: Then) -> Next {
        let slot = question.slot();
        if self.manifest.entries_in(slot).next().is_none() {
            self.event(Event::NotJudged { slot });
            if self.sampling {
                self.sample(&Arc::new(question), None);
            }
            return self.then(SlotVerdict::default(), then);
        }
        if let Some(open) = &mut self.open {
            let (key, question) = (question.key(), Arc::new(question));
            open.stage = Some(Stage { question, key, next: 0, joined: SlotVerdict::default(), then });
        }
        Next::Wait
    }

    pub(super) fn sample(&mut self, question: &Arc<Question>, verdict: Option<Verdict>) {
        if !self.sampling {
            return;
        }
        let (question, view) = (Arc::clone(question), Arc::clone(&self.view));
        if let Some(open) = &mut self.open {
            open.sampled.push(Sampled { question, view, verdict });
        }
    }

    /// A slot has been heard.
    pub(super) fn heard(&mut self, slot: Slot, mut joined: SlotVerdict, then: Then) -> Next {
        let verdict = joined.verdict();
        // Why the run just goes on stands in the judgements of the frame.
        let reason = if verdict > Verdict::Proceed { joined.reason.clone() } else { String::new() };
        self.event(Event::Verdict { slot, verdict, by: joined.by.clone(), reason });
        if !self.enforces() && verdict > Verdict::Notify {
            let reason = std::mem::take(&mut joined.reason);
            self.event(Event::WouldHave { verdict, by: slot.name().into(), reason });
            joined.verdict = Some(Verdict::Proceed);
        } else if verdict == Verdict::Notify && !self.is_mere_reading(&then) {
            self.notify(format!("{slot}: {}", joined.reason));
        }
        self.then(joined, then)
    }

    pub(super) fn then(&mut self, joined: SlotVerdict, then: Then) -> Next {
        match then {
            Then::RatedTask => self.rated_task(&joined),
            Then::ScreenedTask => self.screened_task(&joined),
            Then::Route => self.route(joined),
            Then::Assign(queue) => self.assigned(joined, queue),
            Then::RatedWords(purpose) => self.rated_words(&joined, *purpose),
            Then::Relieve(purpose) => self.relieved(joined, *purpose),
            Then::Act(action) => self.trusted(joined, *action),
            Then::ScreenedWords(action) => self.screened_words(&joined, *action),
            Then::ScreenedCall(proposal) => self.screened_call(joined, *proposal),
            Then::Assess(proposal) => self.risk_heard(joined, *proposal),
            Then::WeighedNext(heard) => {
                let (risk, proposal) = *heard;
                self.next_weighed(risk, &joined, proposal)
            }
            Then::RatedResult => self.rated_result(&joined),
            Then::ScreenedResult => self.screened_result(&joined),
            Then::Remedied => self.remedied_result(&joined),
            Then::Watch(exit) => {
                self.progress.watch(Watched { verdict: joined.verdict(), reason: joined.reason });
                Next::Leave(exit)
            }
            Then::Weighed => match self.weighed(joined) {
                Some(next) => next,
                None => self.enter(),
            },
            Then::Estimate => self.estimated(&joined),
        }
    }

    /// A call of the agent's own that changes nothing. How sure the agent is of it no host knows, so that the risk slot
    /// can never be surer of one than of another: its note stands in the trace, and the queue of reviewers stays for
    /// what somebody can act on.
    fn is_mere_reading(&self, then: &Then) -> bool {
        let Then::Assess(proposal) = then else { return false };
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        let reads = tool.is_some_and(|tool| !tool.mutating() && tool.compliance == Compliance::None);
        reads && self.agent_drives() && self.models.confidence().is_none()
    }

    /// Tells reviewers, as long as they have room.
    pub(super) fn notify(&mut self, text: String) {
        if !self.approvals.tell_reviewers(self.manifest.rules.review_capacity) {
            return self.event(Event::ReviewDeferred { text });
        }
        self.event(Event::Notified { text: text.clone() });
        self.effect(Effect::Notify { text });
    }

    pub(super) fn end(&mut self, code: Code, reason: String) {
        let verified = self.evidence.is_complete();
        // What was proposed and never came to be written is not lost without a word.
        for memory in self.memories.take_kept() {
            let reason = format!("the run ended with {code}");
            self.event(Event::WriteRefused { state: StateKind::Memory, key: memory.key, reason });
        }
        self.abandon();
        self.status = Status::Ended(code);
        let frames = self.frames + 1;
        let authority = (!self.recorded()).then(|| halt::state_of(code)).flatten();
        let authority = authority.map(|state| countersign_spec::routing::route(&self.manifest.escalation.table, state));
        self.event(Event::Ended { code, verified, reason: reason.clone(), authority: authority.clone(), frames });
        self.effect(Effect::End { code, reason, authority });
    }
}

/// Whether the numbers in a reply are ones that the contract allows.
fn check_reply(reply: &Reply, patch: bool) -> Result<(), InputError> {
    match reply {
        Reply::Step(step) => {
            if patch {
                return Err(InputError::NotExpected { found: "a step", expected: "a patch" });
            }
            let word = step.confidence.map(model::verbalised);
            word.iter().chain(&step.signals).try_for_each(|signal| signal.check().map_err(InputError::Violation))
        }
        Reply::Patch { .. } if !patch => Err(InputError::NotExpected { found: "a patch", expected: "a step" }),
        _ => Ok(()),
    }
}
