//! The forms that recordings come in: a file each, and the table by which a file's form is known.

mod atif;
mod chat;
mod claude_code;
mod codex;
mod exit_code;
mod labels;
mod openhands_events;
mod openhands_runs;
mod openhands_sdk;
mod steps;
mod texts;
mod time;

use serde_json::Value;

use super::run::Header;
use super::sink::{Refused, Sink};
use super::sketch::Sketch;

/// A form that recordings come in.
pub struct Format {
    /// As people call it.
    pub name: &'static str,
    /// What is looked for.
    pub looks: &'static str,
    /// Whether a value is an element of such a run: a line, or an element of a list.
    pub is_element: fn(&Sketch) -> bool,
    /// Whether a value is a whole run.
    pub is_run: fn(&Sketch) -> bool,
    /// Keys below which a run's elements stand.
    pub lists: &'static [&'static str],
    /// Reads one run.
    pub reader: fn() -> Box<dyn Reader>,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Why an element is not read.
#[derive(Debug)]
pub enum Fault {
    /// It is not what it should be: it is left out, and named.
    Element(String),
    /// Whoever is told wants no more.
    Refused(Refused),
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Fault::Refused(refused)
    }
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Fault::Element(problem)
    }
}

/// Reads one run of a form.
pub trait Reader {
    /// Whether a key beside the elements says something.
    fn wants(&self, _key: &str) -> bool {
        false
    }

    /// What it says.
    ///
    /// # Errors
    /// What was expected there.
    fn key(&mut self, _key: &str, _value: Value, _header: &mut Header) -> Result<(), String> {
        Ok(())
    }

    /// An element, in its order.
    ///
    /// # Errors
    /// What was expected; nothing of it has been told then.
    fn element(&mut self, element: Value, sink: &mut Sink<'_>) -> Result<(), Fault>;

    /// The run has no more elements.
    ///
    /// # Errors
    /// What is missing.
    fn end(&mut self, _header: &mut Header) -> Result<(), String> {
        Ok(())
    }
}

/// Every form that is read, the more particular ones first.
pub static FORMATS: [Format; 8] = [
    openhands_runs::FORMAT,
    openhands_sdk::FORMAT,
    openhands_events::FORMAT,
    atif::FORMAT,
    codex::FORMAT,
    claude_code::FORMAT,
    chat::FORMAT,
    steps::FORMAT,
];

/// Whether elements of any of these lists are such.
fn any(sketch: &Sketch, lists: &[&str], is_element: fn(&Sketch) -> bool) -> bool {
    lists.iter().any(|key| sketch.list(key).iter().any(is_element))
}

/// No form has it.
fn never(_: &Sketch) -> bool {
    false
}

/// An object, or what was found instead.
fn object(value: Value) -> Result<serde_json::Map<String, Value>, String> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(format!("expected an object, found {}", kind(&other))),
    }
}

/// What a value is, for people.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A text that must be there.
fn needed(object: &serde_json::Map<String, Value>, key: &str) -> Result<String, String> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("key `{key}`: expected a text, found {}", kind(other))),
        None => Err(format!("expected the key `{key}`")),
    }
}

/// A text; empty where there is none.
fn text(object: &serde_json::Map<String, Value>, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Arguments as an object: as they are, or as a text that holds one.
fn arguments(value: Option<&Value>) -> serde_json::Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object.clone(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => object,
            // A call that no tool would take is one all the same.
            _ if text.trim().is_empty() => serde_json::Map::new(),
            _ => [("input".to_owned(), Value::String(text.clone()))].into_iter().collect(),
        },
        None | Some(Value::Null) => serde_json::Map::new(),
        Some(other) => [("input".to_owned(), other.clone())].into_iter().collect(),
    }
}
