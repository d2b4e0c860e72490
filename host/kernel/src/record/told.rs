//! What a model is told beside texts of others, as data: whoever renders a request words it. The kernel has no
//! sentence for a model; a reason that stands in here is a policy's, a person's, or that of the event it is in.

use std::sync::Arc;

use countersign_spec::plan::PlanLine;
use countersign_spec::state::StateKind;

/// What the loop has to say about the last step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The cycle ended without a call of a terminal tool.
    NoTerminalTool,
    /// The plan does not hold.
    PlanRefused {
        /// Everything that is wrong with it.
        problems: Vec<String>,
    },
    /// Another plan is wanted.
    AnotherPlan {
        /// Why.
        reason: Arc<str>,
    },
    /// The call at hand gets nowhere; an agent that owns its loop is to leave it.
    GetsNowhere {
        /// Why.
        reason: Arc<str>,
    },
    /// A person does not want something done.
    Rejected {
        /// The tool of the call; none where it was the plan, a memory, or the run as it stands.
        tool: Option<Arc<str>>,
        /// What the person says instead.
        instead: Arc<str>,
    },
}

/// An action of the model and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What the model did.
    pub did: Did,
    /// What it is told of it.
    pub came: CameOf,
}

/// What a model did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Did {
    /// It wanted a call: tool and arguments.
    Called(Arc<str>),
    /// It only spoke.
    Said(Arc<str>),
    /// It handed in a plan.
    Planned,
    /// It claimed to be done.
    Finished,
    /// It asked for a pass of reflection.
    Reflected,
    /// It asked for room in its context.
    AskedForRoom,
    /// It proposed to write some state.
    Wrote {
        /// Which kind.
        state: StateKind,
        /// Under which name; none where that does not matter.
        key: Option<Arc<str>>,
    },
    /// It asked the user something.
    AskedUser,
    /// It handed the task over.
    HandedOver,
    /// It gave the goal up.
    GaveUp,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CameOf {
    /// A tool answered.
    Result {
        /// The text, as far as a model may see it.
        text: Arc<str>,
        /// Bytes that it had before it was cut to make room; none where it is whole.
        cut_from: Option<u64>,
    },
    /// The call was not made.
    NotRun {
        /// Why.
        reason: Arc<str>,
    },
    /// The claim of success does not count.
    NotAccepted {
        /// What it lacks.
        reason: Arc<str>,
    },
    /// The state is not written.
    NotWritten {
        /// Why.
        reason: Arc<str>,
    },
    /// What was asked for is not done.
    NotDone {
        /// Why.
        reason: Arc<str>,
    },
    /// There is no pass of reflection.
    NoReflection {
        /// Why.
        reason: Arc<str>,
    },
    /// Nothing was called.
    NoCall,
    /// It is looked at when the run is over.
    LookedAtLater,
    /// The host has taken note of it.
    Noted,
    /// The plan counts, and stands so.
    Plan(Vec<PlanLine>),
}

/// What stands for the exchanges that were left out of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactedHistory {
    /// Committed facts, by name.
    pub facts: Vec<(Arc<str>, Arc<str>)>,
    /// Criteria that are not verified.
    pub unmet: Vec<Arc<str>>,
    /// Number of the last call.
    pub last_call: u64,
    /// Model calls that are left.
    pub steps_left: u64,
    /// The tool of a call that is approved and was not made yet.
    pub approved: Option<Arc<str>>,
    /// The last thing that is known to hold; empty where nothing is.
    pub last_valid_state: Arc<str>,
}

/// Hands on the texts that something is made of, in order; words that a renderer puts around them are stood for
/// by a name. A request's size is estimated from them, and what of it a model has seen before is told by them.
pub(crate) trait Texts {
    /// Calls `add` with each.
    fn texts(&self, add: &mut dyn FnMut(&str));

    /// Bytes of all of them.
    fn bytes(&self) -> usize {
        let mut bytes = 0;
        self.texts(&mut |text| bytes += text.len());
        bytes
    }
}

impl Texts for Notice {
    fn texts(&self, add: &mut dyn FnMut(&str)) {
        match self {
            Notice::NoTerminalTool => add("no-terminal-tool"),
            Notice::PlanRefused { problems } => {
                add("plan-refused");
                problems.iter().for_each(|problem| add(problem));
            }
            Notice::AnotherPlan { reason } => {
                add("another-plan");
                add(reason);
            }
            Notice::GetsNowhere { reason } => {
                add("gets-nowhere");
                add(reason);
            }
            Notice::Rejected { tool, instead } => {
                add("rejected");
                tool.iter().for_each(|tool| add(tool));
                add(instead);
            }
        }
    }
}

impl Texts for Exchange {
    fn texts(&self, add: &mut dyn FnMut(&str)) {
        self.did.texts(add);
        self.came.texts(add);
    }
}

impl Texts for Did {
    fn texts(&self, add: &mut dyn FnMut(&str)) {
        match self {
            Did::Called(text) | Did::Said(text) => add(text),
            Did::Planned => add("plan"),
            Did::Finished => add("finish"),
            Did::Reflected => add("reflect"),
            Did::AskedForRoom => add("compact"),
            Did::Wrote { state, key } => {
                add(state.name());
                key.iter().for_each(|key| add(key));
            }
            Did::AskedUser => add("ask"),
            Did::HandedOver => add("hand-over"),
            Did::GaveUp => add("give-up"),
        }
    }
}

impl Texts for CameOf {
    fn texts(&self, add: &mut dyn FnMut(&str)) {
        let (name, reason) = match self {
            CameOf::Result { text, .. } => return add(text),
            CameOf::Plan(lines) => return lines.iter().for_each(|line| line.texts(add)),
            CameOf::NotRun { reason } => ("not-run", Some(reason)),
            CameOf::NotAccepted { reason } => ("not-accepted", Some(reason)),
            CameOf::NotWritten { reason } => ("not-written", Some(reason)),
            CameOf::NotDone { reason } => ("not-done", Some(reason)),
            CameOf::NoReflection { reason } => ("no-reflection", Some(reason)),
            CameOf::NoCall => ("no-call", None),
            CameOf::LookedAtLater => ("looked-at-later", None),
            CameOf::Noted => ("noted", None),
        };
        add(name);
        reason.into_iter().for_each(|reason| add(reason));
    }
}

impl Texts for PlanLine {
    fn texts(&self, add: &mut dyn FnMut(&str)) {
        add(self.state.name());
        add(&self.id);
        add(&self.does);
        self.tool.iter().for_each(|tool| add(tool));
    }
}

impl Texts for CompactedHistory {
    fn texts(&self, add: &mut dyn FnMut(&str)) {
        for (name, text) in &self.facts {
            add(name);
            add(text);
        }
        self.unmet.iter().for_each(|id| add(id));
        add(&self.last_call.to_string());
        add(&self.steps_left.to_string());
        self.approved.iter().for_each(|tool| add(tool));
        add(&self.last_valid_state);
    }
}
