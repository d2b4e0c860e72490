//! Bad input: one error that names the file and the line or key, and exit code 2. Never a panic.

use std::path::Path;

use countersign_tests::{copy_folder, recordings, root};

use super::{countersign, countersign_with};

fn written(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    if let Err(error) = std::fs::write(&path, content) {
        panic!("cannot write {name}: {error}");
    }
    path.display().to_string()
}

#[test]
fn scenarios() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read_to_string(root().join("tests/scenarios/loop-and-recover.toml"))?;
    let table = [
        ("".to_owned(), "missing field `version`"),
        ("version = [".to_owned(), "TOML parse error at line 1"),
        (good.replacen("version = 1", "version = 2", 1), "key `version`: expected 1, found 2"),
        (good.replacen("[budget]", "[budget]\nstepps = 1", 1), "unknown field `stepps`"),
        (
            good.replacen("tool = \"run-check\"", "tool = \"run-chekc\"", 1),
            "`goal.criteria.check-passes`: tool `run-chekc` is not registered",
        ),
        (good.replacen("steps = 20", "steps = 0", 1), "`limits.steps`"),
        (good.replacen("command = [\"ls\", \"{folder}\"]", "", 1), "key `tools.list-files.command`"),
        (good.replacen("\"src/readme.txt\" =", "\"../readme.txt\" =", 1), "expected a relative path"),
        (
            good.replacen(
                "type = \"object\", required = [\"pattern\"]",
                "type = \"objekt\", required = [\"pattern\"]",
                1,
            ),
            "is no JSON Schema",
        ),
        (good.replacen("text = \"\"\"", "hex = \"zz\"\ntext = \"\"\"", 1), "expected one of `step`"),
        (good.replacen("verify = { exit-code = 0 }", "verify = { exitcode = 0 }", 1), "unknown variant `exitcode`"),
        (good.replacen("status = \"ended\"", "status = \"over\"", 1), "expected `ended` or `suspended`"),
    ];
    for (text, part) in table {
        let path = written(folder.path(), "s.toml", text);
        let run = countersign(["run", &path]).expect(2, part);
        assert!(run.err().contains("s.toml"), "{}", run.err());
    }
    let path = written(folder.path(), "s.toml", b"\xff\xfe");
    countersign(["run", &path]).expect(2, "is not UTF-8");
    countersign(["run", "no/such/file.toml"]).expect(2, "`no/such/file.toml`");
    let empty = tempfile::tempdir()?;
    countersign(["run", &empty.path().display().to_string()]).expect(2, "no scenario in it");
    Ok(())
}

/// Settings of rules, budgets, boundaries, tools and people: refused at load, by file and key.
#[test]
fn settings() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read_to_string(root().join("tests/scenarios/loop-and-recover.toml"))?;
    let add = |text: &str| good.replacen("[budget]", &format!("{text}\n[budget]"), 1);
    let budget = |text: &str| good.replacen("steps = 20\n", &format!("{text}\n"), 1);
    let check = |text: &str| {
        good.replacen("command = [\"sh\", \"check.sh\"]", &format!("command = [\"sh\", \"check.sh\"]\n{text}"), 1)
    };
    let verify = |text: &str| good.replacen("verify = { exit-code = 0 }", &format!("verify = {{ {text} }}"), 1);
    let table = [
        (add("[rules]\nrepeated-call = 3"), "unknown field `repeated-call`"),
        (add("[rules.approvals]\npayments = \"never\""), "payments"),
        (add("[slots]\nrisc = \"monitor\""), "unknown variant `risc`"),
        (budget("preset = \"coding\"\nside-effects = 99"), "key `budget.side-effects`: 99 of 20 tool calls cannot be"),
        (budget("external-calls = 21"), "key `budget.external-calls`"),
        (budget("preset = \"codding\""), "no such preset; there are coding, incident, research"),
        (budget("preset = 3"), "key `preset`: expected a text"),
        (budget("steps = 20\nmoney = 3"), "money"),
        (check("limits = { calls = 21 }"), "key `tools.run-check.limits.calls`: 21 of 20 tool calls cannot be"),
        (check("limits = { calls = 2, calls-per-minute = 3 }"), "key `tools.run-check.limits`"),
        (check("facts = { price = \"price\" }"), "`price` is no JSON pointer"),
        (check("side-effect = \"local-write\""), "key `tools.run-check.side-effect`"),
        (check("cheaper = \"none\""), "`tools.run-check.cheaper`: expected another registered tool"),
        (verify("read-back = { tool = \"none\", shows = \"x\" }"), "there is no tool `none`"),
        (verify("checker = [\"no-such-program-here\"]"), "there is no program `no-such-program-here`"),
        (verify("checker = []"), "expected the program and its arguments"),
        (verify("result-schema = { type = \"objekt\" }"), "is no JSON Schema"),
        (
            add("[tools.defer_to_human]\ncategory = \"sandbox\"\ncommand = [\"true\"]"),
            "the host brings this tool itself",
        ),
        (good.replacen("name = \"coding\"", "profile = \"codding\"", 1), "no such preset; there are coding, incident"),
        (good.replacen("name = \"coding\"", "autonomy = 8", 1), "no such preset"),
        (good.replacen("name = \"coding\"", "autonomy = 5\nplans = \"optional\"", 1), "`boundary.plans`"),
        (
            good.replacen("name = \"coding\"", "pattern = \"swarm\"", 1),
            "`boundary.pattern`: blackboard and swarm need autonomy 7",
        ),
        (good.replacen("name = \"coding\"", "fail-closed = [\"sadness\"]", 1), "unknown variant `sadness`"),
        (add("[[people]]\ndoes = \"answer\""), "key `people[0]`: expected `text`"),
        (add("[operator.ceilings]\nsteps = 3"), "`limits.steps`: the operator's ceiling is 3"),
        (add("[[operator.sinks]]\nto = \"webhook\"\nurl = \"ftp://x\"\nsecret-env = \"X\""), "url"),
        (add("[[operator.sinks]]\nto = \"pigeon\""), "pigeon"),
        (add("[twin]\nwithout = \"x\"\n[twin.expect]"), "key `twin`: expected `change` or `remove`"),
        (add("[twin]\nwithout = \"x\"\nremove = [\"tools.none\"]\n[twin.expect]"), "there is no key `tools.none`"),
        (format!("graph = \"none.toml\"\n{good}"), "none.toml"),
        (format!("include = [\"none.toml\"]\n{good}"), "none.toml"),
        (format!("include = [\"s.toml\"]\n{good}"), "includes itself"),
        (format!("include = \"other.toml\"\n{good}"), "key `include`: expected a list of files"),
    ];
    for (text, part) in table {
        assert_ne!(text, good, "{part}");
        let path = written(folder.path(), "s.toml", text);
        let run = countersign(["run", &path]).expect(2, part);
        assert!(run.err().contains(".toml"), "{}", run.err());
    }
    // A circle of three.
    written(folder.path(), "b.toml", "include = [\"c.toml\"]");
    written(folder.path(), "c.toml", "include = [\"a.toml\"]");
    let path = written(folder.path(), "a.toml", format!("include = [\"b.toml\"]\n{good}"));
    countersign(["run", &path]).expect(2, "includes itself");
    Ok(())
}

#[test]
fn graphs() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read_to_string(root().join("host/runtime/presets/graph.toml"))?;
    let table = [
        ("{ kind = \"terminate\" }", "{ kind = \"finalise\" }", 3, "terminate"),
        ("{ from = \"finalise\", on = \"finalised\", to = \"memory-write\" },", "", 3, "`finalise`"),
        ("on = \"verified\", to = \"state-update\"", "on = \"verified\", to = \"finalise\"", 3, "verified"),
        (
            "on = \"selected\", to = \"tool-eligibility\"",
            "on = \"selected\", to = \"tool-invocation\"",
            3,
            "past the checks",
        ),
        ("{ kind = \"intake\" }", "{ kind = \"intake\", phases = [] }", 2, "unknown field `phases`"),
        ("on = \"verified\"", "on = \"proven\"", 2, "unknown variant `proven`"),
        ("version = 1", "version = 1\ncolour = \"red\"", 2, "unknown field `colour`"),
    ];
    let scenario = std::fs::read_to_string(root().join("tests/scenarios/loop-and-recover.toml"))?;
    let run = written(folder.path(), "s.toml", format!("graph = \"g.toml\"\n{scenario}"));
    for (from, to, code, part) in table {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let path = written(folder.path(), "g.toml", text);
        countersign(["graph", "check", &path]).expect(code, part);
        // And no run begins along it.
        countersign(["run", &run]).expect(2, part);
    }
    let path = written(folder.path(), "g.toml", &good);
    countersign(["graph", "check", &path]).expect(0, "ok default");
    countersign(["graph", "draw", &path]).expect(0, "flowchart TD");
    countersign(["graph", "verdicts"]).expect(0, "| `risk`, a call | agent |");
    countersign(["graph", "phases"]).expect(0, "| 16 final-response | `finalise` |");
    let without =
        good.replacen("on = \"finalised\", to = \"memory-write\"", "on = \"finalised\", to = \"terminate\"", 1);
    let without = without.replacen("nodes.memory-write = { kind = \"memory-write\" }\n", "", 1);
    let without = without.replacen("    { from = \"memory-write\", on = \"written\", to = \"terminate\" },\n", "", 1);
    let path = written(folder.path(), "g.toml", without);
    countersign(["graph", "check", &path]).expect(0, "no node for 17 memory-write: it does not take place");
    countersign(["graph", "check", "no/such.toml"]).expect(2, "`no/such.toml`");
    Ok(())
}

/// The device that is always full, by another name: nobody's device is put at risk by a fault.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_an_error_and_no_device_is_replaced() -> std::io::Result<()> {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::process::Command;
    let folder = tempfile::tempdir()?;
    let full = folder.path().join("full");
    symlink("/dev/full", &full)?;
    for words in [&["graph", "draw"][..], &["bundle", "show"], &["graph", "phases"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(words)
            .stdout(std::fs::OpenOptions::new().write(true).open(&full)?)
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {told}");
        assert!(told.contains("cannot write the output: No space left"), "{words:?}: {told}");
    }
    let out = full.display().to_string();
    countersign(["graph", "draw", "--out", &out]).expect(1, "No space left");
    assert!(std::fs::metadata(&full)?.file_type().is_char_device() && std::fs::read_link(&full).is_ok());
    Ok(())
}

#[test]
fn bundles() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = folder.path().join("b");
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    let name = bundle.display().to_string();
    let good = std::fs::read_to_string(bundle.join("bundle.lock"))?;
    let table = [
        (good.replacen("version = 1", "version = 9", 1), "key `version`: expected 1, found 9"),
        (good.replacen("draft.5", "draft.7", 1), "key `contract`: expected"),
        (good.replacen("must-understand = []", "must-understand = [\"quantum\"]", 1), "does not know `quantum`"),
        (good.replacen("fuel-per-call", "fuel-per-cal", 1), "unknown field `fuel-per-cal`"),
        (good.replacen("slot = \"risk\"", "slot = \"rsik\"", 1), "unknown variant `rsik`"),
        (good.replacen("risk.wasm", "../risk.wasm", 1), "expected a file beside the lock"),
        (good.replacen("component-digest = \"sha256:", "component-digest = \"sha256:0", 1), "the lock says sha256:0"),
        (
            good.replacen("configuration-digest = \"sha256:", "configuration-digest = \"sha256:0", 1),
            "key `configuration-digest`",
        ),
        (good.replacen("classifier@0.1.0", "classifier@9.9.9", 1), "key `policy`"),
    ];
    for (text, part) in table {
        assert_ne!(text, good, "{part}");
        std::fs::write(bundle.join("bundle.lock"), text)?;
        let run = countersign(["bundle", "show", &name]).expect(2, part);
        assert!(run.err().contains("bundle.lock") || run.err().contains("wasm"), "{}", run.err());
    }
    std::fs::write(bundle.join("bundle.lock"), &good)?;
    std::fs::write(bundle.join("risk.wasm"), b"garbage")?;
    countersign(["bundle", "show", &name]).expect(2, "`risk.wasm` has digest");
    countersign(["bundle", "lock", &name]).expect(2, "`risk.wasm`: is no WebAssembly component");
    std::fs::File::create(bundle.join("risk.wasm"))?.set_len(3 << 30)?;
    countersign(["bundle", "lock", &name]).expect(2, "risk.wasm`: has 3221225472 bytes");
    std::fs::remove_file(bundle.join("risk.wasm"))?;
    std::fs::create_dir(bundle.join("risk.wasm"))?;
    countersign(["bundle", "lock", &name]).expect(2, "risk.wasm`: is no regular file");
    std::fs::remove_file(bundle.join("bundle.lock"))?;
    countersign(["bundle", "show", &name]).expect(2, "is made by `countersign bundle lock`");
    Ok(())
}

#[test]
fn configurations() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = folder.path().join("b");
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    let name = bundle.display().to_string();
    let good = std::fs::read_to_string(bundle.join("bundle.toml"))?;
    let dispatch = "name = \"dispatch\"\ncomponent = \"dispatch.wasm\"\n";
    let other = dispatch.replacen("dispatch", "second", 1);
    let configured = "[policy.configuration]\nlongest_chain = 5\nreliability_floor = 0.75\n";
    let two = format!("{other}{configured}\n[[policy]]\n{dispatch}");
    let table = [
        ("no_progress_loops = 3", "no_progres_loops = 3", "no_progres_loops"),
        ("hard_turn_cap = 50", "hard_turn_cap = \"many\"", "key `/trips/hard_turn_cap`"),
        ("warning_at_remaining = 3", "warning_at_remaining = 30", "key `/warnings`: expected warning_at_remaining <="),
        ("proceed = 0.85", "proceed = 0.5", "expected escalate <= notify_and_proceed <= proceed"),
        ("prompt.length < 200", "prompt.lenght < 200", "key `/classifier/rules/0/if`: expected `prompt.length`"),
        ("\"proceed_at_0.70\"", "\"proceed_at_7\"", "key `/matrix/1/decision`"),
        ("component = \"risk.wasm\"", "component = \"risk.wasm\"\nslots = [\"doom-loop\"]", "does not fill the slot"),
        ("version = 1\nname", "version = 3\nname", "key `version`: expected 1"),
        (dispatch, &two, "slot `dispatch`: `second` and `dispatch` enforce, and one policy answers it"),
        ("component = \"risk.wasm\"", "component = \"risk.wasm\"\nslots = []", "policy `risk`: key `slots`: is empty"),
        (
            "component = \"risk.wasm\"",
            "component = \"risk.wasm\"\nslots = [\"risk\", \"risk\"]",
            "key `slots`: `risk` stands twice",
        ),
        (
            "proceed = 0.85",
            "proceed = nan",
            "key `configuration.confidence_thresholds.proceed`: expected a finite number",
        ),
        ("proceed = 0.85", "proceed = -inf", "expected a finite number, found -inf"),
        ("proceed = 0.85", "proceed = 2026-01-01", "is a date, 2026-01-01; write a text"),
        ("name = \"risk\"", "name = \"ri\\u202Esk\"", "found `ri\\u{202e}sk`"),
        ("name = \"risk\"", "name = \"\"", "key `name`: expected 1 to 64"),
        (
            "component = \"risk.wasm\"",
            "component = \"risk.wasm\"\nmemory-bytes = 1000000000",
            "key `memory-bytes`: expected at most 67108864, what this engine reserves; found 1000000000",
        ),
    ];
    let lock = std::fs::read_to_string(bundle.join("bundle.lock"))?;
    for (from, to, part) in table {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{part}");
        std::fs::write(bundle.join("bundle.toml"), text)?;
        let run = countersign(["bundle", "lock", &name]).expect(2, part);
        assert!(run.err().contains("bundle.toml"), "{}", run.err());
        assert_eq!(std::fs::read_to_string(bundle.join("bundle.lock"))?, lock, "{part}: the good lock is gone");
    }
    Ok(())
}

#[test]
fn recordings_and_traces() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runs = recordings::read(&recordings::sample())?;
    let good = runs[0].to_string();
    let table = [
        (String::new(), "is empty"),
        ("{\0}\0".to_owned(), "is UTF-16; expected UTF-8: `iconv"),
        ("nonsense".to_owned(), "looks like no JSON object or list"),
        ("[]".to_owned(), "looks like an empty list"),
        (good.replacen("\"events\"", "\"evnts\"", 1), "looks like an object with"),
        (good.replacen("\"terminal\"", "\"terminl\"", 1), "line 1, run 0: expected the key `terminal`"),
        (good[..good.len() / 2].to_owned(), "line 1, run 0: EOF"),
    ];
    for (text, part) in table {
        let path = written(folder.path(), "runs.jsonl", text);
        let run = countersign(["backtest", &path]).expect(2, part);
        assert!(run.err().contains("runs.jsonl"), "{}", run.err());
    }
    // What is broken is named, and does not hide the rest.
    let table = [
        (format!("{good}\n{{\"terminal\": 3}}"), "line 2, run 1: key `terminal`: expected a text, found a number"),
        (format!("{good}\nnonsense\n{}", runs[1]), "line 2, run 1: expected ident"),
        (good.replacen("\"k\":\"action\"", "\"k\":\"axion\"", 1), "key `k`: expected `action` or `obs`"),
    ];
    for (text, part) in table {
        let path = written(folder.path(), "runs.jsonl", text);
        let run = countersign(["backtest", &path]).expect(0, part);
        assert!(run.err().contains("left out: `") && run.err().contains("runs.jsonl"), "{}", run.err());
    }
    // Numbers at the end of their range are numbers.
    let mut huge = runs[0].clone();
    for event in recordings::events(&mut huge) {
        event["len"] = (1_u64 << 63).into();
        event["cost"] = 1e300.into();
        event["t"] = (-1e308).into();
    }
    let path = written(folder.path(), "huge.jsonl", huge.to_string());
    countersign(["backtest", &path]).expect(0, "1 run,");
    let zipped = std::fs::read(recordings::sample())?;
    let path = written(folder.path(), "cut.jsonl.gz", &zipped[..zipped.len() / 2]);
    countersign(["backtest", &path]).expect(2, "cut.jsonl.gz");
    for (text, part) in [("", "is empty"), ("{\"a\":1}\n", "is no trace"), ("garbage", "is no trace")] {
        let path = written(folder.path(), "t.jsonl", text);
        for command in ["verify", "replay", "show"] {
            countersign(["trace", command, &path]).expect(2, part);
        }
    }
    countersign(["trace", "verify", "no/such/trace"]).expect(2, "`no/such/trace`");
    Ok(())
}

/// Names of stores that lead to none.
#[test]
fn stores() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = written(folder.path(), "empty.db", "");
    let other = folder.path().join("other.db");
    let database = countersign_tests::rusqlite::Connection::open(&other).map_err(std::io::Error::other)?;
    database.execute_batch("CREATE TABLE theirs (x)").map_err(std::io::Error::other)?;
    drop(database);
    let other = other.display().to_string();
    let text = written(folder.path(), "text.db", "no database at all, and long enough to be looked at".repeat(20));
    let scenario = "tests/scenarios/loop-and-recover.toml";
    for (store, part) in [(&empty, "it is empty"), (&other, "another program"), (&text, "is not a database")] {
        let before = std::fs::read(store)?;
        for run in [countersign(["runs", "list", "--store", store]), countersign(["run", scenario, "--store", store])] {
            let run = run.expect(2, "is no store of Countersign").expect(2, part);
            assert!(!run.err().contains("CREATE TABLE") && run.err().contains(store), "{}", run.err());
        }
        assert_eq!(std::fs::read(store)?, before, "it is not touched");
    }
    // A store whose version another program has set to nothing.
    let kept = super::kept::Kept::new(folder.path());
    countersign(["run", scenario, "-q", "--store", &kept.path()]).expect(0, "ended SUCCESS");
    kept.database()?.execute_batch("PRAGMA user_version = 0").map_err(std::io::Error::other)?;
    kept.runs(&["list"]).expect(2, "it has no schema version");
    // A variable that is set to nothing is not set.
    let none = countersign_with(&[("COUNTERSIGN_STORE", "")], ["runs", "list"]).expect(0, ".countersign/runs.db");
    assert!(none.err().is_empty(), "{}", none.err());
    countersign_with(&[("COUNTERSIGN_STORE", &empty)], ["runs", "list"]).expect(2, "it is empty");
    countersign(["runs", "list", "--store", ""]).expect(2, "--store");
    // To look for something makes no store.
    let none = folder.path().join("none.db");
    let name = none.display().to_string();
    countersign(["agents", "list", "--store", &name]).expect(0, "agent");
    countersign(["agents", "resume", "a", "--store", &name]).expect(2, "there is no store");
    countersign(["runs", "list", "--store", &name]).expect(0, "has no runs");
    countersign(["runs", "show", "3f2a", "--store", &name]).expect(2, "there is no store");
    assert!(!none.exists());
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_store_whose_name_is_no_text_is_named_once() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let store = folder.path().join(std::ffi::OsStr::from_bytes(b"runs\xff.db"));
    let scenario = "tests/scenarios/loop-and-recover.toml";
    for command in [&["run", scenario][..], &["runs", "list"], &["trace", "verify", "3f2a"], &["agents", "list"]] {
        let words = command.iter().chain(&["--store"]).map(std::ffi::OsStr::new);
        let arguments = words.chain([store.as_os_str()]);
        let run = countersign(arguments).expect(2, "its name is not UTF-8");
        assert_eq!(run.err().matches("UTF-8").count(), 1, "{}", run.err());
    }
    assert_eq!(std::fs::read_dir(folder.path()).map(Iterator::count).ok(), Some(0));
}

#[test]
fn policy_crates() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    countersign(["policy", "build", &folder.path().display().to_string()]).expect(2, "no `Cargo.toml`");
    Ok(())
}
