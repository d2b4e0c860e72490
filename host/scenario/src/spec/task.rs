//! What is to be done, within which envelope, and for how much.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::settings::{BudgetCaps, Presets};
use countersign_kernel::contract::{Compliance, SensitivityTag, Stakes};
use countersign_spec::boundary::{DecisionRight, FailClosed, Pattern, PlanRule};
use countersign_spec::budget::Limits;
use countersign_spec::plan::PlanStep;
use countersign_spec::state::StateKind;
use countersign_spec::{Goal, Need};
use countersign_tools::keys;
use countersign_tools::registry::ToolSpec;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GoalSpec {
    pub text: String,
    #[serde(default)]
    pub constraints: Vec<String>,
    #[serde(default)]
    pub criteria: Vec<CriterionSpec>,
    #[serde(default)]
    pub stakes: Stakes,
    #[serde(default)]
    pub compliance: Compliance,
    /// How sensitive it is at least.
    #[serde(default)]
    pub sensitivity: SensitivityTag,
    pub step_estimate: Option<u32>,
    #[serde(default = "yes")]
    pub may_investigate: bool,
    #[serde(default)]
    pub needs: Vec<Need>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CriterionSpec {
    pub id: String,
    pub text: String,
    /// The tool whose verifier must hold.
    pub tool: String,
}

impl GoalSpec {
    pub fn goal(&self) -> Goal {
        Goal {
            text: self.text.as_str().into(),
            constraints: self.constraints.iter().map(|text| text.as_str().into()).collect(),
            criteria: self
                .criteria
                .iter()
                .map(|criterion| countersign_spec::Criterion {
                    id: criterion.id.as_str().into(),
                    text: criterion.text.as_str().into(),
                    tool: criterion.tool.as_str().into(),
                })
                .collect(),
            stakes: self.stakes,
            compliance: self.compliance,
            sensitivity: self.sensitivity,
            step_estimate: self.step_estimate,
            may_investigate: self.may_investigate,
            needs: self.needs.clone(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BoundarySpec {
    pub name: Option<String>,
    /// A risk profile: what it says holds where this table says nothing.
    pub profile: Option<String>,
    /// Rung on the ladder, 1 to 7; by default the profile's, else 6.
    pub autonomy: Option<u8>,
    #[serde(default)]
    pub pattern: Pattern,
    pub plans: Option<PlanRule>,
    /// By default every tool.
    pub tools: Option<Vec<String>>,
    #[serde(default)]
    pub permissions: Vec<String>,
    pub writes: Option<Vec<StateKind>>,
    pub decisions: Option<Vec<DecisionRight>>,
    #[serde(default)]
    pub preauthorised: Vec<String>,
    pub asks: Option<Vec<String>>,
    pub fail_closed: Option<Vec<FailClosed>>,
    /// Whose law a model's provider may be under; none listed is anybody's.
    #[serde(default)]
    pub jurisdictions: Vec<String>,
    pub blast_radius_limit: Option<u64>,
    #[serde(default)]
    pub working_context: String,
    /// Exchanges that a request carries word for word; by default 4.
    pub exchanges: Option<u32>,
    /// Failed attempts at a step before a stronger model is asked.
    pub failed_attempts: Option<u32>,
    /// Escalations where no classifier sets them.
    pub max_escalations: Option<u32>,
}

/// A step of a plan that comes with the task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlanStepSpec {
    pub id: String,
    pub does: String,
    pub tool: Option<String>,
    #[serde(default)]
    pub after: Vec<String>,
    pub parent: Option<String>,
}

impl PlanStepSpec {
    pub fn step(&self) -> PlanStep {
        let name = |text: &String| Arc::from(text.as_str());
        PlanStep {
            id: name(&self.id),
            does: name(&self.does),
            tool: self.tool.as_ref().map(name),
            after: self.after.iter().map(name).collect(),
            parent: self.parent.as_ref().map(name),
            signature: keys::signature(self.tool.as_deref(), &self.does),
        }
    }
}

/// Caps over a preset, or over generous defaults.
#[derive(Debug, Default)]
pub struct BudgetSpec {
    /// `research`, `coding` or `incident`.
    pub preset: Option<String>,
    pub caps: BudgetCaps,
}

impl<'de> Deserialize<'de> for BudgetSpec {
    /// By hand: a flattened struct would let unknown keys pass.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut table = toml::Table::deserialize(deserializer)?;
        let preset = match table.remove("preset") {
            None => None,
            Some(toml::Value::String(name)) => Some(name),
            Some(_) => return Err(D::Error::custom("key `preset`: expected a text")),
        };
        let caps = table.try_into().map_err(|error: toml::de::Error| D::Error::custom(error.message()))?;
        Ok(BudgetSpec { preset, caps })
    }
}

/// Without a preset. Generous, so that a scenario names what it is about.
const DEFAULTS: Limits = Limits {
    steps: 30,
    input_tokens: 200_000,
    output_tokens: 50_000,
    tool_calls: 30,
    external_calls: 30,
    running_time: 120_000,
    cost: 1_000_000,
    retries: 10,
    reflections: 3,
    context_tokens: 100_000,
    memory_writes: 5,
    side_effects: 30,
    records_touched: u64::MAX,
    money_moved: u64::MAX,
    recipients_reached: u64::MAX,
};

impl BudgetSpec {
    pub fn check(&self, tools: &BTreeMap<String, ToolSpec>) -> Result<(), String> {
        if let Some((key, problem)) = self.caps.contradiction() {
            return Err(format!("key `budget.{key}`: {problem}"));
        }
        if let Some(most) = self.caps.tool_calls
            && let Some((name, calls)) = tools
                .iter()
                .filter_map(|(name, tool)| Some((name, u64::from(tool.limits.calls?))))
                .find(|(_, calls)| *calls > most)
        {
            return Err(format!("key `tools.{name}.limits.calls`: {calls} of {most} tool calls cannot be"));
        }
        Ok(())
    }

    /// The caps, over those of a profile's preset where there is one.
    pub fn limits(&self, presets: &Presets, profile: Option<&str>) -> Result<Limits, String> {
        let below = match self.preset.as_deref().or(profile) {
            Some(name) => {
                let ledger = Limits::UNLIMITED;
                presets.budget(name).map_err(|error| format!("key `budget.preset`: {error}"))?.over(ledger)
            }
            None => DEFAULTS,
        };
        Ok(self.caps.over(below))
    }
}

fn yes() -> bool {
    true
}
