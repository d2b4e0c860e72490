//! What a run waits for, what it remembers meanwhile, and what it does next.

use std::collections::VecDeque;
use std::sync::Arc;

use super::handed::Overheard;
use super::joined::Joined;
use super::people::Asked;
use super::pipeline::Proposal;
use crate::budget::{Demand, Reservation};
use crate::contract::Verdict;
use crate::contract::{Judgement, Question};
use crate::effect::{Effect, Purpose};
use crate::event::{Event, Move};
use crate::graph::{Exit, NodeId};
use crate::grounding::{Attempted, Call, Observed};
use crate::input::{Action, Input};
use crate::plan::PlanStep;

/// What the run waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    Start,
    Model(ModelCall),
    Tool(ToolCall),
    Verifier(Call<Observed>),
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

#[derive(Debug)]
pub(super) struct ToolCall {
    pub call: Call<Attempted>,
    pub proposal: Proposal,
    pub demand: Demand,
    pub reservation: Option<Reservation>,
    pub attempt: u32,
}

/// What the doom-loop slot said of a step, kept until the step is checked.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub verdict: Verdict,
    pub reason: String,
}

/// What there is to say of the next request.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// A step of the plan has just been done.
    pub boundary: bool,
    /// The model has asked for room.
    pub asked: bool,
}

/// What a step without a call claims.
#[derive(Debug)]
pub(super) enum Claim {
    Finished { summary: Arc<str>, tools: Vec<Arc<str>> },
    Words,
}

#[derive(Debug)]
pub(super) enum Draft {
    Whole(Vec<PlanStep>),
    More(Vec<PlanStep>),
    None(String),
}

/// Failed attempts at one step.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    pub step: Option<Arc<str>>,
    pub failed: u32,
}

#[derive(Debug, Clone)]
pub(super) struct CriterionState {
    pub met: bool,
    /// Its tool only reads: a later change makes it stale.
    pub reading: bool,
}

/// The frame being filled.
#[derive(Debug)]
pub(super) struct Open {
    pub at: u64,
    pub input: Input,
    pub judgements: Vec<Judgement>,
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
    pub stage: Option<Stage>,
    pub from: NodeId,
    pub path: Vec<Move>,
    pub overheard: Vec<Overheard>,
}

/// A slot being heard.
#[derive(Debug)]
pub(super) struct Stage {
    pub question: Arc<Question>,
    /// Position among the slot's entries of the one to be asked.
    pub next: usize,
    pub joined: Joined,
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
    WeighedNext(Box<(Joined, Proposal)>),
    RatedResult,
    ScreenedResult,
    Remedied,
    /// The doom-loop slot was told of a step, which leaves by this exit.
    Watch(Exit),
    Weighed,
    Estimate,
}

/// What a node does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is left along the edge of this exit.
    Leave(Exit),
    /// Something happened that no node expects.
    Interrupt(Exit),
    /// It waits.
    Wait,
}
