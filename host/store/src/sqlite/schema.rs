//! The file's form, and how an older one becomes today's.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::names::beside;
use super::problem::storage;
use crate::error::StorageError;

/// Says that a SQLite file is a store of ours: `CsRs`.
const APPLICATION: i64 = 0x4373_5273;

/// How long a process waits for another one that is writing, and how often it looks. SQLite's own waiting grows to a
/// tenth of a second a look: beside a process that always writes, that is hardly ever the moment between two commits.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_micros(500);

/// One step a version. A step that was released never changes.
const MIGRATIONS: [&str; 1] = [
    // Frames lie in the order in which they came, whichever run they are of: a commit of many runs then
    // writes few pages, all at the end. The index finds one run's frames among them.
    "
    CREATE TABLE run (
        number    INTEGER PRIMARY KEY,
        id        TEXT NOT NULL UNIQUE,
        tenant    TEXT,
        agent     TEXT NOT NULL,
        principal TEXT,
        started   INTEGER NOT NULL,
        salt      BLOB,
        at        INTEGER NOT NULL,
        frames    INTEGER NOT NULL,
        state     INTEGER NOT NULL,
        code      TEXT,
        fence     INTEGER NOT NULL,
        holder    TEXT,
        until     INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX run_started ON run (started, id);
    CREATE INDEX run_principal ON run (principal, started, id);
    CREATE TABLE frame (
        place INTEGER PRIMARY KEY,
        run   INTEGER NOT NULL,
        frame INTEGER NOT NULL,
        line  BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX frame_of_run ON frame (run, frame);
    CREATE TABLE side (
        place  INTEGER PRIMARY KEY,
        run    INTEGER NOT NULL,
        side   TEXT NOT NULL,
        record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX side_of_run ON side (run, side);
    CREATE TABLE inbox (
        run     INTEGER NOT NULL,
        id      TEXT NOT NULL,
        at      INTEGER NOT NULL,
        entry   TEXT NOT NULL,
        waiting INTEGER NOT NULL,
        frame   INTEGER,
        refused TEXT,
        PRIMARY KEY (run, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE register (
        name    TEXT PRIMARY KEY,
        value   BLOB,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE payload (
        place  INTEGER PRIMARY KEY,
        run    INTEGER NOT NULL,
        digest TEXT NOT NULL,
        bytes  BLOB NOT NULL,
        UNIQUE (run, digest)
    ) STRICT;
    CREATE TABLE synced (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        times INTEGER NOT NULL
    ) STRICT;
    INSERT INTO synced VALUES (1, 0);
    ",
];

/// The version that is written here.
pub(super) const VERSION: u64 = MIGRATIONS.len() as u64;

/// Makes a store of an empty file, and leaves nothing beside it.
pub(super) fn create(file: &str) -> Result<(), StorageError> {
    let mut connection = connect(file, false)?;
    log_ahead(&connection, file)?;
    migrate(&mut connection, file)?;
    // Closing does it too, and says nothing where the disk has no room for it: the file would get its name cut off.
    let failed = |error| storage(file, error);
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    if busy.map_err(failed)? {
        return Err(StorageError::failed(file, "somebody else has it open while it is being made"));
    }
    connection.close().map_err(|(_, error)| failed(error))
}

/// A connection that writes. The file is a store already.
pub(super) fn writing(file: &str, most_pages: Option<u32>) -> Result<Connection, StorageError> {
    let failed = |error| storage(file, error);
    let mut connection = connect(file, false)?;
    check(&connection, file)?;
    log_ahead(&connection, file)?;
    // What is erased is overwritten, not only forgotten.
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 4000;")
        .map_err(failed)?;
    if let Some(most) = most_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).map_err(failed)?;
    }
    migrate(&mut connection, file)?;
    Ok(connection)
}

fn log_ahead(connection: &Connection, file: &str) -> Result<(), StorageError> {
    let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    match mode.map_err(|error| storage(file, error))? {
        mode if mode == "wal" => Ok(()),
        mode => Err(StorageError::failed(file, format!("write-ahead logging is not possible here: {mode}"))),
    }
}

/// A connection that only reads.
pub(super) fn reading(file: &str, read_only: bool) -> Result<Connection, StorageError> {
    let connection = connect(file, read_only)?;
    if read_only {
        check(&connection, file).map_err(|error| if log_is_left(file) { unread(file, error) } else { error })?;
        if version(&connection, file)? != VERSION {
            let problem = "an older release made it, and it cannot be brought up to date where it cannot be written";
            return Err(StorageError::failed(file, problem));
        }
    }
    connection.execute_batch("PRAGMA query_only = ON").map_err(|error| storage(file, error))?;
    Ok(connection)
}

fn connect(file: &str, read_only: bool) -> Result<Connection, StorageError> {
    let failed = |error| storage(file, error);
    let access = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    // Beside a file that nobody may write no process leaves anything, unless one was lost while it still
    // could: without such a rest the file is all there is.
    let immutable = if read_only && !log_is_left(file) { "?immutable=1" } else { "" };
    let escaped = file.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let mut connection = Connection::open_with_flags(format!("file:{escaped}{immutable}"), flags).map_err(failed)?;
    connection.busy_handler(Some(wait)).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;").map_err(failed)?;
    Ok(connection)
}

fn wait(looked: i32) -> bool {
    std::thread::sleep(LOOK);
    LOOK.saturating_mul(looked.unsigned_abs()) < PATIENCE
}

/// Whether a write-ahead log lies beside the file that holds something.
fn log_is_left(file: &str) -> bool {
    std::fs::metadata(beside(Path::new(file), "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Where nothing can be written, SQLite reads no log that a lost process has left without its index.
fn unread(file: &str, error: StorageError) -> StorageError {
    match error {
        StorageError::Failed { source, .. } => {
            let text = format!(
                "`{file}-wal` holds what its last writer had no time to put into it, and cannot be read where nothing can \
                 be written ({source}); copy both files to a folder that can be written, and read them there"
            );
            StorageError::failed(file, text)
        }
        other => other,
    }
}

/// Whether it is a store that this release can read.
fn check(connection: &Connection, file: &str) -> Result<(), StorageError> {
    let failed = |error| storage(file, error);
    let no_store = |problem: &str| StorageError::NoStore { store: file.to_owned(), problem: problem.to_owned() };
    // A store has its tables from the moment on that it has its name.
    if std::fs::metadata(file).is_ok_and(|about| about.len() == 0) {
        return Err(no_store(
            "it is empty; where no run was ever kept in it, remove it, and the next run makes it anew",
        ));
    }
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION {
        return Err(no_store("it is a database of another program; name another file"));
    }
    match version(connection, file)? {
        0 => Err(no_store("it has no schema version: another program has changed it")),
        found if found > VERSION => Err(StorageError::NewerSchema { store: file.to_owned(), found, known: VERSION }),
        _ => Ok(()),
    }
}

fn version(connection: &Connection, file: &str) -> Result<u64, StorageError> {
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    Ok(version.map_err(|error| storage(file, error))?.unsigned_abs())
}

fn migrate(connection: &mut Connection, file: &str) -> Result<(), StorageError> {
    let failed = |error| storage(file, error);
    if version(connection, file)? == VERSION {
        return Ok(());
    }
    let behaviour = rusqlite::TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behaviour).map_err(failed)?;
    // Another process may have been faster.
    let from = version(&transaction, file)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    if from < VERSION {
        let set = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
        transaction.execute_batch(&set).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
