//! Where each value of a tool's entry comes from, for whoever wants to change one: it is found by leaving out one thing
//! after the other and looking at what the entry becomes, so that it says what really decides.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde::Serialize;
use serde_json::{Map, Value};
use toml::Table;

use super::ServerSpec;
use super::annotations::derived;

/// Values of an entry that decide what becomes of a call, in the order in which people read them.
pub const VALUES: [&str; 8] =
    ["side-effect", "reversibility", "blast-radius", "approval", "category", "idempotent", "external", "compliance"];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Origin {
    /// The operator's file says it.
    Stated {
        /// The key that says it.
        key: String,
    },
    /// It follows from something else that the operator's file says.
    Follows {
        /// The key that it follows from.
        key: String,
    },
    /// Its server says it, or it follows from that.
    Hint {
        /// The annotation, as the protocol names it.
        hint: String,
    },
    /// Nobody says it.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Stated { key } => write!(f, "key `{key}`"),
            Origin::Follows { key } => write!(f, "by key `{key}`"),
            Origin::Hint { hint } => write!(f, "its server: {hint}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value of a tool's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Known {
    /// The key, as in `[tools.NAME]`.
    pub key: &'static str,
    /// The value; `unknown` where there is none.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// What is known of a tool and from where. `over` is what the operator's file says of it, with the name under which it
/// does. Empty for a tool that is left out.
pub fn known(server: &ServerSpec, tool: &Tool, over: Option<(&str, &Table)>) -> Vec<Known> {
    // Which arguments it takes decides none of these values, and schemas take their time.
    let mut tool = tool.clone();
    (tool.input_schema, tool.output_schema) = (Arc::default(), None);
    let (name, table) = over.map_or_else(|| ("", Table::new()), |(name, table)| (name, table.clone()));
    let Some(entry) = entry(server, &tool, &table) else { return Vec::new() };
    let hints: Vec<(String, Option<Map<String, Value>>)> =
        each_hint(&tool).map(|hint| (said(&hint), without_hint(server, &tool, &table, &hint.0))).collect();
    let stated: Vec<(String, Option<Map<String, Value>>)> = table
        .keys()
        .map(|key| {
            let mut less = table.clone();
            less.remove(key);
            (format!("tools.{name}.{key}"), self::entry(server, &tool, &less))
        })
        .collect();
    let differs = |other: &Option<Map<String, Value>>, key: &str| {
        other.as_ref().is_some_and(|other| other.get(key) != entry.get(key))
    };
    let origin = |key: &str| {
        if table.contains_key(key) {
            return Origin::Stated { key: format!("tools.{name}.{key}") };
        }
        if let Some((key, _)) = stated.iter().find(|(_, less)| differs(less, key)) {
            return Origin::Follows { key: key.clone() };
        }
        match hints.iter().find(|(_, less)| differs(less, key)) {
            Some((hint, _)) => Origin::Hint { hint: hint.clone() },
            None => Origin::Default,
        }
    };
    let value = |key: &str| match entry.get(key) {
        None | Some(Value::Null) => "unknown".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    VALUES.into_iter().map(|key| Known { key, value: value(key), origin: origin(key) }).collect()
}

/// The entry as a run is pinned to it.
fn entry(server: &ServerSpec, tool: &Tool, over: &Table) -> Option<Map<String, Value>> {
    let spec = derived("tool", server, tool, Some(over)).ok()?.ok()?;
    match serde_json::to_value(spec.registered("tool")).ok()? {
        Value::Object(entry) => Some(entry),
        _ => None,
    }
}

fn each_hint(tool: &Tool) -> impl Iterator<Item = (String, Value)> {
    let hints = tool.annotations.as_ref().and_then(|hints| serde_json::to_value(hints).ok());
    let hints = match hints {
        Some(Value::Object(hints)) => hints,
        _ => Map::new(),
    };
    hints.into_iter().filter(|(name, value)| name.ends_with("Hint") && value.is_boolean())
}

fn said((name, value): &(String, Value)) -> String {
    format!("{name} = {value}")
}

fn without_hint(server: &ServerSpec, tool: &Tool, over: &Table, hint: &str) -> Option<Map<String, Value>> {
    let Ok(Value::Object(mut hints)) = serde_json::to_value(tool.annotations.as_ref()?) else { return None };
    hints.remove(hint);
    let annotations: ToolAnnotations = serde_json::from_value(Value::Object(hints)).ok()?;
    let mut tool = tool.clone();
    tool.annotations = Some(annotations);
    entry(server, &tool, over)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use serde_json::json;

    use super::*;

    /// `key=value from` of the values that are asked for.
    fn found(server: &str, hints: Value, over: &str, keys: &[&str]) -> Vec<String> {
        let server: ServerSpec = toml::from_str(server).unwrap();
        let tool = json!({"name": "t", "inputSchema": {"type": "object"}, "annotations": hints});
        let (tool, over): (Tool, Table) = (serde_json::from_value(tool).unwrap(), toml::from_str(over).unwrap());
        let known = known(&server, &tool, Some(("s__t", &over)));
        let asked = |known: &&Known| keys.contains(&known.key);
        known.iter().filter(asked).map(|known| format!("{} {}", known.value, known.origin)).collect()
    }

    #[test]
    fn each_value_says_what_decides_it() {
        const SERVER: &str = "command = ['x']";
        const DEAF: &str = "command = ['x']\ntrust-annotations = false";
        let keys = ["reversibility", "blast-radius", "approval"];
        let destructive = "its server: destructiveHint = true";
        let table: [(&str, Value, &str, [String; 3]); 9] = [
            (SERVER, json!({}), "", ["unknown default".into(), "unknown default".into(), "unknown default".into()]),
            (
                SERVER,
                json!({"readOnlyHint": true}),
                "",
                [
                    "reversible its server: readOnlyHint = true".into(),
                    "0 its server: readOnlyHint = true".into(),
                    "unknown default".into(),
                ],
            ),
            (
                SERVER,
                json!({"destructiveHint": true}),
                "",
                [format!("irreversible {destructive}"), "unknown default".into(), format!("mutating {destructive}")],
            ),
            // What the file says of it replaces what followed from the hint, approval and all.
            (
                SERVER,
                json!({"destructiveHint": true}),
                "reversibility = 'reversible'",
                [
                    "reversible key `tools.s__t.reversibility`".into(),
                    "unknown default".into(),
                    "unknown by key `tools.s__t.reversibility`".into(),
                ],
            ),
            (
                SERVER,
                json!({"destructiveHint": true}),
                "reversibility = 'irreversible'",
                [
                    "irreversible key `tools.s__t.reversibility`".into(),
                    "unknown default".into(),
                    format!("mutating {destructive}"),
                ],
            ),
            (
                SERVER,
                json!({"destructiveHint": true}),
                "blast-radius = 1\napproval = 'never'",
                [
                    format!("irreversible {destructive}"),
                    "1 key `tools.s__t.blast-radius`".into(),
                    "never key `tools.s__t.approval`".into(),
                ],
            ),
            (
                SERVER,
                json!({}),
                "side-effect = 'read-only'",
                [
                    "reversible by key `tools.s__t.side-effect`".into(),
                    "0 by key `tools.s__t.side-effect`".into(),
                    "unknown default".into(),
                ],
            ),
            // The file knows of a change that the server does not admit.
            (
                SERVER,
                json!({"readOnlyHint": true}),
                "mutating = true",
                [
                    "unknown by key `tools.s__t.mutating`".into(),
                    "unknown by key `tools.s__t.mutating`".into(),
                    "unknown default".into(),
                ],
            ),
            (
                DEAF,
                json!({"destructiveHint": true, "readOnlyHint": false}),
                "",
                ["unknown default".into(), "unknown default".into(), "unknown default".into()],
            ),
        ];
        for (server, hints, over, expected) in table {
            assert_eq!(found(server, hints.clone(), over, &keys), expected, "{hints} {over}");
        }
    }
}
