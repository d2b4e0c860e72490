//! Tables of cases: `plugins/NAME/cases.toml`.

use countersign::kernel::Question;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Table {
    /// Values of every question that a case does not give.
    pub default: Map<String, Value>,
    /// The cases.
    pub case: Vec<Case>,
}

/// One case: calls of a fresh instance, in order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The policy's configuration; its own defaults without it.
    #[serde(default)]
    pub configuration: Map<String, Value>,
    /// What the view says.
    pub blast_radius_limit: Option<u64>,
    /// What the view says.
    pub cost_left: Option<u64>,
    /// The calls.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Call {
    /// What differs from the table's default.
    #[serde(default)]
    pub ask: Map<String, Value>,
    /// How often it is asked; the answer to the last one counts.
    #[serde(default = "once")]
    pub times: u32,
    /// What must be in the answer.
    pub expect: Value,
}

fn once() -> u32 {
    1
}

impl Table {
    /// The table of a policy.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(policy: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(crate::root().join("plugins").join(policy).join("cases.toml"))?;
        Ok(toml::from_str(&text)?)
    }

    /// The question of a call.
    ///
    /// # Errors
    /// When it is no record of the contract.
    pub fn question(&self, slot: &str, call: &Call) -> anyhow::Result<Question> {
        let mut record = self.default.clone();
        for (key, value) in &call.ask {
            record.insert(key.clone(), value.clone());
        }
        let record = with_nulls(Value::Object(record));
        Ok(serde_json::from_value(Value::Object(Map::from_iter([(slot.to_owned(), record)])))?)
    }
}

/// TOML has no null: `"none!"` stands for it.
fn with_nulls(value: Value) -> Value {
    match value {
        Value::String(text) if text == "none!" => Value::Null,
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, with_nulls(value))).collect(),
        other => other,
    }
}

/// Whether everything in `part` is in `whole`; texts need only occur.
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| holds(whole, part)))
        }
        (Value::String(whole), Value::String(part)) => whole.contains(part.as_str()),
        (Value::Number(whole), Value::Number(part)) => {
            let (a, b) = (whole.as_f64().unwrap_or(f64::NAN), part.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() < 1e-9
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        (whole, part) => whole == part || (whole.is_null() && part == "none!"),
    }
}
