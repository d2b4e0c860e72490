use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::Key;
use crate::contract::confidence::Signal;
use crate::contract::doom_loop::FailureClass;
use crate::status::Code;

/// What may happen to a run from outside. Recorded; folding the record gives the run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Input {
    /// The run begins.
    Started,
    /// A person says something. At most one between two model calls.
    Message {
        /// The words, secrets replaced.
        text: Arc<str>,
    },
    /// A model has answered, or failed to.
    Replied {
        /// Number of the model call.
        call: u64,
        /// The answer.
        reply: Reply,
        /// What it used.
        usage: Usage,
    },
    /// A tool has answered, or failed to.
    Observed {
        /// Number of the tool call.
        call: u64,
        /// What came back.
        observation: Observation,
    },
    /// A verifier has looked at an observation.
    Verified {
        /// Number of the tool call.
        call: u64,
        /// What it found.
        verification: Verification,
    },
    /// A person stops the run.
    Cancelled,
    /// A recording is over. Only in monitor mode.
    Closed {
        /// Its outcome as a code.
        code: Code,
    },
}

/// A model's answer, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// One step, in the form that the loop asks for.
    Step(StepReply),
    /// Free text of a stronger model, answering an escalation packet.
    Patch {
        /// The text, secrets replaced.
        text: Arc<str>,
    },
    /// Not in the form asked for. An escalation trigger, never a crash.
    Invalid {
        /// What was expected and where it failed.
        reason: String,
        /// Size of the answer.
        bytes: u64,
        /// Salted digest of the answer.
        payload: Arc<str>,
    },
    /// No answer: the model cannot be reached.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// `{step, action, reasoning, status, confidence}` (specification A2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepReply {
    /// The model's own name for what it is doing.
    pub step: Arc<str>,
    /// What it wants to do.
    pub action: Action,
    /// Why, in its words.
    pub reasoning: Arc<str>,
    /// How it feels about it.
    pub status: StepStatus,
    /// Its own word on its confidence, 0..=1; none where a recording has none.
    pub confidence: Option<f64>,
    /// Measurements beside its word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// Size of the whole answer.
    pub bytes: u64,
}

/// The model's own report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Nothing in the way.
    Ok,
    /// It does not know what to do.
    Confused,
    /// It knows and cannot.
    Blocked,
}

/// What a step wants to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Call a tool.
    Call {
        /// Its name.
        tool: Arc<str>,
        /// Canonical JSON, secrets replaced.
        arguments: Arc<str>,
        /// Identity of the call.
        key: Key,
        /// Why the arguments do not match the tool's schema; none when they do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invalid: Option<String>,
        /// Salted digest of the arguments as the model gave them, where a secret was replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Arc<str>>,
    },
    /// Claim that the goal is reached.
    Finish {
        /// The model's summary.
        summary: Arc<str>,
    },
    /// Say something and do nothing.
    Say {
        /// The words.
        text: Arc<str>,
        /// Their identity.
        key: Key,
    },
}

/// What a model call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usage {
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Micro-dollars.
    pub cost: u64,
}

/// What came back from a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Observation {
    /// How it went.
    pub outcome: Outcome,
    /// The shown part of the result, secrets replaced, at most 4 KiB.
    pub text: Arc<str>,
    /// Size of the whole result.
    pub bytes: u64,
    /// Salted digest of the whole result, where the text is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Arc<str>>,
    /// Identity of the result, volatile fields stripped.
    pub result_key: Option<Key>,
    /// Identity of the error text; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_key: Option<Key>,
    /// Hash of the state that the tools work on, before the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<Key>,
    /// The same after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_after: Option<Key>,
    /// What the call itself says about its nature, where it is finer than the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutating: Option<bool>,
    /// The call waits for something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poller: Option<bool>,
}

/// How a tool call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// It answered.
    Returned {
        /// Exit code, where it is a command.
        exit_code: Option<i32>,
        /// It reports success.
        ok: bool,
    },
    /// It did not run.
    Rejected,
    /// It did not answer in time.
    TimedOut,
    /// What stands behind it was busy or broken.
    Infrastructure,
    /// The recording does not say.
    Unknown,
}

impl Outcome {
    /// The class of failure; none when it succeeded or nobody knows.
    pub fn failure(self) -> Option<FailureClass> {
        match self {
            Outcome::Returned { ok: true, .. } | Outcome::Unknown => None,
            Outcome::Returned { ok: false, .. } => Some(FailureClass::Failed),
            Outcome::Rejected => Some(FailureClass::Rejected),
            Outcome::TimedOut => Some(FailureClass::TimedOut),
            Outcome::Infrastructure => Some(FailureClass::Infrastructure),
        }
    }
}

/// What can make an observation a verified one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verifier {
    /// The command's exit code is the one declared.
    ExitCode(i32),
    /// The result matches the tool's result schema.
    ResultSchema,
}

/// What a verifier found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Verification {
    /// Which.
    pub verifier: Verifier,
    /// The observation is what the tool promises.
    pub holds: bool,
    /// What was found instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Input {
    /// For messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Input::Started => "a start",
            Input::Message { .. } => "a message",
            Input::Replied { .. } => "that model's reply",
            Input::Observed { .. } => "that tool's answer",
            Input::Verified { .. } => "that verification",
            Input::Cancelled => "a cancellation",
            Input::Closed { .. } => "the end of a recording",
        }
    }
}
