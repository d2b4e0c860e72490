//! Each promise of `SECURITY.md` names a test, and there is one of that name.

use std::path::Path;

use anyhow::{Context, Result};
use countersign_tests::root;

fn sources(folder: &Path, all: &mut String) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, all)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[test]
fn each_promise_has_its_test() -> Result<()> {
    let text = std::fs::read_to_string(root().join("SECURITY.md"))?;
    let promised = text.split("## What is promised").nth(1).and_then(|rest| rest.split("\n## ").next());
    let promised = promised.context("`SECURITY.md` has no section of promises")?;
    let mut all = String::new();
    sources(&root().join("tests"), &mut all)?;
    sources(&root().join("host"), &mut all)?;
    let rows: Vec<&str> =
        promised.lines().filter(|line| line.starts_with("| ") && !line.contains("| test |")).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        let tests: Vec<&str> = row.split('`').filter(|part| part.contains("::") && !part.contains(' ')).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let name = test.rsplit("::").next().unwrap_or_default();
            assert!(all.contains(&format!("fn {name}(")), "`SECURITY.md` names `{test}`, which is no test");
        }
    }
    Ok(())
}
