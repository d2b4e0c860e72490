//! The default policies as ordinary structs: contract records to the SDK's types and back.

use countersign::kernel::contract::view::{Answer, Query, RunView as HostView};
use countersign::kernel::contract::{
    self, classifier as kc, confidence as kf, doom_loop as kd, estimator as ke, risk as kr,
};
use countersign::kernel::{Answered, Question};
use countersign_sdk::testing::TestRun;
use countersign_sdk::{Boundary, BudgetLine, Dimension, Policy, RunView};
use countersign_sdk::{classifier, confidence, doom_loop, estimator, risk};
use serde_json::Value;

/// A default policy, natively.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub enum Native {
    /// Slot `classifier`.
    Classifier(countersign_classifier::TaskRules),
    /// Slot `confidence`.
    Confidence(countersign_confidence::SignalFusion),
    /// Slot `risk`.
    Risk(countersign_risk::RiskMatrix),
    /// Slot `doom-loop`.
    DoomLoop(countersign_doom_loop::CircuitBreaker),
    /// Slot `estimator`.
    Estimator(countersign_estimator::RateInterval),
}

/// An enum of the contract, from one side to the other by its variants' names.
macro_rules! map_enum {
    ($value:expr, $from:path => $to:path { $($case:ident),+ $(,)? }) => {{
        use $from as From;
        use $to as To;
        match $value { $(From::$case => To::$case),+ }
    }};
}

fn configured<P: Policy>(configuration: &Value) -> anyhow::Result<P> {
    let configuration = serde_json::from_value(configuration.clone())?;
    P::configure(configuration).map_err(|error| anyhow::anyhow!("{}: {}", error.key, error.message))
}

impl Native {
    /// The policy of that name.
    ///
    /// # Errors
    /// When it refuses the configuration, or there is no such policy.
    pub fn new(name: &str, configuration: &Value) -> anyhow::Result<Self> {
        Ok(match name {
            "classifier" => Native::Classifier(configured(configuration)?),
            "confidence" => Native::Confidence(configured(configuration)?),
            "risk" => Native::Risk(configured(configuration)?),
            "doom-loop" => Native::DoomLoop(configured(configuration)?),
            "estimator" => Native::Estimator(configured(configuration)?),
            other => anyhow::bail!("no default policy is called {other}"),
        })
    }

    /// Puts a question; none when it belongs to another slot.
    pub fn ask(&mut self, question: &Question, run: &dyn RunView) -> Option<Answered> {
        use countersign_sdk::classifier::Classifier;
        use countersign_sdk::confidence::Confidence;
        use countersign_sdk::doom_loop::DoomLoop;
        use countersign_sdk::estimator::Estimator;
        use countersign_sdk::risk::Risk;
        Some(match (self, question) {
            (Native::Classifier(policy), Question::Classifier(task)) => {
                Answered::Classifier(classification(policy.classify(to_task(task), run)))
            }
            (Native::Confidence(policy), Question::Confidence(answer)) => {
                Answered::Confidence(trust(policy.judge(to_answer(answer), run)))
            }
            (Native::Risk(policy), Question::Risk(action)) => {
                Answered::Risk(assessment(policy.judge(to_action(action), run)))
            }
            (Native::DoomLoop(policy), Question::DoomLoop(step)) => {
                Answered::DoomLoop(signal(policy.observe(to_step(step), run)))
            }
            (Native::Estimator(policy), Question::Estimator(progress)) => {
                Answered::Estimator(estimate(policy.estimate(to_progress(progress), run)))
            }
            _ => return None,
        })
    }
}

/// The same view for a component.
pub struct Served(pub TestRun);

impl HostView for Served {
    fn read(&self, query: &Query) -> Option<Answer> {
        Some(match query {
            Query::Goal => Answer::Goal(self.0.goal().map(Into::into)),
            Query::StepIndex => Answer::StepIndex(self.0.step_index()),
            Query::Phase => Answer::Phase(None),
            Query::Budget(of) => {
                let of = to_dimension(*of);
                Answer::Budget(self.0.budget(of).map(|line| contract::BudgetLine {
                    limit: line.limit,
                    used: line.used,
                    reserved: line.reserved,
                }))
            }
            Query::RecentSteps(_) => Answer::RecentSteps(None),
            Query::Fact(name) => Answer::Fact(self.0.fact(name).map(Into::into)),
            Query::Boundary => Answer::Boundary(self.0.boundary().map(|boundary| contract::view::Boundary {
                blast_radius_limit: boundary.blast_radius_limit,
                tools: boundary.tools,
            })),
        })
    }
}

/// A view with a boundary and what is left of the cost.
pub fn view(blast_radius_limit: Option<u64>, cost_left: Option<u64>) -> TestRun {
    TestRun {
        boundary: Some(Boundary { blast_radius_limit, tools: 3 }),
        budget: cost_left
            .map(|left| (Dimension::Cost, BudgetLine { limit: left + 10, used: 7, reserved: 3 }))
            .into_iter()
            .collect(),
        ..TestRun::default()
    }
}

/// The dimensions by name, from one side to the other.
macro_rules! map_dimension {
    ($value:expr, $from:path => $to:path) => {
        map_enum!($value, $from => $to {
            Steps, InputTokens, OutputTokens, ToolCalls, ExternalCalls, RunningTime, Cost, Retries, Reflections,
            ContextTokens, MemoryWrites, SideEffects, RecordsTouched, MoneyMoved, RecipientsReached,
        })
    };
}

fn to_dimension(of: contract::Dimension) -> Dimension {
    map_dimension!(of, contract::Dimension => Dimension)
}

fn to_tier(tier: contract::Tier) -> classifier::Tier {
    map_enum!(tier, contract::Tier => classifier::Tier { Cheap, Mid, Strong })
}

fn to_compliance(tag: contract::Compliance) -> risk::Compliance {
    map_enum!(tag, contract::Compliance => risk::Compliance { None, Pii, Financial, Regulated })
}

fn verdict(verdict: risk::Verdict) -> contract::Verdict {
    map_enum!(verdict, risk::Verdict => contract::Verdict {
        Proceed, Log, Notify, Replan, Escalate, Ask, Deny, Terminate
    })
}

/// A question's record as the SDK has it.
pub fn to_task(task: &kc::Task) -> classifier::Task {
    classifier::Task {
        goal: task.goal.to_string(),
        prompt: task.prompt.to_string(),
        tools: task.tools.iter().map(ToString::to_string).collect(),
        step_estimate: task.step_estimate,
        side_effects: map_enum!(task.side_effects, kc::SideEffect => classifier::SideEffect {
            None, Reversible, Irreversible
        }),
        tiers: task
            .tiers
            .iter()
            .map(|offer| classifier::TierOffer { tier: to_tier(offer.tier), cheapest_call: offer.cheapest_call })
            .collect(),
        past: task
            .past
            .iter()
            .map(|past| classifier::PastOutcomes {
                class: past.class.clone(),
                runs: past.runs,
                succeeded: past.succeeded,
                lessons: past.lessons,
            })
            .collect(),
    }
}

fn classification(answer: classifier::Classification) -> kc::Classification {
    kc::Classification {
        class: answer.class,
        tier: map_enum!(answer.tier, classifier::Tier => contract::Tier { Cheap, Mid, Strong }),
        cascade: answer.cascade.map(|cascade| kc::Cascade {
            escalate_below: cascade.escalate_below,
            max_escalations: cascade.max_escalations,
        }),
        planning: match answer.planning {
            classifier::PlanningMode::Act => kc::PlanningMode::Act,
            classifier::PlanningMode::ActWithReflexion => kc::PlanningMode::ActWithReflexion,
            classifier::PlanningMode::PlanThenExecute => kc::PlanningMode::PlanThenExecute,
            classifier::PlanningMode::ExtendedThinking(budget) => kc::PlanningMode::ExtendedThinking(budget),
        },
        ambiguity: answer.ambiguity,
        verdict: verdict(answer.verdict),
        reason: answer.reason,
    }
}

/// A question's record as the SDK has it.
pub fn to_answer(answer: &kf::Answer) -> confidence::Answer {
    confidence::Answer {
        signals: answer
            .signals
            .iter()
            .map(|signal| confidence::Signal {
                name: signal.name.to_string(),
                value: signal.value,
                orientation: map_enum!(signal.orientation, kf::Orientation => confidence::Orientation {
                    Confidence, Doubt, Entropy
                }),
            })
            .collect(),
        stakes: map_enum!(answer.stakes, kf::Stakes => confidence::Stakes { Low, Medium, High, Critical }),
        compliance: to_compliance(answer.compliance),
        model: map_enum!(answer.model, kf::ModelKind => confidence::ModelKind { General, Reasoning }),
        evidence: answer.evidence,
        may_investigate: answer.may_investigate,
    }
}

fn trust(answer: confidence::Trust) -> kf::Trust {
    kf::Trust {
        score: answer.score,
        action: match answer.action {
            confidence::TrustAction::Ship => kf::TrustAction::Ship,
            confidence::TrustAction::Resample(resampling) => kf::TrustAction::Resample(kf::Resampling {
                temperature: resampling.temperature,
                samples: resampling.samples,
            }),
            confidence::TrustAction::Retrieve => kf::TrustAction::Retrieve,
            confidence::TrustAction::Investigate => kf::TrustAction::Investigate,
            confidence::TrustAction::Escalate => kf::TrustAction::Escalate,
            confidence::TrustAction::Abstain => kf::TrustAction::Abstain,
        },
        signals_used: answer.signals_used,
        surface_uncertainty: answer.surface_uncertainty,
        reason: answer.reason,
    }
}

/// A question's record as the SDK has it.
pub fn to_action(action: &kr::ProposedAction) -> risk::ProposedAction {
    risk::ProposedAction {
        tool: action.tool.to_string(),
        category: map_enum!(action.category, contract::ToolCategory => risk::ToolCategory {
            ReadOnlyLookup, Retrieval, LiveApi, Sandbox, FileSystem, Database, Communication, Payment, Infrastructure,
            ReviewQueue,
        }),
        arguments: action.arguments.to_string(),
        reversibility: map_enum!(action.reversibility, kr::Reversibility => risk::Reversibility {
            Reversible, Irreversible, Unknown
        }),
        blast_radius: action.blast_radius,
        compliance: to_compliance(action.compliance),
        novelty: map_enum!(action.novelty, kr::Novelty => risk::Novelty { NewTool, NewArguments, Repeated }),
        working_context: action.working_context.to_string(),
        confidence: action.confidence,
    }
}

fn assessment(answer: risk::Assessment) -> kr::Assessment {
    kr::Assessment { verdict: verdict(answer.verdict), score: answer.score, reason: answer.reason }
}

/// A question's record as the SDK has it.
pub fn to_step(step: &kd::ObservedStep) -> doom_loop::ObservedStep {
    doom_loop::ObservedStep {
        index: step.index,
        action: step.action.to_string(),
        call_key: step.call_key.map(|key| key.0),
        result_key: step.result_key.map(|key| key.0),
        state_before: step.state_before.map(|key| key.0),
        state_after: step.state_after.map(|key| key.0),
        failure: step.failure.map(|failure| doom_loop::Failure {
            class: map_enum!(failure.class, kd::FailureClass => doom_loop::FailureClass {
                Rejected, Failed, TimedOut, Infrastructure
            }),
            key: failure.key.map(|key| key.0),
        }),
        mutating: step.mutating,
        poller: step.poller,
        internal: step.internal,
        user_boundary: step.user_boundary,
        action_bytes: step.action_bytes,
        result_bytes: step.result_bytes,
        drift: step.drift,
    }
}

fn signal(answer: doom_loop::Signal) -> kd::Signal {
    match answer {
        doom_loop::Signal::Steady => kd::Signal::Steady,
        doom_loop::Signal::Caution(text) => kd::Signal::Caution(text),
        doom_loop::Signal::Warning(text) => kd::Signal::Warning(text),
        doom_loop::Signal::Trip(trip) => kd::Signal::Trip(kd::Trip {
            reason: map_enum!(trip.reason, doom_loop::TripReason => kd::TripReason {
                NoProgress, SameError, ToolThrash, RepeatedMessage, TurnCap
            }),
            evidence: trip.evidence,
            handoff: map_enum!(trip.handoff, doom_loop::Handoff => kd::Handoff {
                Replan, Escalate, Ask, Terminate
            }),
        }),
    }
}

/// A question's record as the SDK has it.
pub fn to_progress(progress: &ke::Progress) -> estimator::Progress {
    estimator::Progress {
        done: progress.done,
        total: progress.total,
        steps: progress.steps,
        spent: progress
            .spent
            .iter()
            .map(|spent| estimator::Spent {
                dimension: to_dimension(spent.dimension),
                used: spent.used,
                left: spent.left,
            })
            .collect(),
    }
}

fn estimate(answer: estimator::Forecast) -> ke::Estimate {
    ke::Estimate {
        intervals: answer
            .intervals
            .into_iter()
            .map(|interval| ke::Interval {
                dimension: map_dimension!(interval.dimension, Dimension => contract::Dimension),
                lower: interval.lower,
                upper: interval.upper,
            })
            .collect(),
        reason: answer.reason,
    }
}
