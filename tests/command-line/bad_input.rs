//! Bad input: one error that names the file and the line or key, and exit code 2. Never a panic.

use std::path::Path;

use countersign_tests::{copy_folder, recordings, root};

use super::countersign;

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

#[test]
fn bundles() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = folder.path().join("b");
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    let name = bundle.display().to_string();
    let good = std::fs::read_to_string(bundle.join("bundle.lock"))?;
    let table = [
        (good.replacen("version = 1", "version = 9", 1), "key `version`: expected 1, found 9"),
        (good.replacen("draft.1", "draft.7", 1), "key `contract`: expected"),
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
    let table = [
        ("no_progress_loops = 3", "no_progres_loops = 3", "no_progres_loops"),
        ("hard_turn_cap = 50", "hard_turn_cap = \"many\"", "key `/trips/hard_turn_cap`"),
        ("warning_at_remaining = 3", "warning_at_remaining = 30", "key `/warnings`: expected warning_at_remaining <="),
        ("proceed = 0.85", "proceed = 0.5", "expected escalate <= notify_and_proceed <= proceed"),
        ("prompt.length < 200", "prompt.lenght < 200", "key `/classifier/rules/0/if`: expected `prompt.length`"),
        ("\"proceed_at_0.70\"", "\"proceed_at_7\"", "key `/matrix/1/decision`"),
        ("component = \"risk.wasm\"", "component = \"risk.wasm\"\nslots = [\"doom-loop\"]", "does not fill the slot"),
        ("version = 1\nname", "version = 3\nname", "key `version`: expected 1"),
    ];
    for (from, to, part) in table {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{part}");
        std::fs::write(bundle.join("bundle.toml"), text)?;
        let run = countersign(["bundle", "lock", &name]).expect(2, part);
        assert!(run.err().contains("bundle.toml"), "{}", run.err());
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
        ("nonsense".to_owned(), "line 1 column"),
        ("[]".to_owned(), "a recorded run: an object"),
        (format!("{good}\n{{\"terminal\": 3}}"), "run 1: invalid type"),
        (good.replacen("\"events\"", "\"evnts\"", 1), "expected the key `events`"),
        (good.replacen("\"terminal\"", "\"terminl\"", 1), "expected the key `terminal`"),
        (good.replacen("\"k\":\"action\"", "\"k\":\"axion\"", 1), "key `k`: expected `action` or `obs`"),
        (good[..good.len() / 2].to_owned(), "EOF"),
    ];
    for (text, part) in table {
        let path = written(folder.path(), "runs.jsonl", text);
        let run = countersign(["backtest", &path]).expect(2, part);
        assert!(run.err().contains("runs.jsonl"), "{}", run.err());
    }
    // Numbers at the end of their range are numbers.
    let mut huge = runs[0].clone();
    for event in recordings::events(&mut huge) {
        event["len"] = (1_u64 << 63).into();
        event["cost"] = 1e300.into();
        event["t"] = (-1e308).into();
    }
    let path = written(folder.path(), "huge.jsonl", huge.to_string());
    countersign(["backtest", &path]).expect(0, "1 runs");
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

#[test]
fn policy_crates() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    countersign(["policy", "build", &folder.path().display().to_string()]).expect(2, "no `Cargo.toml`");
    Ok(())
}
