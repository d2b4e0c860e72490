//! Places that cannot be written, as a system has them: a mount that is read-only, whoever asks, and a disk that fills
//! up under a call. They are made of mounts that no other process sees; a machine that lets nobody make any says so.

use std::path::Path;
use std::process::Command;

use super::kept::Kept;
use super::{compiled, countersign, done};

/// Words of a shell that may mount what nobody else sees; none where that is not possible here.
pub fn with_mounts(words: &str) -> Option<Command> {
    let shell = |words: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-ec", words]).env("COUNTERSIGN_CACHE", compiled());
        command
    };
    let probe = shell("mount -t tmpfs -o size=64k none /mnt").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: this machine lets nobody make mounts of one's own");
        return None;
    }
    Some(shell(words))
}

/// A store with one run.
fn stored(folder: &Path) -> (Kept, String) {
    let kept = Kept::new(folder);
    countersign(["run", "tests/scenarios/loop-and-recover.toml", "-q", "--store", &kept.path()]).expect(0, "ended");
    let id = kept.ids().remove(0);
    (kept, id)
}

#[test]
fn a_store_on_a_read_only_mount_is_read_and_never_written() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (kept, id) = stored(folder.path());
    let host = env!("CARGO_BIN_EXE_countersign");
    let (place, store) = (folder.path().display().to_string(), kept.path());
    let mount = format!("mount --bind {place} {place}; mount -o remount,ro,bind {place}");
    for (command, code, expected) in [
        (format!("runs list --store {store}"), 0, "ended SUCCESS"),
        (format!("runs show {id} --store {store}"), 0, "ended SUCCESS"),
        (format!("trace verify {id} --store {store}"), 0, "complete"),
        (format!("trace export {id} /tmp/{id}.jsonl --store {store} && rm /tmp/{id}.jsonl"), 0, "written"),
        (format!("agents pause agent --reason x --store {store}"), 2, "cannot be written; check who owns it"),
    ] {
        let Some(mut run) = with_mounts(&format!("{mount}; {host} {command}")) else { return Ok(()) };
        done(&mut run).expect(code, expected);
    }
    Ok(())
}

#[test]
fn what_a_lost_writer_left_on_a_read_only_mount_is_said() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (kept, id) = stored(folder.path());
    // A copy made while the store was open: its log is there, and the index of it is not.
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy)?;
    let open = kept.open().map_err(std::io::Error::other)?;
    countersign(["agents", "pause", "agent", "--reason", "x", "--store", &kept.path()]).expect(0, "x");
    for end in ["", "-wal"] {
        std::fs::copy(format!("{}{end}", kept.path()), copy.join(format!("runs.db{end}")))?;
    }
    drop(open);
    let (host, place) = (env!("CARGO_BIN_EXE_countersign"), copy.display().to_string());
    let list = format!("{host} trace verify {id} --store {place}/runs.db");
    let mount = format!("mount --bind {place} {place}; mount -o remount,ro,bind {place}");
    let Some(mut run) = with_mounts(&format!("{mount}; {list}")) else { return Ok(()) };
    done(&mut run).expect(2, "copy both files to a folder that can be written");
    // Where it can be written it is whole.
    countersign(["trace", "verify", &id, "--store", &format!("{place}/runs.db")]).expect(0, "complete");
    Ok(())
}

/// The pool of instances asks for 275 GB of addresses; a machine that has a limit on them judges without it, and the
/// same.
#[cfg(target_os = "linux")]
#[test]
fn where_addresses_are_few_runs_are_judged_all_the_same() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("t.jsonl").display().to_string();
    let run = format!(
        "exec '{}' run tests/scenarios/loop-and-recover.toml -q --trace '{trace}'",
        env!("CARGO_BIN_EXE_countersign")
    );
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v 8000000 && {run}")])
        .current_dir(countersign_tests::root())
        .env("COUNTERSIGN_CACHE", compiled())
        .output()?;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // An engine with a pool gives the very same answers for the very same fuel.
    countersign(["trace", "replay", &trace]).expect(0, "");
    Ok(())
}
