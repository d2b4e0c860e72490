//! What the protocol's own types did not take: a method that nobody knows here, or a known one with parameters that are
//! not those of the protocol.

use rmcp::ErrorData;
use rmcp::model::ErrorCode;
use serde_json::Value;

/// Methods that are answered here, or passed on.
const METHODS: [&str; 15] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tools/call",
    "tools/list",
];

/// What is answered to it: what was expected, and where.
pub fn refused(method: &str, params: &Value) -> ErrorData {
    if METHODS.contains(&method) {
        return ErrorData::invalid_params(format!("`{method}`: {}", unlike(method, params)), None);
    }
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no method `{method}`"), None)
}

/// Where parameters are not what the protocol says that they are.
fn unlike(method: &str, params: &Value) -> String {
    let found = |value: &Value| match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let (name, arguments) = (&params["name"], &params["arguments"]);
    match method {
        _ if !params.is_object() => format!("expected parameters as an object, found {}", found(params)),
        "tools/call" | "prompts/get" if !name.is_string() => {
            format!("key `name`: expected a text, found {}", found(name))
        }
        "tools/call" | "prompts/get" if !matches!(arguments, Value::Null | Value::Object(_)) => {
            format!("key `arguments`: expected an object, found {}", found(arguments))
        }
        _ => "its parameters are not those that the protocol gives it".to_owned(),
    }
}
