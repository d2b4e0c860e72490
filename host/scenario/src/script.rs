//! Scripted models: replies matched on the content of the request.

use std::collections::BTreeMap;

use countersign_kernel::Unavailability;
use countersign_kernel::contract::{Signal, Tier};
use serde_json::{Value, json};

use super::spec::{ReplySpec, Spec, StepSpec};

/// The six fields of a packet, and nothing else.
const PACKET: [&str; 6] = ["constraints", "error-signals", "failure-point", "goal", "last-valid-state", "snippet"];
/// Exchanges of the history that a packet may repeat word for word: the failing one.
const REPEATED: usize = 1;

/// The models of a scenario.
pub struct Script {
    replies: BTreeMap<(Tier, String), Vec<Scripted>>,
    /// What went wrong with the script itself.
    pub complaints: Vec<String>,
    /// Results that tools have given: a packet must not carry them along.
    history: Vec<String>,
}

struct Scripted {
    contains: Vec<String>,
    lacks: Vec<String>,
    times: Option<u32>,
    answer: Answer,
    takes: u64,
    used: u32,
}

/// What a scripted model says.
#[derive(Clone)]
pub enum Answer {
    Bytes(Vec<u8>, Vec<Signal>),
    /// Made when asked for: it may be very large.
    Repeat(String, u32),
    Unavailable(String, Unavailability),
}

impl Script {
    pub fn new(spec: &Spec) -> Self {
        let replies = spec
            .models
            .iter()
            .flat_map(|(tier, several)| several.0.iter().map(|model| (*tier, model)))
            .map(|(tier, model)| ((tier, model.name.clone()), model.replies.iter().map(Scripted::new).collect()))
            .collect();
        Script { replies, complaints: Vec::new(), history: Vec::new() }
    }

    /// A tool has answered.
    pub fn note(&mut self, result: &str) {
        let result = result.trim();
        // Short results occur in any text.
        if result.len() >= 12 && !self.history.iter().any(|known| known == result) {
            self.history.push(result.to_owned());
        }
    }

    /// The answer to a request, and the milliseconds it takes.
    pub fn answer(&mut self, (tier, model): (Tier, &str), request: &str, packet: bool) -> (Answer, u64) {
        let gone = |reason: String| (Answer::Unavailable(reason, Unavailability::Permanent), 0);
        if packet && let Err(problem) = self.check_packet(request) {
            self.complaints.push(format!("the escalation packet {problem}"));
            return gone(format!("the escalation packet {problem}"));
        }
        let own = self.replies.get_mut(&(tier, model.to_owned()));
        let scripted = own.into_iter().flatten().find(|scripted| scripted.fits(request));
        match scripted {
            Some(scripted) => {
                scripted.used += 1;
                (scripted.answer.clone(), scripted.takes)
            }
            None => {
                let start = &request[..request.floor_char_boundary(400)];
                self.complaints.push(format!("no reply of the {tier} model fits this request: {start}"));
                gone(format!("the script has no reply of the {tier} model for this request"))
            }
        }
    }

    /// The next reply of an agent; none when the script has nothing more for it.
    pub fn next(&mut self, (tier, model): (Tier, &str), told: &str) -> Option<(Answer, u64)> {
        let own = self.replies.get_mut(&(tier, model.to_owned()))?;
        let scripted = own.iter_mut().find(|scripted| scripted.times.is_some() && scripted.fits(told))?;
        scripted.used += 1;
        Some((scripted.answer.clone(), scripted.takes))
    }

    fn check_packet(&self, request: &str) -> Result<(), String> {
        let value: Value = serde_json::from_str(request).map_err(|error| format!("is not JSON: {error}"))?;
        let Value::Object(packet) = value else { return Err("is not an object".to_owned()) };
        for field in PACKET {
            let empty = match packet.get(field) {
                None => return Err(format!("lacks `{field}`")),
                Some(Value::String(text)) => text.trim().is_empty(),
                Some(Value::Array(list)) => list.is_empty(),
                Some(_) => true,
            };
            if empty {
                return Err(format!("has an empty `{field}`"));
            }
        }
        if let Some(extra) = packet.keys().find(|key| !PACKET.contains(&key.as_str())) {
            return Err(format!("carries `{extra}` beside its six fields"));
        }
        // Texts are compared as they are, not as JSON escapes them.
        let texts: Vec<&str> = packet
            .values()
            .flat_map(|value| match value {
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().into_iter().collect::<Vec<_>>(),
            })
            .collect();
        let repeated =
            self.history.iter().filter(|result| texts.iter().any(|text| text.contains(result.as_str()))).count();
        if repeated > REPEATED {
            return Err(format!("carries history: it repeats {repeated} earlier results"));
        }
        Ok(())
    }
}

impl Scripted {
    fn new(spec: &ReplySpec) -> Self {
        Scripted {
            contains: spec.when.contains.clone(),
            lacks: spec.when.lacks.clone(),
            times: spec.times,
            answer: answer(spec),
            takes: spec.takes,
            used: 0,
        }
    }

    fn fits(&self, request: &str) -> bool {
        self.times.is_none_or(|times| self.used < times)
            && self.contains.iter().all(|part| request.contains(part))
            && !self.lacks.iter().any(|part| request.contains(part))
    }
}

fn answer(body: &ReplySpec) -> Answer {
    if let Some(step) = &body.step {
        let action = action(step);
        let text = json!({
            "step": step.step,
            "action": action,
            "reasoning": step.reasoning,
            "status": step.status,
            "confidence": step.confidence,
        });
        return Answer::Bytes(text.to_string().into_bytes(), step.signals.iter().map(Signal::from).collect());
    }
    if let Some(reason) = &body.unavailable {
        return Answer::Unavailable(reason.clone(), body.class);
    }
    if let Some(repeat) = &body.repeat {
        return Answer::Repeat(repeat.text.clone(), repeat.times);
    }
    let hex = body.hex.as_deref().and_then(from_hex);
    let bytes = hex.unwrap_or_else(|| body.text.clone().unwrap_or_default().into_bytes());
    Answer::Bytes(bytes, Vec::new())
}

/// As the model would write it.
fn action(step: &StepSpec) -> Value {
    match (&step.tool, &step.finish, &step.action) {
        (Some(tool), _, _) => json!({"tool": tool, "arguments": step.arguments.clone().unwrap_or_else(|| json!({}))}),
        (_, Some(summary), _) => match &step.claims {
            Some(claims) => json!({"finish": summary, "claims": claims}),
            None => json!({"finish": summary}),
        },
        (_, _, Some(action)) => json!(action),
        _ => json!(step.say),
    }
}

/// Bytes of a text of hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
