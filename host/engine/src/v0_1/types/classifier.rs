//! Slot `classifier`.

use std::sync::Arc;

use countersign_kernel::contract::classifier;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Tier, Verdict};

twin!(SideEffect, classifier::SideEffect {
    None = "none", Reversible = "reversible", Irreversible = "irreversible",
});

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
