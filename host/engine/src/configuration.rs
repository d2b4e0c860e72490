//! Configurations: canonical JSON, checked against the schema that the policy declares.

use serde_json::Value;

use crate::error::ConfigurationError;

/// A compiled schema that lets no misspelt key pass.
#[derive(Debug)]
pub struct Schema(countersign_schema::Schema);

impl Schema {
    pub fn parse(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("expected `\"type\": \"object\"` at its top".to_owned());
        }
        // Bounds what the next line walks through.
        let compiled = countersign_schema::Schema::new(&schema).map_err(|error| error.to_string())?;
        closed(&schema, "")?;
        Ok(Schema(compiled))
    }

    pub fn check(&self, policy: &str, configuration: &Value) -> Result<(), ConfigurationError> {
        let Some(problem) = self.0.problem(configuration) else { return Ok(()) };
        let key = problem.at;
        let message = match configuration.pointer(&key) {
            _ if !problem.is_unknown_key => problem.message,
            // What `additionalProperties: false` says where no property is allowed at all.
            Some(Value::Object(map)) if key.is_empty() => {
                let keys: Vec<String> = map.keys().map(|key| format!("`{key}`")).collect();
                format!("it takes no settings, found {}", keys.join(", "))
            }
            _ => "no such key is known".to_owned(),
        };
        Err(ConfigurationError { policy: policy.to_owned(), key, message })
    }
}

/// Every object that names its properties says what becomes of others.
fn closed(schema: &Value, at: &str) -> Result<(), String> {
    match schema {
        Value::Object(map) => {
            if map.get("type").and_then(Value::as_str) == Some("object") && !map.contains_key("additionalProperties") {
                return Err(format!(
                    "the object at `{at}/` lets unknown keys pass; add `\"additionalProperties\": false`"
                ));
            }
            map.iter().try_for_each(|(key, value)| closed(value, &format!("{at}/{key}")))
        }
        Value::Array(items) => items.iter().try_for_each(|value| closed(value, at)),
        _ => Ok(()),
    }
}

/// JSON with sorted keys and no white space: equal configurations have equal bytes.
pub fn canonical_json(value: &Value) -> String {
    // `serde_json` keeps maps sorted as long as nothing switches on `preserve_order`.
    value.to_string()
}
