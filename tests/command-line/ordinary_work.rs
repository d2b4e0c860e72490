//! Plain work behind the gateway that is no loop, and what becomes of a repetition.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_tests::fake_mcp_server;
use serde_json::json;

use super::kept::Kept;
use super::results::Agent;

/// A gateway in front of the fake server, with more of its file.
pub(super) fn config(folder: &Path, more: &str) -> PathBuf {
    let file = folder.join("countersign.toml");
    let command = json!([fake_mcp_server()]);
    let text = format!("version = 1\n{more}\n[servers.fake]\ncommand = {command}\n");
    std::fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
    file
}

const FREE: &str = "[tools.fake__change]\ncategory = 'sandbox'\nreversibility = 'reversible'\nblast-radius = 1\n\
                    approval = 'never'\n";

#[test]
fn the_same_answer_about_many_things_stops_nobody() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), ""));
    for street in 0..14 {
        let told = agent.call("fake__env", &json!({"text": format!("street {street}")})).join("\n");
        assert!(!told.contains("orwarded") && !told.contains("not worth"), "{street}: {told}");
    }
    agent.leave();
}

#[test]
fn a_change_is_repeated_only_while_nothing_else_has_changed() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), FREE));
    let change = |agent: &mut Agent, what: &str| agent.call("fake__change", &json!({"text": what})).join("\n");
    for what in ["a", "b", "a", "c", "a"] {
        assert_eq!(change(&mut agent, what), "changed", "{what}");
    }
    // Nothing has happened since: told once, then a person decides.
    let told = change(&mut agent, "a");
    assert!(told.contains("has done exactly this already") && !told.contains("Token"), "{told}");
    let told = change(&mut agent, "a");
    assert!(told.contains("a person must approve") && told.contains("has done exactly this already"), "{told}");
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().unwrap_or_default();
    let parked = kept.json(&["list"])[0]["parked"][0]["fingerprint"].as_str().unwrap_or_default().to_owned();
    kept.runs(&["approve", &run, &parked]).expect(0, "the agent's next call");
    assert_eq!(change(&mut agent, "a"), "changed", "a person wants it");
    agent.leave();
}

#[test]
fn what_a_person_decides_anyway_is_not_refused_as_a_repetition() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), ""));
    let kept = Kept::of_gateway(folder.path());
    for number in 0..3 {
        let told = agent.call("fake__change", &json!({"text": "the sign"})).join("\n");
        assert!(told.contains("a person must approve"), "{number}: {told}");
        assert_eq!(told.contains("has done exactly this already"), number > 0, "{number}: {told}");
        let listed = kept.json(&["list"]);
        let (run, token) = (&listed[0]["run"], &listed[0]["parked"][0]["fingerprint"]);
        let (run, token) = (run.as_str().unwrap_or_default(), token.as_str().unwrap_or_default());
        kept.runs(&["approve", run, token]).expect(0, "the agent's next call");
        assert_eq!(agent.call("fake__change", &json!({"text": "the sign"})), ["changed"]);
    }
    agent.leave();
}

#[test]
fn refused_calls_do_not_prolong_the_end_of_a_run() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), "[agents.desk]\nidle-end = 2500"));
    let look =
        |agent: &mut Agent, number: u32| agent.call("fake__env", &json!({"text": number.to_string()})).join("\n");
    assert!(look(&mut agent, 0).contains("PATH"));
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().unwrap_or_default();
    kept.runs(&["cancel", &run]).expect(0, "cancel");
    let begun = Instant::now();
    assert!(look(&mut agent, 1).contains("USER_CANCEL"));
    // It keeps trying, far more often than the run would be idle.
    let mut number = 2;
    while !look(&mut agent, number).contains("PATH") {
        assert!(begun.elapsed() < Duration::from_secs(20), "the agent is locked out for as long as it tries");
        std::thread::sleep(Duration::from_millis(400));
        number += 1;
    }
    assert_eq!(kept.ids().len(), 2);
    agent.leave();
}

/// People take longer than agents: what waits for one is not over because nothing was called meanwhile.
#[test]
fn an_approval_that_comes_late_finds_its_run() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = config(folder.path(), "[agents.desk]\nidle-end = 1000");
    let mut agent = Agent::start(&config);
    let change = |agent: &mut Agent| agent.call("fake__change", &json!({"text": "the sign"})).join("\n");
    assert!(change(&mut agent).contains("a person must approve"));
    let kept = Kept::of_gateway(folder.path());
    let approve = || {
        let listed = kept.json(&["list"]);
        let (run, token) = (&listed[0]["run"], &listed[0]["parked"][0]["fingerprint"]);
        let (run, token) = (run.as_str().unwrap_or_default(), token.as_str().unwrap_or_default());
        kept.runs(&["approve", run, token]).expect(0, "the agent's next call");
    };
    std::thread::sleep(Duration::from_millis(1600));
    approve();
    assert_eq!(change(&mut agent), "changed", "in the same process");
    // The next process finds it too.
    assert!(change(&mut agent).contains("a person must approve"));
    agent.leave();
    std::thread::sleep(Duration::from_millis(1600));
    approve();
    let mut agent = Agent::start(&config);
    assert_eq!(change(&mut agent), "changed", "in the next process");
    assert_eq!(kept.ids().len(), 1, "one run");
    agent.leave();
}
