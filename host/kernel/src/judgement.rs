use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::view::Read;
use crate::contract::{Verdict, Violation, classifier, confidence, doom_loop, estimator, risk};

/// A decision of the loop that policies make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// Tier and planning mode.
    Classifier,
    /// Trust in an answer.
    Confidence,
    /// Risk of an action.
    Risk,
    /// Progress of the run.
    DoomLoop,
    /// What the rest will cost.
    Estimator,
}

impl Slot {
    /// In the order in which one step comes to them.
    pub const ALL: [Slot; 5] = [Slot::Classifier, Slot::Confidence, Slot::Risk, Slot::DoomLoop, Slot::Estimator];

    /// As interfaces, bundles and traces name it.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Classifier => "classifier",
            Slot::Confidence => "confidence",
            Slot::Risk => "risk",
            Slot::DoomLoop => "doom-loop",
            Slot::Estimator => "estimator",
        }
    }

    /// The function that the slot's interface has.
    pub fn function(self) -> &'static str {
        match self {
            Slot::Classifier => "classify",
            Slot::Confidence | Slot::Risk => "judge",
            Slot::DoomLoop => "observe",
            Slot::Estimator => "estimate",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a policy is asked, by slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Slot `classifier`.
    Classifier(classifier::Task),
    /// Slot `confidence`.
    Confidence(confidence::Answer),
    /// Slot `risk`.
    Risk(risk::ProposedAction),
    /// Slot `doom-loop`.
    DoomLoop(doom_loop::ObservedStep),
    /// Slot `estimator`.
    Estimator(estimator::Progress),
}

impl Question {
    /// The slot that is asked.
    pub fn slot(&self) -> Slot {
        match self {
            Question::Classifier(_) => Slot::Classifier,
            Question::Confidence(_) => Slot::Confidence,
            Question::Risk(_) => Slot::Risk,
            Question::DoomLoop(_) => Slot::DoomLoop,
            Question::Estimator(_) => Slot::Estimator,
        }
    }
}

/// What came of asking, by slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// Slot `classifier`.
    Classifier(classifier::Classification),
    /// Slot `confidence`.
    Confidence(confidence::Trust),
    /// Slot `risk`.
    Risk(risk::Assessment),
    /// Slot `doom-loop`.
    DoomLoop(doom_loop::Signal),
    /// Slot `estimator`.
    Estimator(estimator::Estimate),
    /// The policy could not decide. Not a decision: the slot's failure verdict applies.
    Undecided(Cause),
}

impl Answered {
    /// Whether the contract allows it as the answer to a question.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self, question: &Question) -> Result<(), Violation> {
        match (self, question) {
            (Answered::Classifier(answer), Question::Classifier(task)) => answer.check(task),
            (Answered::Confidence(answer), Question::Confidence(asked)) => answer.check(asked),
            (Answered::Risk(answer), Question::Risk(_)) => answer.check(),
            (Answered::DoomLoop(answer), Question::DoomLoop(_)) => answer.check(),
            (Answered::Estimator(answer), Question::Estimator(_)) => answer.check(),
            (Answered::Undecided(_), _) => Ok(()),
            _ => Err(Violation {
                field: "answer".to_owned(),
                expected: "the answer of the slot that was asked".to_owned(),
                bits: None,
            }),
        }
    }

    /// The verdict, as the slot documents it; none when undecided.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Answered::Classifier(answer) => Some(answer.verdict),
            Answered::Confidence(answer) => Some(answer.action.verdict()),
            Answered::Risk(answer) => Some(answer.verdict),
            Answered::DoomLoop(answer) => Some(answer.verdict()),
            // The host compares the interval with what is left.
            Answered::Estimator(_) => Some(Verdict::Proceed),
            Answered::Undecided(_) => None,
        }
    }

    /// The policy's own words.
    pub fn reason(&self) -> &str {
        match self {
            Answered::Classifier(answer) => &answer.reason,
            Answered::Confidence(answer) => &answer.reason,
            Answered::Risk(answer) => &answer.reason,
            Answered::DoomLoop(doom_loop::Signal::Steady) => "",
            Answered::Estimator(answer) => &answer.reason,
            Answered::DoomLoop(doom_loop::Signal::Caution(text) | doom_loop::Signal::Warning(text)) => text,
            Answered::DoomLoop(doom_loop::Signal::Trip(trip)) => &trip.evidence,
            Answered::Undecided(cause) => cause.name(),
        }
    }
}

/// Why a policy could not decide. The class alone: messages stand beside the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It trapped: a panic, an index out of bounds, a division by zero.
    Trap,
    /// It used up the fuel of a call.
    OutOfFuel,
    /// It asked for more memory than its limit.
    OutOfMemory,
    /// It used up the wasm stack before its fuel. Re-executable under the same engine fingerprint.
    Stack,
    /// Its answer could not be read at all.
    MalformedAnswer,
    /// Its answer, or its use of the imports, breaks the contract.
    ContractViolation(Violation),
    /// The host could not run it: deadline, allocation, instantiation. Not re-executable.
    Environment,
    /// It failed before in this run and could not be rebuilt.
    Dead,
}

impl Cause {
    /// As it is written in traces.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::Trap => "trap",
            Cause::OutOfFuel => "out-of-fuel",
            Cause::OutOfMemory => "out-of-memory",
            Cause::Stack => "stack",
            Cause::MalformedAnswer => "malformed-answer",
            Cause::ContractViolation(_) => "contract-violation",
            Cause::Environment => "environment",
            Cause::Dead => "dead",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::ContractViolation(violation) => write!(f, "contract violation: {violation}"),
            Cause::Trap => f.write_str("it trapped"),
            Cause::OutOfFuel => f.write_str("it ran out of fuel"),
            Cause::OutOfMemory => f.write_str("it asked for more memory than its limit"),
            Cause::Stack => f.write_str("it ran out of stack"),
            Cause::MalformedAnswer => f.write_str("its answer could not be read"),
            Cause::Environment => f.write_str("the host could not run it"),
            Cause::Dead => f.write_str("it failed before and could not be rebuilt"),
        }
    }
}

/// What a driver hands back for a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The answer.
    pub answer: Answered,
    /// What was read from the view, in order.
    pub reads: Vec<Read>,
    /// Fuel burnt by the call.
    pub fuel: u64,
}

/// A judgement as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Judgement {
    /// Name of the bundle entry.
    pub entry: Arc<str>,
    /// Digest of the component.
    pub policy: Arc<str>,
    /// What was asked.
    pub question: Arc<Question>,
    /// What was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// What was answered.
    pub answer: Answered,
    /// Fuel burnt.
    pub fuel: u64,
}
