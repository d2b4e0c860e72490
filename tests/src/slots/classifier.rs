//! Slot `classifier`: the default policy natively, generated questions, laws.

use std::sync::Arc;

use anyhow::{Result, ensure};
use countersign::kernel::contract::classifier::{PastOutcomes, SideEffect, Task, TierOffer};
use countersign::kernel::contract::{Tier, classifier as contract};
use countersign_sdk::classifier as sdk;

use crate::generate::{CostLeft, KIB, Random, name, text as some_text};
use crate::laws::{Law, Trial, View, answered, view};
use crate::native::shared::{to_tier, verdict};

native!(Classifier, countersign_classifier::TaskRules, sdk::Classifier.classify);

/// A question's record as the SDK has it.
pub fn to_sdk(task: &contract::Task) -> sdk::Task {
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

fn from_sdk(answer: sdk::Classification) -> contract::Classification {
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

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Task {
    let goal = some_text(random, 16 * KIB);
    let more = some_text(random, 64 * KIB - goal.len());
    let mut tiers: Vec<Tier> = Tier::ALL.into_iter().filter(|_| random.toss()).collect();
    if tiers.is_empty() {
        tiers.push(random.pick(&Tier::ALL));
    }
    let classes = ["short", "code", "reasoning", "general", "rule-1"];
    Task {
        prompt: format!("{goal}{more}").into(),
        goal,
        tools: random.some(32, |random| name(random).into()),
        step_estimate: random.maybe(Random::count),
        side_effects: random.pick(&[SideEffect::None, SideEffect::Reversible, SideEffect::Irreversible]),
        tiers: tiers.into_iter().map(|tier| TierOffer { tier, cheapest_call: random.amount() }).collect(),
        past: random.some(16, |random| PastOutcomes {
            class: random.pick(&classes).to_owned(),
            runs: random.count(),
            succeeded: random.count(),
            lessons: random.count(),
        }),
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 2] = [
    Law { name: "less money left never gets a stronger tier", check: less_money },
    Law { name: "the order of the tiers on offer makes no difference", check: order },
];

fn less_money(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (task, view) = (question(random), view(random));
    let left = |left| Arc::new(CostLeft(Arc::clone(&view), left)) as View;
    let offers: Vec<u64> = task.tiers.iter().map(|offer| offer.cheapest_call).collect();
    let much = if random.toss() { random.amount() } else { random.pick(&offers) };
    let less = much.saturating_sub((much as f64 * random.share()) as u64);
    let rich = answered!(trial, Classifier, task.clone(), &left(much));
    let poor = answered!(trial, Classifier, task.clone(), &left(less));
    ensure!(
        poor.tier <= rich.tier,
        "{} with {much} left, but {} with {less}, of {:?}",
        rich.tier,
        poor.tier,
        task.tiers
    );
    Ok(())
}

fn order(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    random.shuffle(&mut after.tiers);
    let one = answered!(trial, Classifier, before.clone(), &view);
    let other = answered!(trial, Classifier, after, &view);
    ensure!(one == other, "{one:?} for {:?}, but {other:?} in another order", before.tiers);
    Ok(())
}
