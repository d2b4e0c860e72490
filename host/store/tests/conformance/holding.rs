use std::time::{Duration, Instant};

use countersign_store::sqlite::{SqliteOptions, SqliteStore};
use countersign_store::{AppendError, Durability, Holder, OpenError, RunStore};

use crate::stores::{begin, each, file, gone, here, line, new, running};

#[test]
fn a_run_that_is_held_is_not_taken_until_it_is_given_back() {
    each(|kind| {
        let store = (kind.open)();
        let other = (kind.open)();
        let mut log = begin(&store, "r");
        let error = other.open("r", &here(), Durability::Written).unwrap_err();
        assert!(matches!(&error, OpenError::Held { by, .. } if *by == here()), "{error}");
        assert_eq!(other.find("r").unwrap().held, Some(here()));
        log.release().unwrap();
        assert_eq!(other.find("r").unwrap().held, None);
        drop(other.open("r", &here(), Durability::Written).unwrap());
        // Dropping gives back too, in a moment.
        let since = Instant::now();
        while let Err(error) = store.open("r", &here(), Durability::Written) {
            assert!(matches!(error, OpenError::Held { .. }) && since.elapsed() < Duration::from_secs(5), "{error}");
        }
        assert!(matches!(store.open("s", &here(), Durability::Written), Err(OpenError::NotFound { .. })));
    });
}

#[test]
fn a_holder_whose_process_has_ended_holds_nothing() {
    each(|kind| {
        let store = (kind.open)();
        let lost = store.begin(new("r"), &gone(), Durability::Written).unwrap();
        assert_eq!(store.find("r").unwrap().held, None);
        let log = (kind.open)().open("r", &here(), Durability::Written).unwrap();
        assert!(log.fence() > lost.fence());
    });
}

/// A machine that nobody here can look at.
fn elsewhere() -> Holder {
    Holder { machine: Some("another machine".into()), ..here() }
}

#[test]
fn a_lease_is_renewed_as_long_as_the_log_is_there() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough that no machine is too busy to renew it in time: how long it still runs is looked up, not waited for.
    let options = SqliteOptions { lease: Duration::from_secs(6), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(&file(&folder), options).unwrap();
    let mut log = store.begin(new("r"), &elsewhere(), Durability::Written).unwrap();
    let database = rusqlite::Connection::open(file(&folder)).unwrap();
    let until = || database.query_row("SELECT until FROM run", [], |row| row.get::<_, i64>(0)).unwrap();
    let (first, since) = (until(), Instant::now());
    while until() == first {
        assert!(since.elapsed() < Duration::from_secs(60), "it is never renewed");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(until() > first);
    let held = SqliteStore::open(&file(&folder)).unwrap().open("r", &here(), Durability::Written);
    assert!(matches!(held, Err(OpenError::Held { .. })));
    log.append(1, &line(1), running(1)).unwrap();
    log.flush().unwrap();
    // Whoever gives it back renews it no more.
    drop(log);
    drop(store);
    let last = until();
    assert_eq!(last, 0, "it is given back");
}

#[test]
fn whoever_was_stopped_for_longer_than_its_lease_is_fenced() {
    let folder = tempfile::tempdir().unwrap();
    let short = SqliteOptions { lease: Duration::ZERO, ..SqliteOptions::default() };
    let store = SqliteStore::open_with(&file(&folder), short).unwrap();
    let mut log = store.begin(new("r"), &elsewhere(), Durability::Synced).unwrap();
    let mut taken = SqliteStore::open(&file(&folder)).unwrap().open("r", &here(), Durability::Synced).unwrap();
    let error = log.append(1, &line(1), running(1)).unwrap_err();
    assert!(matches!(error, AppendError::Fenced { .. }), "{error}");
    taken.append(1, &line(1), running(1)).unwrap();
}
