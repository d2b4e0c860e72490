//! How a run moves: an input wakes its node, rules lead along edges, slots are heard, demands are set
//! aside, until something is waited for or over.

use std::sync::Arc;

use super::halt::{self, Halt};
use super::joined::Joined;
use super::{InputError, MOST_MOVES, Next, Overheard, Run, Stage, Then, View, Waiting, Watched, model};
use crate::budget::{Demand, Refused, Reservation};
use crate::contract::{Dimension, Verdict};
use crate::contract::{Question, Slot};
use crate::effect::{Effect, Purpose};
use crate::event::{Event, Move};
use crate::graph::{Exit, NodeId, NodeKind};
use crate::input::{Input, Reply};
use crate::manifest::Mode;
use crate::state::StateKind;
use crate::status::{Code, Status};

impl Run {
    pub(super) fn expect(&self, input: &Input) -> Result<(), InputError> {
        let refuse = |expected| Err(InputError::NotExpected { found: input.name(), expected });
        match (&self.waiting, input) {
            (Waiting::Nothing, _) => Err(InputError::Over),
            (_, Input::Cancelled) => Ok(()),
            (Waiting::Start, Input::Started) => Ok(()),
            (Waiting::Start, _) => refuse("its start"),
            (_, Input::Closed { .. }) if self.recorded() => Ok(()),
            (Waiting::Model(_) | Waiting::Person(_), Input::Closed { .. }) if self.agent_drives() => Ok(()),
            (Waiting::Person(asked), Input::Decided { id, decision, .. }) => {
                if self.decided.contains(id) {
                    return Err(InputError::Order("this entry of the inbox was taken before"));
                }
                asked.expects(decision)
            }
            (Waiting::Person(_), _) => refuse("a person's decision"),
            (_, Input::Halted { .. }) => Ok(()),
            (Waiting::Model(call), Input::Message { .. }) if self.recorded() || !call.message => Ok(()),
            (Waiting::Model(_) | Waiting::Tool(_), Input::Refused { .. }) => Ok(()),
            (Waiting::Model(waiting), Input::Replied { call, reply, .. }) if *call == waiting.call => {
                check_reply(reply, matches!(waiting.purpose, Purpose::Patch(_)))
            }
            (Waiting::Model(_), Input::Decided { id, decision, .. }) if self.agent_drives() => {
                if self.decided.contains(id) {
                    return Err(InputError::Order("this entry of the inbox was taken before"));
                }
                self.expects_of_parked(decision)
            }
            (Waiting::Model(_), _) if self.agent_drives() => refuse("a proposal"),
            (Waiting::Model(_), _) => refuse("a model's reply"),
            (Waiting::Tool(waiting), Input::Observed { call, .. }) if *call == waiting.call.id() => Ok(()),
            (Waiting::Tool(_), _) => refuse("a tool's answer"),
            (Waiting::Verifier(waiting), Input::Verified { call, .. }) if *call == waiting.id() => Ok(()),
            (Waiting::Verifier(..), _) => refuse("a verification"),
            (Waiting::Retry(waiting, _), Input::Waited { wait }) if wait == waiting => Ok(()),
            (Waiting::Retry(..), _) => refuse("the end of its wait"),
        }
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
                self.history_bytes = self.history_bytes.saturating_add(text.len() as u64);
                self.message = Some(text);
                self.unrated = true;
                self.user_boundary = true;
                self.clear_gap("a message");
                Next::Wait
            }
            Input::Replied { reply, usage, .. } => self.replied(reply, usage, in_time),
            Input::Observed { observation, .. } => self.answered(observation, in_time),
            Input::Verified { verification, .. } => self.looked(&verification, in_time),
            Input::Waited { .. } => self.waited(in_time),
            Input::Refused { bucket, dimension, demand, left } => {
                self.give_back();
                let reason = format!("{bucket}: {dimension} used up, {demand} wanted, {left} left");
                self.event(Event::BucketRefused { bucket, dimension });
                self.halt = Some(Halt::bucket(reason));
                // Whatever the graph says of the run's own budget: this is not its own.
                Next::Interrupt(Exit::Halted)
            }
            Input::Halted { switch, reason } => {
                self.give_back();
                self.event(Event::Halted { switch: Arc::clone(&switch) });
                self.halt = Some(Halt::halted(format!("{switch} is switched off: {reason}")));
                Next::Interrupt(Exit::Halted)
            }
            Input::Decided { id, by, decision } if matches!(self.waiting, Waiting::Model(_)) => {
                self.decide_parked(id, &by, decision)
            }
            Input::Decided { id, by, decision } => self.decided(id, &by, decision),
            Input::Cancelled => {
                self.abandon();
                self.halt = Some(Halt::ended(Code::UserCancel, "cancelled".to_owned()));
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
                Next::Wait => return,
                Next::Leave(on) => self.edge(on),
                Next::Interrupt(on) => (on, self.graph.interrupt(on)),
            };
            moves += 1;
            let Some(to) = to.filter(|_| moves <= MOST_MOVES) else {
                let halt = self.halt.take();
                let reason = halt.map_or_else(|| format!("no way on by `{on}`"), |halt| halt.reason);
                return self.end(Code::Impossible, reason);
            };
            let name = Arc::clone(self.graph.name(to));
            if let Some(open) = &mut self.open {
                open.path.push(Move { on, to: name });
            }
            self.node = to;
            next = self.enter();
        }
    }

    /// The edge of an exit, unless it was taken as often as it may be.
    pub(super) fn edge(&mut self, on: Exit) -> (Exit, Option<NodeId>) {
        if let Some(limit) = self.graph.limit(self.node, on) {
            let taken = self.taken.entry((self.node, on)).or_default();
            if *taken >= limit {
                let reason = format!("`{}` was left by `{on}` {limit} times", self.graph.name(self.node));
                self.halt = Some(Halt::budget(reason, None));
                return (Exit::OverBudget, self.graph.interrupt(Exit::OverBudget));
            }
            *taken += 1;
        }
        (on, self.graph.next(self.node, on))
    }

    /// Begins the node that the run stands at.
    pub(super) fn enter(&mut self) -> Next {
        match self.graph.kind(self.node) {
            NodeKind::Intake => self.intake(),
            NodeKind::Classify => self.classify(),
            NodeKind::Scope => Next::Leave(Exit::Resolved),
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
            NodeKind::Finalise => Next::Leave(Exit::Finalised),
            NodeKind::MemoryWrite => self.write_memories(),
            NodeKind::Terminate => {
                let halt = self.halt.take();
                let last = self.open.as_ref().and_then(|open| open.path.last()).map(|step| step.on);
                let halt = halt.unwrap_or_else(|| {
                    let how = last.map_or_else(|| "at once".to_owned(), |on| format!("when something was `{on}`"));
                    Halt::ended(Code::Impossible, format!("the graph ends the run {how}"))
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
        match self.view_mut().budget.reserve(demand) {
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
            Some(reservation) => self.view_mut().budget.settle(reservation, used),
            None => self.view_mut().budget.book(used),
        }
    }

    /// Whatever is under way is not waited for: it may well have been done, so it is booked.
    pub(super) fn abandon(&mut self) {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Model(call) => self.settle(call.reservation, Demand::default()),
            Waiting::Tool(call) => self.settle(call.reservation, call.demand),
            _ => {}
        }
    }

    /// What was about to be done is not done.
    pub(super) fn give_back(&mut self) {
        let reservation = match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Model(call) => call.reservation,
            Waiting::Tool(call) => {
                self.event(Event::Withdrawn { call: call.call.id() });
                call.reservation
            }
            _ => None,
        };
        if let Some(reservation) = reservation {
            self.view_mut().budget.settle(reservation, Demand::default());
        }
    }

    /// Puts a question to a slot; when nobody serves it, says so and goes on at once.
    pub(super) fn ask(&mut self, question: Question, then: Then) -> Next {
        let slot = question.slot();
        if self.manifest.entries_in(slot).next().is_none() {
            self.event(Event::NotJudged { slot });
            if self.overhear {
                self.let_overhear(&Arc::new(question), None);
            }
            return self.then(Joined::default(), then);
        }
        if let Some(open) = &mut self.open {
            open.stage = Some(Stage { question: Arc::new(question), next: 0, joined: Joined::default(), then });
        }
        Next::Wait
    }

    pub(super) fn let_overhear(&mut self, question: &Arc<Question>, verdict: Option<Verdict>) {
        if !self.overhear {
            return;
        }
        let (question, view) = (Arc::clone(question), Arc::clone(&self.view));
        if let Some(open) = &mut self.open {
            open.overheard.push(Overheard { question, view, verdict });
        }
    }

    /// A slot has been heard.
    pub(super) fn heard(&mut self, slot: Slot, mut joined: Joined, then: Then) -> Next {
        let verdict = joined.verdict();
        self.event(Event::Verdict { slot, verdict, by: joined.by.clone(), reason: joined.reason.clone() });
        if !self.enforces() && verdict > Verdict::Notify {
            let reason = std::mem::take(&mut joined.reason);
            self.event(Event::WouldHave { verdict, by: slot.name().into(), reason });
            joined.verdict = Some(Verdict::Proceed);
        } else if verdict == Verdict::Notify {
            self.notify(format!("{slot}: {}", joined.reason));
        }
        self.then(joined, then)
    }

    pub(super) fn then(&mut self, joined: Joined, then: Then) -> Next {
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
                self.watched = Some(Watched { verdict: joined.verdict(), reason: joined.reason });
                Next::Leave(exit)
            }
            Then::Weighed => match self.weighed(joined) {
                Some(next) => next,
                None => self.enter(),
            },
            Then::Estimate => self.estimated(&joined),
        }
    }

    /// Tells reviewers, as long as they have room.
    pub(super) fn notify(&mut self, text: String) {
        if self.manifest.rules.review_capacity.is_some_and(|most| self.reviews >= most) {
            return self.event(Event::ReviewDeferred { text });
        }
        self.reviews += 1;
        self.event(Event::Notified { text: text.clone() });
        self.effect(Effect::Notify { text });
    }

    pub(super) fn end(&mut self, code: Code, reason: String) {
        let verified = !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met);
        // What was proposed and never came to be written is not lost without a word.
        for memory in std::mem::take(&mut self.memories) {
            let reason = format!("the run ended with {code}");
            self.event(Event::WriteRefused { state: StateKind::Memory, key: memory.key, reason });
        }
        self.status = Status::Ended(code);
        self.waiting = Waiting::Nothing;
        let frames = self.frames + 1;
        let authority = (!self.recorded()).then(|| halt::state_of(code)).flatten();
        let authority = authority.map(|state| crate::routing::route(&self.manifest.escalation.table, state));
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
