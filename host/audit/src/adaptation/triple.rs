//! One line of the log.

use std::sync::Arc;

use countersign_kernel::contract::{Compliance, Reversibility, Stakes, ToolCategory, Verdict};
use countersign_kernel::{Answered, Code, Slot};
use countersign_spec::PolicyMode;
use serde::{Deserialize, Serialize};

/// What was recommended, what was decided, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Triple {
    /// Id of the run.
    pub run: Arc<str>,
    /// The frame of its trace in which the slot was heard.
    pub frame: u64,
    /// When that was: UTC milliseconds; counted from 0 in a recording, which does not say when it began.
    pub at: u64,
    /// The slot.
    pub slot: Slot,
    /// Class of the run's task; none where nobody had classified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Arc<str>>,
    /// What the slot was asked about.
    #[serde(default, skip_serializing_if = "About::is_empty")]
    pub about: About,
    /// What its policies said together.
    pub recommendation: Recommendation,
    /// What each of them said, in lock order.
    pub policies: Vec<PolicyAnswer>,
    /// What the host or a person did.
    pub decision: Decision,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a slot was asked about, as far as it is no text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct About {
    /// The tool of the call, where it is a registered one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Arc<str>>,
    /// Its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<ToolCategory>,
    /// Whether the call can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversibility: Option<Reversibility>,
    /// Records or people that it affects; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<u64>,
    /// Strictest tag of what it touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<Compliance>,
    /// What depends on the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stakes: Option<Stakes>,
    /// Fused confidence in the answer that proposes the call, 0..=1; none where it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl About {
    fn is_empty(&self) -> bool {
        *self == About::default()
    }
}

/// What the policies of a slot said together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recommendation {
    /// The most restrictive of their verdicts. Where all of them are only watched, of those.
    pub verdict: Verdict,
    /// The lowest confidence or the highest risk, 0..=1; none in other slots, and where none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The entries that gave the verdict; empty where all of them are only watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Arc<str>>,
}

/// What one policy said, and which one it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyAnswer {
    /// Name of the bundle entry.
    pub entry: Arc<str>,
    /// The policy's own name and version.
    pub policy: Arc<str>,
    /// Digest of the component.
    pub component: Arc<str>,
    /// Digest of the configuration: what a calibrator proposes another one of.
    pub configuration: Arc<str>,
    /// Whether its verdicts count in this slot.
    pub mode: PolicyMode,
    /// Its verdict; the slot's failure verdict where it could not decide.
    pub verdict: Verdict,
    /// Why it could not decide, by the cause's name; none where it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<Arc<str>>,
    /// Its answer without its words; none where it could not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

/// What the host or a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Decision {
    /// What was done with the recommendation.
    pub did: Did,
    /// The person who decided; none where the host did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// Who wanted a person asked: entries, or a rule of the host such as `ceiling` or `category`. Empty
    /// where no action waited for an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_by: Vec<Arc<str>>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// The run went on.
    Proceeded,
    /// It went on, and that was recorded.
    Logged,
    /// It went on, and people were told.
    Notified,
    /// The model was asked for something else.
    Replanned,
    /// A stronger model was asked.
    Escalated,
    /// An agent that owns its loop was told to make no more calls.
    Held,
    /// The action was blocked.
    Denied,
    /// The run was ended.
    Terminated,
    /// Nothing: the run or the entry is only watched. The verdict says what would have been done.
    WouldHave,
    /// A person is asked, and has not decided; after the run's end: never did.
    Pending,
    /// A person approved the action.
    Approved,
    /// A person refused the action, or the run.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// Nobody could be reached.
    Unavailable,
    /// A person answered the question.
    Answered,
    /// A person took what was done so far as it was.
    Accepted,
    /// A person released more budget.
    Released,
    /// A person let the run go on.
    Resumed,
    /// A person stopped the run.
    Cancelled,
}

impl Did {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Did::Proceeded => "proceeded",
            Did::Logged => "logged",
            Did::Notified => "notified",
            Did::Replanned => "replanned",
            Did::Escalated => "escalated",
            Did::Held => "held",
            Did::Denied => "denied",
            Did::Terminated => "terminated",
            Did::WouldHave => "would-have",
            Did::Pending => "pending",
            Did::Approved => "approved",
            Did::Rejected => "rejected",
            Did::Expired => "expired",
            Did::Unavailable => "unavailable",
            Did::Answered => "answered",
            Did::Accepted => "accepted",
            Did::Released => "released",
            Did::Resumed => "resumed",
            Did::Cancelled => "cancelled",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Outcome {
    /// How the call, the answer or the run turned out.
    pub came: Came,
    /// Number of the call in the trace, where it is a call's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// With what the run ended, where it is the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Every criterion was verified then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// What the run used between the recommendation and its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Used>,
}

impl Outcome {
    /// Nothing but this is known of it.
    pub(super) fn only(came: Came) -> Self {
        Outcome { came, call: None, code: None, verified: None, after: None }
    }
}

/// What came of a call, an answer or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// The call did what it should, by its verifier; a claim was accepted and every criterion verified.
    Verified,
    /// The call says that it went well; a claim was accepted. Nobody verified it.
    Unverified,
    /// The call failed, or its verifier did not hold; a claim was not accepted.
    Failed,
    /// The call did not answer in time: what it did nobody knows.
    TimedOut,
    /// What stands behind the tool could not be reached, or did not let the host in: nothing was done.
    Unavailable,
    /// The run was over before the call had answered, or a recording does not say how it went.
    Unknown,
    /// The call was not made; the answer was not used.
    NotRun,
    /// The run ended.
    Ended,
    /// Nothing is known yet.
    Open,
}

impl Came {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Came::Verified => "verified",
            Came::Unverified => "unverified",
            Came::Failed => "failed",
            Came::TimedOut => "timed-out",
            Came::Unavailable => "unavailable",
            Came::Unknown => "unknown",
            Came::NotRun => "not-run",
            Came::Ended => "ended",
            Came::Open => "open",
        }
    }
}

/// What a run has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Used {
    /// Model calls that were answered; where an agent owns the loop, its proposals.
    pub steps: u64,
    /// Tool calls that were answered, each try for itself.
    pub tool_calls: u64,
    /// Tokens sent to models.
    pub input_tokens: u64,
    /// Tokens received from them.
    pub output_tokens: u64,
    /// Micro-dollars, of models and of tools.
    pub cost: u64,
}

impl Used {
    pub(super) fn since(self, before: Used) -> Used {
        Used {
            steps: self.steps.saturating_sub(before.steps),
            tool_calls: self.tool_calls.saturating_sub(before.tool_calls),
            input_tokens: self.input_tokens.saturating_sub(before.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(before.output_tokens),
            cost: self.cost.saturating_sub(before.cost),
        }
    }
}
