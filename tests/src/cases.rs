//! Tables of cases: `plugins/NAME/cases.toml`.

use std::sync::Arc;

use countersign::engine::NoHistory;
use countersign::kernel::{Answered, Question, Slot};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::native::{Native, Served, view};
use crate::subject::Subject;

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
    pub fn question(&self, slot: Slot, call: &Call) -> anyhow::Result<Question> {
        let mut record = self.default.clone();
        for (key, value) in &call.ask {
            record.insert(key.clone(), value.clone());
        }
        let record = with_nulls(Value::Object(record));
        Ok(serde_json::from_value(Value::Object(Map::from_iter([(slot.name().to_owned(), record)])))?)
    }
}

/// Whom the answers of a component are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The table alone.
    Nothing,
    /// The table, and the same policy natively: both must answer alike.
    Native,
}

/// Runs a policy's table; what is not as it says.
///
/// # Errors
/// When it cannot be run.
pub fn failures(subject: &Subject, table: &Table, beside: Beside) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    for case in &table.case {
        let configuration = Value::Object(case.configuration.clone());
        let mut session = subject.open_with(&configuration)?;
        let mut native = match beside {
            Beside::Nothing => None,
            Beside::Native => Some(Native::new(subject.name(), &configuration)?),
        };
        let run = view(case.blast_radius_limit, case.cost_left);
        for (index, call) in case.calls.iter().enumerate() {
            let question = table.question(subject.slot(), call)?;
            for time in 0..call.times {
                let outcome = session.judge(&question, Arc::new(Served(run.clone())), &mut NoHistory);
                let answer = &outcome.judged.answer;
                if let Some(native) = &mut native {
                    let natively = native.ask(&question, &run);
                    if natively.as_ref() != Some(answer) {
                        failures.push(format!(
                            "{}, call {index}.{time}: natively {natively:?}, component {answer:?} {:?}",
                            case.name, outcome.failure
                        ));
                    }
                }
                if time + 1 == call.times {
                    let answer = body(answer)?;
                    if !holds(&answer, &call.expect) {
                        failures.push(format!("{}, call {index}: expected {}, found {answer}", case.name, call.expect));
                    }
                }
            }
        }
    }
    Ok(failures)
}

/// The answer without its slot's name.
fn body(answer: &Answered) -> anyhow::Result<Value> {
    let Value::Object(map) = serde_json::to_value(answer)? else { anyhow::bail!("an answer is an object") };
    Ok(map.into_iter().next().map(|(_, value)| value).unwrap_or_default())
}

/// TOML has no null: `"none!"` stands for it.
fn with_nulls(value: Value) -> Value {
    match value {
        Value::String(text) if text == "none!" => Value::Null,
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, with_nulls(value))).collect(),
        Value::Array(list) => list.into_iter().map(with_nulls).collect(),
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
