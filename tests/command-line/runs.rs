//! A run that waits for a person, from the outside: kept, shown, decided by another process, taken up
//! again, and its whole trace judged again.

use std::path::Path;

use serde_json::Value;

use super::countersign;

pub const PAY: &str = r#"
version = 1
title = "An invoice is paid once a person has said so"

[goal]
text = "Pay invoice 7."

[[goal.criteria]]
id = "paid"
text = "the ledger has the payment"
tool = "pay"

[tools.pay]
category = "payment"
reversibility = "irreversible"
blast-radius = 1
touches = { money = "/amount" }
command = ["sh", "-c", "echo paid $1 >> ledger.txt; cat ledger.txt", "sh", "{amount}"]
verify = { exit-code = 0 }

[models.cheap]
name = "small-1"

[[models.cheap.replies]]
when = { contains = ["half of it"] }
step = { step = "pay half", tool = "pay", arguments = { amount = 350 }, confidence = 0.95 }

[[models.cheap.replies]]
step = { step = "pay", tool = "pay", arguments = { amount = 700 }, confidence = 0.95 }
"#;

/// A scenario and a folder of its runs.
pub struct Store {
    folder: tempfile::TempDir,
}

impl Store {
    pub fn new(scenario: &str) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("pay.toml"), scenario)?;
        Ok(Store { folder })
    }

    pub fn path(&self) -> String {
        self.folder.path().join("runs").display().to_string()
    }

    /// Runs the scenario until it waits; its id.
    pub fn begin(&self) -> String {
        let scenario = self.folder.path().join("pay.toml").display().to_string();
        countersign(["run", &scenario, "--store", &self.path(), "-q"]).expect(10, "suspended CONFIRM_REQUIRED");
        let list = self.json(&["list"]);
        list[0]["run"].as_str().unwrap_or_default().to_owned()
    }

    pub fn runs(&self, arguments: &[&str]) -> super::Run {
        let store = self.path();
        countersign([&["runs"], arguments, &["--store", &store]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.runs(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.out()).unwrap_or_default()
    }

    pub fn fingerprint(&self, run: &str) -> String {
        let shown = self.json(&["show", run]);
        shown["report"]["approval"]["fingerprint"].as_str().unwrap_or_default().to_owned()
    }

    fn ledger(&self, run: &str) -> String {
        let path = Path::new(&self.path()).join(run).join("workspace/ledger.txt");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn trace(&self, run: &str) -> String {
        Path::new(&self.path()).join(run).join("trace.jsonl").display().to_string()
    }
}

#[test]
fn an_approval_from_another_process_is_spent_once() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["show", &run[..6]]).expect(0, "procurement approval queue");
    store.runs(&["show", "none"]).expect(2, "has no run, or several");
    // What is approved is what was shown, and nothing else.
    store.runs(&["approve", &run, "0123456789"]).expect(2, "is not the fingerprint of what waits");
    let fingerprint = store.fingerprint(&run);
    store.runs(&["approve", &run, &fingerprint[..7]]).expect(2, "at least 8 digits");
    // Taking it up before anybody decided changes nothing.
    store.runs(&["resume", &run]).expect(10, "nothing was decided");
    store.runs(&["approve", &run, &fingerprint, "--by", "ada"]).expect(0, "is in the inbox");
    store.runs(&["approve", &run, &fingerprint, "--by", "ada"]).expect(0, "counts once");
    assert_eq!(store.ledger(&run), "");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    assert_eq!(store.ledger(&run), "paid 700\n");
    store.runs(&["show", &run]).expect(0, "ada approves");
    store.runs(&["resume", &run]).expect(2, "is over");
    store.runs(&["approve", &run, &fingerprint]).expect(2, "waits for no approval");
    // Both processes wrote one trace, and a third judges it again, fuel and all.
    countersign(["trace", "verify", &store.trace(&run)]).expect(0, "complete");
    countersign(["trace", "replay", &store.trace(&run)]).expect(0, "came out the same");
    Ok(())
}

#[test]
fn a_rejection_ends_the_run_or_finds_another_way() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["reject", &run, "--instead", "half of it, please"]).expect(0, "is in the inbox");
    // The other amount is another action: it waits under another fingerprint.
    let first = store.fingerprint(&run);
    store.runs(&["resume", &run]).expect(10, "pay {\"amount\":350}");
    assert_ne!(first, store.fingerprint(&run));
    store.runs(&["reject", &run, "--by", "ada"]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(12, "ended PERMISSION_DENIED");
    assert_eq!(store.ledger(&run), "");
    countersign(["trace", "replay", &store.trace(&run)]).expect(0, "came out the same");
    Ok(())
}

#[test]
fn what_does_not_answer_the_question_is_not_taken() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["answer", &run, "yes, do"]).expect(2, "it waits for an approval or a rejection");
    store.runs(&["release", &run, "patience=3"]).expect(2, "is no dimension");
    // Put there by other means, it is refused by the run itself, and said.
    let entry = r#"{"version":1,"id":"answer-9","by":"eve","at":1,"wants":{"decide":{"answered":{"text":"yes"}}}}"#;
    let inbox = Path::new(&store.path()).join(&run).join("inbox");
    std::fs::create_dir_all(inbox.join("taken"))?;
    std::fs::write(inbox.join("answer-9.json"), entry)?;
    store.runs(&["resume", &run]).expect(10, "not taken: answer-9");
    store.runs(&["cancel", &run]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(13, "ended USER_CANCEL");
    assert_eq!(store.ledger(&run), "");
    Ok(())
}

#[test]
fn a_run_that_was_tampered_with_is_not_taken_up() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    let fingerprint = store.fingerprint(&run);
    store.runs(&["approve", &run, &fingerprint]).expect(0, "is in the inbox");
    let trace = store.trace(&run);
    let text = std::fs::read_to_string(&trace)?;
    std::fs::write(&trace, text.replace(":700}", ":7000}"))?;
    let broken = std::fs::read_to_string(&trace)? != text;
    assert!(broken, "the test changed nothing");
    store.runs(&["resume", &run]).expect(3, "is not what was written");
    assert_eq!(store.ledger(&run), "");
    Ok(())
}

#[test]
fn an_administrators_pause_keeps_runs_from_beginning() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let path = store.path();
    countersign(["agents", "pause", "agent", "--reason", "new keys", "--store", &path]).expect(0, "new keys");
    let scenario = store.folder.path().join("pay.toml").display().to_string();
    countersign(["run", &scenario, "--store", &path]).expect(12, "is not dispatched");
    countersign(["agents", "resume", "agent", "--store", &path]).expect(0, "yes");
    countersign(["run", &scenario, "--store", &path, "-q"]).expect(10, "suspended");
    store.runs(&["convergence"]).expect(0, "general");
    Ok(())
}

#[test]
fn what_was_approved_is_what_runs() -> std::io::Result<()> {
    // Another command behind the approved tool; other arguments in the script.
    for (from, to, part) in [
        ("echo paid", "echo stolen", "tool `pay` is no longer what the run began with"),
        ("amount = 700", "amount = 7000000", "its arguments are not the ones that were judged"),
    ] {
        let store = Store::new(PAY)?;
        let run = store.begin();
        store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
        let stored = Path::new(&store.path()).join(&run).join("scenario.toml");
        let text = std::fs::read_to_string(&stored)?;
        assert!(text.contains(from), "{text}");
        std::fs::write(&stored, text.replace(from, to))?;
        let resumed = store.runs(&["resume", &run]);
        assert!(format!("{}{}", resumed.out(), resumed.err()).contains(part), "{}{}", resumed.out(), resumed.err());
        assert_eq!(store.ledger(&run), "", "{to}");
    }
    Ok(())
}

#[test]
fn a_copy_of_a_run_is_not_taken_up() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    let folder = Path::new(&store.path()).to_path_buf();
    countersign_tests::copy_folder(&folder.join(&run), &folder.join("copy"))?;
    store.runs(&["resume", "copy"]).expect(2, "a copy is not taken up");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    Ok(())
}

#[test]
fn where_people_disagree_the_run_is_held_back() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["approve", &run, &store.fingerprint(&run), "--by", "maria"]).expect(0, "is in the inbox");
    store.runs(&["reject", &run, "--by", "otto"]).expect(0, "maria waits there too");
    store.runs(&["resume", &run]).expect(12, "ended PERMISSION_DENIED");
    assert_eq!(store.ledger(&run), "");
    Ok(())
}

#[test]
fn what_stops_an_agent_stops_its_runs_too() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let path = store.path();
    let run = store.begin();
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    countersign(["agents", "pause", "agent", "--reason", "stop it", "--store", &path]).expect(0, "stop it");
    store.runs(&["resume", &run]).expect(12, "is not dispatched");
    assert_eq!(store.ledger(&run), "");
    // A credential that fails pauses the agent by itself.
    let other = Store::new(&PAY.replace(
        "step = { step = \"pay\", tool = \"pay\", arguments = { amount = 700 }, confidence = 0.95 }",
        "unavailable = \"401\"\nclass = \"auth-failure\"",
    ))?;
    let scenario = other.folder.path().join("pay.toml").display().to_string();
    countersign(["run", &scenario, "--store", &other.path(), "-q"]).expect(13, "ended UNAVAILABLE_DEP");
    countersign(["run", &scenario, "--store", &other.path(), "-q"]).expect(12, "is not dispatched until");
    Ok(())
}

#[test]
fn one_broken_entry_or_run_hides_no_other() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    let folder = Path::new(&store.path()).to_path_buf();
    std::fs::create_dir_all(folder.join(&run).join("inbox"))?;
    std::fs::write(folder.join(&run).join("inbox/x.json"), "rubbish")?;
    store.runs(&["show", &run]).expect(0, "no entry");
    std::fs::create_dir_all(folder.join("broken"))?;
    std::fs::write(folder.join("broken/trace.jsonl"), "rubbish\n")?;
    store.runs(&["list"]).expect(3, "suspended CONFIRM_REQUIRED");
    Ok(())
}

/// What is left of a run whose host was lost after so many lines.
fn lost(store: &Store, run: &str, lines: usize, half: &str) -> std::io::Result<()> {
    let folder = Path::new(&store.path()).join(run);
    let text = std::fs::read_to_string(folder.join("trace.jsonl"))?;
    let kept: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.join("trace.jsonl.open"), kept + half)?;
    std::fs::remove_file(folder.join("trace.jsonl"))
}

#[test]
fn a_host_that_was_lost_repeats_nothing() -> std::io::Result<()> {
    // Approved, dispatched, paid: and then the host was gone, in the middle of a line.
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    lost(&store, &run, 4, "{\"frame\":4,\"prev\":\"sha256")?;
    store.runs(&["show", &run]).expect(0, "running");
    store.runs(&["resume", &run]).expect(13, "may have done exactly this");
    assert_eq!(store.ledger(&run), "paid 700\n", "it was not paid twice");
    countersign(["trace", "verify", &store.trace(&run)]).expect(0, "complete");
    countersign(["trace", "replay", &store.trace(&run)]).expect(0, "came out the same");
    // Lost before the model had answered: the model is asked again.
    let store = Store::new(PAY)?;
    let run = store.begin();
    lost(&store, &run, 2, "")?;
    store.runs(&["resume", &run]).expect(10, "pay {\"amount\":700}");
    // Or it is cancelled.
    let store = Store::new(PAY)?;
    let run = store.begin();
    lost(&store, &run, 2, "")?;
    store.runs(&["cancel", &run]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(13, "ended USER_CANCEL");
    Ok(())
}
