//! Runs of OpenHands as the set of multi-round safety runs has them: one object a run, its events with cut texts and
//! hashes of the whole ones.

use countersign_kernel::{Code, Outcome, Usage};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Fault, Format, Reader, any};
use crate::recording::run::{Call, Event, Header, Returned, Said, Went};
use crate::recording::sink::Sink;

pub const FORMAT: Format = Format {
    name: "OpenHands runs with cut texts",
    looks: "objects with `terminal` and `events`, whose elements have `id`, `src`, `k` and `type`",
    is_element: super::never,
    is_run: |run| any(run, &["events"], |event| event.has(&["src", "k", "type"])),
    lists: &["events"],
    reader: || Box::new(Runs::default()),
};

/// How a cut text ends: this, the number of characters left out, `]`.
const CUT: &str = "…[+";

/// One event, as it is recorded.
#[derive(Debug, Deserialize)]
struct Recorded {
    /// Its number.
    id: u64,
    /// Who: user, agent or environment.
    src: String,
    /// Seconds from the start.
    #[serde(default)]
    t: f64,
    /// `action` or `obs`.
    k: String,
    /// What kind of action or observation.
    #[serde(rename = "type")]
    kind: String,
    /// Arguments, texts cut.
    #[serde(default)]
    args: Map<String, Value>,
    /// Hash of the full arguments.
    #[serde(default)]
    args_sha1: String,
    /// The same without the thought.
    #[serde(default)]
    args_nothought_sha1: String,
    /// The function that was called.
    #[serde(rename = "fn")]
    function: Option<String>,
    /// Dollars so far.
    cost: Option<f64>,
    /// Tokens of this call.
    ptok: Option<u64>,
    /// Tokens of this call.
    ctok: Option<u64>,
    /// The action that an observation answers.
    cause: Option<u64>,
    /// Text of an observation, cut.
    #[serde(default)]
    content: String,
    /// Length of the full text, in characters.
    len: Option<u64>,
    /// Exit code of a command.
    exit_code: Option<i64>,
    /// The tool says that it failed.
    error: Option<Value>,
    /// The tool says that it succeeded.
    success: Option<bool>,
}

#[derive(Debug, Default)]
struct Runs {
    at: u64,
    /// Micro-dollars so far.
    cost: u64,
    terminal: bool,
}

impl Reader for Runs {
    fn wants(&self, key: &str) -> bool {
        matches!(key, "terminal" | "task" | "model" | "set" | "state")
    }

    fn key(&mut self, key: &str, value: Value, header: &mut Header) -> Result<(), String> {
        if key == "state" {
            header.max_iterations = value.get("max_iterations").and_then(Value::as_u64);
            return Ok(());
        }
        let Value::String(text) = value else {
            return Err(format!("key `{key}`: expected a text, found {}", super::kind(&value)));
        };
        match key {
            "task" => header.task = text,
            "model" => header.model = text,
            "set" => header.set = text,
            _ => {
                self.terminal = true;
                header.code = match text.as_str() {
                    "FINISHED" => Code::Success,
                    "STUCK_IN_LOOP" => Code::RepeatedFailure,
                    "MAX_ITERATIONS" => Code::BudgetExhausted,
                    "RUNTIME_TIMEOUT" => Code::Timeout,
                    "HTTP_ERROR" => Code::UnavailableDep,
                    _ => Code::ValidationFail,
                };
                header.went = if text == "FINISHED" { Went::Well } else { Went::Badly };
                header.outcome = text;
            }
        }
        Ok(())
    }

    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let event: Recorded = serde_json::from_value(element).map_err(|error| error.to_string())?;
        if event.t.is_finite() && event.t > 0.0 {
            // Times are rounded and now and then step back.
            self.at = self.at.max((event.t * 1000.0) as u64);
        }
        sink.header.priced |= event.cost.is_some();
        match (event.k.as_str(), event.src.as_str()) {
            ("action", "user") if event.kind == "message" => {
                sink.event(Event::Spoke { at: self.at, text: argument(&event, "content") })?;
            }
            ("action", "agent") if event.kind != "recall" => sink.event(self.action(event))?,
            ("obs", _) => {
                // What is recalled for the agent answers no call of its own.
                if let Some(cause) = event.cause.filter(|_| event.kind != "recall") {
                    sink.event(Event::Returned(self.result(cause, event)))?;
                }
            }
            ("action", _) => {}
            (other, _) => {
                let problem = format!("event {}: key `k`: expected `action` or `obs`, found `{other}`", event.id);
                return Err(Fault::Element(problem));
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Header) -> Result<(), String> {
        if self.terminal { Ok(()) } else { Err("expected the key `terminal`".to_owned()) }
    }
}

fn argument(event: &Recorded, key: &str) -> String {
    event.args.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Runs {
    fn action(&mut self, event: Recorded) -> Event {
        let at = self.at;
        let cost =
            event.cost.filter(|cost| cost.is_finite()).map_or(self.cost, |dollars| (dollars * 1e6).round() as u64);
        let usage = Usage {
            input_tokens: event.ptok.unwrap_or(0),
            output_tokens: event.ctok.unwrap_or(0),
            cost: cost.saturating_sub(self.cost),
            estimated: false,
        };
        self.cost = self.cost.max(cost);
        match event.kind.as_str() {
            "message" => {
                let text = argument(&event, "content");
                // Its hash is what tells a cut text from others.
                let whole = text.contains(CUT).then(|| event.args_sha1.clone());
                return Event::Said(Said { at, text, whole, usage });
            }
            "finish" => return Event::Finished { at, summary: argument(&event, "final_thought"), usage },
            _ => {}
        }
        let thought = argument(&event, "thought");
        let mut arguments = event.args;
        arguments.remove("thought");
        let cut = arguments.values().any(|value| value.as_str().is_some_and(|text| text.contains(CUT)));
        let identity = if event.kind == "think" {
            // A thought is all there is to it.
            vec![event.args_sha1, thought.clone()]
        } else if cut {
            vec![event.args_nothought_sha1]
        } else {
            Vec::new()
        };
        let tool = event.function.unwrap_or_else(|| event.kind.clone());
        // One function does several things, and only the kind says which.
        let identity = Some([vec![event.kind], identity].concat());
        Event::Called(Call { at, id: event.id.to_string(), tool, arguments, thought, identity, usage })
    }

    fn result(&self, cause: u64, event: Recorded) -> Returned {
        let outcome = outcome(&event);
        let (text, whole) = match event.content.rfind(CUT) {
            Some(at) => (event.content[..at].to_owned(), Some(event.len.unwrap_or(event.content.len() as u64))),
            None => (event.content, None),
        };
        // A page that a failed click left on the screen is no error text.
        let screen = event.kind == "browse";
        Returned { at: self.at, id: cause.to_string(), text, whole, outcome, screen }
    }
}

fn outcome(event: &Recorded) -> Outcome {
    let exit_code = event.exit_code.and_then(|code| i32::try_from(code).ok());
    if event.kind == "error" {
        return super::openhands_events::of_error(&event.content);
    }
    let failed = exit_code.is_some_and(|code| code != 0)
        || event.success == Some(false)
        || matches!(&event.error, Some(Value::Bool(true)))
        || event.content.starts_with("ERROR:");
    Outcome::Returned { exit_code, ok: !failed }
}
