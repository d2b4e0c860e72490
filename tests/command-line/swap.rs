//! Swapping one component for another version, without rebuilding the host.

use std::path::Path;

use countersign::bundle::Lock;
use countersign_tests::{copy_folder, root};

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
