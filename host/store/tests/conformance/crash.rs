//! A process that is lost while it appends: another one of this machine takes its runs at once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_store::sqlite::SqliteStore;
use countersign_store::{Durability, OpenError, RunStore};

use crate::stores::{file, here, line, lines, new, running};

const FILE: &str = "COUNTERSIGN_TEST_STORE";

fn child(test: &str, file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"]).env(FILE, file);
    command
}

#[test]
#[ignore = "the process that is lost"]
fn appends_until_it_is_killed() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let store = SqliteStore::open(Path::new(&file)).unwrap();
    let mut log = store.begin(new("r"), &here(), Durability::Synced).unwrap();
    for frame in 1.. {
        log.append(frame, &line(frame), running(frame)).unwrap();
        println!("acknowledged {frame}");
    }
}

#[test]
fn what_was_acknowledged_is_there_when_another_process_takes_the_run_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let mut process = child("crash::appends_until_it_is_killed", &file).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let mut acknowledged = 0;
    for line in output.lines() {
        let line = line.unwrap();
        if let Some((_, frame)) = line.split_once("acknowledged ") {
            acknowledged = frame.parse::<u64>().unwrap();
        }
        if acknowledged == 50 {
            let store = SqliteStore::open(&file).unwrap();
            let held = store.open("r", &here(), Durability::Synced).unwrap_err();
            assert!(matches!(held, OpenError::Held { .. }), "it still writes: {held}");
            process.kill().unwrap();
        }
    }
    process.wait().unwrap();
    assert!(acknowledged >= 50);
    let store = SqliteStore::open(&file).unwrap();
    let mut log = store.open("r", &here(), Durability::Synced).unwrap();
    let next = log.next();
    assert!(next > acknowledged, "{acknowledged} was acknowledged, {next} is next");
    assert!(next <= acknowledged + 2, "at most one was written and not acknowledged");
    log.append(next, &line(next), running(next)).unwrap();
    let expected: Vec<String> = (1..=next).map(|frame| format!("frame {frame}")).collect();
    assert_eq!(lines(&*log, 1), expected);
}

#[test]
#[ignore = "one of the two processes"]
fn writes_runs_of_its_own() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let store = SqliteStore::open(Path::new(&file)).unwrap();
    for run in 0..5 {
        let id = format!("{}-{run}", std::process::id());
        let mut log = store.begin(new(&id), &here(), Durability::Synced).unwrap();
        for frame in 1..=20 {
            log.append(frame, &line(frame), running(frame)).unwrap();
        }
        log.release().unwrap();
    }
}

#[test]
fn two_processes_write_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    let since = Instant::now();
    let start = || child("crash::writes_runs_of_its_own", &file).stdout(Stdio::null()).spawn().unwrap();
    let mut processes = [start(), start()];
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    assert!(since.elapsed() < Duration::from_secs(60));
    let store = SqliteStore::open(&file).unwrap();
    let rows = store.list(&Default::default()).unwrap();
    assert_eq!(rows.len(), 10);
    for row in rows {
        assert_eq!((row.frames, row.held), (21, None));
        assert_eq!(lines(&*store.read(&row.id).unwrap(), 1).len(), 20);
    }
}
