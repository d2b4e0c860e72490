//! Who may read what the command writes: its owner, whatever the umask says.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use countersign_tests::root;

use super::{compiled, done};

#[test]
fn whatever_a_run_writes_is_its_owners_alone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let below = |name: &str| folder.path().join(name).display().to_string();
    let scenario = "tests/scenarios/irreversible-at-low-confidence.toml";
    let (store, trace) = (below("new/runs.db"), below("trace.jsonl"));
    // What most machines let others do; the one that tests may let them less.
    let script = format!("umask 022; \"$0\" run {scenario} --store '{store}'; \"$0\" run {scenario} --trace '{trace}'");
    let mut command = std::process::Command::new("/bin/sh");
    command.current_dir(root()).env("COUNTERSIGN_CACHE", compiled());
    done(command.args(["-c", &script, env!("CARGO_BIN_EXE_countersign")]));
    let mut files = 0;
    let mut open = vec![folder.path().to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path)? {
            let path = entry?.path();
            let about = std::fs::symlink_metadata(&path)?;
            let mode = about.permissions().mode() & 0o777;
            // Inside of a folder that is its owner's alone, a file may be as its tool has made it.
            if about.is_dir() {
                assert_eq!(mode, 0o700, "{}", path.display());
            } else {
                files += 1;
                assert_eq!(mode, 0o600, "{}", path.display());
                continue;
            }
            if !path.ends_with("workspaces") {
                open.push(path);
            }
        }
    }
    assert!(files >= 2, "{files} files");
    Ok(())
}
