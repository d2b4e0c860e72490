//! The contract's types as wasmtime lifts and lowers them, and their way from and to the kernel's.
//! Texts are shared, not copied: lowering writes them into the guest once.

use std::sync::Arc;

use countersign_kernel::contract::{self, classifier, confidence, doom_loop, estimator, risk, view};
use wasmtime::component::{ComponentType, Lift, Lower};

/// An enum of the contract and its twin in the kernel.
macro_rules! twin {
    ($name:ident, $kernel:path { $($case:ident = $wit:literal),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
        #[component(enum)]
        #[repr(u8)]
        #[allow(dead_code, reason = "some are only lifted, some only lowered")]
        pub enum $name { $(#[component(name = $wit)] $case),+ }

        impl From<$kernel> for $name {
            fn from(value: $kernel) -> Self {
                match value { $(<$kernel>::$case => $name::$case),+ }
            }
        }

        impl From<$name> for $kernel {
            fn from(value: $name) -> Self {
                match value { $($name::$case => <$kernel>::$case),+ }
            }
        }
    };
}

twin!(Verdict, contract::Verdict {
    Proceed = "proceed", Log = "log", Notify = "notify", Replan = "replan",
    Escalate = "escalate", Ask = "ask", Deny = "deny", Terminate = "terminate",
});
twin!(Tier, contract::Tier { Cheap = "cheap", Mid = "mid", Strong = "strong" });
twin!(Compliance, contract::Compliance {
    None = "none", Pii = "pii", Financial = "financial", Regulated = "regulated",
});
twin!(ToolCategory, contract::ToolCategory {
    ReadOnlyLookup = "read-only-lookup", Retrieval = "retrieval", LiveApi = "live-api", Sandbox = "sandbox",
    FileSystem = "file-system", Database = "database", Communication = "communication", Payment = "payment",
    Infrastructure = "infrastructure", ReviewQueue = "review-queue",
});
twin!(Phase, contract::Phase { Intake = "intake", Proposal = "proposal", Observation = "observation" });
twin!(Dimension, contract::Dimension {
    Steps = "steps", InputTokens = "input-tokens", OutputTokens = "output-tokens", ToolCalls = "tool-calls",
    ExternalCalls = "external-calls", RunningTime = "running-time", Cost = "cost", Retries = "retries",
    Reflections = "reflections", ContextTokens = "context-tokens", MemoryWrites = "memory-writes",
    SideEffects = "side-effects", RecordsTouched = "records-touched", MoneyMoved = "money-moved",
    RecipientsReached = "recipients-reached",
});
twin!(SideEffect, classifier::SideEffect {
    None = "none", Reversible = "reversible", Irreversible = "irreversible",
});
twin!(Orientation, confidence::Orientation {
    Confidence = "confidence", Doubt = "doubt", Entropy = "entropy",
});
twin!(Stakes, confidence::Stakes { Low = "low", Medium = "medium", High = "high", Critical = "critical" });
twin!(ModelKind, confidence::ModelKind { General = "general", Reasoning = "reasoning" });
twin!(FailureClass, doom_loop::FailureClass {
    Rejected = "rejected", Failed = "failed", TimedOut = "timed-out", Infrastructure = "infrastructure",
});
twin!(TripReason, doom_loop::TripReason {
    NoProgress = "no-progress", SameError = "same-error", ToolThrash = "tool-thrash",
    RepeatedMessage = "repeated-message", TurnCap = "turn-cap",
});
twin!(Handoff, doom_loop::Handoff {
    Replan = "replan", Escalate = "escalate", Ask = "ask", Terminate = "terminate",
});
twin!(Reversibility, risk::Reversibility {
    Reversible = "reversible", Irreversible = "irreversible", Unknown = "unknown",
});
twin!(Novelty, risk::Novelty {
    NewTool = "new-tool", NewArguments = "new-arguments", Repeated = "repeated",
});
twin!(LogLevel, crate::call::Level { Debug = "debug", Info = "info", Warn = "warn", Error = "error" });

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Descriptor {
    pub name: String,
    pub version: String,
    pub purpose: String,
    pub stateless: bool,
    #[component(name = "configuration-schema")]
    pub configuration_schema: String,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct ConfigError {
    pub key: String,
    pub message: String,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct BudgetLine {
    limit: u64,
    used: u64,
    reserved: u64,
}

impl From<contract::BudgetLine> for BudgetLine {
    fn from(line: contract::BudgetLine) -> Self {
        BudgetLine { limit: line.limit, used: line.used, reserved: line.reserved }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct StepSummary {
    index: u32,
    #[component(name = "call-key")]
    call_key: Option<u64>,
    #[component(name = "result-key")]
    result_key: Option<u64>,
    failed: bool,
    mutating: bool,
}

impl From<&view::StepSummary> for StepSummary {
    fn from(step: &view::StepSummary) -> Self {
        StepSummary {
            index: step.index,
            call_key: step.call_key.map(|key| key.0),
            result_key: step.result_key.map(|key| key.0),
            failed: step.failed,
            mutating: step.mutating,
        }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct BoundaryLimits {
    #[component(name = "blast-radius-limit")]
    blast_radius_limit: Option<u64>,
    tools: u32,
}

impl From<view::Boundary> for BoundaryLimits {
    fn from(boundary: view::Boundary) -> Self {
        BoundaryLimits { blast_radius_limit: boundary.blast_radius_limit, tools: boundary.tools }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct TierOffer {
    tier: Tier,
    #[component(name = "cheapest-call")]
    cheapest_call: u64,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct PastOutcomes {
    class: String,
    runs: u32,
    succeeded: u32,
    lessons: u32,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Task {
    goal: Arc<str>,
    prompt: Arc<str>,
    tools: Vec<Arc<str>>,
    #[component(name = "step-estimate")]
    step_estimate: Option<u32>,
    #[component(name = "side-effects")]
    side_effects: SideEffect,
    tiers: Vec<TierOffer>,
    past: Vec<PastOutcomes>,
}

impl From<&classifier::Task> for Task {
    fn from(task: &classifier::Task) -> Self {
        Task {
            goal: Arc::clone(&task.goal),
            prompt: Arc::clone(&task.prompt),
            tools: task.tools.clone(),
            step_estimate: task.step_estimate,
            side_effects: task.side_effects.into(),
            tiers: task
                .tiers
                .iter()
                .map(|offer| TierOffer { tier: offer.tier.into(), cheapest_call: offer.cheapest_call })
                .collect(),
            past: task
                .past
                .iter()
                .map(|past| PastOutcomes {
                    class: past.class.clone(),
                    runs: past.runs,
                    succeeded: past.succeeded,
                    lessons: past.lessons,
                })
                .collect(),
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Cascade {
    #[component(name = "escalate-below")]
    escalate_below: f64,
    #[component(name = "max-escalations")]
    max_escalations: u32,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum PlanningMode {
    #[component(name = "act")]
    Act,
    #[component(name = "act-with-reflexion")]
    ActWithReflexion,
    #[component(name = "plan-then-execute")]
    PlanThenExecute,
    #[component(name = "extended-thinking")]
    ExtendedThinking(u32),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Classification {
    class: String,
    tier: Tier,
    cascade: Option<Cascade>,
    planning: PlanningMode,
    ambiguity: f64,
    verdict: Verdict,
    reason: String,
}

impl From<Classification> for classifier::Classification {
    fn from(answer: Classification) -> Self {
        classifier::Classification {
            class: answer.class,
            tier: answer.tier.into(),
            cascade: answer.cascade.map(|cascade| classifier::Cascade {
                escalate_below: cascade.escalate_below,
                max_escalations: cascade.max_escalations,
            }),
            planning: match answer.planning {
                PlanningMode::Act => classifier::PlanningMode::Act,
                PlanningMode::ActWithReflexion => classifier::PlanningMode::ActWithReflexion,
                PlanningMode::PlanThenExecute => classifier::PlanningMode::PlanThenExecute,
                PlanningMode::ExtendedThinking(budget) => classifier::PlanningMode::ExtendedThinking(budget),
            },
            ambiguity: answer.ambiguity,
            verdict: answer.verdict.into(),
            reason: answer.reason,
        }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Signal {
    name: Arc<str>,
    value: f64,
    orientation: Orientation,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Answer {
    signals: Vec<Signal>,
    stakes: Stakes,
    compliance: Compliance,
    model: ModelKind,
    evidence: u32,
    #[component(name = "may-investigate")]
    may_investigate: bool,
}

impl From<&confidence::Answer> for Answer {
    fn from(answer: &confidence::Answer) -> Self {
        Answer {
            signals: answer
                .signals
                .iter()
                .map(|signal| Signal {
                    name: Arc::clone(&signal.name),
                    value: signal.value,
                    orientation: signal.orientation.into(),
                })
                .collect(),
            stakes: answer.stakes.into(),
            compliance: answer.compliance.into(),
            model: answer.model.into(),
            evidence: answer.evidence,
            may_investigate: answer.may_investigate,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Resampling {
    temperature: f64,
    samples: u32,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum TrustAction {
    #[component(name = "ship")]
    Ship,
    #[component(name = "resample")]
    Resample(Resampling),
    #[component(name = "retrieve")]
    Retrieve,
    #[component(name = "investigate")]
    Investigate,
    #[component(name = "escalate")]
    Escalate,
    #[component(name = "abstain")]
    Abstain,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Trust {
    score: Option<f64>,
    action: TrustAction,
    #[component(name = "signals-used")]
    signals_used: Vec<String>,
    #[component(name = "surface-uncertainty")]
    surface_uncertainty: bool,
    reason: String,
}

impl From<Trust> for confidence::Trust {
    fn from(answer: Trust) -> Self {
        confidence::Trust {
            score: answer.score,
            action: match answer.action {
                TrustAction::Ship => confidence::TrustAction::Ship,
                TrustAction::Resample(resampling) => confidence::TrustAction::Resample(confidence::Resampling {
                    temperature: resampling.temperature,
                    samples: resampling.samples,
                }),
                TrustAction::Retrieve => confidence::TrustAction::Retrieve,
                TrustAction::Investigate => confidence::TrustAction::Investigate,
                TrustAction::Escalate => confidence::TrustAction::Escalate,
                TrustAction::Abstain => confidence::TrustAction::Abstain,
            },
            signals_used: answer.signals_used,
            surface_uncertainty: answer.surface_uncertainty,
            reason: answer.reason,
        }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Failure {
    class: FailureClass,
    key: Option<u64>,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct ObservedStep {
    index: Option<u32>,
    action: Arc<str>,
    #[component(name = "call-key")]
    call_key: Option<u64>,
    #[component(name = "result-key")]
    result_key: Option<u64>,
    #[component(name = "state-before")]
    state_before: Option<u64>,
    #[component(name = "state-after")]
    state_after: Option<u64>,
    failure: Option<Failure>,
    mutating: bool,
    poller: bool,
    internal: bool,
    #[component(name = "user-boundary")]
    user_boundary: bool,
    #[component(name = "action-bytes")]
    action_bytes: u64,
    #[component(name = "result-bytes")]
    result_bytes: u64,
    drift: Option<f64>,
}

impl From<&doom_loop::ObservedStep> for ObservedStep {
    fn from(step: &doom_loop::ObservedStep) -> Self {
        ObservedStep {
            index: step.index,
            action: Arc::clone(&step.action),
            call_key: step.call_key.map(|key| key.0),
            result_key: step.result_key.map(|key| key.0),
            state_before: step.state_before.map(|key| key.0),
            state_after: step.state_after.map(|key| key.0),
            failure: step
                .failure
                .map(|failure| Failure { class: failure.class.into(), key: failure.key.map(|key| key.0) }),
            mutating: step.mutating,
            poller: step.poller,
            internal: step.internal,
            user_boundary: step.user_boundary,
            action_bytes: step.action_bytes,
            result_bytes: step.result_bytes,
            drift: step.drift,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Trip {
    reason: TripReason,
    evidence: String,
    handoff: Handoff,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum DoomLoopSignal {
    #[component(name = "steady")]
    Steady,
    #[component(name = "caution")]
    Caution(String),
    #[component(name = "warning")]
    Warning(String),
    #[component(name = "trip")]
    Trip(Trip),
}

impl From<DoomLoopSignal> for doom_loop::Signal {
    fn from(answer: DoomLoopSignal) -> Self {
        match answer {
            DoomLoopSignal::Steady => doom_loop::Signal::Steady,
            DoomLoopSignal::Caution(text) => doom_loop::Signal::Caution(text),
            DoomLoopSignal::Warning(text) => doom_loop::Signal::Warning(text),
            DoomLoopSignal::Trip(trip) => doom_loop::Signal::Trip(doom_loop::Trip {
                reason: trip.reason.into(),
                evidence: trip.evidence,
                handoff: trip.handoff.into(),
            }),
        }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Spent {
    dimension: Dimension,
    used: u64,
    left: u64,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Progress {
    done: u32,
    total: u32,
    steps: u32,
    spent: Vec<Spent>,
}

impl From<&estimator::Progress> for Progress {
    fn from(progress: &estimator::Progress) -> Self {
        Progress {
            done: progress.done,
            total: progress.total,
            steps: progress.steps,
            spent: progress
                .spent
                .iter()
                .map(|spent| Spent { dimension: spent.dimension.into(), used: spent.used, left: spent.left })
                .collect(),
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Interval {
    dimension: Dimension,
    lower: u64,
    upper: u64,
}

/// The kernel's `Estimate`: in the contract `estimate` is the function.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Forecast {
    intervals: Vec<Interval>,
    reason: String,
}

impl From<Forecast> for estimator::Estimate {
    fn from(answer: Forecast) -> Self {
        estimator::Estimate {
            intervals: answer
                .intervals
                .into_iter()
                .map(|interval| estimator::Interval {
                    dimension: interval.dimension.into(),
                    lower: interval.lower,
                    upper: interval.upper,
                })
                .collect(),
            reason: answer.reason,
        }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct ProposedAction {
    tool: Arc<str>,
    category: ToolCategory,
    arguments: Arc<str>,
    reversibility: Reversibility,
    #[component(name = "blast-radius")]
    blast_radius: Option<u64>,
    compliance: Compliance,
    novelty: Novelty,
    #[component(name = "working-context")]
    working_context: Arc<str>,
    confidence: Option<f64>,
}

impl From<&risk::ProposedAction> for ProposedAction {
    fn from(action: &risk::ProposedAction) -> Self {
        ProposedAction {
            tool: Arc::clone(&action.tool),
            category: action.category.into(),
            arguments: Arc::clone(&action.arguments),
            reversibility: action.reversibility.into(),
            blast_radius: action.blast_radius,
            compliance: action.compliance.into(),
            novelty: action.novelty.into(),
            working_context: Arc::clone(&action.working_context),
            confidence: action.confidence,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Assessment {
    verdict: Verdict,
    score: f64,
    reason: String,
}

impl From<Assessment> for risk::Assessment {
    fn from(answer: Assessment) -> Self {
        risk::Assessment { verdict: answer.verdict.into(), score: answer.score, reason: answer.reason }
    }
}
