//! Trajectories in the Agent Trajectory Interchange Format: one object a run, with `schema_version` and `steps`.

use countersign_kernel::Usage;
use serde_json::{Map, Value};

use super::time::Times;
use super::{Fault, Format, Reader, arguments, exit_code, kind, labels, needed, never, object, text, texts};
use crate::recording::run::{Call, Event, Header, Returned, Said};
use crate::recording::sink::Sink;
use countersign_kernel::Outcome;

pub const FORMAT: Format = Format {
    name: "an ATIF trajectory",
    looks: "an object with a `schema_version` such as `ATIF-v1.4`, and `steps`",
    is_element: never,
    is_run: |run| run.text("schema_version").is_some_and(|version| version.starts_with("ATIF-")),
    lists: &["steps"],
    reader: || Box::new(Trajectory::default()),
};

/// The version that is read, whatever its smaller one: those add keys.
const VERSION: &str = "ATIF-v1.";

#[derive(Debug, Default)]
struct Trajectory {
    times: Times,
}

impl Reader for Trajectory {
    fn wants(&self, key: &str) -> bool {
        matches!(key, "schema_version" | "agent" | "session_id" | "extra")
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        match (key, value) {
            ("schema_version", Value::String(version)) if version.starts_with(VERSION) => {}
            ("schema_version", other) => {
                return Err(format!("key `schema_version`: expected `{VERSION}` and a number, found {other}"));
            }
            ("agent", Value::Object(agent)) => {
                header.model = text(&agent, "model_name");
                header.set = text(&agent, "name");
            }
            ("session_id", Value::String(id)) => {
                header.set = if header.set.is_empty() { id } else { header.set.clone() }
            }
            ("extra", Value::Object(extra)) => {
                for (key, value) in extra {
                    labels::take(&key, &value, header);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let step = object(element)?;
        let at = self.times.of(step.get("timestamp"));
        // What an earlier trajectory says already.
        if step.get("is_copied_context") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        let message = texts::of(step.get("message"));
        match needed(&step, "source")?.as_str() {
            "user" => sink.event(Event::Spoke { at, text: message })?,
            "agent" => {
                let calls = calls(&step)?;
                let results = results(&step, &calls)?;
                if let Some(model) = step.get("model_name").and_then(Value::as_str) {
                    model.clone_into(&mut sink.header.model);
                }
                let cost = step.get("metrics").and_then(|metrics| metrics.get("cost_usd"));
                sink.header.priced |= cost.is_some_and(Value::is_number);
                let said = Said { at, text: message, whole: None, usage: usage(&step) };
                if !calls.is_empty() || !said.text.is_empty() {
                    sink.event(Event::Thought(said))?;
                }
                for (id, call) in calls {
                    let (tool, arguments) = (needed(&call, "function_name")?, arguments(call.get("arguments")));
                    sink.event(Event::Called(Call { at, id, tool, arguments, ..Call::default() }))?;
                }
                for (id, text) in results {
                    let exit_code = exit_code::of(&text);
                    let failed = exit_code.is_some_and(|code| code != 0);
                    let outcome = Outcome::Returned { exit_code, ok: !failed };
                    sink.event(Event::Returned(Returned { outcome, ..Returned::of(at, id, text, failed) }))?;
                }
            }
            "system" => {}
            other => {
                let problem = format!("key `source`: expected `user`, `agent` or `system`, found `{other}`");
                return Err(Fault::Element(problem));
            }
        }
        Ok(())
    }
}

/// A call of a step, behind its id.
type StepCall = (String, Map<String, Value>);

/// The calls of a step. All of them are looked at before anything is told of one.
fn calls(step: &Map<String, Value>) -> Result<Vec<StepCall>, Fault> {
    let calls = match step.get("tool_calls") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(calls)) => calls,
        Some(other) => {
            return Err(Fault::Element(format!("key `tool_calls`: expected a list, found {}", kind(other))));
        }
    };
    let mut found = Vec::new();
    for call in calls {
        let call = object(call.clone()).map_err(|problem| format!("key `tool_calls`: {problem}"))?;
        needed(&call, "function_name").map_err(|problem| format!("key `tool_calls`: {problem}"))?;
        found.push((text(&call, "tool_call_id"), call));
    }
    Ok(found)
}

/// The results of a step by the call that each belongs to.
fn results(step: &Map<String, Value>, calls: &[(String, Map<String, Value>)]) -> Result<Vec<(String, String)>, Fault> {
    let results = match step.get("observation").and_then(|observation| observation.get("results")) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(results)) => results,
        Some(other) => {
            let problem = format!("key `observation.results`: expected a list, found {}", kind(other));
            return Err(Fault::Element(problem));
        }
    };
    let of = |result: &Value| {
        let source = result.get("source_call_id").and_then(Value::as_str);
        // A step with one call needs no ids.
        let id = source.or_else(|| (calls.len() == 1).then_some(calls[0].0.as_str()))?;
        Some((id.to_owned(), texts::of(result.get("content"))))
    };
    Ok(results.iter().filter_map(of).collect())
}

fn usage(step: &Map<String, Value>) -> Usage {
    let metrics = step.get("metrics");
    let count = |key: &str| metrics.and_then(|metrics| metrics.get(key)).and_then(Value::as_u64).unwrap_or(0);
    let cost = metrics.and_then(|metrics| metrics.get("cost_usd")).and_then(Value::as_f64);
    Usage {
        input_tokens: count("prompt_tokens"),
        output_tokens: count("completion_tokens"),
        cost: cost.filter(|cost| cost.is_finite() && *cost > 0.0).map_or(0, |dollars| (dollars * 1e6).round() as u64),
        estimated: false,
    }
}
