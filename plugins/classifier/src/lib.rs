//! Default policy of the slot `classifier`: tier rules, cascade, budget floor and planning mode
//! (document 001, parts 2.3, 3.2 and 13.1).

mod condition;
mod config;
mod features;
mod implication;
mod remarks;
mod words;

use countersign_sdk::classifier::{
    Cascade, Classification, Classifier, PlanningMode, SideEffect, Task, Tier, TierOffer, Verdict,
};
use countersign_sdk::{ConfigError, Dimension, Policy, RunView, log, policy};

use condition::Condition;
use features::Features;

/// Rules over features of the task.
pub struct TaskRules {
    rules: Vec<Rule>,
    cascade: Option<Cascade>,
    start_tier: Tier,
    budget_floor: bool,
    planning: config::Planning,
    ask_at_ambiguity: f64,
}

struct Rule {
    condition: Condition,
    tier: Tier,
    priority: i32,
    class: String,
    text: String,
}

/// Class of a rule that names none.
fn unnamed_class(index: usize) -> String {
    format!("rule-{}", index + 1)
}

impl Policy for TaskRules {
    const NAME: &'static str = "classifier";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "picks tier, cascade and planning mode by rules over the task's text";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let rules = configuration
            .classifier
            .rules
            .into_iter()
            .enumerate()
            .map(|(index, rule)| {
                let condition = Condition::parse(&rule.condition)
                    .map_err(|message| ConfigError::at(format!("/classifier/rules/{index}/if"), message))?;
                let class = rule.class.unwrap_or_else(|| unnamed_class(index));
                Ok(Rule { condition, tier: rule.tier.into(), priority: rule.priority, class, text: rule.condition })
            })
            .collect::<Result<Vec<_>, ConfigError>>()?;
        remarks::of(&rules).iter().for_each(|remark| log::warn(remark));
        let cascade = &configuration.cascade;
        Ok(TaskRules {
            rules,
            cascade: cascade.enabled.then_some(Cascade {
                escalate_below: cascade.escalate_threshold,
                max_escalations: cascade.max_escalations,
            }),
            start_tier: cascade.start_tier.into(),
            budget_floor: configuration.budget_floor.enforce,
            planning: configuration.planning,
            ask_at_ambiguity: configuration.ask_at_ambiguity,
        })
    }
}

impl Classifier for TaskRules {
    fn classify(&mut self, task: Task, run: &dyn RunView) -> Classification {
        let features = Features::of(&task.prompt, &task.goal, &task.tools);
        // Highest priority, then highest tier, then the earlier rule.
        let chosen = self
            .rules
            .iter()
            .filter(|rule| rule.condition.holds(&features))
            .reduce(|best, rule| if (rule.priority, rule.tier) > (best.priority, best.tier) { rule } else { best });
        let (wanted, class, mut reason) = match chosen {
            Some(rule) => (rule.tier, rule.class.clone(), format!("rule `{}`", rule.text)),
            None => (self.start_tier, "general".to_owned(), "no rule matches".to_owned()),
        };
        let tier = self.affordable(wanted, &task.tiers, run);
        if tier != wanted {
            reason = format!("{reason}; tier {} is not on offer or above the budget", name(wanted));
        }
        let ambiguity = features.ambiguity;
        let verdict = if ambiguity >= self.ask_at_ambiguity { Verdict::Ask } else { Verdict::Proceed };
        if verdict == Verdict::Ask {
            reason = "the goal does not say what is wanted".to_owned();
        }
        Classification {
            planning: self.planning_mode(&task, &features, &class),
            class,
            tier,
            cascade: self.cascade,
            ambiguity,
            verdict,
            reason,
        }
    }
}

/// A tier as configurations name it.
fn name(tier: Tier) -> &'static str {
    match tier {
        Tier::Cheap => "cheap",
        Tier::Mid => "mid",
        Tier::Strong => "strong",
    }
}

impl TaskRules {
    /// The wanted tier, or the strongest below it that is on offer and not above what is left.
    fn affordable(&self, wanted: Tier, offers: &[TierOffer], run: &dyn RunView) -> Tier {
        let left = if self.budget_floor && wanted == Tier::Strong {
            run.budget(Dimension::Cost).map(|line| line.limit.saturating_sub(line.used).saturating_sub(line.reserved))
        } else {
            None
        };
        let fits = |offer: &&TierOffer| {
            offer.tier <= wanted && left.is_none_or(|left| offer.tier != Tier::Strong || offer.cheapest_call <= left)
        };
        let below = offers.iter().filter(fits).map(|offer| offer.tier).max();
        below.or_else(|| offers.iter().map(|offer| offer.tier).min()).unwrap_or(wanted)
    }

    fn planning_mode(&self, task: &Task, features: &Features, class: &str) -> PlanningMode {
        let long = task.step_estimate.is_some_and(|steps| steps >= self.planning.plan_at_steps);
        let predictable = features.tools_named > 0;
        if (long && predictable) || task.side_effects == SideEffect::Irreversible {
            PlanningMode::PlanThenExecute
        } else if task.step_estimate == Some(1) && features.has_keyword(&self.planning.constraint_keywords) {
            PlanningMode::ExtendedThinking(self.planning.thinking_budget)
        } else if task.past.iter().any(|past| past.class == class && past.lessons > 0) {
            PlanningMode::ActWithReflexion
        } else {
            PlanningMode::Act
        }
    }
}

policy!(TaskRules: classifier);
