//! What `bundle lock` says of a bundle, beside its digest.

use std::path::Path;

use countersign_tests::{copy_folder, root};
use serde_json::Value;

use super::countersign;

/// A bundle of entries of the slot `risk`: the default policy as `risk.wasm`, the cautious one as
/// `cautious.wasm`.
fn bundle(folder: &Path, entries: &str) -> std::io::Result<String> {
    std::fs::copy(root().join("plugins/bundle/risk.wasm"), folder.join("risk.wasm"))?;
    std::fs::copy(root().join("tests/policies/built/cautious-risk.wasm"), folder.join("cautious.wasm"))?;
    let built = root().join("tests/policies/built/misbehaving.wasm");
    std::fs::copy(built, folder.join("misbehaving.wasm"))?;
    std::fs::write(folder.join("bundle.toml"), format!("version = 1\nname = 'two'\n{entries}"))?;
    Ok(folder.display().to_string())
}

fn entry(name: &str, component: &str, more: &str) -> String {
    format!("[[policy]]\nname = '{name}'\ncomponent = '{component}.wasm'\n{more}\n")
}

fn found(entries: &[String]) -> std::io::Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let name = bundle(folder.path(), &entries.concat())?;
    let locked = countersign(["bundle", "lock", &name, "--json"]).expect(0, "\"digest\": \"sha256:");
    let locked: Value = serde_json::from_str(&locked.out()).map_err(std::io::Error::other)?;
    Ok(locked["findings"].as_array().cloned().unwrap_or_default())
}

fn of<'a>(findings: &'a [Value], kind: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["kind"] == kind).collect()
}

/// Every case of the slot: 10 categories, 3 natures, 7 blast radii, 4 tags, 3 novelties, 7 confidences.
const CASES: u64 = 10 * 3 * 7 * 4 * 3 * 7;

#[test]
fn the_same_policy_twice_says_the_same() -> std::io::Result<()> {
    let findings = found(&[entry("first", "risk", ""), entry("second", "risk", "")])?;
    let never = of(&findings, "nowhere-stricter");
    assert_eq!(never.len(), 1, "{findings:?}");
    assert_eq!(never[0]["entry"], "second", "the first of two equal ones stays");
    assert_eq!(never[0]["beside"], serde_json::json!(["first"]));
    assert_eq!((&never[0]["same"], &never[0]["cases"]), (&true.into(), &CASES.into()));
    assert_eq!(never[0]["score-counts"], 0);
    assert!(of(&findings, "overlap").is_empty());
    Ok(())
}

#[test]
fn an_entry_beside_a_stricter_one_is_named() -> std::io::Result<()> {
    // In whatever order they stand.
    let strict =
        "configuration = { confidence_thresholds = { proceed = 0.99, notify_and_proceed = 0.85, escalate = 0.0 } }";
    for entries in [
        [entry("strict", "risk", strict), entry("default", "risk", "")],
        [entry("default", "risk", ""), entry("strict", "risk", strict)],
    ] {
        let findings = found(&entries)?;
        let never = of(&findings, "nowhere-stricter");
        assert_eq!(never.len(), 1, "{findings:?}");
        assert_eq!((&never[0]["entry"], &never[0]["same"]), (&"default".into(), &false.into()));
        assert_eq!(never[0]["beside"], serde_json::json!(["strict"]));
    }
    Ok(())
}

#[test]
fn entries_that_both_decide_overlap() -> std::io::Result<()> {
    let findings = found(&[entry("matrix", "risk", ""), entry("cautious", "cautious", "")])?;
    assert!(of(&findings, "nowhere-stricter").is_empty(), "{findings:?}");
    let overlap = of(&findings, "overlap");
    assert_eq!(overlap.len(), 1, "{findings:?}");
    let count = |key: &str| overlap[0][key].as_u64().unwrap_or_default();
    assert_eq!(overlap[0]["entries"], serde_json::json!(["matrix", "cautious"]));
    assert!(count("first") > 0 && count("second") > 0 && count("both") > 0, "{overlap:?}");
    assert_eq!(count("first") + count("second") + count("both"), count("cases"));
    // What the two together leave to nobody.
    let never = of(&findings, "never-answers");
    assert_eq!(never[0]["answers"], serde_json::json!(["replan", "escalate", "deny", "terminate"]));
    Ok(())
}

#[test]
fn three_may_leave_nothing_to_one_of_them() -> std::io::Result<()> {
    // Neither of the others covers it alone: they differ in what they are strict about.
    let low =
        "configuration = { confidence_thresholds = { proceed = 0.85, notify_and_proceed = 0.85, escalate = 0.0 } }";
    let findings = found(&[entry("a", "risk", low), entry("cautious", "cautious", ""), entry("default", "risk", "")])?;
    let never = of(&findings, "nowhere-stricter");
    assert_eq!(never.len(), 1, "{findings:?}");
    assert_eq!(never[0]["entry"], "default");
    Ok(())
}

#[test]
fn what_an_entry_cannot_decide_is_said_with_a_case() -> std::io::Result<()> {
    // Some of its reasons are longer than its answers may be.
    let findings = found(&[entry("risk", "risk", "answer-bytes = 44")])?;
    let undecided = of(&findings, "undecided");
    assert_eq!(undecided.len(), 1, "{findings:?}");
    let text = |key: &str| undecided[0][key].as_str().unwrap_or_default().to_owned();
    assert!(text("example").contains("blast radius"), "{}", text("example"));
    assert!(text("failure").contains("at most 44 bytes"), "{}", text("failure"));
    assert!(undecided[0]["undecided"].as_u64() > Some(0));
    Ok(())
}

#[test]
fn what_keeps_state_or_only_watches_takes_no_part() -> std::io::Result<()> {
    let behave = "slots = ['risk']\nconfiguration = { behaviour = 'behave' }";
    let findings = found(&[
        entry("risk", "risk", ""),
        entry("watched", "risk", "mode = 'monitor'"),
        entry("stateful", "misbehaving", behave),
    ])?;
    assert!(of(&findings, "nowhere-stricter").is_empty(), "{findings:?}");
    assert_eq!(of(&findings, "not-asked")[0]["entry"], "stateful");
    // Nobody knows what it would answer, so nobody says what the slot never does.
    assert!(of(&findings, "never-answers").is_empty(), "{findings:?}");
    Ok(())
}

#[test]
fn what_a_policy_remarks_about_its_configuration_is_said() -> std::io::Result<()> {
    // The second row matches nothing that the first does not.
    let rows = r#"configuration = { matrix = [
        { irreversible = "any", blast = "any", compliance = "any", decision = "always_escalate" },
        { irreversible = true, blast = "any", compliance = "any", decision = "always_escalate" },
    ] }"#;
    let folder = tempfile::tempdir()?;
    let name = bundle(folder.path(), &entry("risk", "risk", rows))?;
    let locked = countersign(["bundle", "lock", &name]).expect(0, "sha256:");
    assert!(locked.out().contains("risk@0.1.0: "), "{}", locked.out());
    Ok(())
}

#[test]
fn the_default_bundle_has_nothing_to_look_into() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    copy_folder(&root().join("plugins/bundle"), folder.path())?;
    let name = folder.path().display().to_string();
    let locked = countersign(["bundle", "lock", &name, "--json"]).expect(0, "sha256:");
    let locked: Value = serde_json::from_str(&locked.out()).map_err(std::io::Error::other)?;
    let findings = locked["findings"].as_array().cloned().unwrap_or_default();
    let informational = |finding: &Value| finding["kind"] == "never-answers";
    assert!(findings.iter().all(informational), "{findings:?}");
    // And the check says what it said before.
    countersign(["bundle", "lock", &name, "--check"]).expect(0, "up to date");
    countersign(["bundle", "lock", &name, "--check", "--json"]).expect(2, "cannot be used with");
    Ok(())
}

#[test]
fn what_was_tried_is_said_and_nothing_is_claimed_of_the_rest() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let name = bundle(folder.path(), &[entry("first", "risk", ""), entry("second", "risk", "")].concat())?;
    let locked = countersign(["bundle", "lock", &name]).expect(0, "in all 17640 cases that were tried");
    let text = locked.out().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("all are of one tool without arguments"), "{text}");
    assert!(!text.contains("never decides"), "{text}");
    Ok(())
}
