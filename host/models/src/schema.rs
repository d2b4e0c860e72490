//! The form of an answer (specification A2) as a JSON Schema. It says what
//! [`parse_step`](crate::parse_step) accepts and is only a help for the model: whatever a server makes
//! of it, the answer is parsed.

use countersign_spec::plan::MOST_STEPS;
use countersign_spec::state::StateKind;
use serde_json::{Value, json};

/// The schema of one step. Arguments of a tool are any object here: whether they fit is checked by the
/// tool's own schema. What some providers call strict allows no such object, so it is not asked for.
pub fn step_schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["step", "action", "reasoning", "status", "confidence"],
        "properties": {
            "step": {"type": "string", "description": "short name of what you are doing"},
            "action": action(),
            "reasoning": {"type": "string"},
            "status": {"type": "string", "enum": ["ok", "confused", "blocked"]},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
    })
}

fn action() -> Value {
    let names = || json!({"type": "array", "maxItems": 64, "items": {"type": "string"}});
    let text = || json!({"type": "string"});
    let one = |word: &str, properties: Value| {
        let required = [word];
        json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
    };
    let steps = || {
        json!({"type": "array", "maxItems": MOST_STEPS, "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["id", "does"],
            "properties": {"id": text(), "does": text(), "tool": text(), "after": names(), "parent": text()},
        }})
    };
    let write = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["state", "key", "text"],
        "properties": {
            "state": {"type": "string", "enum": StateKind::ALL.map(StateKind::name)},
            "key": text(),
            "text": text(),
            "sources": {"type": "array", "maxItems": 64, "items": {"type": "integer", "minimum": 0}},
        },
    });
    json!({"anyOf": [
        one("tool", json!({"tool": text(), "arguments": {"type": "object"}})),
        one("finish", json!({"finish": text(), "claims": names()})),
        one("plan", json!({"plan": steps()})),
        one("sub-tasks", json!({"sub-tasks": steps()})),
        one("write", json!({"write": write})),
        one("reflect", json!({"reflect": text()})),
        one("compact", json!({"compact": {"const": true}})),
        one("ask", json!({"ask": text()})),
        one("abandon", json!({"abandon": text()})),
        {"type": "string"},
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::parse_step;
    use countersign_kernel::Reply;
    use countersign_tools::Arguments;
    use countersign_tools::redact::Salt;

    struct Any;

    impl Arguments for Any {
        fn problem(&self, _: &str, _: &Value) -> Option<String> {
            None
        }
    }

    /// Parser and schema agree, on what is accepted and on what is not. Only what stands around a step, or says nothing
    /// in it, is no part of the schema, and set aside.
    #[test]
    fn the_schema_says_what_is_accepted() {
        let with =
            |action: Value| json!({"step": "s", "action": action, "reasoning": "r", "status": "ok", "confidence": 0.5});
        let other = |key: &str, value: Value| {
            let mut step = with(json!("hm"));
            step[key] = value;
            step
        };
        let mut lacking = with(json!("hm"));
        if let Value::Object(object) = &mut lacking {
            object.remove("status");
        }
        let plan =
            json!([{"id": "a", "does": "b", "tool": "t", "after": ["c"], "parent": "d"}, {"id": "e", "does": "f"}]);
        let write = |state: &str| json!({"write": {"state": state, "key": "k", "text": "t", "sources": [1]}});
        let long = |count: usize| json!(vec![json!({"id": "a", "does": "b"}); count]);
        let table = [
            (true, with(json!("only words"))),
            (true, with(json!({"tool": "t"}))),
            (true, with(json!({"tool": "t", "arguments": {"deep": [1, {"x": null}]}}))),
            (true, with(json!({"tool": "defer_to_human", "arguments": {"reason": "short"}}))),
            (true, with(json!({"finish": "done"}))),
            (true, with(json!({"finish": "done", "claims": ["t"]}))),
            (true, with(json!({"plan": plan}))),
            (true, with(json!({"plan": long(MOST_STEPS)}))),
            (true, with(json!({"sub-tasks": plan}))),
            (true, with(write("memory"))),
            (true, with(json!({"write": {"state": "scratchpad", "key": "k", "text": "t"}}))),
            (true, with(json!({"reflect": "on it"}))),
            (true, with(json!({"compact": true}))),
            (false, with(json!({"compact": false}))),
            (true, with(json!({"ask": "what?"}))),
            (true, with(json!({"abandon": "because"}))),
            (true, other("status", json!("blocked"))),
            (true, other("confidence", json!(1))),
            (false, lacking),
            (false, json!([1])),
            (false, other("status", json!("fine"))),
            (false, other("confidence", json!(1.5))),
            (false, other("confidence", json!("high"))),
            (false, other("step", json!(3))),
            (false, with(json!(null))),
            (false, with(json!({"tool": "t", "arguments": [1]}))),
            (false, with(json!({"tool": "t", "finish": "f"}))),
            (false, with(json!({"ask": "what?", "claims": []}))),
            (false, with(json!({"dance": "now"}))),
            (false, with(json!({"plan": [{"id": "a"}]}))),
            (false, with(json!({"plan": [{"id": "a", "does": "b", "tool": null}]}))),
            (false, with(json!({"plan": long(MOST_STEPS + 1)}))),
            (false, with(write("nowhere"))),
            (false, with(json!({"finish": "done", "claims": vec!["t"; 65]}))),
        ];
        let schema = jsonschema::validator_for(&step_schema());
        assert!(schema.is_ok(), "{schema:?}");
        for wrapped in [other("extra", json!(1)), json!([with(json!("hm"))]), json!({"step": with(json!("hm"))})] {
            let reply = parse_step(wrapped.to_string().as_bytes(), Vec::new(), &Any, &Salt([0; 32])).reply;
            assert!(matches!(&reply, Reply::Step(step) if !step.unwrapped.is_empty()), "{wrapped}: {reply:?}");
            assert!(schema.as_ref().is_ok_and(|schema| !schema.is_valid(&wrapped)), "{wrapped}");
        }
        for (accepted, value) in table {
            let reply = parse_step(value.to_string().as_bytes(), Vec::new(), &Any, &Salt([0; 32])).reply;
            assert_eq!(matches!(reply, Reply::Step(_)), accepted, "{value}: {reply:?}");
            assert!(schema.as_ref().is_ok_and(|schema| schema.is_valid(&value) == accepted), "{value}");
        }
    }
}
