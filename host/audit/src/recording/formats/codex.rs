//! Sessions of Codex: the lines of its rollout files, each with a `type` and a `payload`. Those of early versions
//! have the items themselves.

use countersign_kernel::{Outcome, Usage};
use serde_json::{Map, Value};

use super::time::Times;
use super::{Fault, Format, Reader, arguments, exit_code, kind, needed, never, object, text, texts};
use crate::recording::run::{Call, Event, Returned, Said};
use crate::recording::sink::Sink;
use crate::recording::sketch::Sketch;

pub const FORMAT: Format = Format {
    name: "a Codex session",
    looks: "lines with `type` such as `session_meta` or `response_item` and a `payload`",
    is_element,
    is_run: never,
    lists: &[],
    reader: || Box::new(Session::default()),
};

/// Types of lines.
const LINES: [&str; 5] = ["session_meta", "response_item", "event_msg", "turn_context", "compacted"];
/// Types of items that stand alone in files of early versions.
const ITEMS: [&str; 5] =
    ["function_call", "function_call_output", "local_shell_call", "custom_tool_call", "custom_tool_call_output"];
/// How texts begin that Codex itself puts into a person's mouth.
const OWN: [&str; 5] =
    ["<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<turn_aborted>", "<permissions"];

fn is_element(element: &Sketch) -> bool {
    element.text("type").is_some_and(|kind| {
        LINES.contains(&kind) && element.has(&["payload"])
            || ITEMS.contains(&kind) && element.has(&["call_id"])
            || kind == "message" && element.has(&["role", "content"])
    })
}

#[derive(Debug, Default)]
struct Session {
    times: Times,
    usage: Usage,
}

impl Reader for Session {
    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let mut line = object(element)?;
        let at = self.times.of(line.get("timestamp"));
        let Some(kind) = line.get("type").and_then(Value::as_str).map(str::to_owned) else {
            // The first line of early versions says who and when, and another one what was kept of its state.
            let known = line.contains_key("id") || line.contains_key("record_type");
            return if known { Ok(()) } else { Err(Fault::Element("expected the key `type`".to_owned())) };
        };
        let payload = match line.remove("payload") {
            Some(payload) => object(payload).map_err(|problem| format!("key `payload`: {problem}"))?,
            None => line,
        };
        match kind.as_str() {
            "session_meta" => {
                let header = &mut sink.header;
                if header.task.is_empty() {
                    header.set = text(&payload, "originator");
                }
            }
            "turn_context" => {
                let model = text(&payload, "model");
                if !model.is_empty() {
                    sink.header.model = model;
                }
            }
            "event_msg" => self.count(&payload),
            "compacted" => {}
            "response_item" => {
                let of = needed(&payload, "type")?;
                self.item(&of, &payload, at, sink)?;
            }
            of => self.item(of, &payload, at, sink)?,
        }
        Ok(())
    }
}

impl Session {
    fn item(&mut self, of: &str, item: &Map<String, Value>, at: u64, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let call = |tool: String, arguments, usage| {
            let id = ["call_id", "id"].map(|key| text(item, key));
            let id = id.into_iter().find(|id| !id.is_empty()).unwrap_or_default();
            Event::Called(Call { at, id, tool, arguments, usage, ..Call::default() })
        };
        match of {
            "message" => {
                let said = texts::of(item.get("content"));
                match needed(item, "role")?.as_str() {
                    "assistant" => {
                        let usage = std::mem::take(&mut self.usage);
                        sink.event(Event::Thought(Said { at, text: said, whole: None, usage }))?;
                    }
                    "user" if !OWN.iter().any(|begins| said.trim_start().starts_with(begins)) => {
                        sink.event(Event::Spoke { at, text: said })?;
                    }
                    _ => {}
                }
            }
            "function_call" => {
                let tool = needed(item, "name")?;
                sink.event(call(tool, arguments(item.get("arguments")), std::mem::take(&mut self.usage)))?;
            }
            "custom_tool_call" => {
                let tool = needed(item, "name")?;
                sink.event(call(tool, arguments(item.get("input")), std::mem::take(&mut self.usage)))?;
            }
            "local_shell_call" => {
                let action = arguments(item.get("action"));
                sink.event(call("local_shell".to_owned(), action, std::mem::take(&mut self.usage)))?;
            }
            "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => {
                sink.event(Event::Returned(output(needed(item, "call_id")?, item.get("output"), at)?))?;
            }
            // Reasoning, and tools that the model's own host runs.
            _ => {}
        }
        Ok(())
    }

    /// What was used, which is told after what it was used for: it is booked with what comes next.
    fn count(&mut self, event: &Map<String, Value>) {
        let Some(usage) = event.get("info").and_then(|info| info.get("last_token_usage")) else { return };
        let count = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
        self.usage.input_tokens = self.usage.input_tokens.saturating_add(count("input_tokens"));
        self.usage.output_tokens = self.usage.output_tokens.saturating_add(count("output_tokens"));
    }
}

/// A result: a text, a text that holds JSON with text and exit code, parts, or an object that says whether it went well.
fn output(id: String, output: Option<&Value>, at: u64) -> Result<Returned, Fault> {
    let (text, stated, success) = match output {
        Some(Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(inner)) if inner.contains_key("output") => {
                let code = inner.get("metadata").and_then(|metadata| metadata.get("exit_code")).and_then(Value::as_i64);
                (texts::of(inner.get("output")), code.and_then(|code| i32::try_from(code).ok()), None)
            }
            _ => (text.clone(), None, None),
        },
        Some(Value::Object(inner)) => {
            let success = inner.get("success").and_then(Value::as_bool);
            (texts::of(inner.get("content").or_else(|| inner.get("output"))), None, success)
        }
        Some(parts @ Value::Array(_)) => (texts::of(Some(parts)), None, None),
        Some(other) => {
            return Err(Fault::Element(format!("key `output`: expected a text, found {}", kind(other))));
        }
        None => return Err(Fault::Element("expected the key `output`".to_owned())),
    };
    let exit_code = stated.or_else(|| exit_code::of(&text));
    let failed = success == Some(false) || exit_code.is_some_and(|code| code != 0);
    let outcome = Outcome::Returned { exit_code, ok: !failed };
    Ok(Returned { outcome, ..Returned::of(at, id, text, failed) })
}
