//! From the events of a recorded OpenHands run to the inputs of a recorded run.

use std::sync::Arc;

use countersign_kernel::contract::Key;
use countersign_kernel::{Action, Code, Input, Observation, Outcome, Reply, StepReply, StepStatus, Touched, Usage};
use countersign_models::say;
use countersign_tools::redact::{Salt, clean, redact_arguments};
use countersign_tools::{canonical, keys};
use serde_json::Value;

use super::nature::{Nature, of_command};
use super::stream::Event;

/// How a cut text ends: this, the number of characters left out, `]`.
const CUT: &str = "…[+";
/// Most bytes of an observation that is kept.
const SHOWN: usize = 4 << 10;

/// Turns events into inputs, one at a time.
#[derive(Debug)]
pub struct Adapter {
    salt: Salt,
    at: u64,
    model_calls: u64,
    tool_calls: u64,
    /// Micro-dollars so far.
    cost: u64,
    pending: Option<Pending>,
}

/// A call whose observation has not come yet.
#[derive(Debug)]
struct Pending {
    event: u64,
    nature: Nature,
}

/// An input and its time.
pub type Timed = (u64, Input);

impl Adapter {
    pub fn new(salt: Salt) -> Self {
        Adapter { salt, at: 0, model_calls: 0, tool_calls: 0, cost: 0, pending: None }
    }

    /// The inputs that an event stands for.
    pub fn event(&mut self, event: &Event, out: &mut Vec<Timed>) -> Result<(), String> {
        if event.t.is_finite() && event.t > 0.0 {
            // Times of recordings are rounded and now and then step back.
            self.at = self.at.max((event.t * 1000.0) as u64);
        }
        match (event.k.as_str(), event.src.as_str()) {
            ("action", "user") if event.kind == "message" => {
                let text = event.args.get("content").and_then(Value::as_str).unwrap_or_default();
                self.unanswered(out);
                out.push((self.at, Input::Message { text: clean(text, SHOWN, &self.salt) }));
            }
            ("action", "agent") => self.action(event, out),
            ("obs", _) => self.observation(event, out),
            ("action", _) => {}
            (other, _) => {
                return Err(format!("event {}: key `k`: expected `action` or `obs`, found `{other}`", event.id));
            }
        }
        Ok(())
    }

    /// The end of the run.
    pub fn end(&mut self, terminal: &str, out: &mut Vec<Timed>) {
        self.unanswered(out);
        let code = match terminal {
            "FINISHED" => Code::Success,
            "STUCK_IN_LOOP" => Code::RepeatedFailure,
            "MAX_ITERATIONS" => Code::BudgetExhausted,
            "RUNTIME_TIMEOUT" => Code::Timeout,
            "HTTP_ERROR" => Code::UnavailableDep,
            _ => Code::ValidationFail,
        };
        out.push((self.at, Input::Closed { code }));
    }

    /// Micro-dollars so far.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Model calls so far.
    pub fn steps(&self) -> u64 {
        self.model_calls
    }

    fn action(&mut self, event: &Event, out: &mut Vec<Timed>) {
        self.unanswered(out);
        let (action, pending) = self.proposal(event);
        self.pending = pending;
        let cost =
            event.cost.filter(|cost| cost.is_finite()).map_or(self.cost, |dollars| (dollars * 1e6).round() as u64);
        let usage = Usage {
            input_tokens: event.ptok.unwrap_or(0),
            output_tokens: event.ctok.unwrap_or(0),
            cost: cost.saturating_sub(self.cost),
            estimated: false,
        };
        self.cost = self.cost.max(cost);
        let thought = event.args.get("thought").and_then(Value::as_str).unwrap_or_default();
        let reply = Reply::Step(StepReply {
            step: event.kind.as_str().into(),
            action,
            reasoning: clean(thought, SHOWN, &self.salt),
            status: StepStatus::Ok,
            confidence: None,
            signals: Vec::new(),
            bytes: event.args.values().map(|value| value.as_str().map_or(8, str::len) as u64).sum(),
            unwrapped: Vec::new(),
        });
        out.push((self.at, Input::Replied { call: self.model_calls, reply, usage, request: None }));
        self.model_calls += 1;
    }

    fn proposal(&self, event: &Event) -> (Action, Option<Pending>) {
        match event.kind.as_str() {
            "message" => {
                let text = event.args.get("content").and_then(Value::as_str).unwrap_or_default();
                let action = match say(text, &self.salt) {
                    // The text was cut: its hash is what tells it from others.
                    Action::Say { text: shown, .. } if text.contains(CUT) => {
                        Action::Say { text: shown, key: keys::key(&[b"cut", event.args_sha1.as_bytes()]) }
                    }
                    action => action,
                };
                return (action, None);
            }
            "finish" => {
                let text = event.args.get("final_thought").and_then(Value::as_str).unwrap_or_default();
                return (Action::Finish { summary: clean(text, SHOWN, &self.salt), claims: Vec::new() }, None);
            }
            _ => {}
        }
        let tool = event.function.as_deref().unwrap_or(&event.kind);
        let mut arguments = event.args.clone();
        let thought = arguments.remove("thought");
        let cut = arguments.values().any(|value| value.as_str().is_some_and(|text| text.contains(CUT)));
        let mut arguments = Value::Object(arguments);
        let payload = redact_arguments(&mut arguments, &self.salt);
        let shown = canonical(&arguments);
        let key = if event.kind == "think" {
            // A thought is all there is to it.
            keys::key(&[
                b"think",
                event.args_sha1.as_bytes(),
                thought.as_ref().and_then(Value::as_str).unwrap_or_default().as_bytes(),
            ])
        } else if cut {
            keys::key(&[b"cut", event.kind.as_bytes(), event.args_nothought_sha1.as_bytes()])
        } else {
            keys::key(&[b"call", event.kind.as_bytes(), shown.as_bytes()])
        };
        let nature = match event.kind.as_str() {
            "run" => of_command(event.args.get("command").and_then(Value::as_str).unwrap_or_default()),
            "edit" | "run_ipython" | "write" => Nature { mutating: true, poller: false },
            _ => Nature { mutating: false, poller: false },
        };
        let action = Action::Call {
            tool: tool.into(),
            arguments: shown.into(),
            key,
            invalid: None,
            missing: Vec::new(),
            touches: Touched::default(),
            payload: payload.then(|| Arc::from(format!("sha1:{}", event.args_sha1))),
        };
        (action, Some(Pending { event: event.id, nature }))
    }

    fn observation(&mut self, event: &Event, out: &mut Vec<Timed>) {
        let Some(pending) = self.pending.take_if(|pending| Some(pending.event) == event.cause) else { return };
        let text = clean(&event.content, SHOWN, &self.salt);
        let outcome = outcome(event);
        let failed = outcome.failure().is_some();
        let bytes = event.len.unwrap_or(event.content.len() as u64);
        let (shown, cut) = match text.rfind(CUT) {
            Some(at) => (&text[..at], true),
            None => (&*text, false),
        };
        let full = if cut { bytes.to_string() } else { String::new() };
        let exit = event.exit_code.map(|code| code.to_string()).unwrap_or_default();
        // A page that a failed click left on the screen is no error text.
        let error_text = if event.kind == "browse" { "" } else { shown };
        let (result_key, error_key) =
            (result_key(&exit, shown, &full), failed.then(|| keys::error_key(error_text)).flatten());
        let observation = Observation {
            bytes,
            result_key: Some(result_key),
            exact_key: Some(keys::key(&[b"exact", exit.as_bytes(), shown.as_bytes(), full.as_bytes()])),
            error_key,
            mutating: Some(pending.nature.mutating),
            poller: Some(pending.nature.poller),
            pending: keys::says_pending(shown),
            ..Observation::new(outcome, text)
        };
        out.push((self.at, Input::Observed { call: self.tool_calls, observation }));
        self.tool_calls += 1;
    }

    /// The recording has no observation of the last call.
    fn unanswered(&mut self, out: &mut Vec<Timed>) {
        let Some(pending) = self.pending.take() else { return };
        let observation = Observation {
            mutating: Some(pending.nature.mutating),
            poller: Some(pending.nature.poller),
            ..Observation::new(Outcome::Unknown, "".into())
        };
        out.push((self.at, Input::Observed { call: self.tool_calls, observation }));
        self.tool_calls += 1;
    }
}

/// What the shown text says without its volatile fields, and the length of what is not shown.
fn result_key(exit: &str, shown: &str, full: &str) -> Key {
    keys::key(&[b"result", exit.as_bytes(), keys::stable(shown).as_bytes(), full.as_bytes()])
}

fn outcome(event: &Event) -> Outcome {
    let exit_code = event.exit_code.and_then(|code| i32::try_from(code).ok());
    if event.kind == "error" {
        let text = event.content.to_ascii_lowercase();
        let busy = ["too many requests", "rate limit", "service unavailable", "bad gateway", "gateway timeout"];
        return if busy.iter().any(|part| text.contains(part)) { Outcome::Infrastructure } else { Outcome::Rejected };
    }
    let failed = exit_code.is_some_and(|code| code != 0)
        || event.success == Some(false)
        || matches!(&event.error, Some(Value::Bool(true)))
        || event.content.starts_with("ERROR:");
    Outcome::Returned { exit_code, ok: !failed }
}
