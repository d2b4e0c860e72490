//! From the steps of a recorded run to the inputs of a recorded run.

use std::sync::Arc;

use countersign_kernel::contract::Key;
use countersign_kernel::{Action, Code, Input, Observation, Outcome, Reply, StepReply, StepStatus, Touched, Usage};
use countersign_models::say;
use countersign_tools::redact::{Salt, clean, redact_arguments};
use countersign_tools::{canonical, keys};
use serde_json::Value;

use super::nature::{Nature, of_call};
use super::run::{Call, Returned, Said, Step};

/// Most bytes of an observation that is kept.
const SHOWN: usize = 4 << 10;
/// Most bytes of a step's name.
const NAME: usize = 64;

/// Turns steps into inputs, one at a time.
#[derive(Debug)]
pub struct Adapter {
    salt: Salt,
    at: u64,
    model_calls: u64,
    tool_calls: u64,
    /// Micro-dollars so far.
    cost: u64,
}

/// An input and its time.
pub type Timed = (u64, Input);

impl Adapter {
    pub fn new(salt: Salt) -> Self {
        Adapter { salt, at: 0, model_calls: 0, tool_calls: 0, cost: 0 }
    }

    /// Micro-dollars so far.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Model calls so far.
    pub fn steps(&self) -> u64 {
        self.model_calls
    }

    /// The inputs that a step stands for.
    pub fn step(&mut self, step: Step, out: &mut Vec<Timed>) {
        match step {
            Step::Spoke { at, text } => {
                let at = self.now(at);
                out.push((at, Input::Message { text: clean(&text, SHOWN, &self.salt) }));
            }
            Step::Said(said) => {
                let action = self.words(&said);
                let bytes = said.text.len() as u64;
                self.reply(said.at, "message", action, (String::new(), bytes), said.usage, out);
            }
            Step::Finished { at, summary, usage } => {
                let shown = clean(&summary, SHOWN, &self.salt);
                let action = Action::Finish { summary: shown, claims: Vec::new() };
                self.reply(at, "finish", action, (String::new(), summary.len() as u64), usage, out);
            }
            Step::Call(call, returned) => self.call(call, returned, out),
        }
    }

    /// The end of the run.
    pub fn end(&mut self, code: Code, out: &mut Vec<Timed>) {
        out.push((self.at, Input::Closed { code }));
    }

    fn now(&mut self, at: u64) -> u64 {
        self.at = self.at.max(at);
        self.at
    }

    fn words(&self, said: &Said) -> Action {
        match (say(&said.text, &self.salt), &said.whole) {
            // The text was cut: what the recorder knows of the whole is what tells it from others.
            (Action::Say { text, .. }, Some(whole)) => {
                Action::Say { text, key: keys::key(&[b"cut", whole.as_bytes()]) }
            }
            (action, _) => action,
        }
    }

    fn reply(
        &mut self,
        at: u64,
        name: &str,
        action: Action,
        (thought, bytes): (String, u64),
        usage: Usage,
        out: &mut Vec<Timed>,
    ) {
        let at = self.now(at);
        self.cost = self.cost.saturating_add(usage.cost);
        let reply = Reply::Step(StepReply {
            step: name[..name.floor_char_boundary(NAME)].into(),
            action,
            reasoning: clean(&thought, SHOWN, &self.salt),
            status: StepStatus::Ok,
            confidence: None,
            signals: Vec::new(),
            bytes,
            unwrapped: Vec::new(),
        });
        out.push((at, Input::Replied { call: self.model_calls, reply, usage, request: None }));
        self.model_calls += 1;
    }

    fn call(&mut self, call: Call, returned: Option<Returned>, out: &mut Vec<Timed>) {
        let nature = of_call(&call);
        let Call { at, tool, arguments, thought, identity, usage, .. } = call;
        let bytes = thought.len() as u64
            + arguments.values().map(|value| value.as_str().map_or(8, str::len) as u64).sum::<u64>();
        let mut arguments = Value::Object(arguments);
        let whole = canonical(&arguments);
        let payload = redact_arguments(&mut arguments, &self.salt);
        let shown = if payload { canonical(&arguments) } else { whole.clone() };
        let kind = identity.as_ref().and_then(|parts| parts.first()).unwrap_or(&tool);
        let parts: Vec<&[u8]> = match &identity {
            Some(parts) if parts.len() > 1 => {
                std::iter::once(b"cut".as_slice()).chain(parts.iter().map(String::as_bytes)).collect()
            }
            _ => vec![b"call", kind.as_bytes(), shown.as_bytes()],
        };
        let name = kind.clone();
        let action = Action::Call {
            tool: tool.as_str().into(),
            arguments: shown.as_str().into(),
            key: keys::key(&parts),
            invalid: None,
            missing: Vec::new(),
            touches: Touched::default(),
            payload: payload.then(|| Arc::from(self.digest(&whole))),
        };
        self.reply(at, &name, action, (thought, bytes), usage, out);
        let (at, observation) = match returned {
            Some(returned) => (self.now(returned.at), self.observation(returned, nature)),
            // The recording has no result of it.
            None => {
                let unknown = Observation::new(Outcome::Unknown, "".into());
                (self.at, Observation { mutating: Some(nature.mutating), poller: Some(nature.poller), ..unknown })
            }
        };
        out.push((at, Input::Observed { call: self.tool_calls, observation }));
        self.tool_calls += 1;
    }

    /// What stands for arguments that hold a secret.
    fn digest(&self, whole: &str) -> String {
        format!("{:016x}", keys::key(&[b"payload", &self.salt.0, whole.as_bytes()]).0)
    }

    fn observation(&self, returned: Returned, nature: Nature) -> Observation {
        let text = clean(&returned.text, SHOWN, &self.salt);
        let failed = returned.outcome.failure().is_some();
        let full = returned.whole.map(|bytes| bytes.to_string()).unwrap_or_default();
        let exit = match returned.outcome {
            Outcome::Returned { exit_code: Some(code), .. } => code.to_string(),
            _ => String::new(),
        };
        let error_text = if returned.screen { "" } else { &text };
        let error_key = failed.then(|| keys::error_key(error_text)).flatten();
        Observation {
            bytes: returned.whole.unwrap_or(returned.text.len() as u64),
            result_key: Some(result_key(&exit, &text, &full)),
            exact_key: Some(keys::key(&[b"exact", exit.as_bytes(), text.as_bytes(), full.as_bytes()])),
            error_key,
            mutating: Some(nature.mutating),
            poller: Some(nature.poller),
            pending: keys::says_pending(&text),
            ..Observation::new(returned.outcome, Arc::clone(&text))
        }
    }
}

/// What the shown text says without its volatile fields, and the length of what is not shown.
fn result_key(exit: &str, shown: &str, full: &str) -> Key {
    keys::key(&[b"result", exit.as_bytes(), keys::stable(shown).as_bytes(), full.as_bytes()])
}
