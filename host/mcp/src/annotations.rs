//! From a server's description of a tool to an entry of the registry.
//!
//! What a server says of effects are hints, and what it does not say is unknown: then a call may
//! change what others see, and nobody can undo it. A file may say more, key by key.
//!
//! | the server says | the registry holds |
//! |---|---|
//! | `readOnlyHint: true` | `side-effect = "read-only"`, `reversible`, `blast-radius = 0`, category `read-only-lookup` |
//! | anything else about it, or nothing | `external-write`, category `live-api`: by default a person is asked |
//! | `destructiveHint: true` | `irreversible`, and `approval = "mutating"` whatever its category says, unless the file says how far it can be undone |
//! | `destructiveHint: false` | `reversible` |
//! | nothing about it | reversibility unknown |
//! | `idempotentHint: true` | `idempotent`; nothing else is |
//! | `openWorldHint: false` | not `external`; everything else is |
//!
//! A tool that is said to be read-only and destructive is taken for a destructive one. How many
//! records a call touches that changes something is never known.

use std::collections::BTreeMap;

use countersign_kernel::contract::{Digest, sha256};
use countersign_schema::Schema;
use countersign_tools::registry::{ToolSpec, VerifySpec};
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use toml::Table;

use super::{McpError, ServerSpec};

/// What a file says of servers' tools, by full name: keys of a tool.
pub type Overrides = BTreeMap<String, Table>;

/// Keys that come from the server, or make no sense for its tools.
const NOT_ITS_OWN: [(&str, &str); 4] = [
    ("command", "its server is called"),
    ("results", "its server is called"),
    ("arguments", "its server says which it takes"),
    ("description", "its server describes it, and the description is pinned"),
];

/// Digest of all that a model, or a judge of a call, is told of a tool.
pub fn digest(tool: &Tool) -> Digest {
    let definition = json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": *tool.input_schema,
        "outputSchema": tool.output_schema.as_deref(),
        "annotations": tool.annotations,
    });
    sha256(countersign_tools::canonical(&definition).as_bytes())
}

/// The registry's entry of a tool, under its full name. An inner error is a tool that is left out, and
/// says why.
///
/// # Errors
/// A key in the file that cannot be, or a value that makes no sense.
pub fn derived(
    name: &str,
    server: &ServerSpec,
    tool: &Tool,
    over: Option<&Table>,
) -> Result<Result<ToolSpec, String>, McpError> {
    for (key, schema) in [("inputSchema", Some(&tool.input_schema)), ("outputSchema", tool.output_schema.as_ref())] {
        let Some(schema) = schema else { continue };
        if let Err(error) = Schema::new(&Value::Object((**schema).clone())) {
            return Ok(Err(format!("its {key}: {error}")));
        }
    }
    let mut entry = hinted(server, tool);
    if let Some(over) = over {
        lay_over(&mut entry, over, name).map_err(McpError::Key)?;
    }
    let invalid = |problem: String| McpError::Key(problem);
    let mut spec: ToolSpec = serde_json::from_value(Value::Object(entry))
        .map_err(|error| invalid(format!("key `tools.{name}`: {error}")))?;
    spec.check(name).map_err(invalid)?;
    if let Some(VerifySpec::ExitCode(_) | VerifySpec::Checker(_)) = &spec.verify {
        return Err(invalid(format!(
            "key `tools.{name}.verify`: a tool of an MCP server has no exit code and runs no command; expected \
             `result-schema` or `read-back`"
        )));
    }
    spec.definition = Some(digest(tool).to_string());
    Ok(Ok(spec))
}

/// Whether somebody reads the tool's result as JSON: then its structured content is its text.
pub fn reads_json(spec: &ToolSpec) -> bool {
    matches!(spec.verify, Some(VerifySpec::ResultSchema(_)))
        || !spec.facts.is_empty()
        || !spec.reports.is_empty()
        || !spec.volatile.is_empty()
}

/// As far as the server says something that counts.
fn hinted(server: &ServerSpec, tool: &Tool) -> Map<String, Value> {
    let trusted = tool.annotations.clone().filter(|_| server.trust_annotations);
    let hints: ToolAnnotations = trusted.unwrap_or_default();
    let reads = hints.read_only_hint == Some(true) && hints.destructive_hint != Some(true);
    let reversibility = match (reads, hints.destructive_hint) {
        (true, _) | (_, Some(false)) => "reversible",
        (_, Some(true)) => "irreversible",
        (_, None) => "unknown",
    };
    let mut entry = json!({
        "description": tool.description.as_deref().unwrap_or_default(),
        "category": if reads { "read-only-lookup" } else { "live-api" },
        "side-effect": if reads { "read-only" } else { "external-write" },
        "reversibility": reversibility,
        "idempotent": hints.idempotent_hint == Some(true),
        "external": hints.open_world_hint != Some(false),
        "time-out": server.time_out,
        "arguments": *tool.input_schema,
    });
    if reads {
        // What changes nothing touches nothing; otherwise each reading would wait for a person.
        entry["blast-radius"] = 0.into();
    }
    if hints.destructive_hint == Some(true) {
        entry["approval"] = "mutating".into();
    }
    // The form of a result shows that something was read. It does not show that something was done.
    if reads && let Some(schema) = &tool.output_schema {
        entry["verify"] = json!({"result-schema": **schema});
    }
    match entry {
        Value::Object(entry) => entry,
        _ => Map::new(),
    }
}

/// Lays what a file says over what a server does.
fn lay_over(entry: &mut Map<String, Value>, over: &Table, name: &str) -> Result<(), String> {
    if let Some((key, why)) = NOT_ITS_OWN.iter().find(|(key, _)| over.contains_key(*key)) {
        return Err(format!("key `tools.{name}.{key}`: cannot be said of a tool of an MCP server: {why}"));
    }
    let over = serde_json::to_value(over).map_err(|error| format!("key `tools.{name}`: {error}"))?;
    let Value::Object(over) = over else { return Ok(()) };
    // What follows from a key that the file sets must not be held against it.
    let reads = entry.get("side-effect") == Some(&"read-only".into());
    let class = over.get("side-effect").and_then(Value::as_str);
    let mutating = over.get("mutating").and_then(Value::as_bool);
    match (class, mutating) {
        // The file knows of a change that the server does not admit: nothing it says counts.
        (None, Some(true)) | (Some(_), _) if reads && class != Some("read-only") => {
            for (key, value) in [("side-effect", "external-write"), ("category", "live-api")] {
                entry.insert(key.to_owned(), value.into());
            }
            entry.insert("reversibility".to_owned(), "unknown".into());
            entry.remove("blast-radius");
            entry.remove("verify");
        }
        (None, Some(false)) | (Some("read-only"), _) => {
            entry.insert("side-effect".to_owned(), "read-only".into());
            entry.insert("reversibility".to_owned(), "reversible".into());
            entry.insert("blast-radius".to_owned(), 0.into());
        }
        // The class that the category has by default.
        (None, None) if !reads && over.contains_key("category") => drop(entry.remove("side-effect")),
        _ => {}
    }
    // The hint that it destroys is answered by whoever says how far it can be undone, and what followed from it goes.
    if over.get("reversibility").is_some_and(|stated| stated != "irreversible") {
        entry.remove("approval");
    }
    merge(entry, over);
    Ok(())
}

/// Tables key by key, everything else as a whole.
fn merge(below: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            // A verifier is one of several kinds: another one takes its place.
            (Some(Value::Object(below)), Value::Object(value)) if key != "verify" => merge(below, value),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
mod tests {
    use countersign_spec::tool::{ApprovalRule, SideEffectClass};

    use super::*;

    const SERVER: &str = "command = ['x']";

    fn tool(annotations: Value) -> Tool {
        let schema = json!({"type": "object", "required": ["path"]});
        let mut tool = json!({"name": "t", "description": "does it", "inputSchema": schema});
        if !annotations.is_null() {
            tool["annotations"] = annotations;
        }
        serde_json::from_value(tool).unwrap()
    }

    fn entry(server: &str, tool: &Tool, over: &str) -> Result<countersign_spec::Tool, String> {
        let server: ServerSpec = toml::from_str(server).unwrap();
        let over: Table = toml::from_str(over).unwrap();
        let spec = derived("s__t", &server, tool, Some(&over)).map_err(|error| error.to_string())??;
        Ok(spec.registered("s__t"))
    }

    #[test]
    fn hints_become_an_entry_and_silence_the_strict_one() {
        // hints; mutating, reversibility, idempotent, external, approval of its own, category
        let table = [
            (json!(null), "true unknown false true none live-api"),
            (json!({}), "true unknown false true none live-api"),
            (json!({"readOnlyHint": true}), "false reversible false true none read-only-lookup"),
            (json!({"readOnlyHint": false}), "true unknown false true none live-api"),
            (json!({"destructiveHint": true}), "true irreversible false true mutating live-api"),
            (json!({"destructiveHint": false}), "true reversible false true none live-api"),
            (json!({"readOnlyHint": false, "destructiveHint": false}), "true reversible false true none live-api"),
            (
                json!({"readOnlyHint": true, "destructiveHint": false}),
                "false reversible false true none read-only-lookup",
            ),
            (json!({"readOnlyHint": true, "destructiveHint": true}), "true irreversible false true mutating live-api"),
            (json!({"idempotentHint": true}), "true unknown true true none live-api"),
            (json!({"idempotentHint": false}), "true unknown false true none live-api"),
            (json!({"openWorldHint": false}), "true unknown false false none live-api"),
            (json!({"openWorldHint": true}), "true unknown false true none live-api"),
            (
                json!({"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false}),
                "false reversible true false none read-only-lookup",
            ),
        ];
        let word = |value: &dyn erased::Word| value.word();
        for (hints, expected) in table {
            let made = entry(SERVER, &tool(hints.clone()), "").unwrap();
            let approval = made.approval.map_or("none".to_owned(), |rule| word(&rule));
            let found = format!(
                "{} {} {} {} {approval} {}",
                made.mutating(),
                word(&made.reversibility),
                made.idempotent,
                made.external,
                word(&made.category)
            );
            assert_eq!(found, expected, "{hints}");
            assert_eq!((made.blast_radius, made.time_out), ((!made.mutating()).then_some(0), 60_000));
            // Not trusted, every hint is as good as none.
            let silent = entry("command = ['x']\ntrust-annotations = false", &tool(hints), "").unwrap();
            assert!(silent.mutating() && silent.approval.is_none() && !silent.idempotent && silent.external);
        }
    }

    /// Words of the kernel's enums, as files write them.
    mod erased {
        pub trait Word {
            fn word(&self) -> String;
        }

        impl<T: serde::Serialize> Word for T {
            fn word(&self) -> String {
                serde_json::to_value(self).unwrap().as_str().unwrap().to_owned()
            }
        }
    }

    #[test]
    fn a_file_says_more_than_a_server() {
        let (silent, reads) = (tool(json!(null)), tool(json!({"readOnlyHint": true})));
        let made = entry(SERVER, &silent, "category = 'file-system'\nreversibility = 'reversible'").unwrap();
        assert_eq!(made.side_effect, SideEffectClass::LocalWrite);
        let made = entry(SERVER, &silent, "mutating = false").unwrap();
        assert_eq!(made.side_effect, SideEffectClass::ReadOnly);
        let made = entry(SERVER, &silent, "side-effect = 'infrastructure'\nlimits.calls = 2").unwrap();
        assert_eq!((made.side_effect, made.limits.calls), (SideEffectClass::Infrastructure, Some(2)));
        let made = entry(SERVER, &silent, "approval = 'always'\nblast-radius = 3\ntime-out = 5").unwrap();
        assert_eq!((made.approval, made.blast_radius, made.time_out), (Some(ApprovalRule::Always), Some(3), 5));
        // A change that the server does not admit: nothing it says of effects counts any more.
        for over in ["mutating = true", "side-effect = 'external-write'"] {
            let made = entry(SERVER, &reads, over).unwrap();
            assert_eq!(made.side_effect, SideEffectClass::ExternalWrite, "{over}");
            assert_eq!(made.category, countersign_kernel::contract::ToolCategory::LiveApi, "{over}");
            assert_eq!(made.blast_radius, None, "{over}");
        }
        let made = entry(SERVER, &reads, "side-effect = 'read-only'\nmutating = true").unwrap();
        assert_eq!(made.side_effect, SideEffectClass::ReadOnly);
    }

    #[test]
    fn what_a_file_cannot_say_is_named() {
        for (over, expected) in [
            ("command = ['x']", "`tools.s__t.command`: cannot be said of a tool of an MCP server"),
            ("description = 'x'", "`tools.s__t.description`"),
            ("results = []", "`tools.s__t.results`"),
            ("arguments = {}", "`tools.s__t.arguments`"),
            ("verify.exit-code = 0", "`tools.s__t.verify`: a tool of an MCP server has no exit code"),
            ("verify.checker = ['true']", "`tools.s__t.verify`"),
            ("definition = 'x'", "unknown field `definition`"),
            ("colour = 'red'", "unknown field `colour`"),
        ] {
            let problem = entry(SERVER, &tool(json!(null)), over).expect_err(over);
            assert!(problem.contains(expected), "{over}: {problem}");
        }
    }

    #[test]
    fn only_a_reading_is_verified_by_its_form() {
        let with_output = |annotations: Value| {
            let mut tool = serde_json::to_value(tool(annotations)).unwrap();
            tool["outputSchema"] = json!({"type": "object"});
            serde_json::from_value::<Tool>(tool).unwrap()
        };
        let reads = with_output(json!({"readOnlyHint": true}));
        assert!(entry(SERVER, &reads, "").unwrap().verifier.is_some());
        assert!(entry(SERVER, &reads, "mutating = true").unwrap().verifier.is_none());
        assert!(entry(SERVER, &with_output(json!({"destructiveHint": false})), "").unwrap().verifier.is_none());
    }

    #[test]
    fn a_schema_that_is_none_leaves_the_tool_out() {
        let mut broken = serde_json::to_value(tool(json!(null))).unwrap();
        broken["inputSchema"] = json!({"type": "no-such-type"});
        let problem = entry(SERVER, &serde_json::from_value(broken).unwrap(), "").unwrap_err();
        assert!(problem.contains("its inputSchema: is no JSON Schema"), "{problem}");
    }

    #[test]
    fn a_run_is_pinned_to_the_very_description() {
        let plain = tool(json!({"readOnlyHint": true}));
        let first = entry(SERVER, &plain, "").unwrap().definition;
        assert_eq!(first, entry(SERVER, &plain, "").unwrap().definition);
        let mut titled = serde_json::to_value(&plain).unwrap();
        titled["annotations"]["title"] = "Read it".into();
        let titled: Tool = serde_json::from_value(titled).unwrap();
        // Nothing in the registry differs but the server's own definition.
        assert_ne!(first, entry(SERVER, &titled, "").unwrap().definition);
        assert_ne!(digest(&plain), digest(&titled));
    }
}
