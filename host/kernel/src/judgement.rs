use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::view::Read;
use crate::contract::{
    Verdict, Violation, classifier, confidence, context, dispatch, doom_loop, estimator, guard, remediation, risk,
    sensitivity, threshold,
};

/// A decision of the loop that policies make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// How sensitive a text is.
    Sensitivity,
    /// Whether a text or a call is hostile or leaks.
    Guard,
    /// Tier and planning mode.
    Classifier,
    /// Who does a sub-task.
    Dispatch,
    /// Pressure on the context.
    Context,
    /// Trust in an answer.
    Confidence,
    /// Risk of an action.
    Risk,
    /// Whether the agent can mend an error.
    Remediation,
    /// Progress of the run.
    DoomLoop,
    /// Whether the next action is worth it.
    Threshold,
    /// What the rest will cost.
    Estimator,
}

impl Slot {
    /// In the order in which one step comes to them first.
    pub const ALL: [Slot; 11] = [
        Slot::Sensitivity,
        Slot::Guard,
        Slot::Classifier,
        Slot::Dispatch,
        Slot::Context,
        Slot::Confidence,
        Slot::Risk,
        Slot::Remediation,
        Slot::DoomLoop,
        Slot::Threshold,
        Slot::Estimator,
    ];

    /// As interfaces, bundles and traces name it.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Sensitivity => "sensitivity",
            Slot::Guard => "guard",
            Slot::Classifier => "classifier",
            Slot::Dispatch => "dispatch",
            Slot::Context => "context",
            Slot::Confidence => "confidence",
            Slot::Risk => "risk",
            Slot::Remediation => "remediation",
            Slot::DoomLoop => "doom-loop",
            Slot::Threshold => "threshold",
            Slot::Estimator => "estimator",
        }
    }

    /// The function that the slot's interface has.
    pub fn function(self) -> &'static str {
        match self {
            Slot::Sensitivity => "rate",
            Slot::Guard => "inspect",
            Slot::Classifier | Slot::Remediation => "classify",
            Slot::Dispatch => "assign",
            Slot::Context => "relieve",
            Slot::Confidence | Slot::Risk => "judge",
            Slot::DoomLoop => "observe",
            Slot::Threshold => "weigh",
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
    /// Slot `sensitivity`.
    Sensitivity(sensitivity::Text),
    /// Slot `guard`.
    Guard(guard::Passing),
    /// Slot `dispatch`.
    Dispatch(dispatch::SubTask),
    /// Slot `context`.
    Context(context::Pressure),
    /// Slot `remediation`.
    Remediation(remediation::FailedCall),
    /// Slot `threshold`.
    Threshold(threshold::Ledger),
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
            Question::Sensitivity(_) => Slot::Sensitivity,
            Question::Guard(_) => Slot::Guard,
            Question::Dispatch(_) => Slot::Dispatch,
            Question::Context(_) => Slot::Context,
            Question::Remediation(_) => Slot::Remediation,
            Question::Threshold(_) => Slot::Threshold,
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
    /// Slot `sensitivity`.
    Sensitivity(sensitivity::Rating),
    /// Slot `guard`.
    Guard(guard::Inspection),
    /// Slot `dispatch`.
    Dispatch(dispatch::Assigned),
    /// Slot `context`.
    Context(context::Relief),
    /// Slot `remediation`.
    Remediation(remediation::Remedy),
    /// Slot `threshold`.
    Threshold(threshold::Weighing),
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
            (Answered::Sensitivity(answer), Question::Sensitivity(asked)) => answer.check(asked),
            (Answered::Guard(answer), Question::Guard(asked)) => answer.check(asked),
            (Answered::Dispatch(answer), Question::Dispatch(asked)) => answer.check(asked),
            (Answered::Context(answer), Question::Context(_)) => answer.check(),
            (Answered::Remediation(answer), Question::Remediation(_)) => answer.check(),
            (Answered::Threshold(answer), Question::Threshold(_)) => answer.check(),
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
            Answered::Guard(answer) => Some(answer.verdict()),
            Answered::Dispatch(answer) => Some(answer.verdict()),
            Answered::Context(answer) => Some(answer.verdict()),
            Answered::Remediation(answer) => Some(answer.verdict()),
            Answered::Threshold(answer) => Some(answer.verdict()),
            // A tag stops nothing, it decides who may be asked.
            Answered::Sensitivity(_) => Some(Verdict::Proceed),
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
            Answered::Sensitivity(answer) => &answer.reason,
            Answered::Guard(answer) => &answer.reason,
            Answered::Dispatch(answer) => &answer.reason,
            Answered::Context(answer) => &answer.reason,
            Answered::Remediation(answer) => &answer.reason,
            Answered::Threshold(answer) => &answer.reason,
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
