//! Sessions of Claude Code: the lines of its session files, and those that it prints with `--output-format stream-json`.

use countersign_kernel::{Code, Outcome, Usage};
use serde_json::{Map, Value};

use super::time::Times;
use super::{Fault, Format, Reader, any, arguments, exit_code, kind, labels, needed, object, text, texts};
use crate::recording::run::{Call, Event, Header, Returned, Said, Went};
use crate::recording::sink::Sink;
use crate::recording::sketch::Sketch;

pub const FORMAT: Format = Format {
    name: "a Claude Code session",
    looks: "lines with `type` `user` or `assistant` and a `message`; or such a list below `events`",
    is_element,
    is_run: |run| any(run, &["events"], is_element),
    lists: &["events"],
    reader: || Box::new(Session::default()),
};

fn is_element(element: &Sketch) -> bool {
    matches!(element.text("type"), Some("user" | "assistant"))
        && (element.get("message").is_some_and(|message| message.has(&["role", "content"]))
            || matches!(element.get("content"), Some(Sketch::List(_))))
}

#[derive(Debug, Default)]
struct Session {
    times: Times,
    /// The message whose use of tokens has been counted: each of its parts states it again.
    counted: String,
    /// What was used and is not booked yet: thinking comes before what it led to.
    used: Usage,
    /// Whose lines are read: those of a sub-agent in its own file are, those beside another agent's are not.
    side: Option<bool>,
    /// The stream says that it went badly.
    failed: bool,
}

impl Reader for Session {
    fn wants(&self, key: &str) -> bool {
        labels::wants(key)
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        labels::take(key, &value, header);
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let line = object(element)?;
        let by = needed(&line, "type")?;
        if by == "result" {
            self.ended(&line, &mut sink.header);
            return Ok(());
        }
        if !matches!(by.as_str(), "user" | "assistant") {
            // Summaries, snapshots of files, notes of its own: whatever it writes beside what was said and done.
            return Ok(());
        }
        if self.is_another_agents(&line) {
            return Ok(());
        }
        let at = self.times.of(line.get("timestamp"));
        let message = match line.get("message") {
            Some(Value::Object(message)) => message,
            Some(other) => {
                let problem = format!("key `message`: expected an object, found {}", kind(other));
                return Err(Fault::Element(problem));
            }
            None => &line,
        };
        let content = message.get("content").ok_or_else(|| "expected the key `content`".to_owned())?;
        if by == "user" {
            let own = ["isMeta", "isCompactSummary"].iter().any(|key| line.get(*key) == Some(&Value::Bool(true)));
            return if own { Ok(()) } else { self.heard(content, at, sink) };
        }
        if let Some(model) = message.get("model").and_then(Value::as_str).filter(|model| *model != "<synthetic>") {
            model.clone_into(&mut sink.header.model);
        }
        self.count(message);
        let parts = match content {
            Value::Array(parts) => parts.clone(),
            Value::String(said) => vec![serde_json::json!({"type": "text", "text": said})],
            other => {
                let problem = format!("key `content`: expected a text or a list, found {}", kind(other));
                return Err(Fault::Element(problem));
            }
        };
        for part in &parts {
            let Some(part) = part.as_object() else { continue };
            match part.get("type").and_then(Value::as_str) {
                Some("text") => {
                    let said =
                        Said { at, text: text(part, "text"), whole: None, usage: std::mem::take(&mut self.used) };
                    sink.event(Event::Thought(said))?;
                }
                Some("tool_use") => sink.event(Event::Called(Call {
                    at,
                    id: text(part, "id"),
                    tool: text(part, "name"),
                    arguments: arguments(part.get("input")),
                    usage: std::mem::take(&mut self.used),
                    ..Call::default()
                }))?,
                // Thinking, and tools that the model's own host runs.
                _ => {}
            }
        }
        Ok(())
    }
}

impl Session {
    /// The last line of a stream. That the agent has come to its end does not say that its task is done.
    fn ended(&mut self, line: &Map<String, Value>, header: &mut Header) {
        let how = text(line, "subtype");
        if line.get("is_error") == Some(&Value::Bool(true)) || how.starts_with("error") {
            if header.went == Went::Unsaid {
                self.failed = true;
                header.went = Went::Badly;
                let turns = how == "error_max_turns";
                header.code = if turns { Code::BudgetExhausted } else { Code::ValidationFail };
                header.outcome = if how.starts_with("error") { how } else { "error".to_owned() };
            }
        } else if std::mem::take(&mut self.failed) {
            // It was taken up again, and came to its end.
            let said = Header::default();
            (header.went, header.code, header.outcome) = (said.went, said.code, said.outcome);
        }
    }

    /// Whether a line is of a sub-agent whose session is written beside this one.
    fn is_another_agents(&mut self, line: &Map<String, Value>) -> bool {
        let side = line.get("isSidechain") == Some(&Value::Bool(true))
            || line.get("parent_tool_use_id").is_some_and(Value::is_string);
        *self.side.get_or_insert(side) != side
    }

    /// What a person or a tool says to the agent.
    fn heard(&self, content: &Value, at: u64, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let parts = match content {
            Value::String(said) => {
                sink.event(Event::Spoke { at, text: said.clone() })?;
                return Ok(());
            }
            Value::Array(parts) => parts,
            other => {
                let problem = format!("key `content`: expected a text or a list, found {}", kind(other));
                return Err(Fault::Element(problem));
            }
        };
        let mut said = Vec::new();
        for part in parts.iter().filter_map(Value::as_object) {
            match part.get("type").and_then(Value::as_str) {
                Some("tool_result") => {
                    let answered = ["tool_use_id", "id"].map(|key| text(part, key));
                    let id = answered.into_iter().find(|id| !id.is_empty()).unwrap_or_default();
                    let failed = part.get("is_error") == Some(&Value::Bool(true));
                    let text = texts::of(part.get("content"));
                    let exit_code = if failed { exit_code::of(&text) } else { None };
                    let outcome = Outcome::Returned { exit_code, ok: !failed };
                    sink.event(Event::Returned(Returned { outcome, ..Returned::of(at, id, text, failed) }))?;
                }
                Some("text") => said.push(text(part, "text")),
                _ => {}
            }
        }
        if !said.is_empty() {
            sink.event(Event::Spoke { at, text: said.join("\n") })?;
        }
        Ok(())
    }

    fn count(&mut self, message: &Map<String, Value>) {
        let id = text(message, "id");
        let Some(usage) = message.get("usage").filter(|_| id.is_empty() || id != self.counted) else { return };
        self.counted = id;
        let count = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
        for key in ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"] {
            self.used.input_tokens = self.used.input_tokens.saturating_add(count(key));
        }
        self.used.output_tokens = self.used.output_tokens.saturating_add(count("output_tokens"));
    }
}
