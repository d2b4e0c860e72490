//! A store in one SQLite file: the default where runs are kept on one machine.
//!
//! Write-ahead logging, so that readers and the writer never wait for each other; one thread that writes,
//! so that the runs of a process share their fsyncs; leases in the run's row, so that processes keep out
//! of each other's runs.

mod answer;
mod files;
mod frames;
mod inner;
mod log;
mod names;
mod place;
mod problem;
mod read;
mod schema;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_kernel::Status;
use rusqlite::{Connection, OptionalExtension, params};

use self::frames::Held;
use self::inner::Inner;
use self::log::{Log, Reader, SideWriter};
use self::problem::damaged;
use self::read::{Readers, holder, holds, number, signed, status};
use self::writer::{Urgency, Writer};
use crate::checks::{self, Tail};
use crate::error::StorageError;
use crate::holder::Holder;
use crate::inbox::Entry;
use crate::query::{FindError, RunQuery, RunRow};
use crate::register::{Register, RegisterError, RegisterName};
use crate::run_log::{Durability, RunLog, RunReader, Side, SideLog};
use crate::run_store::{BeginError, InboxError, NewRun, OpenError, PayloadError, Reject, RunStore, Taken};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How long a run stays held after its holder was last heard of, where nobody can look for the
    /// holder's process. Default: 30 s. Less frees the runs of a lost machine sooner; a holder that is
    /// stopped for longer loses its run.
    pub lease: Duration,
    /// Most bytes of the file. Default: none. When it is reached, whatever needs more is refused as on a
    /// full disk.
    pub most_bytes: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        SqliteOptions { lease: Duration::from_secs(30), most_bytes: None }
    }
}

/// Id of an entry, and the entry or why it cannot be understood.
type Stored = (String, Result<Entry, String>);

/// Runs in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

impl SqliteStore {
    /// Opens a store, and makes it where there is none: its file is for its owner alone, as is a folder
    /// that has to be made for it. A file that is marked as read-only, or lies where nothing can be written, is only
    /// read.
    ///
    /// # Errors
    /// A file that cannot be opened, is no store (an empty one is none), or was written by a newer release.
    pub fn open(file: &Path) -> Result<Self, StorageError> {
        SqliteStore::open_with(file, SqliteOptions::default())
    }

    /// As [`SqliteStore::open`], with other settings.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(file: &Path, options: SqliteOptions) -> Result<Self, StorageError> {
        let name = named(file)?;
        if !place::is_writable(file) {
            return SqliteStore::read_only(file);
        }
        place::make(file, &name)?;
        const PAGE: u64 = 4096;
        let most = options.most_bytes.map(|bytes| u32::try_from(bytes / PAGE).unwrap_or(u32::MAX).max(1));
        let connection = schema::writing(&name, most)?;
        let writer = Some(Writer::start(&name, connection, options.lease)?);
        let readers = Readers::new(&name, false);
        Ok(SqliteStore { inner: Arc::new(Inner { file: name, readers, writer, lease: options.lease }) })
    }

    /// Opens a store that is there, and never writes it.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], and where there is no file.
    pub fn read_only(file: &Path) -> Result<Self, StorageError> {
        let name = named(file)?;
        std::fs::metadata(file).map_err(|source| StorageError::failed(&name, source))?;
        let readers = Readers::new(&name, true);
        // What is no store is refused now.
        readers.with(|_| Ok(()))?;
        Ok(SqliteStore { inner: Arc::new(Inner { file: name, readers, writer: None, lease: Duration::ZERO }) })
    }

    /// Something that is written and waited for.
    fn write<T: Send + 'static>(
        &self,
        urgency: Urgency,
        write: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.inner.writer()?.write(urgency, write)
    }

    fn opened(&self, run: &str) -> Result<i64, OpenError> {
        self.inner.readers.number(run)?.ok_or_else(|| OpenError::NotFound { run: run.to_owned() })
    }

    fn inbox(&self, run: &str) -> Result<i64, InboxError> {
        self.inner.readers.number(run)?.ok_or_else(|| InboxError::NotFound { run: run.to_owned() })
    }

    fn payloads(&self, run: &str) -> Result<i64, PayloadError> {
        self.inner.readers.number(run)?.ok_or_else(|| PayloadError::NotFound { run: run.to_owned() })
    }

    /// What waits in an inbox, as it is stored.
    fn entries(&self, run: &str) -> Result<Vec<Stored>, InboxError> {
        let number = self.inbox(run)?;
        let texts: Vec<(String, String)> = self.inner.readers.with(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, entry FROM inbox WHERE run = ?1 AND waiting = 1 ORDER BY at, id")?;
            statement.query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        Ok(texts.into_iter().map(|(id, text)| (id, understood(&text))).collect())
    }

    fn change(&self, name: &RegisterName, expected: Option<u64>, value: Option<&[u8]>) -> Result<u64, RegisterError> {
        let (key, value) = (name.as_str().to_owned(), value.map(<[u8]>::to_vec));
        let changed = self.write(Urgency::Synced, move |connection| {
            let mut read =
                connection.prepare_cached("SELECT value IS NOT NULL, version FROM register WHERE name = ?1")?;
            let held: Option<(bool, i64)> = read.query_row([&key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            // A removed one keeps its version, so that none is used twice.
            let found = held.filter(|(there, _)| *there).map(|(_, version)| version.unsigned_abs());
            if found != expected {
                return Ok(Err(found));
            }
            let next = held.map_or(1, |(_, version)| version + 1);
            let mut set = connection
                .prepare_cached("INSERT OR REPLACE INTO register (name, value, version) VALUES (?1, ?2, ?3)")?;
            set.execute(params![key, value, next])?;
            Ok(Ok(next.unsigned_abs()))
        })?;
        changed.map_err(|found| RegisterError::Conflict { name: name.clone(), found })
    }
}

impl RunStore for SqliteStore {
    fn name(&self) -> &str {
        &self.inner.file
    }

    fn begin(&self, new: NewRun<'_>, by: &Holder, durability: Durability) -> Result<Box<dyn RunLog>, BeginError> {
        checks::begin(&new)?;
        let id: Arc<str> = new.id.into();
        let (key, manifest, attributes, salt) = (Arc::clone(&id), new.manifest.to_vec(), new.attributes, new.salt);
        let (holder, until) = self.lease(by)?;
        let number = self.write(urgency(durability), move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR IGNORE INTO run (id, tenant, agent, principal, started, salt, at, frames, state, fence, \
                 holder, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 1, 0, 1, ?7, ?8)",
            )?;
            let inserted = insert.execute(params![
                key,
                attributes.tenant,
                attributes.agent,
                attributes.principal,
                signed(attributes.started),
                salt.as_ref().map(<[u8; 32]>::as_slice),
                holder,
                until,
            ])?;
            if inserted == 0 {
                return Ok(None);
            }
            let number = connection.last_insert_rowid();
            let mut frame = connection.prepare_cached("INSERT INTO frame (run, frame, line) VALUES (?1, 0, ?2)")?;
            frame.execute(params![number, manifest])?;
            Ok(Some(number))
        })?;
        let number = number.ok_or_else(|| BeginError::Exists { run: new.id.to_owned() })?;
        let held = Held::new(Arc::clone(&id), number, 1);
        Ok(Box::new(Log::new(&self.inner, held, Tail::new(id, 1, Status::Running), durability)))
    }

    fn open(&self, run: &str, by: &Holder, durability: Durability) -> Result<Box<dyn RunLog>, OpenError> {
        let (key, file) = (run.to_owned(), self.inner.file.clone());
        let (holder, until) = self.lease(by)?;
        let opened =
            self.write(urgency(durability), move |connection| take(connection, &file, &key, &holder, until))??;
        let (held, tail) = opened;
        Ok(Box::new(Log::new(&self.inner, held, tail, durability)))
    }

    fn read(&self, run: &str) -> Result<Box<dyn RunReader>, OpenError> {
        let number = self.opened(run)?;
        Ok(Box::new(Reader { inner: Arc::clone(&self.inner), number }))
    }

    fn list(&self, query: &RunQuery) -> Result<Vec<RunRow>, StorageError> {
        self.inner.readers.list(query)
    }

    fn find(&self, prefix: &str) -> Result<RunRow, FindError> {
        let rows = if prefix.is_empty() { Vec::new() } else { self.inner.readers.beginning(prefix)? };
        checks::only(prefix, rows)
    }

    fn side(&self, run: &str, side: Side) -> Result<Box<dyn SideLog>, OpenError> {
        let number = self.opened(run)?;
        self.inner.writer()?;
        Ok(Box::new(SideWriter::new(&self.inner, number, side)))
    }

    fn offer(&self, run: &str, entry: &Entry) -> Result<bool, InboxError> {
        let text = checks::entry(entry)?;
        let (number, id, at) = (self.inbox(run)?, entry.id.clone(), signed(entry.at));
        let offered = self.write(Urgency::Synced, move |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR IGNORE INTO inbox (run, id, at, entry, waiting) VALUES (?1, ?2, ?3, ?4, 1)",
            )?;
            insert.execute(params![number, id, at, text])
        })?;
        Ok(offered == 1)
    }

    fn waiting(&self, run: &str) -> Result<Vec<Entry>, InboxError> {
        Ok(self.entries(run)?.into_iter().filter_map(|(_, entry)| entry.ok()).collect())
    }

    fn rejects(&self, run: &str) -> Result<Vec<Reject>, InboxError> {
        let entries = self.entries(run)?.into_iter();
        Ok(entries.filter_map(|(id, entry)| entry.err().map(|problem| Reject { id, problem })).collect())
    }

    fn take(&self, run: &str, id: &str, taken: &Taken) -> Result<(), InboxError> {
        let (number, key) = (self.inbox(run)?, id.to_owned());
        let (frame, refused) = match taken {
            Taken::Frame(frame) => (Some(signed(*frame)), None),
            Taken::Refused(why) => (None, Some(why.clone())),
        };
        let changed = self.write(Urgency::Now, move |connection| {
            let mut update = connection.prepare_cached(
                "UPDATE inbox SET waiting = 0, frame = ?1, refused = ?2 WHERE run = ?3 AND id = ?4 AND waiting = 1",
            )?;
            update.execute(params![frame, refused, number, key])
        })?;
        match changed {
            0 => Err(InboxError::NotWaiting { run: run.to_owned(), id: id.to_owned() }),
            _ => Ok(()),
        }
    }

    fn register(&self, name: &RegisterName) -> Result<Option<Register>, StorageError> {
        self.inner.readers.with(|connection| {
            let mut read = connection
                .prepare_cached("SELECT value, version FROM register WHERE name = ?1 AND value IS NOT NULL")?;
            read.query_row([name.as_str()], |row| {
                Ok(Register { value: row.get(0)?, version: row.get::<_, i64>(1)?.unsigned_abs() })
            })
            .optional()
        })
    }

    fn compare_and_set(&self, name: &RegisterName, expected: Option<u64>, value: &[u8]) -> Result<u64, RegisterError> {
        checks::register(name, value)?;
        self.change(name, expected, Some(value))
    }

    fn remove(&self, name: &RegisterName, expected: u64) -> Result<(), RegisterError> {
        self.change(name, Some(expected), None).map(|_| ())
    }

    fn registers(&self, below: &RegisterName) -> Result<Vec<(RegisterName, Register)>, StorageError> {
        // `0` follows `/`: everything between begins with the name and a `/`.
        let (from, to) = (format!("{below}/"), format!("{below}0"));
        let found: Vec<(String, Register)> = self.inner.readers.with(|connection| {
            let mut read = connection.prepare_cached(
                "SELECT name, value, version FROM register \
                 WHERE name > ?1 AND name < ?2 AND value IS NOT NULL ORDER BY name",
            )?;
            let register = |row: &rusqlite::Row<'_>| {
                let version = row.get::<_, i64>(2)?.unsigned_abs();
                Ok((row.get(0)?, Register { value: row.get(1)?, version }))
            };
            read.query_map([&from, &to], register)?.collect()
        })?;
        let named = |(name, register): (String, Register)| match RegisterName::new(&name) {
            Ok(name) => Ok((name, register)),
            Err(error) => Err(damaged(&self.inner.file, error.to_string())),
        };
        found.into_iter().map(named).collect()
    }

    fn put_payload(&self, run: &str, digest: &str, bytes: &[u8]) -> Result<(), PayloadError> {
        checks::payload(digest, bytes)?;
        let (number, digest, bytes) = (self.payloads(run)?, digest.to_owned(), bytes.to_vec());
        self.write(Urgency::Now, move |connection| {
            let mut insert =
                connection.prepare_cached("INSERT OR IGNORE INTO payload (run, digest, bytes) VALUES (?1, ?2, ?3)")?;
            insert.execute(params![number, digest, bytes]).map(|_| ())
        })?;
        Ok(())
    }

    fn payload(&self, run: &str, digest: &str) -> Result<Option<Vec<u8>>, PayloadError> {
        let number = self.payloads(run)?;
        let found = self.inner.readers.with(|connection| {
            let mut read = connection.prepare_cached("SELECT bytes FROM payload WHERE run = ?1 AND digest = ?2")?;
            read.query_row(params![number, digest], |row| row.get(0)).optional()
        })?;
        Ok(found)
    }

    fn erase(&self, run: &str) -> Result<(), PayloadError> {
        let number = self.payloads(run)?;
        let erased = self.write(Urgency::Synced, move |connection| {
            let mut forget = connection.prepare_cached("UPDATE run SET salt = NULL WHERE number = ?1 AND state = 2")?;
            if forget.execute([number])? == 0 {
                return Ok(false);
            }
            connection.prepare_cached("DELETE FROM payload WHERE run = ?1")?.execute([number])?;
            Ok(true)
        })?;
        if !erased {
            return Err(PayloadError::NotEnded { run: run.to_owned() });
        }
        self.overwritten()
    }

    fn erase_payloads(&self, run: &str) -> Result<(), PayloadError> {
        let number = self.payloads(run)?;
        let erased = self.write(Urgency::Synced, move |connection| {
            connection.prepare_cached("DELETE FROM payload WHERE run = ?1")?.execute([number])
        })?;
        if erased == 0 { Ok(()) } else { self.overwritten() }
    }
}

impl SqliteStore {
    /// What was erased still lies in the write-ahead log, until that begins anew.
    fn overwritten(&self) -> Result<(), PayloadError> {
        self.inner
            .readers
            .with(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))?;
        Ok(())
    }

    /// Who holds a run, and until when.
    fn lease(&self, holder: &Holder) -> Result<(String, i64), StorageError> {
        let text = serde_json::to_string(holder).map_err(|error| StorageError::failed(&self.inner.file, error))?;
        Ok((text, signed(now().saturating_add(milliseconds(self.inner.lease)))))
    }
}

/// Takes a run up, in a transaction.
fn take(
    connection: &Connection,
    file: &str,
    run: &str,
    by: &str,
    until: i64,
) -> rusqlite::Result<Result<(Held, Tail), OpenError>> {
    let Some(number) = number(connection, run)? else {
        return Ok(Err(OpenError::NotFound { run: run.to_owned() }));
    };
    let mut read =
        connection.prepare_cached("SELECT frames, state, code, fence, holder, until FROM run WHERE number = ?1")?;
    type Row = (i64, i64, Option<String>, i64, Option<String>, i64);
    let (frames, state, code, fence, held, held_until): Row = read.query_row([number], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    })?;
    match holder(file, held.as_deref()) {
        Ok(Some(other)) if holds(&other, held_until, now()) => {
            return Ok(Err(OpenError::Held { run: run.to_owned(), by: other }));
        }
        Ok(_) => {}
        Err(error) => return Ok(Err(error.into())),
    }
    let status = match status(state, code.as_deref()) {
        Some(Status::Ended(code)) => return Ok(Err(OpenError::Ended { run: run.to_owned(), code })),
        Some(status) => status,
        None => return Ok(Err(damaged(file, format!("run `{run}` has no status")).into())),
    };
    let mut update =
        connection.prepare_cached("UPDATE run SET fence = ?1, holder = ?2, until = ?3 WHERE number = ?4")?;
    update.execute(params![fence + 1, by, until, number])?;
    let id: Arc<str> = run.into();
    let held = Held::new(Arc::clone(&id), number, (fence + 1).unsigned_abs());
    Ok(Ok((held, Tail::new(id, frames.unsigned_abs(), status))))
}

fn urgency(durability: Durability) -> Urgency {
    match durability {
        Durability::Synced => Urgency::Synced,
        Durability::Written | Durability::Buffered => Urgency::Now,
    }
}

fn understood(text: &str) -> Result<Entry, String> {
    let entry: Entry = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match entry.version {
        1 => Ok(entry),
        other => Err(format!("expected version 1, found {other}")),
    }
}

fn named(file: &Path) -> Result<String, StorageError> {
    file.to_str()
        .map(str::to_owned)
        .ok_or_else(|| StorageError::failed(&file.display().to_string(), "its name is not UTF-8"))
}

/// UTC milliseconds.
fn now() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
