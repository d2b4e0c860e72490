//! What the shape of the code promises: one place that opens and closes frames, stores that know no paths, crates that
//! depend on each other one way.

use std::path::{Path, PathBuf};

use anyhow::Result;
use countersign_tests::root;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Lines of the host outside of its kernel that call a method of `Run`, where a `Run` is what it is called on.
fn callers(method: &str) -> Vec<String> {
    let mut files = Vec::new();
    sources(&root().join("host"), &mut files);
    let kernel = root().join("host/kernel");
    // A crate's own tests and examples drive a run as they like.
    let source = |path: &Path| path.strip_prefix(root()).is_ok_and(|name| name.iter().any(|part| part == "src"));
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !path.starts_with(&kernel) && source(path)) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
        let called = format!("run.{method}(");
        found.extend(text.lines().filter(|line| line.contains(&called)).map(|line| format!("{name}: {}", line.trim())));
    }
    found
}

#[test]
fn one_function_opens_and_closes_frames() {
    for method in ["accept", "close", "answer"] {
        let callers = callers(method);
        let own = |line: &&String| {
            line.starts_with("host/runtime/src/session/mod.rs: ")
                || line.starts_with("host/runtime/src/host.rs: run.answer(")
        };
        assert!(!callers.is_empty() && callers.iter().all(|line| own(&line)), "Run::{method}: {callers:#?}");
    }
    assert_eq!(callers("close").len(), 1, "{:#?}", callers("close"));
}

/// The host's crates, lowest first: each depends on crates of lower rows alone.
const LAYERS: [&[&str]; 10] = [
    &["contract", "schema"],
    &["spec"],
    &["kernel"],
    &["engine", "tools", "store"],
    &["models", "mcp", "bundle"],
    &["operate"],
    &["runtime"],
    &["audit"],
    &["gateway", "scenario"],
    &["cli"],
];

#[test]
fn crates_depend_on_each_other_one_way() -> Result<()> {
    let layer = |folder: &str| LAYERS.iter().position(|row| row.contains(&folder));
    let mut problems = Vec::new();
    for folder in std::fs::read_dir(root().join("host"))? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(own) = layer(&name) else {
            problems.push(format!("`{name}` is in no row of LAYERS"));
            continue;
        };
        for other in depends_on(&folder.join("Cargo.toml"))? {
            if layer(&other).is_some_and(|other| other >= own) {
                problems.push(format!("`{name}` depends on `{other}`, which is not below it"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let rows: Vec<String> = LAYERS.iter().rev().map(|row| row.join(", ")).collect();
    let line = format!("Dependencies point one way: {}.", rows.join(" → "));
    let readme = std::fs::read_to_string(root().join("host/README.md"))?;
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&line), "host/README.md does not say: {line}");
    Ok(())
}

/// The folders of the host's crates that a manifest names, but for its tests.
fn depends_on(manifest: &Path) -> Result<Vec<String>> {
    let manifest: toml::Table = std::fs::read_to_string(manifest)?.parse()?;
    let table = |table: &toml::Table| table.get("dependencies").and_then(toml::Value::as_table).cloned();
    let targets = manifest.get("target").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let all = table(&manifest).into_iter().chain(targets.values().filter_map(toml::Value::as_table).filter_map(table));
    let named: Vec<String> = all.flat_map(|table| table.keys().cloned().collect::<Vec<_>>()).collect();
    let folder = |name: &String| match &**name {
        "countersign" => Some("runtime".to_owned()),
        other => other.strip_prefix("countersign-").map(str::to_owned),
    };
    let host = |folder: &String| root().join("host").join(folder).is_dir();
    Ok(named.iter().filter_map(folder).filter(host).collect())
}

#[test]
fn no_trait_of_the_store_knows_a_path() {
    let mut files = Vec::new();
    sources(&root().join("host/store/src"), &mut files);
    let mut traits = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for body in text.split("\npub trait ").skip(1) {
            let body = body.split("\n}\n").next().unwrap_or_default();
            traits += 1;
            let named = body.lines().find(|line| line.split("//").next().unwrap_or_default().contains("Path"));
            assert_eq!(named, None, "{}", path.display());
        }
    }
    assert!(traits >= 4, "{traits} traits found");
}
