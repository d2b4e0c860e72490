//! What a run waits for, what it remembers meanwhile, and what it does next.

use std::collections::VecDeque;
use std::sync::Arc;

use countersign_spec::graph::{Exit, NodeId};

use super::asked::Asked;
use super::budget::Reservation;
use super::handed::{CallDecision, Sampled, Withheld};
use super::joined::SlotVerdict;
use super::proposals::{Proposal, ToolCall};
use crate::contract::{Judgement, Key, Question};
use crate::record::effect::{Effect, Purpose};
use crate::record::event::{Event, Move};
use crate::record::input::{Action, Input};

/// What the run waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    Start,
    /// For a model, or for the proposal of the agent that drives: calls may be under way beside it.
    Model(ModelCall),
    /// For calls under way, and nothing else before one of them has come back.
    Calls,
    /// A wait before something is tried again.
    Retry(u64, Retrying),
    Person(Asked),
    Nothing,
}

#[derive(Debug)]
pub(super) enum Retrying {
    Model(Purpose),
    Tool(Box<ToolCall>),
}

#[derive(Debug)]
pub(super) struct ModelCall {
    pub call: u64,
    /// Where the answer is wanted: for a plan, a step, or help.
    pub purpose: Purpose,
    /// None where nothing is set aside.
    pub reservation: Option<Reservation>,
    /// A message was taken since the call.
    pub message: bool,
}

/// The frame being filled.
#[derive(Debug)]
pub(super) struct Open {
    pub at: u64,
    pub input: Input,
    pub judgements: Vec<Judgement>,
    /// What each of them answers.
    pub questions: Vec<Arc<Question>>,
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
    pub stage: Option<Stage>,
    pub from: NodeId,
    pub path: Vec<Move>,
    pub sampled: Vec<Sampled>,
    /// What was decided on the proposal that it holds.
    pub decision: Option<CallDecision>,
    /// What of a tool's answer a model may not see.
    pub hidden: Vec<Withheld>,
    /// What people see of a model's words, where that is not all.
    pub said: Option<Arc<str>>,
}

/// A slot being heard.
#[derive(Debug)]
pub(super) struct Stage {
    pub question: Arc<Question>,
    /// Its identity.
    pub key: Key,
    /// Position among the slot's entries of the one to be asked.
    pub next: usize,
    pub joined: SlotVerdict,
    pub then: Then,
}

/// How to go on once a slot has been heard.
#[derive(Debug)]
pub(super) enum Then {
    RatedTask,
    ScreenedTask,
    Route,
    /// The first sub-task of the queue is being assigned.
    Assign(VecDeque<Arc<str>>),
    RatedWords(Box<Purpose>),
    Relieve(Box<Purpose>),
    Act(Box<Action>),
    ScreenedWords(Box<Action>),
    ScreenedCall(Box<Proposal>),
    Assess(Box<Proposal>),
    /// With what the risk slot said of the call.
    WeighedNext(Box<(SlotVerdict, Proposal)>),
    RatedResult,
    ScreenedResult,
    Remedied,
    /// The doom-loop slot was told of a step, which leaves by this exit.
    Watch(Exit),
    Weighed,
    Estimate,
}
