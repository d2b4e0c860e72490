//! Slot `classifier`.

use countersign::kernel::contract::classifier as contract;
use countersign_sdk::classifier as sdk;

use super::shared::{to_tier, verdict};

native!(Classifier, sdk::Classifier, classify, to_task, classification);

/// A question's record as the SDK has it.
pub fn to_task(task: &contract::Task) -> sdk::Task {
    sdk::Task {
        goal: task.goal.to_string(),
        prompt: task.prompt.to_string(),
        tools: task.tools.iter().map(ToString::to_string).collect(),
        step_estimate: task.step_estimate,
        side_effects: map_enum!(task.side_effects, contract::SideEffect => sdk::SideEffect {
            None, Reversible, Irreversible
        }),
        tiers: task
            .tiers
            .iter()
            .map(|offer| sdk::TierOffer { tier: to_tier(offer.tier), cheapest_call: offer.cheapest_call })
            .collect(),
        past: task
            .past
            .iter()
            .map(|past| sdk::PastOutcomes {
                class: past.class.clone(),
                runs: past.runs,
                succeeded: past.succeeded,
                lessons: past.lessons,
            })
            .collect(),
    }
}

fn classification(answer: sdk::Classification) -> contract::Classification {
    use countersign::kernel::contract::Tier;
    contract::Classification {
        class: answer.class,
        tier: map_enum!(answer.tier, sdk::Tier => Tier { Cheap, Mid, Strong }),
        cascade: answer.cascade.map(|cascade| contract::Cascade {
            escalate_below: cascade.escalate_below,
            max_escalations: cascade.max_escalations,
        }),
        planning: match answer.planning {
            sdk::PlanningMode::Act => contract::PlanningMode::Act,
            sdk::PlanningMode::ActWithReflexion => contract::PlanningMode::ActWithReflexion,
            sdk::PlanningMode::PlanThenExecute => contract::PlanningMode::PlanThenExecute,
            sdk::PlanningMode::ExtendedThinking(budget) => contract::PlanningMode::ExtendedThinking(budget),
        },
        ambiguity: answer.ambiguity,
        verdict: verdict(answer.verdict),
        reason: answer.reason,
    }
}
