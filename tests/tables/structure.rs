//! What the shape of the code promises: one place that opens and closes frames, stores that know no paths.

use std::path::{Path, PathBuf};

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
