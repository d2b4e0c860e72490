//! What others do to a run that is under way: they cancel it, pause its agent, take its files away. The first tool of
//! the script does it, so that the second comes after.

use std::path::Path;

use super::countersign;
use super::kept::Kept;

const TITLE: &str = r#"
version = 1
title = "Two lines, and somebody in between"
[goal]
text = "Write two lines."
[[goal.criteria]]
id = "c"
text = "the second line is there"
tool = "second"
"#;

/// A scenario whose first tool runs these words of a shell, and whose second leaves a file behind.
fn scenario(folder: &Path, meddle: &str) -> std::io::Result<String> {
    let tool = |name: &str, script: &str| {
        format!(
            "[tools.{name}]\ndescription = \"Writes a line.\"\ncategory = \"file-system\"\nreversibility = \"reversible\"\n\
             blast-radius = 1\ncommand = ['sh', '-c', '''{script}''']\nverify = {{ exit-code = 0 }}\n"
        )
    };
    let reply = |step: &str| {
        format!(
            "[[models.cheap.replies]]\ntimes = 1\nstep = {{ step = \"{step}\", tool = \"{step}\", arguments = {{}}, confidence = 0.95 }}\n"
        )
    };
    let done = folder.join("done").display().to_string();
    let text = [
        TITLE.to_owned(),
        tool("first", meddle),
        tool("second", &format!("echo there > {done}")),
        "[models.cheap]\nname = \"small-1\"\n".to_owned(),
        reply("first"),
        reply("second"),
        "[[models.cheap.replies]]\nstep = { step = \"done\", finish = \"written\", claims = [\"c\"], confidence = 0.95 }\n"
            .to_owned(),
    ];
    let path = folder.join("scenario.toml");
    std::fs::write(&path, text.concat())?;
    Ok(path.display().to_string())
}

#[test]
fn what_is_done_to_a_run_under_way_is_heeded_before_its_next_call() -> std::io::Result<()> {
    let host = env!("CARGO_BIN_EXE_countersign");
    let run = format!("$({host} runs list --store STORE --json | grep -o '\"run\": *\"[^\"]*\"' | cut -d'\"' -f4)");
    let cancel = format!("{host} runs cancel {run} --store STORE");
    let pause = format!("{host} agents pause agent --reason stop --store STORE");
    for (meddle, code, expected, effect) in [
        (":", 0, "ended SUCCESS", true),
        (&*cancel, 13, "ended USER_CANCEL", false),
        (&*pause, 10, "agent agent", false),
        ("rm TRACE", 1, "was moved, removed or cut while it was being written", false),
        (": > TRACE", 1, "was moved, removed or cut while it was being written", false),
        ("mv TRACE TRACE.old", 1, "was moved, removed or cut while it was being written", false),
        ("rm STORE*", 1, "was moved or removed while it was in use", false),
        ("mv STORE STORE.old", 1, "was moved or removed while it was in use", false),
        (": > STORE", 1, "was cut while it was in use", false),
        (": > STORE-wal", 1, "was cut while it was in use", false),
        ("truncate -s 40000 STORE-wal", 1, "was cut while it was in use", false),
        ("rm STORE-wal", 1, "was moved or removed while it was in use", false),
        ("rm STORE-shm", 1, "was moved or removed while it was in use", false),
    ] {
        let folder = tempfile::tempdir()?;
        let (store, trace) = (folder.path().join("runs.db"), folder.path().join("run.jsonl"));
        let (store, trace) = (store.display().to_string(), trace.display().to_string());
        let meddle = meddle.replace("STORE", &store).replace("TRACE", &trace);
        let path = scenario(folder.path(), &meddle)?;
        let run = countersign(["run", &path, "--store", &store, "--trace", &trace]).expect(code, expected);
        // What was done is not recorded any more, and that is what whoever reads it has to know.
        assert_eq!(run.err().contains("a call was made"), code == 1, "{meddle}: {}", run.err());
        assert_eq!(folder.path().join("done").exists(), effect, "{meddle}");
    }
    Ok(())
}

#[test]
fn what_a_store_does_not_have_any_more_is_told() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("runs.db").display().to_string();
    let path = scenario(folder.path(), ":")?;
    countersign(["run", &path, "-q", "--store", &store]).expect(0, "ended SUCCESS");
    let kept = Kept::new(folder.path());
    let run = kept.ids().remove(0);
    kept.tamper("DELETE FROM frame WHERE frame >= ?1", &["3"])?;
    kept.trace("verify", &run).expect(3, "from 3 on are missing");
    Ok(())
}

#[test]
fn a_refused_import_leaves_no_store_behind() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (store, trace) = (folder.path().join("made/runs.db"), folder.path().join("run.jsonl"));
    let path = scenario(folder.path(), ":")?;
    countersign(["run", &path, "-q", "--trace", &trace.display().to_string()]).expect(0, "ended SUCCESS");
    let whole = std::fs::read_to_string(&trace)?;
    for (text, code, expected) in [
        (whole.replacen("\"at\":", "\"at\":1", 1), 3, "do not match its seal"),
        (whole.trim_end().to_owned(), 3, "put it back"),
        ("{}".to_owned(), 2, "is no trace"),
        (String::new(), 2, "is empty"),
    ] {
        std::fs::write(&trace, text)?;
        let arguments = ["trace", "import", &trace.display().to_string(), "--store", &store.display().to_string()];
        countersign(arguments).expect(code, expected);
        assert!(!folder.path().join("made").exists(), "{expected}");
    }
    Ok(())
}

#[test]
fn where_no_trace_can_be_written_no_run_is_begun() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("runs.db").display().to_string();
    let path = scenario(folder.path(), ":")?;
    countersign(["run", &path, "-q", "--store", &store, "--trace", "/no/such/folder/run.jsonl"])
        .expect(1, "/no/such/folder");
    Kept::new(folder.path()).runs(&["list"]).expect(0, "no runs");
    Ok(())
}

#[test]
fn a_run_that_was_imported_is_listed_and_shown() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (store, trace) = (folder.path().join("runs.db"), folder.path().join("run.jsonl"));
    let (store, trace) = (store.display().to_string(), trace.display().to_string());
    let path = scenario(folder.path(), ":")?;
    countersign(["run", &path, "-q", "--trace", &trace]).expect(0, "ended SUCCESS");
    countersign(["trace", "import", &trace, "--store", &store]).expect(0, "taken");
    let kept = Kept::new(folder.path());
    kept.runs(&["list"]).expect(0, "SUCCESS");
    kept.runs(&["show", &kept.ids().remove(0)]).expect(0, "SUCCESS");
    kept.runs(&["convergence"]).expect(0, "");
    Ok(())
}
