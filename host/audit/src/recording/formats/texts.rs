//! Texts that stand as they are, or in parts.

use serde_json::Value;

/// The text of a content: a text, or a list of parts with texts. What is no text, such as an image, is left out.
pub fn of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(part).collect();
            texts.join("\n")
        }
        Some(Value::Object(_)) => content.and_then(part).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

fn part(part: &Value) -> Option<&str> {
    match part {
        Value::String(text) => Some(text),
        Value::Object(object) => ["text", "content", "output"].iter().find_map(|key| object.get(*key)?.as_str()),
        _ => None,
    }
}
