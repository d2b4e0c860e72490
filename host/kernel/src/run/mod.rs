//! The state machine: one input opens a frame, judgements fill it, `close` ends it.

mod escalate;
mod step;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::budget::{Demand, Reservation};
use crate::contract::classifier::PlanningMode;
use crate::contract::{Key, Tier, Verdict, Violation};
use crate::effect::Effect;
use crate::event::Event;
use crate::frame::Frame;
use crate::grounding::{Attempted, Call, Observed};
use crate::input::{Input, Reply};
use crate::judgement::{Answered, Judged, Judgement, Question, Slot};
use crate::manifest::{Manifest, ManifestError, Mode};
use crate::packet::Report;
use crate::status::{Code, Status};

pub use view::View;

use step::Proposal;

/// A run: the fold of its recorded inputs.
#[derive(Debug)]
pub struct Run {
    manifest: Arc<Manifest>,
    /// What policies see. Shared with a request while a policy is called, and only then.
    view: Arc<View>,
    status: Status,
    waiting: Waiting,
    open: Option<Open>,
    /// Frames closed, the manifest included.
    frames: u64,
    at: u64,

    tier: Tier,
    planning: PlanningMode,
    max_escalations: u32,
    escalations: u32,
    model_calls: u64,
    tool_calls: u64,
    /// Fused confidence in the answer at hand.
    confidence: Option<f64>,
    attempts: Attempts,
    guidance: Option<Arc<str>>,
    notice: Option<String>,
    message: Option<Arc<str>>,
    /// A person has spoken since the last observed step.
    user_boundary: bool,
    last_valid_state: String,
    error_signals: VecDeque<String>,
    snippet: String,
    recent: VecDeque<(Arc<str>, Arc<str>)>,
    /// Bytes that a loop without packets would have carried along.
    history_bytes: u64,
    criteria: Vec<CriterionState>,
    calls_seen: VecDeque<Key>,
    tools_used: Vec<Arc<str>>,
    denied: VecDeque<Key>,
    committed: u32,
}

/// What the run waits for.
#[derive(Debug)]
enum Waiting {
    Start,
    Model(ModelCall),
    Tool(ToolCall),
    Verifier(Call<Observed>, Watched),
    Person,
    Nothing,
}

#[derive(Debug)]
struct ModelCall {
    call: u64,
    patch: bool,
    /// None in monitor mode, where nothing is set aside.
    reservation: Option<Reservation>,
    /// A message was taken since the call.
    message: bool,
}

#[derive(Debug)]
struct ToolCall {
    call: Call<Attempted>,
    proposal: Proposal,
    reservation: Option<Reservation>,
}

/// What the doom-loop slot said of a step, kept until its verifier has spoken.
#[derive(Debug, Clone)]
struct Watched {
    verdict: Verdict,
    reason: String,
}

/// Failed attempts at one step.
#[derive(Debug, Default)]
struct Attempts {
    step: Option<Arc<str>>,
    failed: u32,
}

#[derive(Debug, Clone)]
struct CriterionState {
    met: bool,
    /// Its tool only reads: a later change makes it stale.
    reading: bool,
}

/// The frame being filled.
#[derive(Debug)]
struct Open {
    at: u64,
    input: Input,
    judgements: Vec<Judgement>,
    events: Vec<Event>,
    effects: Vec<Effect>,
    stage: Option<Stage>,
}

/// A slot being heard.
#[derive(Debug)]
struct Stage {
    question: Arc<Question>,
    /// Position among the slot's entries of the one to be asked.
    next: usize,
    joined: Joined,
    then: Then,
}

/// The join of a slot's answers so far.
#[derive(Debug, Default)]
struct Joined {
    verdict: Option<Verdict>,
    by: Vec<Arc<str>>,
    reason: String,
    /// Lowest confidence score.
    score: Option<f64>,
    classification: Option<crate::contract::classifier::Classification>,
}

/// How to go on once a slot has been heard.
#[derive(Debug)]
enum Then {
    Route,
    Act(crate::input::Action),
    Dispatch(Proposal),
    /// A tool has answered.
    Settle(Option<Call<Observed>>, Option<usize>),
    /// Nothing was called: blocked, or only words.
    GoOn {
        failed: bool,
    },
}

/// A question for one entry.
#[derive(Debug)]
pub struct Request<'a> {
    /// Position of the entry in the manifest.
    pub entry: usize,
    /// What to ask.
    pub question: &'a Arc<Question>,
    /// What the policy may read. Dropped before the answer is given, or the next change copies it.
    pub view: Arc<View>,
}

/// A closed frame and what may now be done.
#[derive(Debug)]
pub struct Closed {
    /// To be made durable first.
    pub frame: Frame,
    /// To be started then, in order.
    pub effects: Vec<Effect>,
}

/// An input or answer that the run does not expect. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The run is over.
    #[error("the run has ended")]
    Over,
    /// It waits for something else.
    #[error("the run does not expect {found}, it waits for {expected}")]
    NotExpected {
        /// What came.
        found: &'static str,
        /// What was to come.
        expected: &'static str,
    },
    /// Time ran backwards.
    #[error("time went back from {last} to {found} ms")]
    Time {
        /// Of the last input.
        last: u64,
        /// Of this one.
        found: u64,
    },
    /// A number that the contract does not allow.
    #[error("{0}")]
    Violation(Violation),
    /// A frame is open, or none is.
    #[error("{0}")]
    Order(&'static str),
}

/// A frame that the fold does not give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The input is not possible here.
    #[error("its input is not possible here: {0}")]
    Input(#[from] InputError),
    /// Another question would have been asked.
    #[error("judgement {index} does not answer what the run asks: {problem}")]
    Judgement {
        /// Position in the frame.
        index: usize,
        /// What differs.
        problem: &'static str,
    },
    /// The same inputs and answers give other events.
    #[error("its events do not follow from its input and judgements")]
    Events,
}

impl Run {
    /// A run that has not started.
    ///
    /// # Errors
    /// A manifest that makes no sense, or of another version of the fold.
    pub fn open(manifest: Arc<Manifest>) -> Result<Run, ManifestError> {
        manifest.check()?;
        let criteria = manifest
            .goal
            .criteria
            .iter()
            .map(|criterion| CriterionState {
                met: false,
                reading: manifest.tool(&criterion.tool).is_some_and(|tool| !tool.mutating),
            })
            .collect();
        Ok(Run {
            view: Arc::new(View::new(&manifest)),
            status: Status::Running,
            waiting: Waiting::Start,
            open: None,
            frames: 1,
            at: 0,
            tier: manifest.models.first().map_or(Tier::Cheap, |model| model.tier),
            planning: PlanningMode::Act,
            max_escalations: manifest.escalation.max_escalations,
            escalations: 0,
            model_calls: 0,
            tool_calls: 0,
            confidence: None,
            attempts: Attempts::default(),
            guidance: None,
            notice: None,
            message: None,
            user_boundary: false,
            last_valid_state: "nothing has been done yet".to_owned(),
            error_signals: VecDeque::new(),
            snippet: String::new(),
            recent: VecDeque::new(),
            history_bytes: 0,
            criteria,
            calls_seen: VecDeque::new(),
            tools_used: Vec::new(),
            denied: VecDeque::new(),
            committed: 0,
            manifest,
        })
    }

    /// What the run is pinned to.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What policies see of it now.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Frames closed so far, the manifest included: the number of the next one.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Size in tokens of what a loop without packets would have carried along, estimated as a
    /// quarter of its bytes.
    pub fn history_tokens(&self) -> u64 {
        crate::packet::tokens(self.history_bytes)
    }

    /// Opens a frame with an input.
    ///
    /// # Errors
    /// An input that the run does not expect; nothing has changed then.
    pub fn accept(&mut self, at: u64, input: Input) -> Result<(), InputError> {
        if self.open.is_some() {
            return Err(InputError::Order("the frame before is still open"));
        }
        if at < self.at {
            return Err(InputError::Time { last: self.at, found: at });
        }
        self.expect(&input)?;
        let in_time = self.status != Status::Running || self.view_mut_time(at - self.at);
        self.at = at;
        self.open = Some(Open {
            at,
            input: input.clone(),
            judgements: Vec::new(),
            events: Vec::new(),
            effects: Vec::new(),
            stage: None,
        });
        self.begin(input, in_time);
        Ok(())
    }

    /// The next question of the open frame; none when it can be closed.
    pub fn request(&self) -> Option<Request<'_>> {
        let stage = self.open.as_ref()?.stage.as_ref()?;
        let entry = self.manifest.entries_in(stage.question.slot()).nth(stage.next)?;
        Some(Request { entry, question: &stage.question, view: Arc::clone(&self.view) })
    }

    /// Judgements of the open frame so far.
    pub fn open_judgements(&self) -> &[Judgement] {
        self.open.as_ref().map_or(&[], |open| &open.judgements)
    }

    /// Answers the question that [`Run::request`] gives.
    ///
    /// # Errors
    /// When nothing was asked, or the answer is not one the contract allows to this question.
    pub fn answer(&mut self, judged: Judged) -> Result<(), InputError> {
        const NOTHING: InputError = InputError::Order("nothing was asked");
        let entry = self.request().ok_or(NOTHING)?.entry;
        let Some(open) = self.open.as_mut() else { return Err(NOTHING) };
        let Some(stage) = open.stage.as_mut() else { return Err(NOTHING) };
        judged.answer.check(&stage.question).map_err(InputError::Violation)?;
        let pin = &self.manifest.entries[entry];
        let slot = stage.question.slot();
        let failure_verdict = pin.slots.iter().find(|pin| pin.slot == slot).map(|pin| pin.failure_verdict);
        stage.joined.add(&pin.name, &judged.answer, failure_verdict.unwrap_or(Verdict::Ask));
        open.judgements.push(Judgement {
            entry: Arc::clone(&pin.name),
            policy: Arc::clone(&pin.component),
            question: Arc::clone(&stage.question),
            reads: judged.reads,
            answer: judged.answer,
            fuel: judged.fuel,
        });
        stage.next += 1;
        if self.manifest.entries_in(slot).nth(stage.next).is_none() {
            let stage = open.stage.take();
            if let Some(stage) = stage {
                self.heard(slot, stage.joined, stage.then);
            }
        }
        Ok(())
    }

    /// Closes the open frame.
    ///
    /// # Errors
    /// When no frame is open, or a question is.
    pub fn close(&mut self) -> Result<Closed, InputError> {
        match &self.open {
            None => return Err(InputError::Order("no frame is open")),
            Some(open) if open.stage.is_some() => return Err(InputError::Order("a question is open")),
            Some(_) => {}
        }
        let Some(open) = self.open.take() else { return Err(InputError::Order("no frame is open")) };
        let frame = Frame {
            frame: self.frames,
            at: open.at,
            input: open.input,
            judgements: open.judgements,
            events: open.events,
        };
        self.frames += 1;
        Ok(Closed { frame, effects: open.effects })
    }

    /// Folds a recorded frame: no policy is called.
    ///
    /// # Errors
    /// When the frame does not follow from the ones before it.
    pub fn fold(&mut self, frame: &Frame) -> Result<Vec<Effect>, FoldError> {
        self.accept(frame.at, frame.input.clone())?;
        for (index, judgement) in frame.judgements.iter().enumerate() {
            let differs = |problem| FoldError::Judgement { index, problem };
            let request = self.request().ok_or_else(|| differs("nothing is asked here"))?;
            if self.manifest.entries[request.entry].name != judgement.entry {
                return Err(differs("another entry is asked"));
            }
            if self.manifest.entries[request.entry].component != judgement.policy {
                return Err(differs("another component than the run is pinned to"));
            }
            if **request.question != *judgement.question {
                return Err(differs("the question is another"));
            }
            drop(request);
            self.answer(Judged {
                answer: judgement.answer.clone(),
                reads: judgement.reads.clone(),
                fuel: judgement.fuel,
            })?;
        }
        let closed = self.close()?;
        if closed.frame.events != frame.events || closed.frame.frame != frame.frame {
            return Err(FoldError::Events);
        }
        Ok(closed.effects)
    }

    fn expect(&self, input: &Input) -> Result<(), InputError> {
        let refuse = |found, expected| Err(InputError::NotExpected { found, expected });
        let monitor = self.manifest.mode == Mode::Monitor;
        match (&self.waiting, input) {
            (Waiting::Nothing, _) => Err(InputError::Over),
            (_, Input::Cancelled) => Ok(()),
            (Waiting::Start, Input::Started) => Ok(()),
            (Waiting::Start, _) => refuse(input.name(), "its start"),
            (_, Input::Closed { .. }) if monitor => Ok(()),
            (Waiting::Model(call), Input::Message { .. }) if monitor || !call.message => Ok(()),
            (Waiting::Model(waiting), Input::Replied { call, reply, .. }) if *call == waiting.call => {
                check_reply(reply, waiting.patch)
            }
            (Waiting::Model(_), _) => refuse(input.name(), "a model's reply"),
            (Waiting::Tool(waiting), Input::Observed { call, .. }) if *call == waiting.call.id() => Ok(()),
            (Waiting::Tool(_), _) => refuse(input.name(), "a tool's answer"),
            (Waiting::Verifier(waiting, _), Input::Verified { call, .. }) if *call == waiting.id() => Ok(()),
            (Waiting::Verifier(..), _) => refuse(input.name(), "a verification"),
            (Waiting::Person, _) => refuse(input.name(), "a person"),
        }
    }

    fn monitor(&self) -> bool {
        self.manifest.mode == Mode::Monitor
    }

    fn view_mut(&mut self) -> &mut View {
        Arc::make_mut(&mut self.view)
    }

    fn view_mut_time(&mut self, milliseconds: u64) -> bool {
        self.view_mut().budget.run_for(milliseconds) || self.monitor()
    }

    fn event(&mut self, event: Event) {
        if let Some(open) = &mut self.open {
            open.events.push(event);
        }
    }

    fn effect(&mut self, effect: Effect) {
        if let Some(open) = &mut self.open {
            open.effects.push(effect);
        }
    }

    /// Puts a question to a slot; when nobody serves it, says so and goes on at once.
    fn ask(&mut self, question: Question, then: Then) {
        let slot = question.slot();
        if self.manifest.entries_in(slot).next().is_none() {
            self.event(Event::NotJudged { slot });
            self.then(Joined::default(), then);
        } else if let Some(open) = &mut self.open {
            open.stage = Some(Stage { question: Arc::new(question), next: 0, joined: Joined::default(), then });
        }
    }

    /// A slot has been heard.
    fn heard(&mut self, slot: Slot, mut joined: Joined, then: Then) {
        let verdict = joined.verdict.unwrap_or(Verdict::Proceed);
        self.event(Event::Verdict { slot, verdict, by: std::mem::take(&mut joined.by), reason: joined.reason.clone() });
        if self.monitor() && verdict > Verdict::Notify {
            self.event(Event::WouldHave { verdict, slot, reason: std::mem::take(&mut joined.reason) });
            joined.verdict = Some(Verdict::Proceed);
        } else if verdict == Verdict::Notify {
            let text = format!("{slot}: {}", joined.reason);
            self.event(Event::Notified { text: text.clone() });
            self.effect(Effect::Notify { text });
        }
        self.then(joined, then);
    }

    fn then(&mut self, joined: Joined, then: Then) {
        match then {
            Then::Route => self.route(joined),
            Then::Act(action) => self.trusted(joined, action),
            Then::Dispatch(proposal) => self.assessed(joined, proposal),
            Then::Settle(call, tool) => self.watched(joined, call, tool),
            Then::GoOn { failed } => self.passed(joined, failed),
        }
    }

    fn suspend(&mut self, code: Code, reason: String, approval: Option<crate::packet::Approval>) {
        let met = |wanted: bool| {
            let states = self.manifest.goal.criteria.iter().zip(&self.criteria);
            states.filter(|(_, state)| state.met == wanted).map(|(criterion, _)| Arc::clone(&criterion.id)).collect()
        };
        let report = Report {
            goal: Arc::clone(&self.manifest.goal.text),
            reason,
            last_valid_state: self.last_valid_state.clone(),
            met: met(true),
            unmet: met(false),
            approval,
        };
        self.status = Status::Suspended(code);
        self.waiting = Waiting::Person;
        self.event(Event::Suspended { code, report: report.clone() });
        self.effect(Effect::Suspend { code, report });
    }

    fn end(&mut self, code: Code, reason: impl Into<String>) {
        let verified = !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met);
        self.status = Status::Ended(code);
        self.waiting = Waiting::Nothing;
        let frames = self.frames + 1;
        self.event(Event::Ended { code, verified, reason: reason.into(), frames });
        self.effect(Effect::End { code });
    }
}

/// Whether the numbers in a reply are ones that the contract allows.
fn check_reply(reply: &Reply, patch: bool) -> Result<(), InputError> {
    match reply {
        Reply::Step(step) => {
            if patch {
                return Err(InputError::NotExpected { found: "a step", expected: "a patch" });
            }
            let word = step.confidence.map(verbalised);
            word.iter().chain(&step.signals).try_for_each(|signal| signal.check().map_err(InputError::Violation))
        }
        Reply::Patch { .. } if !patch => Err(InputError::NotExpected { found: "a patch", expected: "a step" }),
        _ => Ok(()),
    }
}

/// The model's own word on its confidence, as a signal.
fn verbalised(value: f64) -> crate::contract::confidence::Signal {
    crate::contract::confidence::Signal {
        name: "verbalised".into(),
        value,
        orientation: crate::contract::confidence::Orientation::Confidence,
    }
}

impl Joined {
    /// The most restrictive verdict counts; among equals all are named and the first gives the
    /// reason.
    fn add(&mut self, entry: &Arc<str>, answer: &Answered, failure_verdict: Verdict) {
        let verdict = answer.verdict().unwrap_or(failure_verdict);
        if self.verdict.is_none_or(|so_far| verdict > so_far) {
            self.verdict = Some(verdict);
            self.by.clear();
            self.reason = match answer {
                Answered::Undecided(cause) => format!("undecided: {cause}"),
                answer => answer.reason().to_owned(),
            };
        }
        if self.verdict == Some(verdict) {
            self.by.push(Arc::clone(entry));
        }
        match answer {
            Answered::Confidence(trust) => {
                self.score = match (self.score, trust.score) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            Answered::Classifier(classification) => self.classification = Some(classification.clone()),
            _ => {}
        }
    }
}

/// Books what a model call used.
fn used(usage: crate::input::Usage) -> Demand {
    Demand {
        steps: 1,
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        tool_calls: 0,
        cost: usage.cost,
    }
}

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Keeps a ring at its length.
fn push_bounded<T>(ring: &mut VecDeque<T>, most: usize, value: T) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(value);
}
