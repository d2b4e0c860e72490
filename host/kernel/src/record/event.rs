use std::sync::Arc;

use countersign_spec::Need;
use countersign_spec::boundary::{DecisionRight, FailClosed};
use countersign_spec::graph::Exit;
use countersign_spec::plan::PlanStep;
use countersign_spec::routing::Authority;
use countersign_spec::state::StateKind;
use serde::{Deserialize, Serialize};

use crate::contract::{AuthorityGap, Layer, PlanningMode, Slot, Trigger};
use crate::contract::{Dimension, Key, SensitivityTag, Tier, Verdict};
use crate::record::input::Alarm;
use crate::record::packet::{Approval, Packet, Report};
use crate::record::standing::StandingApproval;
use crate::record::status::Code;

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// One transition along a compiled edge; written as a pair, since most frames have several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Exit, Arc<str>)", into = "(Exit, Arc<str>)")]
pub struct Move {
    /// The exit that was found.
    pub on: Exit,
    /// The node that was entered.
    pub to: Arc<str>,
}

impl From<(Exit, Arc<str>)> for Move {
    fn from((on, to): (Exit, Arc<str>)) -> Self {
        Move { on, to }
    }
}

impl From<Move> for (Exit, Arc<str>) {
    fn from(Move { on, to }: Move) -> Self {
        (on, to)
    }
}

/// What a final answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Support {
    /// Id of a criterion, or name of a fact.
    pub of: Arc<str>,
    /// Number of the call whose observation was verified.
    pub call: u64,
}

/// A stage of the tool pipeline (specification D13), in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Is the tool registered?
    Registry,
    /// Do the arguments match its schema?
    Schema,
    /// Does the boundary allow it?
    Permission,
    /// Does the plan?
    Plan,
    /// Has the very same been done, or tried too often?
    Repetition,
    /// Is what it relies on still fresh?
    Freshness,
    /// Would a cheaper tool do?
    LeastTool,
    /// Is there room in the budget and in the tool's own caps?
    Budget,
    /// Does the tool's rate allow it?
    Rate,
    /// Was the agent told to stop?
    Threshold,
    /// What does the risk slot say?
    Risk,
    /// Must a person approve?
    Approval,
}

impl Stage {
    /// As it is written in traces.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Registry => "registry",
            Stage::Schema => "schema",
            Stage::Permission => "permission",
            Stage::Plan => "plan",
            Stage::Repetition => "repetition",
            Stage::Freshness => "freshness",
            Stage::LeastTool => "least-tool",
            Stage::Budget => "budget",
            Stage::Rate => "rate",
            Stage::Threshold => "threshold",
            Stage::Risk => "risk",
            Stage::Approval => "approval",
        }
    }
}

impl Response {
    /// As it is written in traces.
    pub fn name(self) -> &'static str {
        match self {
            Response::Repair => "repair",
            Response::AskUser => "ask-user",
            Response::Block => "block",
            Response::Defer => "defer",
            Response::Substitute => "substitute",
            Response::AskApproval => "ask-approval",
            Response::FailClosed => "fail-closed",
        }
    }
}

impl IncompleteKind {
    /// As it is written in traces.
    pub fn name(self) -> &'static str {
        match self {
            IncompleteKind::SilentGiveUp => "silent-give-up",
            IncompleteKind::PoliteLoop => "polite-loop",
            IncompleteKind::PseudoCompletion => "pseudo-completion",
        }
    }
}

/// What a failing stage leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The model mends the call.
    Repair,
    /// The user is asked.
    AskUser,
    /// The call does not run; the run goes on another way.
    Block,
    /// The call may be made later.
    Defer,
    /// The call must be made with other means.
    Substitute,
    /// A person must approve it.
    AskApproval,
    /// The run ends or is suspended.
    FailClosed,
}

/// How a cycle ended without having done anything (specification E1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncompleteKind {
    /// It only spoke.
    SilentGiveUp,
    /// It went on in circles.
    PoliteLoop,
    /// It said that it was done.
    PseudoCompletion,
}

/// What an input and its judgements caused. Recorded in their frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// Tier and planning mode are chosen.
    Classified {
        /// Class of the task; none where nobody classified it.
        class: Option<String>,
        /// Tier to start with.
        tier: Tier,
        /// How to go about it.
        planning: PlanningMode,
    },
    /// The policies of a slot have been heard.
    Verdict {
        /// The slot.
        slot: Slot,
        /// The most restrictive of their verdicts.
        verdict: Verdict,
        /// The entries that gave it.
        by: Vec<Arc<str>>,
        /// Their reason; none where the run just goes on, for it stands in the judgements.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// The slot is empty, or what it needs is not there.
    NotJudged {
        /// The slot.
        slot: Slot,
    },
    /// The model's answer is not in the form asked for.
    SchemaViolation {
        /// What was expected.
        reason: String,
    },
    /// The model is told what is wrong with the form of its answer, and asked again.
    AnswerSentBack {
        /// Which time in a row, from 1.
        attempt: u32,
    },
    /// A model is called.
    ModelCalled {
        /// Number of the call.
        call: u64,
        /// Which tier.
        tier: Tier,
        /// Which model of it.
        model: Arc<str>,
        /// Tokens at the beginning of the request that it was sent before.
        #[serde(default, skip_serializing_if = "is_zero")]
        cached: u64,
    },
    /// No model of the tier may be told, or none at all.
    Rerouted {
        /// What was wanted.
        wanted: Tier,
        /// What there is; none where there is nothing.
        to: Option<Tier>,
        /// Why.
        reason: String,
    },
    /// The run holds something more sensitive than before.
    TagRaised {
        /// How sensitive it is.
        tag: SensitivityTag,
        /// Why.
        reason: String,
    },
    /// What a model must not see was replaced before it saw it, or what people must not, in a model's words.
    Redacted {
        /// The tool whose answer it was; none for a model's words to people.
        tool: Option<Arc<str>>,
        /// How much of what kind, by name.
        parts: Vec<(Arc<str>, u32)>,
    },
    /// An error that the agent cannot mend.
    GapFound {
        /// Of which tool, and who could.
        gap: AuthorityGap,
    },
    /// The next action is not worth it: nothing more is called.
    Held {
        /// What flipped; none where the policy could not decide.
        trigger: Option<Trigger>,
        /// Why.
        reason: String,
    },
    /// The agent may call again.
    HoldLifted {
        /// Who saw to it: the agent by its report, or a person.
        by: Arc<str>,
    },
    /// Room was made in the context.
    RoomMade {
        /// How; none for a new beginning.
        layer: Option<Layer>,
        /// Tokens before.
        before: u64,
        /// Tokens after.
        after: u64,
        /// Why.
        reason: String,
    },
    /// Somebody is to do a sub-task.
    Assigned {
        /// Which.
        id: Arc<str>,
        /// The specialist; none for the run itself.
        to: Option<Arc<str>>,
        /// At the same time as others.
        parallel: bool,
    },
    /// A stronger model is asked.
    Escalated {
        /// Who asks.
        from: Tier,
        /// Who is asked.
        to: Tier,
        /// Why.
        cause: String,
        /// What it is told.
        packet: Packet,
        /// Digest of the boundary that allows it.
        boundary: Arc<str>,
        /// Size of the packet in tokens.
        packet_tokens: u64,
        /// Size of the history that it is spared, in tokens.
        history_tokens: u64,
    },
    /// The stronger model's text is handed to the weaker one, which goes on from the last valid
    /// state.
    Patched {
        /// Who goes on.
        tier: Tier,
    },
    /// The model is asked for another plan.
    Replanned {
        /// Why.
        reason: String,
    },
    /// The run moved along the graph.
    Moved {
        /// From this node.
        from: Arc<str>,
        /// Along these edges.
        path: Vec<Move>,
    },
    /// What is in reach for the task is settled.
    Scoped {
        /// Tools that may be called.
        tools: u32,
        /// Tools of the boundary that may not be: they need a permission that the run does not hold. At most 64.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        withheld: Vec<Arc<str>>,
        /// Memories of earlier runs that still count.
        memories: u32,
        /// Memories whose time is over: no request has them. At most 64.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lapsed: Vec<Arc<str>>,
        /// Tiers with a model that may be told what the run holds. Empty where an agent brings its own model.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tiers: Vec<Tier>,
        /// What the task needs and cannot reach, for people.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        out_of_reach: Vec<String>,
        /// Digest of the boundary that says so.
        boundary: Arc<str>,
    },
    /// What the run may do is settled.
    Bounded {
        /// Its rung on the ladder of autonomy.
        autonomy: u8,
        /// The lowest rung that could do the task.
        least_autonomy: u8,
        /// Digest of the boundary.
        boundary: Arc<str>,
        /// Digest of the graph.
        graph: Arc<str>,
    },
    /// The model's plan is valid and counts from here.
    Planned {
        /// Its steps.
        steps: Vec<PlanStep>,
    },
    /// A plan is sent back.
    PlanRefused {
        /// Everything that is wrong with it.
        problems: Vec<String>,
    },
    /// Sub-tasks of equal signature are one.
    Merged {
        /// What was merged.
        id: Arc<str>,
        /// What stands for it.
        into: Arc<str>,
    },
    /// A step of the plan is complete.
    PlanStepDone {
        /// Its id.
        id: Arc<str>,
    },
    /// A failed call is to be mended.
    Repairing {
        /// How many in a row.
        attempt: u32,
        /// What failed.
        reason: String,
    },
    /// The model is asked for a diagnosis.
    Reflecting {
        /// On what.
        about: Arc<str>,
        /// Passes so far.
        passes: u64,
    },
    /// A pass of reflection that nothing calls for.
    ReflectionRefused {
        /// Why.
        reason: String,
    },
    /// What could not be done is tried again after a wait.
    Retrying {
        /// Which try, from 1.
        attempt: u32,
        /// Milliseconds until then.
        wait: u64,
        /// What could not be done.
        reason: String,
    },
    /// A request was compressed.
    Compressed {
        /// Tokens before.
        before: u64,
        /// Tokens after.
        after: u64,
        /// What was kept.
        kept: Vec<StateKind>,
        /// What was dropped.
        dropped: Vec<StateKind>,
    },
    /// An action does not run; the run goes on.
    Blocked {
        /// The tool.
        tool: Arc<str>,
        /// Where in the pipeline.
        stage: Stage,
        /// What follows.
        response: Response,
        /// Why.
        reason: String,
    },
    /// A tool call is on its way.
    Dispatched {
        /// Number of the call.
        call: u64,
        /// The tool.
        tool: Arc<str>,
        /// Identity of tool and arguments.
        key: Key,
        /// The same for every try of this call; none for one that changes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<Arc<str>>,
        /// Digest of the boundary that allows it.
        boundary: Arc<str>,
    },
    /// The call was not made after all: somebody above the run refused it.
    Withdrawn {
        /// Number of the call.
        call: u64,
    },
    /// The boundary does not leave a decision to the model.
    RightWithheld {
        /// Which.
        right: DecisionRight,
    },
    /// A reading is kept as evidence.
    EvidenceKept {
        /// Number of the call that brought it.
        call: u64,
        /// Its source: the tool.
        source: Arc<str>,
        /// Milliseconds of the run's time.
        at: u64,
    },
    /// The model may not write that.
    WriteRefused {
        /// Which kind of state.
        state: StateKind,
        /// Under which name.
        key: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A memory waits for the end of the run.
    MemoryProposed {
        /// Under this name.
        key: Arc<str>,
    },
    /// A memory is written.
    MemoryWritten {
        /// Under this name.
        key: Arc<str>,
        /// Numbers of the calls that support it.
        sources: Vec<u64>,
        /// Digest of the boundary that allows it.
        boundary: Arc<str>,
    },
    /// Two sources say different things.
    Conflict {
        /// About what.
        fact: Arc<str>,
        /// What was said first, and by which tool.
        first: (Arc<str>, Arc<str>),
        /// What is said now, and by which tool.
        now: (Arc<str>, Arc<str>),
    },
    /// What the model answers must come from a tool.
    ToolRequired {
        /// What for.
        need: Need,
    },
    /// The model claims what no tool was seen to do.
    Assumed {
        /// The tools.
        tools: Vec<Arc<str>>,
    },
    /// A tool's results no longer have their form: it is not called again.
    ToolSetAside {
        /// The tool.
        tool: Arc<str>,
        /// Salted digest of the result that did not fit, where there is one.
        payload: Option<Arc<str>>,
    },
    /// A tool no longer accepts the credential that it accepted before.
    CredentialExpired {
        /// The tool.
        tool: Arc<str>,
    },
    /// A cycle ended without having done anything.
    Incomplete {
        /// How.
        kind: IncompleteKind,
        /// The last calls, at most two.
        last_calls: Vec<Arc<str>>,
        /// What the model said last.
        last_output: Arc<str>,
        /// It is tried once more.
        retried: bool,
    },
    /// The agent hands the task to a person.
    Deferred {
        /// Why.
        reason: Arc<str>,
    },
    /// The agent reports something larger.
    EscalatedToArchitect {
        /// How bad it is.
        severity: Alarm,
        /// What.
        reason: Arc<str>,
    },
    /// What the rest will cost at least is more than what is left.
    WillNotSuffice {
        /// In which dimension.
        dimension: Dimension,
        /// What the rest will cost at least.
        lower: u64,
        /// What is left.
        left: u64,
    },
    /// A bucket above the run has no room.
    BucketRefused {
        /// Which.
        bucket: Arc<str>,
        /// What is short there.
        dimension: Arc<str>,
    },
    /// An operator's switch stopped the run.
    Halted {
        /// What was switched off.
        switch: Arc<str>,
    },
    /// A person is asked to approve an action; the run goes on without it. Only where the agent owns
    /// the loop.
    ApprovalRequested {
        /// What is to be approved.
        approval: Approval,
    },
    /// A person approved an action.
    Approved {
        /// Which.
        fingerprint: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
    /// More policies ask about a call that a person was asked about before. What the person approves, or has
    /// approved, is the call, also against them.
    ApprovalJoined {
        /// Which approval.
        fingerprint: Arc<str>,
        /// Those who did not ask before.
        by: Vec<Arc<str>>,
        /// Why the call is held up by now, in the words of all who ask.
        reason: String,
    },
    /// The approval was used.
    ApprovalSpent {
        /// Which.
        fingerprint: Arc<str>,
    },
    /// What it was used for was not done: it may be used again.
    ApprovalReturned {
        /// Which.
        fingerprint: Arc<str>,
    },
    /// A person's rule holds in this run from now on.
    StandingGiven {
        /// What it covers.
        standing: Box<StandingApproval>,
        /// Who.
        by: Arc<str>,
    },
    /// A person's rule answered those who asked about a call.
    StandingApplied {
        /// Its name.
        standing: Arc<str>,
        /// Those who asked.
        by: Vec<Arc<str>>,
        /// Why, in their words.
        reason: String,
    },
    /// A person's rule holds no more.
    StandingWithdrawn {
        /// Its name.
        standing: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
    /// A person refused an action or a run.
    Rejected {
        /// Who.
        by: Arc<str>,
    },
    /// Nobody decided in time: no denial, and no approval.
    ApprovalExpired {
        /// Which.
        fingerprint: Arc<str>,
        /// It is asked for again.
        asked_again: bool,
    },
    /// Nobody could be reached.
    ApprovalUnavailable,
    /// A person took the run up again.
    Resumed {
        /// Who.
        by: Arc<str>,
    },
    /// A person raised a cap.
    Released {
        /// Of which dimension.
        dimension: Dimension,
        /// The new cap.
        limit: u64,
        /// Who.
        by: Arc<str>,
    },
    /// A notice to reviewers waits: they have enough to do.
    ReviewDeferred {
        /// What it would have said.
        text: String,
    },
    /// A condition of the boundary ends the run.
    FailedClosed {
        /// Which.
        condition: FailClosed,
        /// What happened.
        reason: String,
    },
    /// A verifier held, and the observation is part of the task's state.
    Committed {
        /// Number of the call.
        call: u64,
        /// Under this name.
        fact: Arc<str>,
    },
    /// A verifier did not hold.
    VerificationFailed {
        /// Number of the call.
        call: u64,
        /// What was found.
        detail: String,
    },
    /// An acceptance criterion is verified.
    CriterionMet {
        /// Its id.
        id: Arc<str>,
    },
    /// An acceptance criterion no longer holds.
    CriterionLost {
        /// Its id.
        id: Arc<str>,
    },
    /// The model claims success that no verified observation supports.
    ClaimUnsupported {
        /// The criteria that are not verified.
        unmet: Vec<Arc<str>>,
    },
    /// The final answer is put together from what was committed.
    Finalised {
        /// Criteria that are verified, each with the call that verified it.
        criteria: Vec<Support>,
        /// Facts that hold at the end. What was only read before a later change is not among them.
        facts: Vec<Support>,
        /// Tools that the answer claims to have used and of which no verified observation holds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unverified: Vec<Arc<str>>,
    },
    /// An effect does not fit into what is left.
    BudgetRefused {
        /// Where it is short.
        dimension: Dimension,
        /// What it would have needed at most.
        demand: u64,
        /// What is left.
        left: u64,
    },
    /// A person is told.
    Notified {
        /// What.
        text: String,
    },
    /// In monitor mode: what would have been done here.
    WouldHave {
        /// The verdict.
        verdict: Verdict,
        /// The slot or host rule that gave it.
        by: Arc<str>,
        /// Why.
        reason: String,
    },
    /// The run waits for a person.
    Suspended {
        /// Why.
        code: Code,
        /// What the person is told.
        report: Report,
    },
    /// The run is over.
    Ended {
        /// Why.
        code: Code,
        /// Every criterion is verified; false where none is declared.
        verified: bool,
        /// Why, for people.
        reason: String,
        /// Who receives authority; nobody after a success, or when a person ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authority: Option<Authority>,
        /// Frames of the whole trace, manifest and this one included.
        frames: u64,
    },
}
