//! What is known of tools and from where, and what would become of a call: `mcp tools` and `mcp explain`.

use std::path::Path;

use serde_json::{Value, json};

use super::kept::Kept;
use super::ordinary_work::config;
use super::results::Agent;
use super::{Run, countersign};

fn explain(config: &Path, arguments: &[&str]) -> Run {
    let config = config.display().to_string();
    countersign([&["mcp", "explain"], arguments, &["--config", &config]].concat())
}

fn explained(config: &Path, arguments: &[&str]) -> Value {
    let run = explain(config, &[arguments, &["--json"]].concat());
    serde_json::from_str(&run.out()).unwrap_or_else(|error| panic!("{error}: {}{}", run.out(), run.err()))
}

fn stages(explained: &Value) -> Vec<&str> {
    explained["objections"].as_array().into_iter().flatten().filter_map(|one| one["stage"].as_str()).collect()
}

#[test]
fn each_value_of_a_tool_says_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = config(folder.path(), "[tools.fake__change]\nreversibility = 'reversible'");
    let listed =
        countersign(["mcp", "tools", "--config", &config.display().to_string()]).expect(0, "8 of 8 ready").out();
    for line in [
        "reversibility     reversible      key `tools.fake__change.reversibility`",
        "reversibility     reversible        its server: readOnlyHint = true",
        "blast-radius      unknown         default",
        "asks a person     yes: approvals of the category `live-api` are `mutating`",
        "asks a person     not by its kind: approvals of the category `read-only-lookup` are `never`",
    ] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    let listed = countersign(["mcp", "tools", "--config", &config.display().to_string(), "--json"]).out();
    let listed: Value = serde_json::from_str(&listed).unwrap_or_default();
    let change = listed.as_array().into_iter().flatten().find(|tool| tool["name"] == "fake__change");
    let values = change.map(|tool| tool["values"].clone()).unwrap_or_default();
    let of = |key: &str| values.as_array().into_iter().flatten().find(|value| value["key"] == key).cloned();
    let stated = json!({"from": "stated", "key": "tools.fake__change.reversibility"});
    let found = of("reversibility").unwrap_or_default();
    assert_eq!((&found["value"], &found["origin"]), (&json!("reversible"), &stated), "{found}");
}

/// Whoever follows what is said gets there: each change that is named is written, and the call runs.
#[test]
fn what_explain_says_lets_the_call_run() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let plain = config(folder.path(), "");
    let call = ["fake__change", "{\"text\": \"left\"}"];
    let found = explained(&plain, &call);
    assert_eq!(found["outcome"]["what"], "waits for a person", "{found}");
    assert!(stages(&found).contains(&"category") && stages(&found).contains(&"risk"), "{found}");
    // Nothing came of asking: no run, no pins, and no tool was called.
    assert!(!folder.path().join(".countersign").exists() && !folder.path().join("countersign.tools.lock").exists());
    let together: Vec<String> =
        found["together"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    assert!(!together.is_empty(), "{found}");
    let mut file = String::new();
    for change in &together {
        let line = change.split(" (").next().unwrap_or_default();
        let (section, rest) = line.split_once('.').unwrap_or_default();
        match section {
            "boundary" => file.push_str(&format!("[boundary]\n{rest}\n")),
            "tools" => {
                let (name, key) = rest.split_once('.').unwrap_or_default();
                if !file.contains(&format!("[tools.{name}]")) {
                    file.push_str(&format!("[tools.{name}]\n"));
                }
                file.push_str(&format!("{key}\n"));
            }
            other => panic!("{other}: {change}"),
        }
    }
    let changed = config(folder.path(), &file);
    let found = explained(&changed, &call);
    assert_eq!(found["outcome"]["what"], "runs", "{file}: {found}");
    let mut agent = Agent::start(&changed);
    assert_eq!(agent.call("fake__change", &json!({"text": "left"})), ["changed"], "{file}");
    agent.leave();
}

#[test]
fn every_stage_that_would_not_let_a_call_pass_is_named_with_what_changes_it() {
    // More of the file, the call, the stage, and a change that is named for it.
    let table = [
        ("[boundary]\nasks = ['fake__echo']", "fake__echo", "{\"text\": \"x\"}", "boundary", "boundary.asks without"),
        ("[boundary]\ntools = ['fake__echo']", "fake__env", "{}", "permission", "boundary.tools with \"fake__env\""),
        (
            "[tools.fake__echo]\npermission = 'read'",
            "fake__echo",
            "{}",
            "permission",
            "boundary.permissions with \"read\"",
        ),
        ("", "fake__echo", "{\"text\": 3}", "schema", "the arguments"),
        (
            "[tools.fake__change]\ncompliance = 'pii'",
            "fake__change",
            "{}",
            "ceiling",
            "tools.fake__change.compliance = \"none\"",
        ),
        ("[agents.ada]\ncompliance = 'pii'", "fake__change", "{}", "ceiling", "agents.ada.compliance = \"none\""),
        (
            "[tools.fake__change]\ncategory = 'communication'",
            "fake__change",
            "{}",
            "ceiling",
            "tools.fake__change.category",
        ),
        ("[budget]\nside-effects = 0", "fake__change", "{}", "budget", "budget.DIMENSION"),
        (
            "[tools.fake__change]\napproval = 'always'",
            "fake__change",
            "{}",
            "category",
            "tools.fake__change.approval = \"never\"",
        ),
        ("", "fake__change", "{}", "risk", "tools.fake__change.reversibility = \"reversible\""),
    ];
    for (more, tool, arguments, stage, change) in table {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let found = explained(&config(folder.path(), more), &[tool, arguments]);
        let one = found["objections"].as_array().into_iter().flatten().find(|one| one["stage"] == stage);
        let Some(one) = one else { panic!("{more} {tool}: {found:#}") };
        assert!(one["changes"].to_string().contains(&change.replace('"', "\\\"")), "{more} {tool}: {one:#}");
        assert_eq!(found["outcome"]["runs"], false, "{found:#}");
    }
}

#[test]
fn what_stands_above_runs_is_explained_too_and_nothing_is_used_up() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = config(folder.path(), "[agents.ada]");
    let mut agent = Agent::start(&config);
    assert_eq!(agent.call("fake__echo", &json!({"text": "one"})), ["one"]);
    agent.leave();
    let kept = Kept::of_gateway(folder.path());
    let before = std::fs::read(kept.path()).unwrap_or_default();
    for _ in 0..3 {
        explain(&config, &["fake__echo", "{\"text\": \"two\"}"]).expect(0, "it runs");
        explain(&config, &["fake__change"]).expect(0, "none given");
    }
    assert_eq!(kept.ids().len(), 1, "no run was begun");
    assert_eq!(kept.json(&["list"])[0]["steps"], 1);
    drop(before);
    countersign(["agents", "pause", "ada", "--reason", "new keys", "--store", &kept.path()]).expect(0, "");
    let told = explain(&config, &["fake__echo", "{\"text\": \"two\"}"]).expect(0, "new keys").out();
    assert!(told.contains("countersign agents resume ada"), "{told}");
}

#[test]
fn what_cannot_be_explained_says_why() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = config(folder.path(), "");
    explain(&config, &["fake__chnge"]).expect(2, "no MCP server has a tool `fake__chnge`");
    explain(&config, &["fake__change", "[1]"]).expect(2, "expected a JSON object");
    explain(&config, &["fake__change", "{"]).expect(2, "expected a JSON object");
    explain(&config, &["fake__change", "--agent", "ada"]).expect(0, "waits for a person");
}
