use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_spec::boundary::FailClosed;
use countersign_spec::plan::PlanStep;
use countersign_spec::state::StateKind;
use countersign_spec::tool::Verifier;
use serde::{Deserialize, Serialize};

use super::standing::StandingApproval;
use crate::contract::{Dimension, FailureClass, Key, Signal};
use crate::record::status::Code;

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
        /// What it used; nothing where an agent drives, whose models nobody sees.
        #[serde(default, skip_serializing_if = "Usage::is_nothing")]
        usage: Usage,
        /// Digest of the request as it was sent, by whoever rendered it. None where nothing was: an agent's own
        /// model, a recording, a host that was lost on the way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Arc<str>>,
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
    /// A wait that the run asked for is over.
    Waited {
        /// Number of the wait.
        wait: u64,
    },
    /// A bucket above the run has no room for what the run was about to do; nothing was done.
    Refused {
        /// `app`, or the tenant.
        bucket: Arc<str>,
        /// What is short there.
        dimension: Arc<str>,
        /// What was asked for.
        demand: u64,
        /// What is left.
        left: u64,
    },
    /// An operator's switch stops the run; what it was about to do was not done.
    Halted {
        /// What was switched off.
        switch: Arc<str>,
        /// Why.
        reason: Arc<str>,
        /// It comes between two calls: what was sent before is under way, and none of it is held back. Otherwise what the
        /// frame before has asked for does not begin.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_between: bool,
    },
    /// A person has decided, or has not in time.
    Decided {
        /// Id of the entry in the inbox: the same one counts once.
        id: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// What.
        decision: Decision,
        /// Milliseconds of the run's own time at which it was given, where the run came to hear of it later: whether it
        /// came in time is measured by that. Never later than the frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given: Option<u64>,
    },
    /// Whoever drives the run has it again, after nobody did: the time since the last frame was no running time.
    TakenUp {
        /// The engine whose judgements follow, where it is another than that of those before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<Arc<str>>,
    },
    /// A person stops the run.
    Cancelled,
    /// A recording is over, or the agent that owned the loop is gone. Not where the host drives.
    Closed {
        /// Its outcome as a code.
        code: Code,
    },
}

/// A model's answer, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "nearly every reply is a step, and there is one at a time")]
pub enum Reply {
    /// One step, in the form that the loop asks for.
    Step(StepReply),
    /// Free text of a stronger model, answering an escalation packet.
    Patch {
        /// The text, secrets replaced.
        text: Arc<str>,
        /// What stood around it and was set aside.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unwrapped: Vec<Wrapping>,
    },
    /// Not in the form asked for. The model is told so, then it is an escalation trigger; never a crash.
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
        /// Whether trying again may help.
        #[serde(default)]
        class: Unavailability,
        /// Milliseconds before which it does not want to be asked again, where it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
}

/// Why a model gave no answer (document 004).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unavailability {
    /// Nothing that passes by itself.
    #[default]
    Permanent,
    /// Busy or broken for a while.
    Transient,
    /// The host may not use it.
    AuthFailure,
    /// The account is used up.
    QuotaExceeded,
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Decision {
    /// The action of this fingerprint may run, once.
    Approved {
        /// Of the action that waits.
        fingerprint: Arc<str>,
    },
    /// The action of this fingerprint may run, and so may whatever else the rule covers.
    ApprovedFor {
        /// Of the action that waits.
        fingerprint: Arc<str>,
        /// The rule: of that very tool, and covering that very action.
        standing: Box<StandingApproval>,
    },
    /// A rule that was given in another run of the same agent, and holds here too.
    Standing {
        /// The rule.
        standing: Box<StandingApproval>,
    },
    /// A rule holds no more.
    Withdrawn {
        /// Its name.
        standing: Arc<str>,
    },
    /// A decision of somebody who has shown to have an approver's key.
    Signed {
        /// The public key.
        key: Arc<str>,
        /// What was decided.
        decision: Box<Decision>,
    },
    /// It may not.
    Rejected {
        /// Of the action that waits; none where no action does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<Arc<str>>,
        /// Why, for the model: with it the run looks for another way, without it the run ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<Arc<str>>,
    },
    /// Nobody decided in time.
    Expired,
    /// Nobody could be reached.
    Unavailable,
    /// What the run was missing.
    Answered {
        /// The words.
        text: Arc<str>,
    },
    /// What was done so far is enough.
    Accepted,
    /// More budget, by dimension.
    Released {
        /// How much more.
        extra: BTreeMap<Dimension, u64>,
    },
    /// Go on.
    Resumed,
}

impl Decision {
    /// What was decided, whether whoever decided has shown a key or not.
    pub fn plain(&self) -> &Decision {
        match self {
            Decision::Signed { decision, .. } => decision.plain(),
            plain => plain,
        }
    }

    /// The same by value.
    #[must_use]
    pub fn into_plain(self) -> Decision {
        match self {
            Decision::Signed { decision, .. } => decision.into_plain(),
            plain => plain,
        }
    }

    /// The key that whoever decided has shown; none where nobody has.
    pub fn key(&self) -> Option<&str> {
        match self {
            Decision::Signed { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Whether it lets something happen that would not otherwise: who may do so is checked where approvers have keys.
    pub fn loosens(&self) -> bool {
        !matches!(
            self.plain(),
            Decision::Rejected { .. } | Decision::Withdrawn { .. } | Decision::Expired | Decision::Unavailable
        )
    }
}

/// `{step, action, reasoning, status, confidence}` (specification A2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepReply {
    /// The model's own name for what it is doing.
    pub step: Arc<str>,
    /// What it wants to do.
    pub action: Action,
    /// Why, in its words; empty where it gave none.
    #[serde(default = "nothing", skip_serializing_if = "is_empty")]
    pub reasoning: Arc<str>,
    /// How it feels about it.
    pub status: StepStatus,
    /// Its own word on its confidence, 0..=1; none where a recording has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Measurements beside its word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// Size of the whole answer.
    pub bytes: u64,
    /// What stood around the step and was set aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwrapped: Vec<Wrapping>,
}

/// Something that a model puts around what it was asked for, or into it, and that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Wrapping {
    /// A byte order mark, or another character that nobody sees.
    ByteOrderMark,
    /// The fence of a block of code.
    CodeFence,
    /// Thoughts, which are never taken for the answer.
    Thoughts,
    /// Words before or after it.
    Words,
    /// A list of which it is the only part.
    List,
    /// It was written as a text in JSON.
    Text,
    /// An object under whose only key it stands.
    Envelope,
    /// Keys that the form does not know, by name; at most 16 of 32 bytes.
    Keys(Vec<Arc<str>>),
}

impl Wrapping {
    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Wrapping::ByteOrderMark => "a byte order mark".to_owned(),
            Wrapping::CodeFence => "a code fence".to_owned(),
            Wrapping::Thoughts => "thoughts".to_owned(),
            Wrapping::Words => "words around it".to_owned(),
            Wrapping::List => "a list around it".to_owned(),
            Wrapping::Text => "quotes around it".to_owned(),
            Wrapping::Envelope => "an object around it".to_owned(),
            Wrapping::Keys(keys) => format!("unknown keys {}", keys.join(", ")),
        }
    }
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
        /// Required arguments that are not there: somebody may have to say them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<Arc<str>>,
        /// Salted digest of the arguments as the model gave them, where a secret was replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Arc<str>>,
        /// What the arguments say that the call touches.
        #[serde(default, skip_serializing_if = "Touched::is_empty")]
        touches: Touched,
    },
    /// Claim that the goal is reached.
    Finish {
        /// The model's summary.
        summary: Arc<str>,
        /// Tools that it claims to have used with success.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        claims: Vec<Arc<str>>,
    },
    /// Make a plan, or another one.
    Plan {
        /// Its steps.
        steps: Vec<PlanStep>,
    },
    /// Add sub-tasks to the plan.
    Split {
        /// Their steps.
        steps: Vec<PlanStep>,
    },
    /// Propose to write some state.
    Write {
        /// Which kind.
        state: StateKind,
        /// Under this name.
        key: Arc<str>,
        /// What.
        text: Arc<str>,
        /// Numbers of the calls that support it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sources: Vec<u64>,
    },
    /// Ask for a pass of reflection.
    Reflect {
        /// On what.
        about: Arc<str>,
    },
    /// Ask the user.
    Ask {
        /// The question.
        question: Arc<str>,
    },
    /// Give the goal up.
    Abandon {
        /// Why it cannot be reached.
        reason: Arc<str>,
    },
    /// The model asks for room in its context.
    Compact,
    /// The injected tool `defer_to_human`: this task needs a person.
    Defer {
        /// Why, at least 20 characters.
        reason: Arc<str>,
    },
    /// The injected tool `escalate_to_architect`: something larger is wrong.
    EscalateToArchitect {
        /// How bad it is.
        severity: Alarm,
        /// Why, at least 20 characters.
        reason: Arc<str>,
    },
    /// Say something and do nothing.
    Say {
        /// The words.
        text: Arc<str>,
        /// Their identity.
        key: Key,
    },
}

/// How bad what an agent reports is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// Should be looked at.
    Warning,
    /// The operations lead is told too.
    Critical,
}

/// What a call touches, as its tool's extractors read it from the arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Touched {
    /// Records or people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Micro-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<u64>,
    /// People written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<u64>,
}

impl Touched {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Touched::default()
    }
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
    /// Nobody has counted it: what was sent and received is estimated, or what was set aside stays spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    /// Whether nothing was used, as far as anybody knows.
    pub fn is_nothing(&self) -> bool {
        *self == Usage::default()
    }
}

fn nothing() -> Arc<str> {
    "".into()
}

fn is_empty(text: &Arc<str>) -> bool {
    text.is_empty()
}

/// What came back from a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Observation {
    /// How it went.
    pub outcome: Outcome,
    /// The shown part of the result, secrets replaced: at most 4 KiB, or 32 KiB where a guard decides what an
    /// agent may see of it.
    pub text: Arc<str>,
    /// Size of the whole result.
    pub bytes: u64,
    /// Bytes of the result that are not in the text, because it was cut where a model is told of it; none where none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// Salted digest of the whole result, where the text is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Arc<str>>,
    /// Identity of the result, volatile fields stripped: whether the same call says the same again.
    pub result_key: Option<Key>,
    /// Identity of the result as it is: whether another call says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_key: Option<Key>,
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
    /// The result says that something is still under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// Facts that the result states, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<Arc<str>, Arc<str>>,
    /// Conditions that the tool itself reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<FailClosed>,
    /// Micro-dollars that the call cost; none where the registry says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

impl Observation {
    /// An answer of which only this is known.
    pub fn new(outcome: Outcome, text: Arc<str>) -> Self {
        Observation {
            outcome,
            bytes: text.len() as u64,
            left_out: None,
            text,
            payload: None,
            result_key: None,
            exact_key: None,
            error_key: None,
            state_before: None,
            state_after: None,
            mutating: None,
            poller: None,
            pending: false,
            facts: BTreeMap::new(),
            reports: Vec::new(),
            cost: None,
        }
    }
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
    /// What stands behind it was busy or broken, and did nothing.
    Infrastructure,
    /// It did not accept the host's credential.
    Unauthenticated,
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
            Outcome::Unauthenticated => Some(FailureClass::Rejected),
        }
    }
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
    /// The result no longer has the form that its parser knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drifted: bool,
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
            Input::Waited { .. } => "the end of that wait",
            Input::Refused { .. } => "a refusal of a bucket",
            Input::Halted { .. } => "an operator's halt",
            Input::Decided { .. } => "that decision",
            Input::TakenUp { .. } => "being taken up",
            Input::Cancelled => "a cancellation",
            Input::Closed { .. } => "the end of a recording or of its agent",
        }
    }
}
