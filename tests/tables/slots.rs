//! What a slot costs to add: the hand-written files that name it.
//!
//! A slot has one row in the `slots!` table of `host/contract`; whoever wants a list of slots makes it from
//! there. So a slot is named where it is defined (its WIT, its records, its row), where its answer is used (the
//! loop, and whatever shows or exports what is particular to it), and in one file each of the SDK and of what
//! the tests know of it.
//!
//! Counted are the Rust and WIT files of `wit`, `host`, `sdk`, `plugins` and `tests/src`, without their tests,
//! examples and comments: a test says what one slot does, and another slot changes nothing in it. The crate of
//! the policy that fills it counts once, however many files it has. A name is the slot's own where it is a case
//! of `Slot`, `Question` or `Answered`, a module of the contract or the SDK, a row or module of a table, an
//! interface or world, or a text that is nothing but the name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use countersign::kernel::Slot;
use countersign_tests::root;

/// Files that may name a slot.
const MOST: usize = 12;
/// So many names in quotes are a list of slots; fewer may be the keys of some JSON.
const LIST: usize = 3;

#[test]
fn no_slot_is_named_in_more_than_twelve_files() -> Result<()> {
    let mut named: BTreeMap<Slot, BTreeSet<String>> = BTreeMap::new();
    for path in sources()? {
        let text = without_tests_and_comments(&std::fs::read_to_string(root().join(&path))?);
        for slot in Slot::ALL {
            let own = path.file_stem().is_some_and(|stem| stem == &*slot.name().replace('-', "_"));
            if (own && path.starts_with("host/contract")) || Names::of(slot).stand_in(&text) {
                named.entry(slot).or_default().insert(counted_as(&path));
            }
        }
    }
    let mut too_many = Vec::new();
    for slot in Slot::ALL {
        let files = named.remove(&slot).unwrap_or_default();
        println!("{slot}: {}", files.len());
        files.iter().for_each(|file| println!("    {file}"));
        assert!(files.contains("host/contract/src/slots/mod.rs"), "{slot} has no row");
        if files.len() > MOST {
            too_many.push(format!("`{slot}` is named in {} files, at most {MOST} may: {files:?}", files.len()));
        }
    }
    assert!(too_many.is_empty(), "{}", too_many.join("\n"));
    Ok(())
}

#[test]
fn a_name_is_told_from_a_word() {
    let names = Names::of(Slot::DoomLoop);
    for named in [
        "Slot::DoomLoop,",
        "Some(Question::DoomLoop(step))",
        "use crate::contract::doom_loop::Failure;",
        "use countersign_sdk::{Policy, doom_loop};",
        "use countersign_kernel::contract::{\n    Key, Verdict, confidence, doom_loop, threshold,\n};",
        "{ DoomLoop doom_loop \"doom-loop\": observe",
        "pub mod doom_loop;\ncontract::slots!(by_slot);",
        "value = [\"classifier\", \"doom-loop\", \"risk\"]",
        "interface doom-loop {",
        "world doom-loop-slot {",
        "policy!(Breaker: risk, doom_loop);",
    ] {
        assert!(names.stand_in(&without_tests_and_comments(named)), "{named}");
    }
    for word in [
        "// Slot::DoomLoop",
        "/// the slot `doom-loop`",
        "let doom_loop = 1;",
        "\"the doom-loop slot\"",
        "let key = \"doom-loop\";",
        "pub mod doom_loop;",
        "use crate::doom_loop::Other;",
        "fn a() {}\n#[cfg(test)]\nmod tests {\n    use super::Slot::DoomLoop;\n}",
    ] {
        assert!(!names.stand_in(&without_tests_and_comments(word)), "{word}");
    }
}

/// How a slot is named.
struct Names {
    kebab: String,
    snake: String,
    camel: String,
}

impl Names {
    fn of(slot: Slot) -> Self {
        let kebab = slot.name().to_owned();
        Names { snake: kebab.replace('-', "_"), camel: format!("{slot:?}"), kebab }
    }

    fn stand_in(&self, text: &str) -> bool {
        let Names { kebab, snake, camel } = self;
        let cases = ["Slot::", "Question::", "Answered::"];
        cases.iter().any(|of| holds(text, &format!("{of}{camel}")))
            || (text.contains("contract::slots!(") || text.contains("macro_rules! slots {"))
                && holds(text, &format!("pub mod {snake};"))
            || holds(text, &format!("{camel} {snake}"))
            || holds(text, &format!("{snake} in \"{kebab}-slot\""))
            || holds(text, &format!("interface {kebab} "))
            || holds(text, &format!("world {kebab}-slot "))
            || (text.contains(&quoted(kebab))
                && Slot::ALL.iter().filter(|slot| text.contains(&quoted(slot.name()))).count() >= LIST)
            || ["contract::", "countersign_sdk::", "slots::"].iter().any(|path| imports(text, path, snake))
            || text.split("policy!(").skip(1).any(|made| made.split(')').next().is_some_and(|made| holds(made, snake)))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Whether a text has these words, and not within longer ones.
fn holds(text: &str, words: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let joined = |c: char| part(c) || c == '-';
    text.match_indices(words).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        !before.is_some_and(joined) && !(words.ends_with(part) && after.is_some_and(part))
    })
}

/// Whether a module is named behind a path, by itself or in braces.
fn imports(text: &str, path: &str, module: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let behind = &text[at + path.len()..];
        match behind.strip_prefix('{') {
            Some(braces) => braces.split('}').next().is_some_and(|named| holds(named, module)),
            None => behind
                .strip_prefix(module)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')),
        }
    })
}

/// A text without its own tests, its comments and what stands behind them in a line.
fn without_tests_and_comments(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A policy's crate is one thing.
fn counted_as(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', "/");
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["plugins", policy, ..] => format!("plugins/{policy}"),
        _ => path,
    }
}

/// The hand-written sources, from the root.
fn sources() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["wit", "host", "sdk", "plugins", "tests/src"] {
        walk(Path::new(folder), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(root().join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !["tests", "examples", "target"].contains(&&*name) {
                walk(&path, found)?;
            }
        } else if name != "tests.rs" && (name.ends_with(".rs") || name.ends_with(".wit")) {
            found.push(path);
        }
    }
    Ok(())
}
