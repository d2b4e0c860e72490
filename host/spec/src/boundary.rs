//! The operating envelope: what a model may observe, decide, call, write and spend, and to whom its
//! authority passes (document 003, autonomy boundary model; specification D1, D2, D8).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::state::StateKind;

/// The envelope of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Boundary {
    /// Its name.
    pub name: Arc<str>,
    /// Digest of this envelope: what allowed a call, a transition, a memory or an escalation.
    pub digest: Arc<str>,
    /// The preset it was made from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Arc<str>>,
    /// Rung on the ladder of autonomy, 1 (a direct answer) to 7 (an open-ended loop).
    pub autonomy: u8,
    /// The lowest rung that could do the task.
    pub least_autonomy: u8,
    /// How the work is organised.
    pub pattern: Pattern,
    /// Whether calls follow a plan.
    pub plans: PlanRule,
    /// Tools the run may use; a registered tool outside is denied.
    pub tools: Vec<Arc<str>>,
    /// Scopes it holds, for tools that need one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Arc<str>>,
    /// Kinds of state that the model may propose to write.
    pub writes: Vec<StateKind>,
    /// What the model may decide by itself.
    pub decisions: Vec<DecisionRight>,
    /// Tools whose category asks for approval and that were approved beforehand. No ceiling yields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preauthorised: Vec<Arc<str>>,
    /// Tools that ask, whatever their category says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Arc<str>>,
    /// Conditions under which the run ends at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fail_closed: Vec<FailClosed>,
    /// Records or people one action may touch without consent.
    pub blast_radius_limit: Option<u64>,
    /// Whose law a model's provider may be under, such as `eu`; empty: anybody's. A provider of which
    /// nobody said it is none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<Arc<str>>,
    /// Where tools run, for people.
    pub working_context: Arc<str>,
    /// Exchanges that a request carries word for word; default 4.
    pub exchanges: u32,
}

impl Boundary {
    /// A bounded loop over these tools, with every right that a model may have.
    pub fn new(name: &str, tools: Vec<Arc<str>>) -> Self {
        Boundary {
            name: name.into(),
            digest: "".into(),
            profile: None,
            autonomy: 6,
            least_autonomy: 6,
            pattern: Pattern::StateMachine,
            plans: PlanRule::Optional,
            tools,
            permissions: Vec::new(),
            writes: vec![StateKind::Scratchpad, StateKind::Memory],
            decisions: DecisionRight::ALL.to_vec(),
            preauthorised: Vec::new(),
            asks: Vec::new(),
            fail_closed: Vec::new(),
            blast_radius_limit: None,
            jurisdictions: Vec::new(),
            working_context: "".into(),
            exchanges: 4,
        }
    }
}

/// How the work is organised (document 003, topology patterns).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Model decisions happen inside the graph's nodes only.
    #[default]
    StateMachine,
    /// The strongest model plans, the chosen one acts.
    PlannerExecutor,
    /// A plan's sub-tasks are worked on one by one, each with the tools of its own steps.
    SupervisorWorker,
    /// Agents share their task state. Only at autonomy 7.
    Blackboard,
    /// Peers hand work to each other. Only at autonomy 7.
    Swarm,
}

/// Whether calls follow a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanRule {
    /// The model may make one; once it has, it counts.
    #[default]
    Optional,
    /// Nothing is called before a plan is valid.
    Required,
    /// Nor before a person has approved it.
    Approved,
}

/// A right that is leased to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionRight {
    /// Choose among the tools of the boundary.
    ChooseTool,
    /// Make and change a plan.
    Plan,
    /// Split work into sub-tasks.
    SplitWork,
    /// Ask the user.
    Clarify,
    /// Ask for a pass of reflection.
    Reflect,
    /// Propose a memory.
    Remember,
    /// Hand the task to a person or an architect.
    HandOver,
    /// Give the goal up.
    Abandon,
}

impl DecisionRight {
    /// As it is written in traces and configuration.
    pub fn name(self) -> &'static str {
        match self {
            DecisionRight::ChooseTool => "choose-tool",
            DecisionRight::Plan => "plan",
            DecisionRight::SplitWork => "split-work",
            DecisionRight::Clarify => "clarify",
            DecisionRight::Reflect => "reflect",
            DecisionRight::Remember => "remember",
            DecisionRight::HandOver => "hand-over",
            DecisionRight::Abandon => "abandon",
        }
    }

    /// All of them.
    pub const ALL: [DecisionRight; 8] = [
        DecisionRight::ChooseTool,
        DecisionRight::Plan,
        DecisionRight::SplitWork,
        DecisionRight::Clarify,
        DecisionRight::Reflect,
        DecisionRight::Remember,
        DecisionRight::HandOver,
        DecisionRight::Abandon,
    ];
}

/// A condition under which a run ends at once instead of going on another way (document 003, risk
/// profiles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailClosed {
    /// A call outside the boundary or without its permission.
    UnauthorisedAccess,
    /// Success claimed without a verified observation.
    UngroundedClaim,
    /// Two sources contradict each other.
    SourceConflict,
    /// A secret in the arguments of a call.
    SecretExposure,
    /// A verifier that fails after something was changed.
    FailedCheckAfterChange,
    /// A change of infrastructure.
    ProductionChange,
    /// A tool of the strictest compliance tag.
    RegulatedData,
    /// A change of money.
    PaymentChange,
    /// A demand that does not fit into the budget.
    BudgetBreach,
    /// An approval that was refused or ran out.
    MissingApproval,
    /// A goal that can be read in several ways.
    AmbiguousGoal,
    /// A policy's verdict to end the run.
    SecurityIncident,
    /// A change that cannot be undone.
    DestructiveAction,
    /// A change of unknown extent.
    UncertainBlastRadius,
    /// A tool reports that the identity does not match.
    IdentityMismatch,
    /// A tool reports that its policy makes an exception necessary.
    PolicyException,
}

impl FailClosed {
    /// As it is written in traces and configuration.
    pub fn name(self) -> &'static str {
        match self {
            FailClosed::UnauthorisedAccess => "unauthorised-access",
            FailClosed::UngroundedClaim => "ungrounded-claim",
            FailClosed::SourceConflict => "source-conflict",
            FailClosed::SecretExposure => "secret-exposure",
            FailClosed::FailedCheckAfterChange => "failed-check-after-change",
            FailClosed::ProductionChange => "production-change",
            FailClosed::RegulatedData => "regulated-data",
            FailClosed::PaymentChange => "payment-change",
            FailClosed::BudgetBreach => "budget-breach",
            FailClosed::MissingApproval => "missing-approval",
            FailClosed::AmbiguousGoal => "ambiguous-goal",
            FailClosed::SecurityIncident => "security-incident",
            FailClosed::DestructiveAction => "destructive-action",
            FailClosed::UncertainBlastRadius => "uncertain-blast-radius",
            FailClosed::IdentityMismatch => "identity-mismatch",
            FailClosed::PolicyException => "policy-exception",
        }
    }
}
