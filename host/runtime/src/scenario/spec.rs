//! The scenario file.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_bundle::sha256;
use countersign_kernel::budget::Limits;
use countersign_kernel::contract::confidence::{ModelKind, Orientation, Signal, Stakes};
use countersign_kernel::contract::risk::Reversibility;
use countersign_kernel::contract::{CONTRACT, Compliance, Tier, ToolCategory};
use countersign_kernel::{
    Boundary, Criterion, EscalationRules, Goal, KERNEL_RULES, Manifest, Mode, Model, TRACE_FORMAT, Tool, Verifier,
};
use serde::{Deserialize, Serialize};

use super::expect::Expectations;
use crate::host::Host;
use crate::prompt::templates_digest;

/// A scenario. Keys in kebab-case; an unknown one is an error.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Spec {
    /// Version of this format: 1.
    pub version: u32,
    pub title: String,
    /// A bundle's folder, relative to this file, instead of the default one.
    pub bundle: Option<String>,
    pub goal: GoalSpec,
    #[serde(default)]
    pub boundary: BoundarySpec,
    #[serde(default)]
    pub budget: BudgetSpec,
    /// By tier.
    pub models: BTreeMap<Tier, ModelSpec>,
    /// By name.
    #[serde(default)]
    pub tools: BTreeMap<String, ToolSpec>,
    /// Files of the working folder, by relative path.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    #[serde(default)]
    pub expect: Expectations,
}

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
    pub step_estimate: Option<u32>,
    #[serde(default = "yes")]
    pub may_investigate: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CriterionSpec {
    pub id: String,
    pub text: String,
    /// The tool whose verifier must hold.
    pub tool: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BoundarySpec {
    #[serde(default)]
    pub name: Option<String>,
    /// By default every tool.
    pub tools: Option<Vec<String>>,
    pub blast_radius_limit: Option<u64>,
    #[serde(default)]
    pub working_context: String,
    /// Failed attempts at a step before a stronger model is asked.
    pub failed_attempts: Option<u32>,
    /// Escalations where no classifier sets them.
    pub max_escalations: Option<u32>,
}

/// Caps; the defaults are generous.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BudgetSpec {
    pub steps: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub tool_calls: u64,
    /// Milliseconds.
    pub running_time: u64,
    /// Micro-dollars.
    pub cost: u64,
}

impl Default for BudgetSpec {
    fn default() -> Self {
        BudgetSpec {
            steps: 30,
            input_tokens: 200_000,
            output_tokens: 50_000,
            tool_calls: 30,
            running_time: 120_000,
            cost: 1_000_000,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelSpec {
    pub name: String,
    #[serde(default)]
    pub kind: ModelKind,
    /// Micro-dollars for 1,000 tokens sent.
    #[serde(default)]
    pub input_price: u64,
    /// Micro-dollars for 1,000 tokens received.
    #[serde(default)]
    pub output_price: u64,
    #[serde(default = "max_output_tokens")]
    pub max_output_tokens: u64,
    /// Tried in order; the first whose conditions hold answers.
    #[serde(default)]
    pub replies: Vec<ReplySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReplySpec {
    #[serde(default)]
    pub when: When,
    /// How often it may be used; without it, any number of times.
    pub times: Option<u32>,
    /// A step. One of this and the four below.
    pub step: Option<StepSpec>,
    /// These very words.
    pub text: Option<String>,
    /// These bytes, in hexadecimal.
    pub hex: Option<String>,
    /// So many times one text: for answers that are far too large, or nest far too deep.
    pub repeat: Option<Repeat>,
    /// The model cannot be reached.
    pub unavailable: Option<String>,
}

/// Conditions on a request's text; all must hold.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct When {
    #[serde(default)]
    pub contains: Vec<String>,
    #[serde(default)]
    pub lacks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Repeat {
    pub text: String,
    pub times: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepSpec {
    pub step: String,
    /// A call: the tool's name.
    pub tool: Option<String>,
    pub arguments: Option<serde_json::Value>,
    /// A claim of success: its summary.
    pub finish: Option<String>,
    /// Only words.
    pub say: Option<String>,
    #[serde(default)]
    pub reasoning: String,
    #[serde(default = "ok")]
    pub status: String,
    pub confidence: f64,
    /// Measurements beside the model's word.
    #[serde(default)]
    pub signals: Vec<SignalSpec>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SignalSpec {
    pub name: String,
    pub value: f64,
    pub orientation: Orientation,
}

impl From<&SignalSpec> for Signal {
    fn from(spec: &SignalSpec) -> Self {
        Signal { name: spec.name.as_str().into(), value: spec.value, orientation: spec.orientation }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToolSpec {
    #[serde(default)]
    pub description: String,
    pub category: ToolCategory,
    #[serde(default)]
    pub reversibility: Reversibility,
    /// It may change something outside the run; by default it may.
    #[serde(default = "yes")]
    pub mutating: bool,
    #[serde(default)]
    pub poller: bool,
    pub blast_radius: Option<u64>,
    #[serde(default)]
    pub compliance: Compliance,
    /// JSON Schema of the arguments.
    pub arguments: Option<serde_json::Value>,
    /// A real command: its argument vector. `{name}` is replaced by that argument, within one word;
    /// all arguments stand on its standard input as JSON.
    pub command: Option<Vec<String>>,
    /// Milliseconds a command may take.
    #[serde(default = "time_out")]
    pub time_out: u64,
    /// Scripted results, tried in order; the first whose conditions hold on the arguments.
    #[serde(default)]
    pub results: Vec<ResultSpec>,
    /// What makes its observation a verified one.
    pub verify: Option<VerifySpec>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResultSpec {
    /// Parts of the canonical arguments that must be there.
    #[serde(default)]
    pub contains: Vec<String>,
    pub times: Option<u32>,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub exit_code: i32,
    /// It does not answer in time.
    #[serde(default)]
    pub time_out: bool,
    /// What stands behind it is busy or broken.
    #[serde(default)]
    pub infrastructure: bool,
}

/// One of these.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifySpec {
    /// The exit code is this.
    ExitCode(i32),
    /// The result is JSON that matches this schema.
    ResultSchema(serde_json::Value),
}

fn yes() -> bool {
    true
}

fn ok() -> String {
    "ok".to_owned()
}

fn max_output_tokens() -> u64 {
    1024
}

fn time_out() -> u64 {
    10_000
}

impl Spec {
    pub fn parse(text: &str) -> Result<Self, String> {
        let spec: Spec = toml::from_str(text).map_err(|error| error.to_string())?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), String> {
        if self.version != 1 {
            return Err(format!("key `version`: expected 1, found {}", self.version));
        }
        if self.models.is_empty() {
            return Err("key `models`: expected at least one of cheap, mid and strong".to_owned());
        }
        for (tier, model) in &self.models {
            for (index, reply) in model.replies.iter().enumerate() {
                reply.check().map_err(|problem| format!("key `models.{tier}.replies[{index}]`: {problem}"))?;
            }
        }
        for (name, tool) in &self.tools {
            let key = |key: &str| format!("key `tools.{name}.{key}`");
            if tool.command.is_some() != tool.results.is_empty() {
                return Err(format!("{}: expected either `command` or `results`", key("command")));
            }
            if tool.command.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!("{}: expected the program and its arguments", key("command")));
            }
            let compiles = |schema: &serde_json::Value| jsonschema::validator_for(schema).map(drop);
            if let Some(schema) = &tool.arguments {
                compiles(schema).map_err(|error| format!("{}: is no JSON Schema: {error}", key("arguments")))?;
            }
            if let Some(VerifySpec::ResultSchema(schema)) = &tool.verify {
                compiles(schema)
                    .map_err(|error| format!("{}: is no JSON Schema: {error}", key("verify.result-schema")))?;
            }
        }
        for path in self.files.keys() {
            let plain = std::path::Path::new(path)
                .components()
                .all(|component| matches!(component, std::path::Component::Normal(_)));
            if !plain || path.is_empty() || path.ends_with('/') || path.contains('\0') {
                return Err(format!("key `files.\"{path}\"`: expected a relative path without `..`"));
            }
        }
        self.expect.check()
    }

    /// What the run is pinned to.
    pub fn manifest(&self, host: &Host, id: &str) -> Manifest {
        let bundle = host.bundle();
        let tools: Vec<Tool> = self.tools.iter().map(|(name, tool)| tool.registered(name)).collect();
        let text = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect::<Vec<Arc<str>>>();
        Manifest {
            format: TRACE_FORMAT,
            kernel_rules: KERNEL_RULES,
            run: id.into(),
            tenant: None,
            mode: Mode::Enforce,
            goal: Goal {
                text: self.goal.text.as_str().into(),
                constraints: text(&self.goal.constraints),
                criteria: self
                    .goal
                    .criteria
                    .iter()
                    .map(|criterion| Criterion {
                        id: criterion.id.as_str().into(),
                        text: criterion.text.as_str().into(),
                        tool: criterion.tool.as_str().into(),
                    })
                    .collect(),
                stakes: self.goal.stakes,
                compliance: self.goal.compliance,
                step_estimate: self.goal.step_estimate,
                may_investigate: self.goal.may_investigate,
            },
            boundary: Boundary {
                name: self.boundary.name.clone().unwrap_or_else(|| "scenario".to_owned()),
                tools: match &self.boundary.tools {
                    Some(names) => text(names),
                    None => tools.iter().map(|tool| Arc::clone(&tool.name)).collect(),
                },
                blast_radius_limit: self.boundary.blast_radius_limit,
                working_context: self.boundary.working_context.as_str().into(),
            },
            limits: Limits {
                steps: self.budget.steps,
                input_tokens: self.budget.input_tokens,
                output_tokens: self.budget.output_tokens,
                tool_calls: self.budget.tool_calls,
                running_time: self.budget.running_time,
                cost: self.budget.cost,
            },
            show_budget: true,
            escalation: EscalationRules {
                failed_attempts: self.boundary.failed_attempts.unwrap_or(2),
                max_escalations: self.boundary.max_escalations.unwrap_or(1),
            },
            models: self
                .models
                .iter()
                .map(|(tier, model)| Model {
                    tier: *tier,
                    name: model.name.as_str().into(),
                    kind: model.kind,
                    input_price: model.input_price,
                    output_price: model.output_price,
                    max_output_tokens: model.max_output_tokens,
                })
                .collect(),
            tools,
            prompt_templates: Arc::clone(templates_digest().as_str()),
            lock: Arc::clone(bundle.digest().as_str()),
            contract: CONTRACT.into(),
            engine: Arc::clone(host.engine().fingerprint()),
            entries: bundle.pins(),
            source: None,
        }
    }
}

impl ReplySpec {
    fn check(&self) -> Result<(), String> {
        let given = [
            self.step.is_some(),
            self.text.is_some(),
            self.hex.is_some(),
            self.repeat.is_some(),
            self.unavailable.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err("expected one of `step`, `text`, `hex`, `repeat` and `unavailable`".to_owned());
        }
        if let Some(step) = &self.step
            && [step.tool.is_some(), step.finish.is_some(), step.say.is_some()].iter().filter(|given| **given).count()
                != 1
        {
            return Err("key `step`: expected one of `tool`, `finish` and `say`".to_owned());
        }
        if let Some(hex) = &self.hex
            && super::script::from_hex(hex).is_none()
        {
            return Err("key `hex`: expected pairs of hexadecimal digits".to_owned());
        }
        if let Some(repeat) = &self.repeat
            && repeat.text.len() as u64 * u64::from(repeat.times) > 256 << 20
        {
            return Err("key `repeat`: expected at most 256 MiB".to_owned());
        }
        Ok(())
    }
}

impl ToolSpec {
    fn registered(&self, name: &str) -> Tool {
        let definition = crate::canonical(&serde_json::to_value(self).unwrap_or_default());
        Tool {
            name: name.into(),
            definition: Arc::clone(sha256(definition.as_bytes()).as_str()),
            category: self.category,
            reversibility: self.reversibility,
            mutating: self.mutating,
            poller: self.poller,
            internal: false,
            blast_radius: self.blast_radius,
            compliance: self.compliance,
            verifier: self.verify.as_ref().map(|verify| match verify {
                VerifySpec::ExitCode(code) => Verifier::ExitCode(*code),
                VerifySpec::ResultSchema(_) => Verifier::ResultSchema,
            }),
        }
    }
}
