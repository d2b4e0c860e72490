//! What only a file can be: full, read-only, newer, none of ours.

use std::fs;

use countersign_store::sqlite::{SqliteOptions, SqliteStore};
use countersign_store::{
    AppendError, BeginError, Durability, Entry, Offer, RegisterError, RegisterName, RunQuery, RunStore, StorageError,
};

use crate::stores::{file, here, line, lines, new, running};

#[test]
fn on_a_full_disk_a_run_is_told_and_what_it_has_stays() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { most_bytes: Some(400 << 10), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(&file(&folder), options).unwrap();
    let mut synced = store.begin(new("synced"), &here(), Durability::Synced).unwrap();
    let mut written = store.begin(new("written"), &here(), Durability::Written).unwrap();
    let large = vec![b'x'; 10 << 10];
    let mut frame = 0;
    let full = loop {
        frame += 1;
        assert!(frame < 100, "it never fills up");
        if let Err(error) = synced.append(frame, &large, running(frame)) {
            break error;
        }
    };
    assert!(matches!(&full, AppendError::Store(StorageError::Full { .. })), "{full}");
    assert!(full.to_string().contains("no space is left"), "{full}");
    assert!(matches!(synced.append(frame + 1, b"x", running(1)), Err(AppendError::Failed { .. })));
    // Whoever does not wait is told at the next opportunity, and only of its own frames.
    let told = written.append(1, &large, running(1)).and_then(|()| written.flush()).unwrap_err();
    assert!(matches!(&told, AppendError::Store(StorageError::Full { .. })), "{told}");
    let begun = store.begin(new("more"), &here(), Durability::Synced).map(|_| ());
    if let Err(error) = begun {
        assert!(matches!(&error, BeginError::Store(StorageError::Full { .. })), "{error}");
    }
    drop((synced, written, store));
    let store = SqliteStore::open(&file(&folder)).unwrap();
    assert_eq!(lines(&*store.read("synced").unwrap(), 1).len() as u64, frame - 1);
    let mut log = store.open("synced", &here(), Durability::Synced).unwrap();
    log.append(frame, &large, running(frame)).unwrap();
}

#[test]
fn a_file_that_is_marked_read_only_is_read_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let mut log = store.begin(new("r"), &here(), Durability::Synced).unwrap();
    log.append(1, &line(1), running(1)).unwrap();
    log.release().unwrap();
    drop((log, store));
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let bytes = fs::read(&path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(lines(&*store.read("r").unwrap(), 0), ["manifest", "frame 1"]);
    assert_eq!(store.list(&RunQuery::default()).unwrap().len(), 1);
    let read_only = |error: &StorageError| matches!(error, StorageError::ReadOnly { .. });
    let begun = store.begin(new("s"), &here(), Durability::Synced);
    assert!(matches!(begun, Err(BeginError::Store(error)) if read_only(&error)));
    assert!(store.open("r", &here(), Durability::Synced).is_err());
    let entry = Entry { version: 1, id: "a".into(), by: "ada".into(), at: 1, wants: Offer::Cancel };
    assert!(store.offer("r", &entry).unwrap_err().to_string().contains("cannot be written"));
    let name = RegisterName::new("a").unwrap();
    let set = store.compare_and_set(&name, None, b"x");
    assert!(matches!(set, Err(RegisterError::Store(error)) if read_only(&error)));
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_newer_schema_and_what_is_no_store_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    drop(SqliteStore::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    for opened in [SqliteStore::open(&path), SqliteStore::read_only(&path)] {
        let error = opened.unwrap_err();
        assert!(matches!(&error, StorageError::NewerSchema { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("use the release that wrote it"), "{error}");
    }
    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "no database at all, and long enough to be looked at".repeat(100)).unwrap();
    let (empty, bare) = (folder.path().join("empty"), folder.path().join("bare.db"));
    fs::write(&empty, "").unwrap();
    // What another program makes of an empty database, and what a store's first version never was.
    rusqlite::Connection::open(&bare).unwrap().execute_batch("PRAGMA user_version = 1; VACUUM").unwrap();
    let zero = folder.path().join("zero.db");
    drop(SqliteStore::open(&zero).unwrap());
    rusqlite::Connection::open(&zero).unwrap().execute_batch("PRAGMA user_version = 0").unwrap();
    for (path, expected) in [
        (other, "another program"),
        (text, "not a database"),
        (empty, "it is empty"),
        (bare, "another program"),
        (zero, "no schema version"),
    ] {
        let before = fs::read(&path).unwrap();
        for opened in [SqliteStore::open(&path), SqliteStore::read_only(&path)] {
            let error = opened.unwrap_err();
            assert!(matches!(&error, StorageError::NoStore { .. }), "{error}");
            assert!(error.to_string().contains("is no store of Countersign"), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), before, "it is not touched");
    }
    assert!(SqliteStore::read_only(&folder.path().join("nothing")).is_err());
    assert!(!folder.path().join("nothing").exists());
}

#[test]
fn an_entry_that_a_newer_release_offered_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&file(&folder)).unwrap();
    drop(store.begin(new("r"), &here(), Durability::Synced).unwrap());
    let entry = |id: &str, version| Entry { version, id: id.into(), by: "ada".into(), at: 1, wants: Offer::Cancel };
    store.offer("r", &entry("new", 2)).unwrap();
    store.offer("r", &entry("old", 1)).unwrap();
    assert_eq!(store.waiting("r").unwrap().len(), 1);
    let rejects = store.rejects("r").unwrap();
    assert_eq!(rejects.len(), 1);
    assert_eq!((&*rejects[0].id, &*rejects[0].problem), ("new", "expected version 1, found 2"));
}

#[test]
fn a_store_has_its_name_once_it_is_whole_whoever_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| SqliteStore::open(&path))).collect();
        // Whoever looks meanwhile finds no file, or all of it.
        while !path.exists() {}
        drop(SqliteStore::read_only(&path).unwrap());
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    for (number, store) in made.iter().enumerate() {
        drop(store.begin(new(&format!("r{number}")), &here(), Durability::Synced).unwrap());
    }
    assert_eq!(made[0].list(&RunQuery::default()).unwrap().len(), 8);
    drop(made);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_store_that_it_names() {
    let (folder, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, link) = (file(&folder), links.path().join("link.db"));
    drop(SqliteStore::open(&path).unwrap());
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let store = SqliteStore::open(&link).unwrap();
    let mut log = store.begin(new("r"), &here(), Durability::Synced).unwrap();
    log.append(1, &line(1), running(1)).unwrap();
    // What lies beside the store itself is looked at.
    fs::File::options().write(true).open(format!("{}-wal", path.display())).unwrap().set_len(100).unwrap();
    let error = log.append(2, &line(2), running(2)).unwrap_err();
    assert!(error.to_string().contains("was cut while it was in use"), "{error}");
}

#[test]
fn a_log_that_begins_anew_is_not_taken_for_one_that_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let (store, other) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    let mut log = store.begin(new("r"), &here(), Durability::Synced).unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    for frame in 1..=30 {
        log.append(frame, &line(frame), running(frame)).unwrap();
        if frame % 3 == 0 {
            // Another process clears the log away, and writes to it.
            database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        if frame % 2 == 0 {
            drop(other.begin(new(&format!("s{frame}")), &here(), Durability::Synced).unwrap());
        }
    }
    assert_eq!(lines(&*log, 1).len(), 30);
}

#[cfg(unix)]
#[test]
fn what_is_made_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/for/runs.db");
    let store = SqliteStore::open(&path).unwrap();
    drop(store.begin(new("r"), &here(), Durability::Synced).unwrap());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("made")), 0o700);
    let inside: Vec<_> =
        fs::read_dir(folder.path().join("made/for")).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(inside.len() >= 2, "the file and its write-ahead log: {inside:?}");
    for file in inside {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn what_was_erased_is_in_none_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&file(&folder)).unwrap();
    let mut log = store.begin(new("r"), &here(), Durability::Synced).unwrap();
    store.put_payload("r", "a", b"a very secret payload").unwrap();
    let ended = countersign_kernel::Status::Ended(countersign_kernel::Code::Success);
    log.append(1, b"x", countersign_store::FrameMark { at: 1, status: ended }).unwrap();
    log.release().unwrap();
    let found = || {
        fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(21).any(|window| window == b"a very secret payload")
        })
    };
    assert!(found(), "else this test could not fail");
    store.erase("r").unwrap();
    assert!(!found());
}
