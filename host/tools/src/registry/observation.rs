//! What a run is told of a result: a bounded text without secrets, and identities without what
//! changes although nothing has.

use std::sync::Arc;

use countersign_kernel::{Observation, Outcome};
use serde_json::Value;

use super::Registry;
use crate::keys;
use crate::redact::{Salt, clean, redact, salted};

/// Most bytes of a result that are kept.
pub const SHOWN: usize = 4 << 10;

/// What a tool gave.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// How it went.
    pub outcome: Outcome,
    /// What it said, as far as it was read.
    pub text: String,
    /// All that stands in it, where that is more than the text: what a guard looks at.
    pub all: Option<String>,
    /// Bytes that it said in all.
    pub bytes: u64,
}

impl ToolResult {
    /// A result that was read whole.
    pub fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        let text = text.into();
        ToolResult { outcome, bytes: text.len() as u64, text, all: None }
    }

    /// The same result, in which all this stands.
    #[must_use]
    pub fn with_all(self, all: &str) -> Self {
        let bytes = self.bytes.max(all.len() as u64);
        ToolResult { bytes, all: Some(all.to_owned()), ..self }
    }

    /// All that stands in it.
    pub fn all(&self) -> &str {
        self.all.as_deref().unwrap_or(&self.text)
    }
}

impl Registry {
    /// The observation that a result makes: secrets replaced, cut to 4 KiB, facts and reports
    /// extracted as the tool declares them.
    pub fn observation(&self, tool: &str, result: &ToolResult, salt: &Salt) -> Observation {
        let all = result.all();
        let redacted = redact(all, salt);
        let cleaned = redacted.as_deref().unwrap_or(all);
        let text: Arc<str> = cleaned[..cleaned.floor_char_boundary(SHOWN)].into();
        let left_out = (cleaned.len() - text.len()) as u64 + result.bytes.saturating_sub(all.len() as u64);
        let mut observed = self.observed(tool, result, text, salt);
        observed.left_out = Some(left_out).filter(|left_out| *left_out > 0);
        observed
    }

    /// The same, where it is known how much of it is to be seen.
    pub fn observed(&self, tool: &str, result: &ToolResult, text: Arc<str>, salt: &Salt) -> Observation {
        let spec = self.spec(tool);
        let full = &result.text;
        let whole = text.len() as u64 == result.bytes;
        let failed = matches!(result.outcome, Outcome::Returned { ok: false, .. });
        let exit = format!("{:?}", result.outcome);
        let parsed: Option<Value> = spec.and_then(|spec| {
            let wanted = !spec.facts.is_empty() || !spec.reports.is_empty() || !spec.volatile.is_empty();
            wanted.then(|| serde_json::from_str(full).ok()).flatten()
        });
        let stable = match (&parsed, spec) {
            (Some(value), Some(spec)) if !spec.volatile.is_empty() => {
                without(value.clone(), &spec.volatile).to_string()
            }
            _ => full.clone(),
        };
        let mut observed = Observation::new(result.outcome, text);
        observed.bytes = result.bytes;
        observed.payload = (!whole).then(|| salted(result.all().as_bytes(), salt).into());
        observed.result_key = Some(keys::key(&[tool.as_bytes(), exit.as_bytes(), keys::stable(&stable).as_bytes()]));
        observed.exact_key = Some(keys::key(&[b"exact", tool.as_bytes(), exit.as_bytes(), stable.as_bytes()]));
        observed.pending = keys::says_pending(full);
        observed.error_key = failed.then(|| keys::error_key(&clean(full, SHOWN, salt))).flatten();
        if let (Some(value), Some(spec)) = (&parsed, spec) {
            for (name, pointer) in &spec.facts {
                let found = match value.pointer(pointer) {
                    None | Some(Value::Null) => continue,
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                };
                observed.facts.insert(name.as_str().into(), clean(&found, 512, salt));
            }
            let reported = |pointer: &String| value.pointer(pointer).and_then(Value::as_bool) == Some(true);
            observed.reports =
                spec.reports.iter().filter(|(_, pointer)| reported(pointer)).map(|(condition, _)| *condition).collect();
        }
        observed
    }
}

/// A result without the parts that change although nothing has.
fn without(mut value: Value, pointers: &[String]) -> Value {
    for pointer in pointers {
        if let Some(part) = value.pointer_mut(pointer) {
            *part = Value::Null;
        }
    }
    value
}

/// Replaces `{name}` by the argument of that name.
pub fn fill(word: &str, values: &serde_json::Value) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            rest = &rest[start..];
            break;
        };
        let name = &rest[start + 1..start + length];
        match values.get(name) {
            Some(serde_json::Value::String(text)) => out.push_str(text),
            Some(other) => out.push_str(&other.to_string()),
            None => out.push_str(&rest[start..=start + length]),
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}
