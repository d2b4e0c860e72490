//! The scenario file. Keys in kebab-case; an unknown one is an error.

mod manifest;
mod model;
mod people;
mod task;
mod twin;

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign::settings::{OperatorSpec, PresetFiles};
use countersign_kernel::Slot;
use countersign_kernel::contract::{PastOutcomes, Specialist, Tier};
use countersign_mcp::{Overrides, ServersSpec, check_servers, split};
use countersign_models::one_or_many::{OneOrMany, place};
use countersign_spec::state::Memory;
use countersign_spec::{HostRules, Mode, PolicyMode};
use countersign_tools::registry::{ToolSpec, VerifySpec};
use serde::Deserialize;
use toml::Table;

use super::expect::Expectations;

pub use manifest::Pinned;
pub use model::{ModelSpec, ReplySpec, StepSpec};
pub use people::{Does, PersonSpec, SwitchSpec};
pub use task::{BoundarySpec, BudgetSpec, GoalSpec, PlanStepSpec};
pub use twin::TwinSpec;

/// A scenario.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Spec {
    /// Version of this format: 1.
    pub version: u32,
    pub title: String,
    /// A bundle's folder, relative to this file, instead of the default one.
    pub bundle: Option<String>,
    /// A graph's file, relative to this file, instead of the default one.
    pub graph: Option<PathBuf>,
    /// A file with the table of escalations.
    pub escalation: Option<PathBuf>,
    /// Files of presets, relative to this file, instead of those that ship.
    #[serde(default)]
    pub presets: PresetFiles,
    /// By default verdicts are enforced.
    pub mode: Option<Mode>,
    /// Slots that are heard and not obeyed: `doom-loop = "monitor"`.
    #[serde(default)]
    pub slots: BTreeMap<Slot, PolicyMode>,
    pub tenant: Option<String>,
    #[serde(default = "agent")]
    pub agent: String,
    /// Seed of jitter and of numbers used once; by default a random one.
    pub seed: Option<u64>,
    pub goal: GoalSpec,
    #[serde(default)]
    pub boundary: BoundarySpec,
    #[serde(default)]
    pub budget: BudgetSpec,
    #[serde(default)]
    pub rules: HostRules,
    /// A plan that comes with the task.
    #[serde(default)]
    pub plan: Vec<PlanStepSpec>,
    /// What earlier runs left.
    #[serde(default)]
    pub memory: Vec<Memory>,
    /// Scripted ones, by tier; none where the run is given real ones.
    #[serde(default)]
    pub models: BTreeMap<Tier, OneOrMany<ModelSpec>>,
    /// Who may be chosen for a sub-task.
    #[serde(default)]
    pub specialists: Vec<Specialist>,
    /// Share of the run's own model's tasks that end well, 0..=1.
    pub reliability: Option<f64>,
    /// How earlier runs of each class ended.
    #[serde(default)]
    pub past: Vec<PastOutcomes>,
    /// By name.
    #[serde(default)]
    pub tools: BTreeMap<String, ToolSpec>,
    /// MCP servers by name: `NAME__TOOL` joins the tools, and `[tools.NAME__TOOL]` says more of it.
    #[serde(default)]
    pub servers: ServersSpec,
    /// What the file says of servers' tools.
    #[serde(skip)]
    pub overrides: Overrides,
    /// Files of the working folder, by relative path.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Who decides when the run is suspended, in this order.
    #[serde(default)]
    pub people: Vec<PersonSpec>,
    /// What an operator does while the run is going on.
    #[serde(default)]
    pub switches: Vec<SwitchSpec>,
    /// What stands above the run.
    #[serde(default)]
    pub operator: OperatorSpec,
    /// Runs one after the other, each with the memories of those before; by default 1.
    #[serde(default = "one")]
    pub runs: u32,
    #[serde(default)]
    pub expect: Expectations,
    /// The behaviours that it shows: id and the part of an event line that must come.
    #[serde(default)]
    pub shows: BTreeMap<String, String>,
    /// Whether it is also run by an agent that owns its loop: the models' replies are its proposals, and
    /// nobody but the host's rules and policies holds it up. What is expected holds there too, but for
    /// the status: an agent's run is over when the agent is gone.
    #[serde(default)]
    pub by_agent: bool,
    /// The same with one rule switched off, in which the harm happens.
    pub twin: Option<TwinSpec>,
}

fn agent() -> String {
    "agent".to_owned()
}

fn one() -> u32 {
    1
}

impl Spec {
    /// Reads a scenario from its text, or, where files were merged, from a table.
    pub fn parse(table: Table, text: Option<&str>) -> Result<Self, String> {
        let (table, overrides) = without_overrides(table)?;
        let mut spec: Spec = match text {
            // With lines in its errors.
            Some(text) if overrides.is_empty() => toml::from_str(text).map_err(|error| error.to_string())?,
            _ => table.try_into().map_err(|error: toml::de::Error| error.to_string())?,
        };
        spec.overrides = overrides;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), String> {
        if self.version != 1 {
            return Err(format!("key `version`: expected 1, found {}", self.version));
        }
        if self.mode == Some(Mode::Recorded) {
            return Err("key `mode`: expected `enforce` or `monitor`; recordings are judged by `backtest`".to_owned());
        }
        if self.runs == 0 {
            return Err("key `runs`: expected at least 1".to_owned());
        }
        for (tier, several) in &self.models {
            for (at, model) in several.0.iter().enumerate() {
                let place = place(&tier.to_string(), at, several.0.len());
                for (index, reply) in model.replies.iter().enumerate() {
                    reply.check().map_err(|problem| format!("key `models.{place}.replies[{index}]`: {problem}"))?;
                }
            }
        }
        for (name, tool) in &self.tools {
            if tool.command.is_some() != tool.results.is_empty() {
                return Err(format!("key `tools.{name}.command`: expected either `command` or `results`"));
            }
            tool.check(name)?;
            if super::INJECTED.contains(&name.as_str()) {
                return Err(format!("key `tools.{name}`: the host brings this tool itself"));
            }
        }
        check_servers(&self.servers)?;
        self.check_tools(&self.tools)?;
        for path in self.files.keys() {
            let plain = std::path::Path::new(path)
                .components()
                .all(|component| matches!(component, std::path::Component::Normal(_)));
            if !plain || path.is_empty() || path.ends_with('/') || path.contains('\0') {
                return Err(format!("key `files.\"{path}\"`: expected a relative path without `..`"));
            }
        }
        for (index, person) in self.people.iter().enumerate() {
            person.check().map_err(|problem| format!("key `people[{index}]`: {problem}"))?;
        }
        self.expect.check()
    }

    /// Whether tools make sense together. Those of servers are looked at once they are known.
    pub fn check_tools(&self, tools: &BTreeMap<String, ToolSpec>) -> Result<(), String> {
        for (name, tool) in tools {
            if let Some(VerifySpec::ReadBack(read)) = &tool.verify
                && !tools.contains_key(&read.tool)
                && (tools.len() > self.tools.len() || !self.serves(&read.tool))
            {
                return Err(format!("key `tools.{name}.verify.read-back.tool`: there is no tool `{}`", read.tool));
            }
        }
        self.budget.check(tools)
    }

    /// Tools without which the task comes to nothing: those of its criteria and of its plan.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        let criteria = self.goal.criteria.iter().map(|criterion| &*criterion.tool);
        criteria.chain(self.plan.iter().filter_map(|step| step.tool.as_deref()))
    }

    fn serves(&self, tool: &str) -> bool {
        split(tool).is_some_and(|(server, _)| self.servers.contains_key(server))
    }
}

/// Takes what is said of servers' tools out of the tools: it is laid over what the servers say.
fn without_overrides(mut table: Table) -> Result<(Table, Overrides), String> {
    let mut overrides = Overrides::new();
    let servers: Vec<String> = match table.get("servers") {
        Some(toml::Value::Table(servers)) => servers.keys().cloned().collect(),
        _ => Vec::new(),
    };
    if let Some(toml::Value::Table(tools)) = table.get_mut("tools") {
        let served = |name: &String| split(name).is_some_and(|(server, _)| servers.iter().any(|own| own == server));
        let names: Vec<String> = tools.keys().filter(|name| served(name)).cloned().collect();
        for name in names {
            match tools.remove(&name) {
                Some(toml::Value::Table(own)) => overrides.insert(name, own),
                _ => return Err(format!("key `tools.{name}`: expected a table")),
            };
        }
    }
    Ok((table, overrides))
}
