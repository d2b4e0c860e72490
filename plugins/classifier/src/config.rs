//! The keys of document 001, part 13.1.

use serde::Deserialize;

/// `tier-routing.v1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    #[serde(default, rename = "version")]
    _version: u32,
    #[serde(default)]
    pub classifier: Rules,
    #[serde(default)]
    pub cascade: Cascade,
    #[serde(default)]
    pub budget_floor: BudgetFloor,
    #[serde(default)]
    pub planning: Planning,
    /// 0..=1; a goal at least this unclear is sent back to the person who set it.
    #[serde(default = "default_ask_at_ambiguity")]
    pub ask_at_ambiguity: f64,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Only `rule_based`.
    #[serde(rename = "type")]
    _kind: serde::de::IgnoredAny,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// See [`crate::condition`].
    #[serde(rename = "if")]
    pub condition: String,
    pub tier: Tier,
    /// The highest wins; among equals the highest tier.
    #[serde(default)]
    pub priority: i32,
    /// Name of the class of tasks that the rule finds.
    #[serde(default)]
    pub class: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    Cheap,
    Mid,
    Strong,
}

impl From<Tier> for countersign_sdk::classifier::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Cheap => Self::Cheap,
            Tier::Mid => Self::Mid,
            Tier::Strong => Self::Strong,
        }
    }
}

/// Start cheap, go up below the threshold, at most so often (part 2.3).
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cascade {
    pub enabled: bool,
    pub start_tier: Tier,
    pub escalate_threshold: f64,
    pub max_escalations: u32,
}

impl Default for Cascade {
    fn default() -> Self {
        Cascade { enabled: true, start_tier: Tier::Cheap, escalate_threshold: 0.65, max_escalations: 1 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetFloor {
    /// No strong tier when less is left than its cheapest call costs.
    pub enforce: bool,
}

impl Default for BudgetFloor {
    fn default() -> Self {
        BudgetFloor { enforce: true }
    }
}

/// When to plan first (part 3.3).
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Planning {
    /// Estimated steps from which a task with predictable tools is planned first.
    pub plan_at_steps: u32,
    /// Tokens of extended thinking.
    pub thinking_budget: u32,
    /// Words that tell a decision under constraints.
    pub constraint_keywords: Vec<String>,
}

impl Default for Planning {
    fn default() -> Self {
        let words = ["constraint", "constraints", "must", "exactly", "without", "satisfy", "optimal"];
        Planning { plan_at_steps: 4, thinking_budget: 8192, constraint_keywords: words.map(str::to_owned).to_vec() }
    }
}

impl Default for Rules {
    fn default() -> Self {
        let rule = |condition: &str, tier, class: &str| Rule {
            condition: condition.to_owned(),
            tier,
            priority: 0,
            class: Some(class.to_owned()),
        };
        Rules {
            _kind: serde::de::IgnoredAny,
            rules: vec![
                rule("prompt.length < 200 and prompt.tools_named == 0", Tier::Cheap, "short"),
                rule("prompt.contains_code_block and prompt.language in [rust, ts, py]", Tier::Mid, "code"),
                rule(r#"prompt.has_keyword(["prove", "derive", "design"])"#, Tier::Strong, "reasoning"),
            ],
        }
    }
}

fn default_ask_at_ambiguity() -> f64 {
    0.9
}
