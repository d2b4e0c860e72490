//! The files of a store that is open: nobody moves, removes or cuts one of them unnoticed.
//!
//! SQLite keeps its files open and its pages in memory: it would go on writing into a file that nobody finds again, or
//! behind a hole where frames were that it has told of.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ffi};

use super::names::beside;
use crate::trace::identity;

/// Bytes before the first page of a write-ahead log, and before each page.
const LOG_HEADER: u64 = 32;
const PAGE_HEADER: u64 = 24;
/// How often lengths are compared before they count as apart: another process may commit, or begin the log anew, just
/// between the two looks.
const LOOKS: u32 = 5;

/// One of the files, as it was last seen.
#[derive(Debug)]
struct Seen {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    bytes: u64,
}

/// The file of the store and what SQLite keeps beside it while it is open.
#[derive(Debug)]
pub(super) struct Files {
    store: Seen,
    log: Seen,
    index: Seen,
    /// Bytes of a page.
    page: u64,
    /// Whether the log is known to hold what its index tells of.
    compared: bool,
}

impl Files {
    /// As they are now, with this connection open.
    pub fn new(file: &str, connection: &Connection) -> rusqlite::Result<Self> {
        // Opens the log and its index, which stay until the last connection is closed.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let page = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        let seen = |path: PathBuf| {
            let found = std::fs::metadata(&path).ok();
            let bytes = found.as_ref().map_or(0, Metadata::len);
            Seen { identity: found.as_ref().and_then(identity), bytes, path }
        };
        let file = Path::new(file);
        Ok(Files {
            store: seen(file.to_owned()),
            log: seen(beside(file, "-wal")),
            index: seen(beside(file, "-shm")),
            page,
            compared: false,
        })
    }

    /// Looks at them before something is written.
    ///
    /// # Errors
    /// One that was moved, removed or cut since the last time.
    pub fn check(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let bytes = self.store.find()?;
        // Pages of a store are used again and never given back.
        if bytes < self.store.bytes {
            return Err(self.store.cut());
        }
        self.store.bytes = bytes;
        self.index.find()?;
        let bytes = self.log.find()?;
        if bytes < self.log.bytes || !self.compared {
            self.compare(connection)?;
        }
        Ok(())
    }

    /// Looks at the log after something was committed to it.
    pub fn committed(&mut self) {
        if let Ok(log) = std::fs::metadata(&self.log.path) {
            self.log.bytes = log.len();
        }
    }

    /// The log is shorter than it was: what it held is in the store's file by now, or somebody has cut it.
    fn compare(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for _ in 0..LOOKS {
            let pages: i64 = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))?;
            let pages = u64::try_from(pages).unwrap_or(0);
            let told = if pages == 0 { 0 } else { LOG_HEADER + pages * (PAGE_HEADER + self.page) };
            let bytes = self.log.find()?;
            if bytes >= told {
                self.log.bytes = bytes;
                self.compared = true;
                return Ok(());
            }
        }
        Err(self.log.cut())
    }
}

impl Seen {
    /// Its length, where the name still leads to the very same file.
    fn find(&self) -> rusqlite::Result<u64> {
        let found = std::fs::metadata(&self.path).ok();
        match &found {
            Some(about) if identity(about) == self.identity => Ok(about.len()),
            _ => Err(meddled(format!("`{}` was moved or removed while it was in use", self.path.display()))),
        }
    }

    fn cut(&self) -> rusqlite::Error {
        let name = self.path.display();
        meddled(format!("`{name}` was cut while it was in use; what it held is lost unless it was kept elsewhere"))
    }
}

fn meddled(problem: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR), Some(problem))
}
