//! Messages as chat completions have them: `role`, `content`, `tool_calls`, and results with the role `tool`; or with
//! blocks `tool_use` and `tool_result` in their `content`.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::time::Times;
use super::{Fault, Format, Reader, any, arguments, kind, labels, needed, object, text, texts};
use crate::recording::run::{Call, Event, Header, Returned, Said};
use crate::recording::sink::Sink;
use crate::recording::sketch::Sketch;

pub const FORMAT: Format = Format {
    name: "chat messages",
    looks: "a list or lines of objects with `role` and `content`; or such a list below `messages` or `traj`",
    is_element,
    is_run: |run| any(run, LISTS, is_element),
    lists: LISTS,
    reader: || Box::new(Chat::default()),
};

const LISTS: &[&str] = &["messages", "traj", "conversation"];
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

fn is_element(element: &Sketch) -> bool {
    element.text("role").is_some_and(|role| ROLES.contains(&role))
        && (element.has(&["content"]) || element.has(&["tool_calls"]))
}

#[derive(Debug, Default)]
struct Chat {
    times: Times,
    /// Calls whose results are not there yet: id and tool. A result that names no call is of the first of its tool.
    open: VecDeque<(String, String)>,
    calls: u64,
}

impl Reader for Chat {
    fn wants(&self, key: &str) -> bool {
        labels::wants(key)
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        labels::take(key, &value, header);
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let message = object(element)?;
        let at = self.times.of(message.get("timestamp").or_else(|| message.get("created_at")));
        let said = texts::of(message.get("content"));
        match needed(&message, "role")?.as_str() {
            "user" => self.heard(&message, at, sink)?,
            "assistant" => {
                let calls = self.calls(&message, at)?;
                self.open.clear();
                self.open.extend(calls.iter().map(|call| (call.id.clone(), call.tool.clone())));
                if !said.is_empty() || calls.is_empty() {
                    sink.event(Event::Thought(Said { at, text: said, ..Said::default() }))?;
                }
                for call in calls {
                    sink.event(Event::Called(call))?;
                }
            }
            "tool" | "function" => {
                let Some(id) = self.answered(&message) else {
                    return Err(Fault::Element("a result of a call that nobody made".to_owned()));
                };
                let failed =
                    message.get("error").is_some_and(|error| !matches!(error, Value::Null | Value::Bool(false)))
                        || message.get("is_error") == Some(&Value::Bool(true))
                        || said.get(..6).is_some_and(|begins| begins.eq_ignore_ascii_case("error:"));
                let said = match message.get("error").and_then(Value::as_str) {
                    Some(error) if said.is_empty() => error.to_owned(),
                    _ => said,
                };
                sink.event(Event::Returned(Returned::of(at, id, said, failed)))?;
            }
            "system" | "developer" => {}
            other => return Err(Fault::Element(format!("key `role`: `{other}` is none of {}", ROLES.join(", ")))),
        }
        Ok(())
    }
}

impl Chat {
    /// What a person says, and results of tools where they stand as blocks of the content.
    fn heard(&mut self, message: &Map<String, Value>, at: u64, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let content = message.get("content");
        let parts = content.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let (results, said): (Vec<&Value>, Vec<&Value>) =
            parts.iter().partition(|part| part.get("type").and_then(Value::as_str) == Some("tool_result"));
        for result in results.iter().filter_map(|result| result.as_object()) {
            let id = text(result, "tool_use_id");
            self.open.retain(|(of, _)| *of != id);
            let failed = result.get("is_error") == Some(&Value::Bool(true));
            sink.event(Event::Returned(Returned::of(at, id, texts::of(result.get("content")), failed)))?;
        }
        if results.is_empty() {
            sink.event(Event::Spoke { at, text: texts::of(content) })?;
        } else if !said.is_empty() {
            let said: Vec<Value> = said.into_iter().cloned().collect();
            sink.event(Event::Spoke { at, text: texts::of(Some(&Value::Array(said))) })?;
        }
        Ok(())
    }

    /// The calls of a message, however its recorder spells them.
    fn calls(&mut self, message: &Map<String, Value>, at: u64) -> Result<Vec<Call>, Fault> {
        let listed = ["tool_calls", "calls"].iter().find_map(|key| Some((*key, message.get(*key)?)));
        let mut found = Vec::new();
        match listed {
            None | Some((_, Value::Null)) => {}
            Some((_, Value::Array(calls))) => {
                for call in calls {
                    let call = object(call.clone()).map_err(|problem| format!("key `tool_calls`: {problem}"))?;
                    found.push(self.call(&call, at)?);
                }
            }
            Some((key, other)) => {
                return Err(Fault::Element(format!("key `{key}`: expected a list, found {}", kind(other))));
            }
        }
        // As blocks of the content, beside its text.
        for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            if let Some(call) = part.as_object().filter(|part| text(part, "type") == "tool_use") {
                found.push(self.call(call, at)?);
            }
        }
        // As it was before there were several.
        if let Some(Value::Object(call)) = message.get("function_call") {
            found.push(self.call(call, at)?);
        }
        Ok(found)
    }

    fn call(&mut self, call: &Map<String, Value>, at: u64) -> Result<Call, Fault> {
        let inner = call.get("function").and_then(Value::as_object).unwrap_or(call);
        let tool = ["name", "tool"].iter().map(|key| text(inner, key)).find(|name| !name.is_empty());
        let tool = tool.or_else(|| call.get("function").and_then(Value::as_str).map(str::to_owned));
        let Some(tool) = tool else {
            return Err(Fault::Element("key `tool_calls`: a call without the name of a function".to_owned()));
        };
        self.calls += 1;
        let id = text(call, "id");
        let id = if id.is_empty() { format!("call {}", self.calls) } else { id };
        let given = ["arguments", "args", "kwargs", "input"].iter().find_map(|key| inner.get(*key));
        Ok(Call { at, id, tool, arguments: arguments(given), ..Call::default() })
    }

    /// The call that a result answers.
    fn answered(&mut self, message: &Map<String, Value>) -> Option<String> {
        let id = text(message, "tool_call_id");
        let tool = ["name", "tool"].iter().map(|key| text(message, key)).find(|name| !name.is_empty());
        let found = if id.is_empty() {
            self.open.iter().position(|(_, of)| tool.as_ref().is_none_or(|tool| tool == of))
        } else {
            self.open.iter().position(|(of, _)| *of == id)
        };
        self.open.remove(found?).map(|(id, _)| id)
    }
}
