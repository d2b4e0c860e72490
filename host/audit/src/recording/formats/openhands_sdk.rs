//! Event streams of OpenHands' agent SDK, whose events say with `kind` what they are.

use countersign_kernel::{Code, Outcome, Usage};
use serde_json::{Map, Value};

use super::time::Times;
use super::{Fault, Format, Reader, any, arguments, labels, needed, object, text, texts};
use crate::recording::run::{Call, Event, Header, Returned, Said, Went};
use crate::recording::sink::Sink;
use crate::recording::sketch::Sketch;

pub const FORMAT: Format = Format {
    name: "OpenHands SDK events",
    looks: "a list, lines or a folder of objects with `source` and a `kind` such as `ActionEvent`; or such a list \
            below `history` or `events`",
    is_element,
    is_run: |run| any(run, LISTS, is_element),
    lists: LISTS,
    reader: || Box::new(Events::default()),
};

const LISTS: &[&str] = &["history", "events"];

fn is_element(element: &Sketch) -> bool {
    let ends =
        |kind: &str| kind.ends_with("Event") || kind.ends_with("Observation") || kind.starts_with("Condensation");
    element.has(&["source"]) && element.text("kind").is_some_and(ends)
}

#[derive(Debug, Default)]
struct Events {
    times: Times,
}

impl Reader for Events {
    fn wants(&self, key: &str) -> bool {
        labels::wants(key)
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        labels::take(key, &value, header);
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let event = object(element)?;
        let at = self.times.of(event.get("timestamp"));
        match needed(&event, "kind")?.as_str() {
            "MessageEvent" => {
                let said = texts::of(event.get("llm_message").and_then(|message| message.get("content")));
                let event = match text(&event, "source").as_str() {
                    "agent" => Event::Said(Said { at, text: said, ..Said::default() }),
                    "user" => Event::Spoke { at, text: said },
                    _ => return Ok(()),
                };
                sink.event(event)?;
            }
            "ActionEvent" => self.action(&event, at, sink)?,
            "ObservationEvent" => {
                let Some(Value::Object(observation)) = event.get("observation") else {
                    return Err(Fault::Element("key `observation`: expected an object".to_owned()));
                };
                sink.event(Event::Returned(result(id(&event), observation, at)))?;
            }
            kind @ ("AgentErrorEvent" | "UserRejectObservation") => {
                let key = if kind == "AgentErrorEvent" { "error" } else { "rejection_reason" };
                let mut returned = Returned::of(at, id(&event), text(&event, key), true);
                returned.outcome = Outcome::Rejected;
                sink.event(Event::Returned(returned))?;
            }
            "ConversationErrorEvent" => {
                let header = &mut sink.header;
                header.outcome = text(&event, "code");
                (header.code, header.went) = (Code::ValidationFail, Went::Badly);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Events {
    fn action(&self, event: &Map<String, Value>, at: u64, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let tool = needed(event, "tool_name")?;
        let mut asked = match event.get("action") {
            Some(Value::Object(action)) => action.clone(),
            // What the model asked for could not be read as an action.
            _ => arguments(event.get("tool_call").and_then(|call| call.get("arguments"))),
        };
        asked.remove("kind");
        let thought = texts::of(event.get("thought"));
        if tool == "finish" {
            let header = &mut sink.header;
            if header.went == Went::Unsaid {
                (header.outcome, header.went) = ("finished".to_owned(), Went::Well);
            }
            sink.event(Event::Finished { at, summary: text(&asked, "message"), usage: Usage::default() })?;
            return Ok(());
        }
        let call = Call { at, id: id(event), tool, arguments: asked, thought, ..Call::default() };
        sink.event(Event::Called(call))?;
        Ok(())
    }
}

/// By which a call and its result are known to each other.
fn id(event: &Map<String, Value>) -> String {
    let call = text(event, "tool_call_id");
    if call.is_empty() { text(event, "action_id") } else { call }
}

fn result(id: String, observation: &Map<String, Value>, at: u64) -> Returned {
    let said = ["content", "output", "text", "error"].map(|key| texts::of(observation.get(key)));
    let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let metadata = observation.get("metadata").and_then(|metadata| metadata.get("exit_code"));
    let code = metadata.or_else(|| observation.get("exit_code")).and_then(Value::as_i64);
    let exit_code = code.filter(|code| *code != -1).and_then(|code| i32::try_from(code).ok());
    let failed = exit_code.is_some_and(|code| code != 0)
        || matches!(observation.get("is_error").or_else(|| observation.get("error")), Some(Value::Bool(true)));
    let outcome = Outcome::Returned { exit_code, ok: !failed };
    Returned { outcome, ..Returned::of(at, id, said, failed) }
}
