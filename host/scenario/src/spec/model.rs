//! Scripted models.

use std::collections::BTreeMap;

use countersign_kernel::Unavailability;
use countersign_kernel::contract::{ModelKind, Orientation, Signal};
use countersign_spec::Retention;
use serde::Deserialize;

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
    /// Tokens that a request and its answer may have together.
    pub context: Option<u64>,
    /// How long its provider keeps what it is sent.
    pub retention: Option<Retention>,
    /// Whose law its provider is under.
    pub jurisdiction: Option<String>,
    /// It runs on the operator's own machines.
    #[serde(default)]
    pub self_hosted: bool,
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
    /// Milliseconds that the model takes, on the scenario's clock.
    #[serde(default)]
    pub takes: u64,
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
    /// Why it cannot: by default for good.
    #[serde(default)]
    pub class: Unavailability,
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

/// One action, and what is said beside it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepSpec {
    pub step: String,
    /// A call: the tool's name.
    pub tool: Option<String>,
    pub arguments: Option<serde_json::Value>,
    /// A claim of success: its summary, and the tools it claims to have used.
    pub finish: Option<String>,
    pub claims: Option<Vec<String>>,
    /// Only words.
    pub say: Option<String>,
    /// Any other action, as the model would write it: `{ plan = […] }`, `{ write = {…} }`, ….
    pub action: Option<BTreeMap<String, serde_json::Value>>,
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

fn ok() -> String {
    "ok".to_owned()
}

fn max_output_tokens() -> u64 {
    1024
}

impl ReplySpec {
    pub fn check(&self) -> Result<(), String> {
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
        if let Some(step) = &self.step {
            let given = [step.tool.is_some(), step.finish.is_some(), step.say.is_some(), step.action.is_some()];
            if given.iter().filter(|given| **given).count() != 1 {
                return Err("key `step`: expected one of `tool`, `finish`, `say` and `action`".to_owned());
            }
            if let Some(signal) = step.signals.iter().find(|signal| !signal.value.is_finite()) {
                return Err(format!("key `step.signals.{}`: expected a finite number", signal.name));
            }
        }
        if let Some(hex) = &self.hex
            && crate::script::from_hex(hex).is_none()
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
