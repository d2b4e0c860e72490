//! Swapping one component for another version, without rebuilding the host.

use std::path::Path;

use countersign::bundle::Lock;
use countersign_tests::{copy_folder, root};

use super::kept::Kept;
use super::{countersign, trace};

/// The default bundle with the risk policy's other version in it.
pub(super) fn swapped(folder: &Path) -> std::io::Result<String> {
    let bundle = folder.join("bundle");
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    std::fs::copy(root().join("tests/policies/built/cautious-risk.wasm"), bundle.join("risk.wasm"))?;
    let path = bundle.join("bundle.toml");
    let text = std::fs::read_to_string(&path)?;
    // The other version takes no settings.
    let start = text.find("component = \"risk.wasm\"").unwrap_or(0);
    let end = start + text[start..].find("[[policy]]").unwrap_or(0);
    std::fs::write(&path, format!("{}component = \"risk.wasm\"\n\n{}", &text[..start], &text[end..]))?;
    let name = bundle.display().to_string();
    countersign(["bundle", "lock", &name]).expect(0, "sha256:");
    Ok(name)
}

#[test]
fn another_version_judges_and_the_trace_shows_its_digest() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = swapped(folder.path())?;
    let scenario = "tests/scenarios/loop-and-recover.toml";
    let path = folder.path().join("swapped.jsonl").display().to_string();
    // It asks about everything that may touch something: the run waits for a person.
    countersign(["run", scenario, "--bundle", &bundle, "--trace", &path]).expect(3, "suspended CONFIRM_REQUIRED");
    let trace = std::fs::read_to_string(&path)?;
    assert!(trace.contains("risk@0.2.0"));
    let shown = countersign(["bundle", "show", &bundle, "--json"]).expect(0, "risk@0.2.0").out();
    let default = countersign(["bundle", "show", "--json"]).expect(0, "risk@0.1.0").out();
    let digest = |json: &str| json.split("\"digest\": \"").nth(1).map(|rest| rest[..71].to_owned());
    assert_ne!(digest(&shown), digest(&default));
    assert!(digest(&shown).is_some_and(|digest| trace.contains(&digest)));
    Ok(())
}

#[test]
fn a_replay_with_a_changed_policy_shows_the_first_difference() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = trace(folder.path()).display().to_string();
    let bundle = swapped(folder.path())?;
    let run =
        countersign(["trace", "replay", &path, "--bundle", &bundle]).expect(3, "entry `risk`: the answer is another");
    for part in ["recorded", "now", "proceed", "risk@0.2.0"] {
        assert!(run.out().contains(part), "{}", run.out());
    }
    let json =
        countersign(["trace", "replay", &path, "--bundle", &bundle, "--json"]).expect(3, "\"same-bundle\": false");
    assert!(json.out().contains("\"entry\": \"risk\""));
    Ok(())
}

/// The default bundle and the other risk policy beside its own.
fn with_another(folder: &Path, mode: &str) -> std::io::Result<String> {
    let bundle = folder.join(mode);
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    copy_folder(&root().join("tests/policies/built"), &bundle)?;
    let path = bundle.join("bundle.toml");
    let text = std::fs::read_to_string(&path)?;
    let entry = format!("\n[[policy]]\nname = \"risk-next\"\ncomponent = \"cautious-risk.wasm\"\nmode = \"{mode}\"\n");
    std::fs::write(&path, text + &entry)?;
    let name = bundle.display().to_string();
    countersign(["bundle", "lock", &name]).expect(0, "sha256:");
    Ok(name)
}

#[test]
fn a_replay_tells_what_would_have_been_decided_otherwise() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = trace(folder.path()).display().to_string();
    let replay = |bundle: &str| countersign(["trace", "replay", &path, "--bundle", bundle]);
    // Every entry answers as it did, and another one asks a person.
    let enforced = replay(&with_another(folder.path(), "enforce")?).expect(3, "would be `ask` by risk-next, it was `");
    assert!(
        enforced.out().contains("not there") && !enforced.out().contains("came out the same"),
        "{}",
        enforced.out()
    );
    // One that is only recorded decides nothing, and is told all the same.
    let monitor = with_another(folder.path(), "monitor")?;
    let monitored = replay(&monitor).expect(3, "no verdict of a slot would be another, but slots are served otherwise");
    assert!(monitored.out().contains("risk-next") && monitored.out().contains("monitor, undecided ask"));
    let json = countersign(["trace", "replay", &path, "--bundle", &monitor, "--json"]).expect(3, "\"served\"");
    let json: serde_json::Value = serde_json::from_str(&json.out())?;
    assert_eq!((&json[0]["served"][0]["entry"], &json[0]["decided"]), (&"risk-next".into(), &serde_json::Value::Null));
    // One in shadow is no part of any run.
    replay(&with_another(folder.path(), "shadow")?).expect(0, "by another bundle came out the same");
    // The same policy whose verdicts no longer count.
    let silent = folder.path().join("shadow");
    let text = std::fs::read_to_string(silent.join("bundle.toml"))?;
    let text = text.replacen("component = \"risk.wasm\"", "component = \"risk.wasm\"\nmode = \"monitor\"", 1);
    std::fs::write(silent.join("bundle.toml"), text)?;
    let silent = silent.display().to_string();
    countersign(["bundle", "lock", &silent]).expect(0, "sha256:");
    replay(&silent).expect(3, "the verdict of the slot risk would be `proceed`, it was `");
    Ok(())
}

#[test]
fn a_mode_that_the_task_set_is_no_difference_of_the_bundle() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("monitored.jsonl").display().to_string();
    let scenario = "tests/scenarios/behaviours/e4-monitor-slot.toml";
    countersign(["run", scenario, "-q", "--trace", &path]).expect(0, "SUCCESS");
    let replay = |bundle: &str| countersign(["trace", "replay", &path, "--bundle", bundle]);
    replay(&with_another(folder.path(), "shadow")?).expect(0, "by another bundle came out the same");
    // The task has the slot's verdicts recorded only, those of an entry that is to be enforced too.
    let enforced = replay(&with_another(folder.path(), "enforce")?).expect(3, "no verdict of a slot would be another");
    assert!(enforced.out().contains("monitor, undecided ask"), "{}", enforced.out());
    Ok(())
}

#[test]
fn a_replay_takes_a_run_of_a_store_and_says_which_lock_judged_it() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = Kept::new(folder.path());
    let scenario = "tests/scenarios/loop-and-recover.toml";
    countersign(["run", scenario, "-q", "--store", &kept.path()]).expect(0, "ended SUCCESS");
    let [run] = &kept.ids()[..] else { panic!("{:?}", kept.ids()) };
    kept.trace("replay", &run[..6]).expect(0, "came out the same");
    kept.trace("replay", "nothing").expect(2, "`nothing` is no file");
    let bundle = swapped(folder.path())?;
    let path = folder.path().join("swapped.jsonl").display().to_string();
    countersign(["run", scenario, "-q", "--bundle", &bundle, "--trace", &path]).expect(3, "suspended CONFIRM_REQUIRED");
    countersign(["trace", "replay", &path]).expect(3, "judged by lock sha256:").expect(3, "with --bundle");
    countersign(["trace", "replay", &path, "--bundle", &bundle]).expect(0, "by the bundle that judged it");
    Ok(())
}

#[test]
fn the_lock_is_complete_and_any_change_of_it_changes_its_digest() -> std::io::Result<()> {
    let text = std::fs::read_to_string(root().join("plugins/bundle/bundle.lock"))?;
    let lock: toml::Table = toml::from_str(&text).map_err(std::io::Error::other)?;
    let digest = Lock::digest_of(&text);
    let mut flipped = 0;
    flip(&toml::Value::Table(lock.clone()), &mut |other| {
        let other = toml::to_string(other).unwrap_or_default();
        assert_ne!(Lock::digest_of(&other), digest);
        flipped += 1;
    });
    assert!(flipped > 40, "{flipped} keys");
    // No key has a default: each is missed when it is not there.
    let mut dropped = 0;
    drop_each(&toml::Value::Table(lock), &mut |other| {
        let other = toml::to_string(other).unwrap_or_default();
        let error = Lock::parse("bundle.lock", &other).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("missing field"), "{error}\n{other}");
        dropped += 1;
    });
    assert!(dropped > 40, "{dropped} keys");
    countersign(["bundle", "lock", "plugins/bundle", "--check"]).expect(0, "up to date");
    Ok(())
}

/// Every table with one of its values changed.
fn flip(value: &toml::Value, each: &mut dyn FnMut(&toml::Value)) {
    match value {
        toml::Value::Table(table) => {
            for key in table.keys() {
                flip(&table[key], &mut |other| {
                    let mut table = table.clone();
                    table.insert(key.clone(), other.clone());
                    each(&toml::Value::Table(table));
                });
            }
        }
        toml::Value::Array(items) if items.is_empty() => each(&toml::Value::Array(vec!["x".into()])),
        toml::Value::Array(items) => {
            for index in 0..items.len() {
                flip(&items[index], &mut |other| {
                    let mut items = items.clone();
                    items[index] = other.clone();
                    each(&toml::Value::Array(items));
                });
            }
        }
        toml::Value::String(text) => each(&toml::Value::String(format!("{text}x"))),
        toml::Value::Integer(number) => each(&toml::Value::Integer(number + 1)),
        other => each(&toml::Value::String(format!("{other}x"))),
    }
}

/// Every table with one of its keys left out.
fn drop_each(value: &toml::Value, each: &mut dyn FnMut(&toml::Value)) {
    match value {
        toml::Value::Table(table) => {
            for key in table.keys() {
                let mut without = table.clone();
                without.remove(key);
                each(&toml::Value::Table(without));
                drop_each(&table[key], &mut |other| {
                    let mut table = table.clone();
                    table.insert(key.clone(), other.clone());
                    each(&toml::Value::Table(table));
                });
            }
        }
        toml::Value::Array(items) => {
            for index in 0..items.len() {
                drop_each(&items[index], &mut |other| {
                    let mut items = items.clone();
                    items[index] = other.clone();
                    each(&toml::Value::Array(items));
                });
            }
        }
        _ => {}
    }
}
