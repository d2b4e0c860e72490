//! What whoever drives a run is handed: questions, closed frames, and what went wrong.

use std::sync::Arc;

use super::View;
use countersign_spec::EntryPin;

use crate::contract::FindingKind;
use crate::contract::{Judgement, Key, Question};
use crate::contract::{Verdict, Violation};
use crate::record::effect::Effect;
use crate::record::event::{Event, Response, Stage};
use crate::record::frame::Frame;
use crate::record::packet::Approval;
use crate::record::status::Code;

/// A question for one entry.
#[derive(Debug)]
pub struct Request<'a> {
    /// Position of the entry in the manifest.
    pub entry: usize,
    /// What to ask.
    pub question: &'a Arc<Question>,
    /// Its identity.
    pub key: Key,
    /// What the policy may read. Dropped before the answer is given, or the next change copies it.
    pub view: Arc<View>,
}

/// A recorded judgement of a frame that is folded.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Position in the frame.
    pub index: usize,
    /// Whose it is.
    pub entry: &'a EntryPin,
    /// What it answers.
    pub question: &'a Arc<Question>,
    /// As it stands in the frame.
    pub judgement: &'a Judgement,
}

/// A closed frame and what may now be done.
#[derive(Debug)]
pub struct Closed {
    /// To be made durable first.
    pub frame: Frame,
    /// What its judgements answer, in their order.
    pub questions: Vec<Arc<Question>>,
    /// To be started then, in order.
    pub effects: Vec<Effect>,
    /// What the slots were asked, where somebody wants to hear of it.
    pub sampled: Vec<Sampled>,
    /// What became of the proposal that the frame holds; none for a frame that holds none.
    pub decision: Option<CallDecision>,
    /// Parts of the observed text that a model may not see, first to last; no two overlap.
    pub hidden: Vec<Withheld>,
    /// What people see of the words of its reply, where a mark stands in them for something.
    pub said: Option<Arc<str>>,
    /// What would have been done, were verdicts and rules enforced.
    pub would_have: Vec<WouldHave>,
}

impl Closed {
    /// The judgements of the frame in their order, each with what it answers.
    pub fn judged(&self) -> impl Iterator<Item = (&Question, &Judgement)> {
        self.questions.iter().map(|question| &**question).zip(&self.frame.judgements)
    }
}

/// A part of a text that a model is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// First byte of it.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// What it is.
    pub kind: FindingKind,
    /// What the model is told in its place.
    pub mark: Arc<str>,
}

/// What the run decides on a proposal.
#[derive(Debug, Clone, PartialEq)]
pub enum CallDecision {
    /// The call may be made; what came of it is observed under this number.
    Permitted {
        /// Of the call.
        call: u64,
    },
    /// A person is asked; a repeat of the very call spends the approval.
    Pending(Box<Approval>),
    /// The call is not made; the run goes on.
    Refused {
        /// Where in the pipeline; none where a policy wants something else done.
        stage: Option<Stage>,
        /// What follows.
        response: Response,
        /// Why.
        reason: String,
    },
    /// It was no call, and the run has taken note of it.
    Noted,
    /// The run waits for a person, or is over.
    Stopped {
        /// With which code.
        code: Code,
        /// Why.
        reason: String,
    },
}

/// What a verdict or a rule that is not enforced would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldHave {
    /// The verdict.
    pub verdict: Verdict,
    /// The slot or host rule that gave it.
    pub by: Arc<str>,
    /// Why.
    pub reason: String,
}

/// A question of a frame, for whoever answers it beside the run.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// What was asked.
    pub question: Arc<Question>,
    /// What could be read then.
    pub view: Arc<View>,
    /// What the slot's policies said together; none where it is empty.
    pub verdict: Option<Verdict>,
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

impl WouldHave {
    /// What an event says of it.
    pub(super) fn of(event: &Event) -> Option<WouldHave> {
        match event {
            Event::WouldHave { verdict, by, reason } => {
                Some(WouldHave { verdict: *verdict, by: Arc::clone(by), reason: reason.clone() })
            }
            _ => None,
        }
    }
}
