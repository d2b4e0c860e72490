//! What recordings of every form come down to: a run has a header, and steps in their order.

use countersign_kernel::{Code, Outcome, Usage};
use serde_json::{Map, Value};

/// How a run went, as far as its recording says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Went {
    /// Its task was done.
    Well,
    /// It was not, or the run broke off.
    Badly,
    /// Somebody tried to lead the agent astray: whatever is stopped there may be stopped rightly.
    Attacked,
    /// The recording does not say.
    #[default]
    Unsaid,
}

/// What a recording says of a run beside its steps.
#[derive(Debug, Clone)]
pub struct Header {
    /// How it ended, in the recorder's words, or in one of ours where it has none.
    pub outcome: String,
    /// The same for the run that is made of it.
    pub code: Code,
    /// The same for whoever counts false alarms.
    pub went: Went,
    /// Which task.
    pub task: String,
    /// Which model.
    pub model: String,
    /// Which set it belongs to.
    pub set: String,
    /// It says what the run has cost.
    pub priced: bool,
    /// Turns it was allowed.
    pub max_iterations: Option<u64>,
}

impl Default for Header {
    fn default() -> Self {
        Header {
            outcome: NOT_SAID.to_owned(),
            code: Code::Success,
            went: Went::Unsaid,
            task: String::new(),
            model: String::new(),
            set: String::new(),
            priced: false,
            max_iterations: None,
        }
    }
}

/// The outcome of a run whose recording has no word for it.
const NOT_SAID: &str = "not said";

impl Header {
    /// The outcome by whether the task was done.
    pub fn done(&mut self, done: bool, [yes, no]: [&str; 2]) {
        self.outcome = if done { yes } else { no }.to_owned();
        self.code = if done { Code::Success } else { Code::ValidationFail };
        self.went = if done { Went::Well } else { Went::Badly };
    }
}

/// What happens in a run, as a recording tells it. Times are milliseconds since the run began.
#[derive(Debug)]
pub enum Event {
    /// Somebody speaks to the agent.
    Spoke { at: u64, text: String },
    /// The agent says something: a turn of its own.
    Said(Said),
    /// The agent says something that belongs to the call that comes next, where one does.
    Thought(Said),
    /// The agent calls a tool.
    Called(Call),
    /// A tool answers.
    Returned(Returned),
    /// The agent says that it is done.
    Finished { at: u64, summary: String, usage: Usage },
}

/// A text of the agent's.
#[derive(Debug, Default)]
pub struct Said {
    pub at: u64,
    pub text: String,
    /// What tells it from others where the text was cut by the recorder.
    pub whole: Option<String>,
    pub usage: Usage,
}

/// A call.
#[derive(Debug, Default)]
pub struct Call {
    pub at: u64,
    /// By which its result names it.
    pub id: String,
    pub tool: String,
    pub arguments: Map<String, Value>,
    /// Why, in the agent's words.
    pub thought: String,
    /// What it is beside tool and arguments, where the recorder cut those or keeps them elsewhere.
    pub identity: Option<Vec<String>>,
    pub usage: Usage,
}

/// A result.
#[derive(Debug)]
pub struct Returned {
    pub at: u64,
    /// Of the call that it answers.
    pub id: String,
    pub text: String,
    /// Bytes of the whole result, where the recorder cut the text.
    pub whole: Option<u64>,
    pub outcome: Outcome,
    /// The text of a failure says nothing of it: it is what was on the screen.
    pub screen: bool,
}

impl Returned {
    /// A result as it is, by whether the tool says that it failed.
    pub fn of(at: u64, id: impl Into<String>, text: String, failed: bool) -> Self {
        let outcome = Outcome::Returned { exit_code: None, ok: !failed };
        Returned { at, id: id.into(), text, whole: None, outcome, screen: false }
    }
}

/// A step of a run: each call with what came of it.
#[derive(Debug)]
pub enum Step {
    /// Somebody speaks to the agent.
    Spoke { at: u64, text: String },
    /// The agent says something.
    Said(Said),
    /// The agent calls a tool. The recording may have no result.
    Call(Call, Option<Returned>),
    /// The agent says that it is done.
    Finished { at: u64, summary: String, usage: Usage },
}

/// What is done with the steps of a run. An error ends the reading.
pub trait Visit {
    /// A run begins. What the recording says after its first steps is not known yet.
    fn begin(&mut self, header: &Header) -> Result<(), String>;
    /// The next step.
    fn step(&mut self, step: Step) -> Result<(), String>;
    /// The run is over; everything is known.
    fn end(&mut self, header: &Header) -> Result<(), String>;
    /// The run cannot be read on: nothing of it counts.
    fn abandon(&mut self);
}
