//! Each default policy's table of cases, run natively and against the component: the expectation
//! holds, and both answer alike.

mod draft;

use countersign_tests::cases::{Beside, Table, failures};
use countersign_tests::root;
use countersign_tests::subject::{Subject, host};

#[test]
fn every_default_policy_answers_as_its_table_says() -> anyhow::Result<()> {
    let mut all = Vec::new();
    for subject in Subject::all(&host()?) {
        let table = Table::load(subject.name())?;
        assert!(table.case.len() >= 8, "{} has a table worth the name", subject.name());
        let found = failures(&subject, &table, Beside::Native)?;
        all.extend(found.into_iter().map(|failure| format!("{}: {failure}", subject.name())));
    }
    assert!(all.is_empty(), "{} calls:\n{}", all.len(), all.join("\n"));
    Ok(())
}

#[test]
fn every_table_is_a_policy_s_of_the_default_bundle() -> anyhow::Result<()> {
    let host = host()?;
    for folder in std::fs::read_dir(root().join("plugins"))? {
        let folder = folder?;
        if folder.path().join("cases.toml").exists() {
            Subject::named(&host, &folder.file_name().to_string_lossy())?;
        }
    }
    Ok(())
}
