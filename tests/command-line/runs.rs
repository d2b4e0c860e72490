//! A run that waits for a person, from the outside: kept, shown, decided by another process, taken up
//! again, and its whole trace judged again.

use super::countersign;
use super::kept::Kept;

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

/// A scenario and a store of its runs.
pub struct Store {
    folder: tempfile::TempDir,
    pub kept: Kept,
}

impl Store {
    pub fn new(scenario: &str) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("pay.toml"), scenario)?;
        let kept = Kept::new(&folder.path().join("kept"));
        Ok(Store { folder, kept })
    }

    pub fn path(&self) -> String {
        self.kept.path()
    }

    /// Runs the scenario as far as it comes.
    pub(super) fn start(&self) -> super::Run {
        let scenario = self.folder.path().join("pay.toml").display().to_string();
        countersign(["run", &scenario, "--store", &self.path(), "-q"])
    }

    /// Runs the scenario until it waits; its id.
    pub fn begin(&self) -> String {
        self.start().expect(10, "suspended CONFIRM_REQUIRED");
        self.kept.ids().pop().unwrap_or_default()
    }

    pub fn runs(&self, arguments: &[&str]) -> super::Run {
        self.kept.runs(arguments)
    }

    pub fn fingerprint(&self, run: &str) -> String {
        let shown = self.kept.json(&["show", run]);
        shown["report"]["approval"]["fingerprint"].as_str().unwrap_or_default().to_owned()
    }

    fn ledger(&self, run: &str) -> String {
        let path = self.folder.path().join("kept/workspaces").join(run).join("ledger.txt");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Both processes wrote one trace, and a third judges it again, fuel and all.
    fn is_whole(&self, run: &str) {
        self.kept.trace("verify", run).expect(0, "complete");
        self.kept.trace("replay", run).expect(0, "came out the same");
    }
}

#[test]
fn a_run_from_a_file_says_where_it_goes_on() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    let fingerprint = store.fingerprint(&run);
    let file = store.kept.export(&run, store.folder.path()).display().to_string();
    let other = store.folder.path().join("other.db").display().to_string();
    countersign(["trace", "import", &file, "--store", &other]).expect(0, &run);
    let there = |words: &[&str]| countersign([&["runs"], words, &["--store", &other]].concat());
    // All of it is shown, and nothing is offered that cannot be done.
    let shown = there(&["show", &run]).expect(0, "came from a file and does not go on in this store").out();
    assert!(shown.contains(&fingerprint) && !shown.contains("runs approve"), "{shown}");
    for words in [&["approve", &run, &fingerprint][..], &["reject", &run], &["cancel", &run]] {
        there(words).expect(2, "came from a file and does not go on in this store");
    }
    there(&["resume", &run]).expect(2, "it goes on only in the store it ran in");
    countersign(["trace", "replay", &run, "--store", &other]).expect(0, "came out the same");
    // Where it ran it goes on.
    store.runs(&["approve", &run, &fingerprint, "--by", "ada"]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_store_by_another_name_has_the_same_folders_of_work() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    let fingerprint = store.fingerprint(&run);
    store.runs(&["approve", &run, &fingerprint, "--by", "ada"]).expect(0, "is in the inbox");
    let elsewhere = store.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere)?;
    let link = elsewhere.join("link.db");
    std::os::unix::fs::symlink(store.path(), &link)?;
    countersign(["runs", "resume", &run, "--store", &link.display().to_string()]).expect(0, "ended SUCCESS");
    assert_eq!(store.ledger(&run), "paid 700\n");
    assert!(!elsewhere.join("workspaces").exists());
    Ok(())
}

#[test]
fn an_approval_from_another_process_is_spent_once() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["show", &run[..6]]).expect(0, "procurement approval queue");
    store.runs(&["show", "none"]).expect(2, "none");
    // What is approved is what was shown, and nothing else.
    store.runs(&["approve", &run, "0123456789"]).expect(2, "is not the fingerprint of what waits");
    let fingerprint = store.fingerprint(&run);
    store.runs(&["approve", &run, &fingerprint[..7]]).expect(2, "at least 8 digits");
    // Its digits are the same in either case.
    store.runs(&["approve", &run, &fingerprint.to_uppercase()[..31], "--by", "bob"]).expect(0, "is in the inbox");
    store.kept.tamper("DELETE FROM inbox WHERE json_extract(entry, '$.by') = 'bob'", &[])?;
    // Taking it up before anybody decided changes nothing.
    store.runs(&["resume", &run]).expect(10, "nothing was decided");
    store.runs(&["approve", &run, &fingerprint, "--by", "ada"]).expect(0, "is in the inbox");
    store.runs(&["approve", &run, &fingerprint, "--by", "ada"]).expect(0, "counts once");
    assert_eq!(store.ledger(&run), "");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    assert_eq!(store.ledger(&run), "paid 700\n");
    store.runs(&["show", &run]).expect(0, "ada approves");
    store.runs(&["resume", &run]).expect(2, "is over");
    store.runs(&["approve", &run, &fingerprint]).expect(2, "was approved by ada and spent by call 0");
    store.is_whole(&run);
    // In a file it is the same trace.
    let file = store.kept.export(&run[..6], store.folder.path()).display().to_string();
    countersign(["trace", "verify", &file]).expect(0, "complete");
    countersign(["trace", "replay", &file]).expect(0, "came out the same");
    countersign(["trace", "export", &run, &file, "--store", &store.path()]).expect(2, "exists");
    // And from there it goes into another store, once.
    let other = store.folder.path().join("other.db").display().to_string();
    countersign(["trace", "import", &file, "--store", &other]).expect(0, &run);
    countersign(["trace", "verify", &run, "--store", &other]).expect(0, "complete");
    countersign(["trace", "import", &file, "--store", &other]).expect(2, "is there already");
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
    store.is_whole(&run);
    Ok(())
}

/// Puts an entry into the inbox of a run past the command.
fn put(store: &Store, run: &str, id: &str, entry: &str) -> std::io::Result<()> {
    let insert = "INSERT INTO inbox (run, id, at, entry, waiting) SELECT number, ?2, 1, ?3, 1 FROM run WHERE id = ?1";
    store.kept.tamper(insert, &[run, id, entry])
}

#[test]
fn what_does_not_answer_the_question_is_not_taken() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["answer", &run, "yes, do"]).expect(2, "it waits for an approval or a rejection");
    store.runs(&["release", &run, "patience=3"]).expect(2, "is no dimension");
    // Put there by other means, it is refused by the run itself, and said.
    let entry = r#"{"version":1,"id":"answer-9","by":"eve","at":1,"wants":{"decide":{"answered":{"text":"yes"}}}}"#;
    put(&store, &run, "answer-9", entry)?;
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
    store.kept.tamper(
        "UPDATE frame SET line = CAST(replace(CAST(line AS TEXT), ':700}', ':7000}') AS BLOB)
         WHERE CAST(line AS TEXT) LIKE '%:700}%'",
        &[],
    )?;
    store.runs(&["resume", &run]).expect(3, "is not what was written");
    store.kept.trace("verify", &run).expect(3, "is not what was written");
    assert_eq!(store.ledger(&run), "");
    Ok(())
}

#[test]
fn an_administrators_pause_keeps_runs_from_beginning() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let path = store.path();
    countersign(["agents", "pause", "agent", "--reason", "new keys", "--store", &path]).expect(0, "new keys");
    store.start().expect(12, "is not dispatched");
    assert!(store.kept.ids().is_empty(), "nothing is kept of it");
    countersign(["agents", "resume", "agent", "--store", &path]).expect(0, "yes");
    store.start().expect(10, "suspended");
    store.runs(&["convergence"]).expect(0, "general");
    Ok(())
}

/// Changes the task of a run behind its back.
fn changed(store: &Store, run: &str, from: &str, to: &str) -> std::io::Result<()> {
    let change = "UPDATE register SET value = CAST(replace(CAST(value AS TEXT), ?2, ?3) AS BLOB)
                  WHERE name = ?1 AND CAST(value AS TEXT) LIKE '%' || ?2 || '%'";
    store.kept.tamper(change, &[&format!("tasks/{run}"), from, to])
}

#[test]
fn what_was_approved_is_what_runs() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let approved = || -> std::io::Result<String> {
        let run = store.begin();
        store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
        Ok(run)
    };
    // Another command behind the approved tool.
    let run = approved()?;
    changed(&store, &run, "echo paid", "echo stolen")?;
    store.runs(&["resume", &run]).expect(2, "tool `pay` is no longer what the run began with");
    assert_eq!(store.ledger(&run), "");
    // Other arguments in the script: those that were approved are in the record.
    let run = approved()?;
    changed(&store, &run, "amount = 700", "amount = 7000000")?;
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    assert_eq!(store.ledger(&run), "paid 700\n");
    Ok(())
}

/// The record has a mark in the place of a secret; what is handed to the tool is what was approved, to the byte.
#[test]
fn a_secret_that_is_not_the_one_that_was_approved_is_not_used() -> std::io::Result<()> {
    let scenario = PAY
        .replace("{ amount = 700 }", "{ amount = 700, key = \"AKIAIOSFODNN7QXAMPLE\" }")
        .replace("echo paid $1", "echo paid $1 by $2")
        .replace("\"{amount}\"]", "\"{amount}\", \"{key}\"]");
    let store = Store::new(&scenario)?;
    let approved = || {
        let run = store.begin();
        store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
        run
    };
    let run = approved();
    assert!(!store.kept.text(&run)?.contains("AKIAIOSFODNN7QXAMPLE"), "it is no part of the record");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    assert_eq!(store.ledger(&run), "paid 700 by AKIAIOSFODNN7QXAMPLE\n");
    // The script says another one from now on: the one that was approved lies beside the record.
    let of_run = "run = (SELECT number FROM run WHERE id = ?1)";
    let other =
        format!("UPDATE payload SET bytes = CAST(replace(CAST(bytes AS TEXT), '700', '7000') AS BLOB) WHERE {of_run}");
    let none = format!("DELETE FROM payload WHERE {of_run}");
    for (tampered, part, paid) in [
        (None, "ended SUCCESS", "paid 700 by AKIAIOSFODNN7QXAMPLE\n"),
        (Some(&other), "its arguments are not the ones that were judged", ""),
        (Some(&none), "its arguments held a secret, which is gone", ""),
    ] {
        let run = approved();
        changed(&store, &run, "AKIAIOSFODNN7QXAMPLE", "AKIAIOSFODNN7QXAMPLF")?;
        tampered.map_or(Ok(()), |tampered| store.kept.tamper(tampered, &[&run]))?;
        let resumed = store.runs(&["resume", &run]);
        let all = format!("{}{}", resumed.out(), resumed.err());
        assert!(all.contains(part), "expected `{part}` in:\n{all}");
        assert_eq!(store.ledger(&run), paid, "{part}");
    }
    Ok(())
}

#[test]
fn a_copy_of_a_run_is_not_taken_up() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    for copied in [
        "INSERT INTO run (id, tenant, agent, principal, started, salt, at, frames, state, code, fence, until)
         SELECT 'copy', tenant, agent, principal, started, salt, at, frames, state, code, fence, 0 FROM run WHERE id = ?1",
        "INSERT INTO frame (run, frame, line) SELECT (SELECT number FROM run WHERE id = 'copy'), frame, line
         FROM frame WHERE run = (SELECT number FROM run WHERE id = ?1)",
        "INSERT INTO inbox (run, id, at, entry, waiting) SELECT (SELECT number FROM run WHERE id = 'copy'), id, at,
         entry, waiting FROM inbox WHERE run = (SELECT number FROM run WHERE id = ?1)",
        "INSERT INTO register (name, value, version) SELECT 'tasks/copy', value, version FROM register
         WHERE name = 'tasks/' || ?1",
    ] {
        store.kept.tamper(copied, &[&run])?;
    }
    store.runs(&["resume", "copy"]).expect(3, &format!("it is of the run {run}"));
    assert_eq!((store.ledger(&run), store.ledger("copy")), (String::new(), String::new()));
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    assert_eq!(store.ledger(&run), "paid 700\n");
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
fn what_an_ended_run_never_took_is_not_told_as_waiting() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    store.runs(&["cancel", &run]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(13, "ended USER_CANCEL");
    let entry = r#"{"version":1,"id":"approve-9","by":"eve","at":1,"wants":{"decide":"resumed"}}"#;
    put(&store, &run, "approve-9", entry)?;
    let listed = store.runs(&["list"]).expect(0, "ended USER_CANCEL").out();
    assert!(!listed.contains("eve") && !listed.contains("resume"), "{listed}");
    store.runs(&["show", &run]).expect(0, "came too late").expect(0, "by eve");
    let shown = store.kept.json(&["show", &run]);
    assert_eq!((&shown["waiting"], &shown["too-late"][0]["by"]), (&serde_json::json!([]), &"eve".into()));
    Ok(())
}

#[test]
fn a_run_whose_folder_is_gone_is_not_gone_on_with() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    let folder = store.folder.path().join("kept/workspaces").join(&run);
    let aside = store.folder.path().join("aside");
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    let frames = store.kept.text(&run)?;
    std::fs::rename(&folder, &aside)?;
    store.runs(&["resume", &run]).expect(2, "which its tools work in, is gone; put it back").expect(2, &run);
    assert_eq!(store.kept.text(&run)?, frames, "nothing was called, and nothing recorded");
    std::fs::rename(&aside, &folder)?;
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    // Its end needs no folder.
    let run = store.begin();
    std::fs::remove_dir_all(store.folder.path().join("kept/workspaces").join(&run))?;
    store.runs(&["cancel", &run]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(13, "ended USER_CANCEL");
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
    other.start().expect(13, "ended UNAVAILABLE_DEP");
    other.start().expect(12, "is not dispatched until");
    Ok(())
}

#[test]
fn one_broken_entry_or_run_hides_no_other() -> std::io::Result<()> {
    let store = Store::new(PAY)?;
    let broken = store.begin();
    let run = store.begin();
    put(&store, &run, "x", "rubbish")?;
    store.runs(&["show", &run]).expect(0, "no entry");
    let rubbish = "UPDATE frame SET line = CAST('rubbish' AS BLOB)
                   WHERE frame = 0 AND run = (SELECT number FROM run WHERE id = ?1)";
    store.kept.tamper(rubbish, &[&broken])?;
    let listed = store.runs(&["list"]).expect(3, "suspended CONFIRM_REQUIRED").expect(3, "unreadable");
    assert!(listed.out().contains(&run) && listed.err().contains(&broken), "{}{}", listed.out(), listed.err());
    // Nor does it keep the other from being decided and going on.
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    Ok(())
}

/// What is left of a run whose host was lost after so many frames.
fn lost(store: &Store, run: &str, frames: u32) -> std::io::Result<()> {
    let frames = frames.to_string();
    let gone = "DELETE FROM frame WHERE frame >= ?2 AND run = (SELECT number FROM run WHERE id = ?1)";
    store.kept.tamper(gone, &[run, &frames])?;
    store.kept.tamper("UPDATE run SET frames = ?2, state = 0, code = NULL WHERE id = ?1", &[run, &frames])
}

#[test]
#[cfg(unix)]
fn a_host_that_was_lost_repeats_nothing() -> std::io::Result<()> {
    // Approved, dispatched, paid: and then the host is gone, in the middle of the call.
    let store = Store::new(&PAY.replace("; cat ledger.txt", "; kill -9 $PPID; cat ledger.txt"))?;
    let run = store.begin();
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    assert_eq!(store.runs(&["resume", &run]).code(), -1, "the command ends by a signal");
    assert_eq!(store.ledger(&run), "paid 700\n");
    store.runs(&["show", &run]).expect(0, "open, held by nobody").expect(0, "runs resume");
    store.runs(&["list"]).expect(0, "open, held by nobody");
    store.runs(&["resume", &run]).expect(13, "may have done exactly this");
    assert_eq!(store.ledger(&run), "paid 700\n", "it was not paid twice");
    store.is_whole(&run);
    // Lost before the model had answered: the model is asked again.
    let store = Store::new(PAY)?;
    let run = store.begin();
    lost(&store, &run, 2)?;
    store.runs(&["resume", &run]).expect(10, "pay {\"amount\":700}");
    // Or it is cancelled.
    let store = Store::new(PAY)?;
    let run = store.begin();
    lost(&store, &run, 2)?;
    store.runs(&["cancel", &run]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(13, "ended USER_CANCEL");
    store.is_whole(&run);
    Ok(())
}

#[test]
fn a_run_that_another_process_drives_is_not_taken_up() -> anyhow::Result<()> {
    let store = Store::new(PAY)?;
    let run = store.begin();
    let kept = store.kept.open()?;
    let held = countersign::session::Held::open(&kept, &run, countersign::store::Durability::Synced)?;
    store.runs(&["approve", &run, &store.fingerprint(&run)]).expect(0, "is in the inbox");
    store.runs(&["resume", &run]).expect(2, "is held by");
    assert_eq!(store.ledger(&run), "");
    drop(held);
    store.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    Ok(())
}
