//! Event streams of OpenHands itself, as its event store, its trajectory files and its evaluation results have them:
//! actions with `args`, observations with `content` and `extras`.

use countersign_kernel::{Code, Outcome, Usage};
use serde_json::{Map, Value};

use super::time::Times;
use super::{Fault, Format, Reader, any, arguments, labels, object, text};
use crate::recording::run::{Call, Event, Header, Returned, Said, Went};
use crate::recording::sink::Sink;
use crate::recording::sketch::Sketch;

pub const FORMAT: Format = Format {
    name: "OpenHands events",
    looks: "a list, lines or a folder of objects with `source` and `action` or `observation`; or such a list below \
            `history` or `trajectory`",
    is_element,
    is_run: |run| any(run, LISTS, is_element),
    lists: LISTS,
    reader: || Box::new(Events::default()),
};

const LISTS: &[&str] = &["history", "trajectory", "events"];
/// Actions that are no doing of the agent's.
const NOT_DONE: [&str; 7] =
    ["recall", "system", "change_agent_state", "null", "condensation", "condensation_request", "agent_state_changed"];
/// Keys of arguments that OpenHands itself adds to what the model asked for.
const ADDED: [&str; 8] = [
    "thought",
    "hidden",
    "confirmation_state",
    "security_risk",
    "translated_ipython_code",
    "blocking",
    "is_static",
    "kernel_init_code",
];

fn is_element(element: &Sketch) -> bool {
    element.has(&["source"])
        && (element.text("action").is_some() && element.has(&["args"])
            || element.text("observation").is_some() && element.has(&["content"]))
}

#[derive(Debug, Default)]
struct Events {
    times: Times,
    /// Micro-dollars so far.
    cost: u64,
    /// Tokens sent and received so far.
    tokens: (u64, u64),
}

impl Reader for Events {
    fn wants(&self, key: &str) -> bool {
        labels::wants(key) || matches!(key, "metadata" | "error" | "report" | "test_result")
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        match key {
            "metadata" => {
                let model = value.pointer("/llm_config/model").and_then(Value::as_str);
                header.model = model.unwrap_or_default().to_owned();
                header.max_iterations = value.get("max_iterations").and_then(Value::as_u64);
            }
            "error" => {
                if let Some(error) = value.as_str().filter(|error| !error.is_empty()) {
                    ended(header, if error.contains("STUCK") || error.contains("stuck") { "stuck" } else { "error" });
                }
            }
            "report" | "test_result" => {
                let resolved = value.get("resolved").or_else(|| value.pointer("/report/resolved"));
                if let Some(resolved) = resolved.and_then(Value::as_bool) {
                    header.done(resolved, ["resolved", "not resolved"]);
                }
            }
            _ => labels::take(key, &value, header),
        }
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let event = object(element)?;
        let at = self.times.of(event.get("timestamp"));
        let cost = event.get("llm_metrics").and_then(|metrics| metrics.get("accumulated_cost"));
        sink.header.priced |= cost.is_some_and(Value::is_number);
        let usage = self.usage(&event);
        // Events that it keeps beside these, such as changes of its settings, have neither.
        if let Some(Value::String(kind)) = event.get("observation") {
            return self.observation(kind, &event, at, sink);
        }
        let Some(Value::String(kind)) = event.get("action") else {
            return Err(Fault::Element("expected the key `action` or `observation`".to_owned()));
        };
        let by = text(&event, "source");
        let mut args = match event.get("args") {
            Some(Value::Object(args)) => args.clone(),
            None => Map::new(),
            Some(other) => {
                let problem = format!("key `args`: expected an object, found {}", super::kind(other));
                return Err(Fault::Element(problem));
            }
        };
        if by == "user" {
            if kind == "message" {
                sink.event(Event::Spoke { at, text: text(&args, "content") })?;
            }
            return Ok(());
        }
        if by != "agent" || NOT_DONE.contains(&kind.as_str()) {
            return Ok(());
        }
        let thought = text(&args, "thought");
        match kind.as_str() {
            "message" => sink.event(Event::Said(Said { at, text: text(&args, "content"), whole: None, usage }))?,
            "finish" => {
                ended(&mut sink.header, "finished");
                let summary = ["final_thought", "thought"].map(|key| text(&args, key));
                let summary = summary.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
                sink.event(Event::Finished { at, summary, usage })?;
            }
            "reject" => ended(&mut sink.header, "rejected"),
            _ => {
                let named =
                    event.get("tool_call_metadata").and_then(|call| call.get("function_name")).and_then(Value::as_str);
                let (tool, arguments) = if matches!(kind.as_str(), "mcp" | "call_tool_mcp") {
                    (text(&args, "name"), arguments(args.get("arguments")))
                } else {
                    // A thought is all there is to thinking.
                    args.retain(|key, _| !ADDED.contains(&key.as_str()) || kind == "think" && key == "thought");
                    (named.unwrap_or(kind).to_owned(), args)
                };
                let identity = Some(vec![kind.clone()]);
                let id = number(event.get("id"));
                sink.event(Event::Called(Call { at, id, tool, arguments, thought, identity, usage }))?;
            }
        }
        Ok(())
    }
}

impl Events {
    fn observation(&self, kind: &str, event: &Map<String, Value>, at: u64, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let extras = event.get("extras").and_then(Value::as_object);
        if kind == "agent_state_changed" {
            match extras.and_then(|extras| extras.get("agent_state")).and_then(Value::as_str) {
                Some(state @ ("error" | "stopped" | "rejected")) => ended(&mut sink.header, state),
                Some("finished") => ended(&mut sink.header, "finished"),
                _ => {}
            }
            return Ok(());
        }
        if NOT_DONE.contains(&kind) {
            return Ok(());
        }
        let cause = number(event.get("cause"));
        if cause.is_empty() {
            return Ok(());
        }
        let content = super::texts::of(event.get("content"));
        let code = extras.and_then(|extras| {
            let metadata = extras.get("metadata").and_then(|metadata| metadata.get("exit_code"));
            metadata.or_else(|| extras.get("exit_code"))?.as_i64()
        });
        // -1 stands for a command that goes on.
        let exit_code = code.filter(|code| *code != -1).and_then(|code| i32::try_from(code).ok());
        let outcome = if kind == "error" {
            of_error(&content)
        } else if kind == "user_rejected" {
            Outcome::Rejected
        } else {
            let failed = exit_code.is_some_and(|code| code != 0)
                || event.get("success") == Some(&Value::Bool(false))
                || extras.and_then(|extras| extras.get("error")) == Some(&Value::Bool(true))
                || content.starts_with("ERROR:");
            Outcome::Returned { exit_code, ok: !failed }
        };
        let screen = kind == "browse";
        sink.event(Event::Returned(Returned { at, id: cause, text: content, whole: None, outcome, screen }))?;
        Ok(())
    }

    /// What was used since the last event that says so: OpenHands sums up.
    fn usage(&mut self, event: &Map<String, Value>) -> Usage {
        let metrics = event.get("llm_metrics");
        let cost = metrics.and_then(|metrics| metrics.get("accumulated_cost")).and_then(Value::as_f64);
        let cost = cost.filter(|cost| cost.is_finite()).map_or(self.cost, |dollars| (dollars * 1e6).round() as u64);
        let tokens = metrics.and_then(|metrics| metrics.get("accumulated_token_usage"));
        let count = |key: &str| tokens.and_then(|tokens| tokens.get(key)).and_then(Value::as_u64);
        let sent = count("prompt_tokens").unwrap_or(self.tokens.0);
        let received = count("completion_tokens").unwrap_or(self.tokens.1);
        let usage = Usage {
            input_tokens: sent.saturating_sub(self.tokens.0),
            output_tokens: received.saturating_sub(self.tokens.1),
            cost: cost.saturating_sub(self.cost),
            estimated: false,
        };
        self.cost = self.cost.max(cost);
        self.tokens = (self.tokens.0.max(sent), self.tokens.1.max(received));
        usage
    }
}

/// How a run ended, in the words of OpenHands' states. What a judge says of the task counts more.
fn ended(header: &mut Header, state: &str) {
    if !matches!(header.went, Went::Unsaid) {
        return;
    }
    header.outcome = state.to_owned();
    let (code, went) = match state {
        "finished" => (Code::Success, Went::Well),
        "stuck" => (Code::RepeatedFailure, Went::Badly),
        _ => (Code::ValidationFail, Went::Badly),
    };
    (header.code, header.went) = (code, went);
}

/// What an observation of an error means: the call was not made, or what stands behind it is busy.
pub(super) fn of_error(content: &str) -> Outcome {
    let text = content.to_ascii_lowercase();
    let busy = ["too many requests", "rate limit", "service unavailable", "bad gateway", "gateway timeout"];
    if busy.iter().any(|part| text.contains(part)) { Outcome::Infrastructure } else { Outcome::Rejected }
}

fn number(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}
