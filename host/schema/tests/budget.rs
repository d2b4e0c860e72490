//! What a stranger's schema may ask for, and what of it is ordinary.

use countersign_schema::{Schema, SchemaError};
use serde_json::{Value, json};

/// Definitions `n0` to `n{levels}`, each made of two of the next by `two`; the last one is `last`.
fn doubled(levels: usize, last: Value, two: impl Fn(Value) -> Value) -> Value {
    let mut definitions = serde_json::Map::new();
    for level in 0..levels {
        definitions.insert(format!("n{level}"), two(json!({ "$ref": format!("#/$defs/n{}", level + 1) })));
    }
    definitions.insert(format!("n{levels}"), last);
    json!({ "$ref": "#/$defs/n0", "$defs": definitions })
}

fn problem(schema: &Value, value: &Value) -> anyhow::Result<Option<String>> {
    Ok(Schema::new(schema)?.problem(value).map(|problem| problem.to_string()))
}

#[test]
fn what_would_never_end_is_refused_at_once() -> anyhow::Result<()> {
    let kinds: [(&str, Value, Value); 6] = [
        ("allOf doubled", doubled(25, json!({"type": "object"}), |next| json!({"allOf": [next, next]})), json!({})),
        (
            "anyOf doubled, nothing fits",
            doubled(25, json!({"type": "string"}), |next| json!({"anyOf": [next, next]})),
            json!({}),
        ),
        (
            "by if, then and else",
            doubled(25, json!(true), |next| json!({"if": next, "then": next, "else": next})),
            json!(1),
        ),
        (
            "names of members",
            json!({"propertyNames": {"$ref": "#/$defs/n0"},
                "$defs": doubled(25, json!({"type": "string"}), |next| json!({"allOf": [next, next]}))["$defs"]}),
            json!({"a": 1}),
        ),
        (
            "into a deep value, by two ways at each level",
            json!({"$ref": "#/$defs/n", "$defs": {"n": {"allOf": [
                {"properties": {"a": {"$ref": "#/$defs/n"}}}, {"properties": {"a": {"$ref": "#/$defs/n"}}}]}}}),
            (0..60).fold(json!(1), |inner, _| json!({ "a": inner })),
        ),
        (
            "many branches over a long list",
            json!({"items": {"anyOf": (0..5000).map(|number| json!({"const": number})).collect::<Vec<_>>()}}),
            json!(vec!["x"; 3_000]),
        ),
    ];
    for (kind, schema, value) in kinds {
        let problem = problem(&schema, &value)?;
        let expected = "it cannot be checked: its schema asks for more than 5000000 steps";
        assert_eq!(problem.as_deref(), Some(expected), "{kind}");
        assert!(!Schema::new(&schema)?.fits(&value), "{kind}");
    }
    Ok(())
}

#[test]
fn a_schema_that_no_person_writes_is_none() {
    let nested = |levels: usize| (0..levels).fold(json!(true), |inner, _| json!({ "not": inner }));
    let chain = doubled(1500, json!(true), |next| json!({"allOf": [next]}));
    let through_members = doubled(1500, json!(true), |next| json!({"properties": {"a": next}}));
    let table: [(Value, &str); 8] = [
        (nested(70), "it nests 65 deep; expected at most 64"),
        (json!({"enum": vec![0; 60_000]}), "it has more values than that; expected at most 50000"),
        (chain, "it leads on and on; expected at most 64"),
        (json!({"$ref": "#"}), "it refers to itself without going into the value, at `/`"),
        (json!({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}), "refers to itself"),
        (json!({"$ref": "https://example.com/x"}), "its reference `https://example.com/x` leads nowhere in it"),
        (json!({"$ref": "file:///etc/passwd"}), "leads nowhere in it; expected one like `#/$defs/NAME`"),
        (json!({"type": "nonsense"}), "is no JSON Schema: "),
    ];
    for (schema, expected) in table {
        let message =
            Schema::new(&schema).map(drop).map_or_else(|error: SchemaError| error.to_string(), |()| "fine".into());
        assert!(message.contains(expected), "expected `{expected}`, found `{message}`");
    }
    // References that go into the value may be many: a library has room for them on any thread.
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || Schema::new(&through_members).is_ok());
    assert!(thread.is_ok_and(|thread| thread.join().is_ok_and(|fine| fine)));
}

#[test]
fn what_people_write_is_checked_as_ever() -> anyhow::Result<()> {
    let tree = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}});
    let json_value = json!({"anyOf": [{"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"$ref": "#"}}, {"type": "object", "additionalProperties": {"$ref": "#"}}]});
    let deep = (0..100).fold(json!({"name": "leaf"}), |below, _| json!({"name": "node", "below": [below]}));
    let filter = json!({"$defs": {"filter": {"anyOf": [
            {"type": "object", "properties": {"and": {"type": "array", "items": {"$ref": "#/$defs/filter"}}}, "required": ["and"]},
            {"type": "object", "properties": {"or": {"type": "array", "items": {"$ref": "#/$defs/filter"}}}, "required": ["or"]},
            {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"], "additionalProperties": false}]}},
        "$ref": "#/$defs/filter"});
    let asked = (0..6).fold(json!({"key": "a"}), |inner, _| json!({"and": [inner, {"or": [inner]}]}));
    let table: [(&str, &Value, Value, Option<&str>); 11] = [
        ("a tree of a hundred levels", &tree, deep, None),
        (
            "and one that lacks a name",
            &tree,
            json!({"name": "a", "below": [{}]}),
            Some("`/below/0`: \"name\" is a required property"),
        ),
        ("any JSON", &json_value, json!({"a": [1, {"b": [null, "x"]}], "c": vec![1; 10_000]}), None),
        ("a filter with two ways at each level", &filter, asked, None),
        (
            "by an anchor",
            &json!({"$ref": "#name", "$defs": {"a": {"$anchor": "name", "type": "string"}}}),
            json!("x"),
            None,
        ),
        (
            "a name with a slash",
            &json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}),
            json!("x"),
            None,
        ),
        (
            "a name in percent",
            &json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "string"}}}),
            json!("x"),
            None,
        ),
        ("into a keyword of nobody's", &json!({"$ref": "#/x/y", "x": {"y": {"type": "string"}}}), json!("x"), None),
        (
            "draft 7's definitions",
            &json!({"definitions": {"a": {"type": "number"}}, "items": {"$ref": "#/definitions/a"}}),
            json!([1, 2]),
            None,
        ),
        ("a long text", &json!({"type": "string", "pattern": "^a*$"}), json!("a".repeat(1 << 20)), None),
        ("dependencies by name", &json!({"dependencies": {"a": ["b"]}}), json!({"a": 1, "b": 2}), None),
    ];
    for (what, schema, value, expected) in table {
        let found = problem(schema, &value).map_err(|error| anyhow::anyhow!("{what}: {error}"))?;
        assert_eq!(found.as_deref(), expected, "{what}");
    }
    Ok(())
}
