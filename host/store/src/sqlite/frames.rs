//! One run's frames in one transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_kernel::Status;
use rusqlite::{Connection, OptionalExtension, params};

use super::read::{holder, signed, status, stored};
use crate::error::StorageError;
use crate::holder::Holder;
use crate::run_log::{AppendError, FrameMark, Then};

/// A frame on its way into the file.
pub(super) struct Pending {
    pub frame: u64,
    pub line: Vec<u8>,
    pub mark: FrameMark,
}

/// Something else to be written in a transaction, and told about when that is committed.
pub(super) trait Task: Send {
    /// Writes; it may be called again when the transaction it was in has failed.
    fn write(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// The transaction is committed, or is not.
    fn done(self: Box<Self>, result: Result<(), StorageError>);
}

/// A run that is held: what its log and the writer both know of it.
#[derive(Debug)]
pub(super) struct Held {
    pub run: Arc<str>,
    pub number: i64,
    pub fence: u64,
    failed: AtomicBool,
    /// The first failure that nobody waited for, and what it said once somebody was told.
    failure: Mutex<(Option<AppendError>, String)>,
}

impl Held {
    pub fn new(run: Arc<str>, number: i64, fence: u64) -> Self {
        Held { run, number, fence, failed: AtomicBool::new(false), failure: Mutex::new((None, String::new())) }
    }

    fn failure(&self) -> MutexGuard<'_, (Option<AppendError>, String)> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether everything so far was written, as far as is known.
    pub fn whole(&self) -> Result<(), AppendError> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut failure = self.failure();
        match failure.0.take() {
            Some(error) => Err(error),
            None => Err(AppendError::Failed { run: Arc::clone(&self.run), problem: failure.1.clone() }),
        }
    }

    /// Takes no more; tells whoever waits, else keeps it for whoever asks next.
    pub fn fail(&self, error: AppendError, then: Option<Then>) {
        {
            let mut failure = self.failure();
            if !self.failed.swap(true, Ordering::AcqRel) {
                failure.1 = error.to_string();
                if then.is_none() {
                    failure.0 = Some(error);
                    return;
                }
            } else if then.is_none() {
                return;
            }
        }
        if let Some(then) = then {
            then(Err(error));
        }
    }
}

/// What is written or not as a whole.
pub(super) enum Unit {
    Log(Log),
    Task(Box<dyn Task>),
}

/// Frames of one run, and who waits for them.
pub(super) struct Log {
    held: Arc<Held>,
    frames: Vec<Pending>,
    then: Vec<Then>,
    /// Why the frames were not written, although the transaction is committed.
    refused: Option<Refused>,
}

/// What the run's row says that does not fit.
struct Refused {
    fence: u64,
    holder: Option<String>,
    frames: u64,
    status: Option<Status>,
}

impl Unit {
    pub fn frame(held: Arc<Held>, pending: Pending, then: Option<Then>) -> Self {
        Unit::Log(Log { held, frames: vec![pending], then: then.into_iter().collect(), refused: None })
    }

    pub fn barrier(held: Arc<Held>, then: Then) -> Self {
        Unit::Log(Log { held, frames: Vec::new(), then: vec![then], refused: None })
    }

    pub fn key(&self) -> Option<(i64, u64)> {
        match self {
            Unit::Log(log) => Some((log.held.number, log.held.fence)),
            Unit::Task(_) => None,
        }
    }

    /// Takes in what came later of the same run.
    pub fn join(&mut self, later: Unit) {
        if let (Unit::Log(log), Unit::Log(mut later)) = (self, later) {
            log.frames.append(&mut later.frames);
            log.then.append(&mut later.then);
        }
    }

    pub fn writes(&self) -> bool {
        match self {
            Unit::Log(log) => !log.frames.is_empty(),
            Unit::Task(_) => true,
        }
    }

    pub fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        match self {
            Unit::Log(log) => log.write(connection),
            Unit::Task(task) => task.write(connection),
        }
    }

    pub fn done(self, file: &str, result: Result<(), StorageError>) {
        match self {
            Unit::Log(log) => log.done(file, result),
            Unit::Task(task) => task.done(result),
        }
    }
}

impl Log {
    fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let (Some(first), Some(last)) = (self.frames.first(), self.frames.last()) else { return Ok(()) };
        // Nothing is written behind a gap.
        if self.held.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let (state, code) = stored(last.mark.status);
        let mut update = connection.prepare_cached(
            "UPDATE run SET frames = ?1, at = ?2, state = ?3, code = ?4 \
             WHERE number = ?5 AND fence = ?6 AND frames = ?7 AND state <> 2",
        )?;
        let fits = update.execute(params![
            signed(last.frame) + 1,
            signed(last.mark.at),
            state,
            code,
            self.held.number,
            signed(self.held.fence),
            signed(first.frame),
        ])?;
        if fits == 0 {
            self.refused = Some(refused(connection, self.held.number)?);
            return Ok(());
        }
        self.refused = None;
        let mut insert = connection.prepare_cached("INSERT INTO frame (run, frame, line) VALUES (?1, ?2, ?3)")?;
        for pending in &self.frames {
            insert.execute(params![self.held.number, signed(pending.frame), pending.line])?;
        }
        Ok(())
    }

    fn done(self, file: &str, result: Result<(), StorageError>) {
        let Log { held, frames, then, refused } = self;
        let first = frames.first().map_or(0, |pending| pending.frame);
        let failure = match (result, refused) {
            (Err(error), _) => Some(AppendError::Store(error)),
            (Ok(()), Some(refused)) => Some(refused.error(file, &held.run, held.fence, first)),
            (Ok(()), None) => None,
        };
        let mut then = then.into_iter();
        if let Some(error) = failure {
            held.fail(error, then.next());
        }
        then.for_each(|then| then(held.whole()));
    }
}

fn refused(connection: &Connection, number: i64) -> rusqlite::Result<Refused> {
    let mut statement =
        connection.prepare_cached("SELECT fence, holder, frames, state, code FROM run WHERE number = ?1")?;
    let row = statement.query_row([number], |row| {
        let code: Option<String> = row.get(4)?;
        Ok(Refused {
            fence: row.get::<_, i64>(0)?.unsigned_abs(),
            holder: row.get(1)?,
            frames: row.get::<_, i64>(2)?.unsigned_abs(),
            status: status(row.get(3)?, code.as_deref()),
        })
    });
    Ok(row.optional()?.unwrap_or(Refused { fence: 0, holder: None, frames: 0, status: None }))
}

impl Refused {
    fn error(self, file: &str, run: &Arc<str>, fence: u64, given: u64) -> AppendError {
        let run = Arc::clone(run);
        match self.status {
            _ if self.fence != fence => {
                let by: Result<Option<Holder>, StorageError> = holder(file, self.holder.as_deref());
                AppendError::Fenced { run, by: by.ok().flatten() }
            }
            Some(Status::Ended(code)) => AppendError::Ended { run, code },
            _ => AppendError::Conflict { run, given, expected: self.frames },
        }
    }
}
