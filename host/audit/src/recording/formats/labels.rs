//! What recordings of several forms say beside their elements: which task, which model, how it went.

use serde_json::Value;

use crate::recording::run::{Header, Went};
use countersign_kernel::Code;

const TASK: [&str; 6] = ["task", "task_id", "instance_id", "instance", "question", "user_task"];
const MODEL: [&str; 4] = ["model", "model_name", "pipeline", "agent"];
const SET: [&str; 4] = ["set", "suite", "run", "config"];
/// Whether the task was done, by a judge that is not the agent.
const DONE: [(&str, [&str; 2]); 6] = [
    ("resolved", ["resolved", "not resolved"]),
    ("is_resolved", ["resolved", "not resolved"]),
    ("success", ["success", "no success"]),
    ("utility", ["done", "not done"]),
    ("correct", ["correct", "not correct"]),
    ("passed", ["passed", "not passed"]),
];
/// How a run ended, in a word.
const OUTCOME: [&str; 2] = ["outcome", "terminal"];
/// Words of those for a run whose task was done.
const GOOD: [&str; 6] = ["correct", "success", "resolved", "passed", "done", "finished"];

/// Whether a key says something.
pub fn wants(key: &str) -> bool {
    TASK.contains(&key)
        || MODEL.contains(&key)
        || SET.contains(&key)
        || OUTCOME.contains(&key)
        || DONE.iter().any(|(name, _)| *name == key)
        || matches!(key, "reward" | "attack" | "attack_type" | "failure_mode")
}

/// Takes what a key says.
pub fn take(key: &str, value: &Value, header: &mut Header) {
    let word = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if TASK.contains(&key) && !word.is_empty() && header.task.is_empty() {
        header.task = word;
    } else if MODEL.contains(&key) && !word.is_empty() && header.model.is_empty() {
        header.model = word;
    } else if SET.contains(&key) && !word.is_empty() {
        header.set = word;
    } else if header.went == Went::Attacked {
        // Whatever it came to: somebody has tried to lead it astray.
    } else if key == "reward"
        && let Some(reward) = value.as_f64()
    {
        header.done(reward >= 1.0, ["rewarded", "not rewarded"]);
    } else if let (Some((_, words)), Value::Bool(done)) = (DONE.iter().find(|(name, _)| *name == key), value) {
        header.done(*done, *words);
    } else if OUTCOME.contains(&key) && !word.is_empty() {
        let good = GOOD.contains(&word.to_ascii_lowercase().as_str());
        header.outcome = word;
        header.code = if good { Code::Success } else { Code::ValidationFail };
        header.went = if good { Went::Well } else { Went::Badly };
    } else if matches!(key, "attack" | "attack_type") && !matches!(word.as_str(), "" | "none") {
        header.outcome = format!("attacked: {word}");
        header.went = Went::Attacked;
    }
}
