//! A run in the file, read and written.

use std::sync::Arc;

use rusqlite::params;

use super::answer::answer;
use super::frames::{Held, Pending};
use super::inner::Inner;
use super::read::signed;
use super::writer::Urgency;
use crate::checks::{self, Tail};
use crate::error::StorageError;
use crate::query::RunRow;
use crate::run_log::{AppendError, Durability, FrameMark, RunLog, RunReader, SaltBytes, Side, SideLog, Then, Visit};

/// Bytes that a side stream keeps before it hands them over by itself.
const SIDE_BUFFER: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Reader {
    pub inner: Arc<Inner>,
    pub number: i64,
}

impl RunReader for Reader {
    fn row(&self) -> Result<RunRow, StorageError> {
        self.inner.readers.row(self.number)
    }

    fn read_from(&self, frame: u64, visit: Visit<'_>) -> Result<(), StorageError> {
        self.inner.readers.frames(self.number, frame, visit)
    }

    fn read_side(&self, side: Side, visit: Visit<'_>) -> Result<(), StorageError> {
        self.inner.readers.side(self.number, side, visit)
    }

    fn salt(&self) -> Result<Option<SaltBytes>, StorageError> {
        self.inner.readers.salt(self.number)
    }
}

#[derive(Debug)]
pub(super) struct Log {
    reader: Reader,
    held: Arc<Held>,
    tail: Tail,
    durability: Durability,
}

impl Log {
    pub fn new(inner: &Arc<Inner>, held: Held, tail: Tail, durability: Durability) -> Self {
        let held = Arc::new(held);
        if let Some(writer) = &inner.writer {
            writer.renew(&held);
        }
        let reader = Reader { inner: Arc::clone(inner), number: held.number };
        Log { reader, held, tail, durability }
    }

    /// Waits for everything appended so far.
    fn wait(&self, urgency: Urgency) -> Result<(), AppendError> {
        let writer = self.reader.inner.writer()?;
        let (tell, told) = answer();
        let then = move |result| tell.give(result);
        writer.barrier(&self.held, urgency, Box::new(then));
        told.wait().unwrap_or_else(|| self.held.whole())
    }

    /// What this log has appended can be read back by it.
    fn read_back(&self) -> Result<(), StorageError> {
        match self.wait(Urgency::Now) {
            Ok(()) => Ok(()),
            Err(AppendError::Store(error)) => Err(error),
            Err(error) => Err(StorageError::failed(&self.reader.inner.file, error)),
        }
    }

    fn give_back(&mut self) -> Option<impl FnMut(&rusqlite::Connection) -> rusqlite::Result<()> + Send + use<>> {
        if !self.tail.release() {
            return None;
        }
        let (number, fence) = (self.held.number, signed(self.held.fence));
        Some(move |connection: &rusqlite::Connection| {
            let mut free = connection
                .prepare_cached("UPDATE run SET holder = NULL, until = 0 WHERE number = ?1 AND fence = ?2")?;
            free.execute([number, fence]).map(|_| ())
        })
    }
}

impl RunReader for Log {
    fn row(&self) -> Result<RunRow, StorageError> {
        self.read_back()?;
        self.reader.row()
    }

    fn read_from(&self, frame: u64, visit: Visit<'_>) -> Result<(), StorageError> {
        self.read_back()?;
        self.reader.read_from(frame, visit)
    }

    fn read_side(&self, side: Side, visit: Visit<'_>) -> Result<(), StorageError> {
        self.reader.read_side(side, visit)
    }

    fn salt(&self) -> Result<Option<SaltBytes>, StorageError> {
        self.reader.salt()
    }
}

impl RunLog for Log {
    fn run(&self) -> &Arc<str> {
        &self.held.run
    }

    fn fence(&self) -> u64 {
        self.held.fence
    }

    fn next(&self) -> u64 {
        self.tail.next
    }

    fn append(&mut self, frame: u64, line: &[u8], mark: FrameMark) -> Result<(), AppendError> {
        self.held.whole()?;
        self.tail.take(frame, line, mark)?;
        let writer = self.reader.inner.writer()?;
        let pending = Pending { frame, line: line.to_vec(), mark };
        match self.durability {
            Durability::Synced => {
                let (tell, told) = answer();
                let then = move |result| tell.give(result);
                writer.frame(&self.held, pending, Urgency::Synced, Some(Box::new(then)));
                told.wait().unwrap_or_else(|| self.held.whole())
            }
            Durability::Written | Durability::Buffered => {
                let soon = self.durability == Durability::Written;
                writer.frame(&self.held, pending, if soon { Urgency::Soon } else { Urgency::Any }, None);
                if writer.is_behind() { self.flush() } else { Ok(()) }
            }
        }
    }

    fn flush(&mut self) -> Result<(), AppendError> {
        self.wait(Urgency::Now)
    }

    fn sync(&mut self) -> Result<(), AppendError> {
        self.wait(Urgency::Synced)
    }

    fn when_synced(&mut self, then: Then) {
        self.when(Urgency::Synced, then);
    }

    fn when_flushed(&mut self, then: Then) {
        self.when(Urgency::Now, then);
    }

    fn side(&self, side: Side) -> Result<Box<dyn SideLog>, StorageError> {
        Ok(Box::new(SideWriter::new(&self.reader.inner, self.held.number, side)))
    }

    fn release(&mut self) -> Result<(), AppendError> {
        let flushed = self.flush();
        if let Some(give_back) = self.give_back() {
            self.reader.inner.writer()?.write(Urgency::Now, give_back)?;
        }
        flushed
    }
}

impl Log {
    fn when(&mut self, urgency: Urgency, then: Then) {
        match self.reader.inner.writer() {
            Ok(writer) => writer.barrier(&self.held, urgency, then),
            Err(error) => then(Err(error.into())),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back()
            && let Some(writer) = &self.reader.inner.writer
        {
            writer.leave(give_back);
        }
    }
}

/// A side stream, whoever holds the run.
#[derive(Debug)]
pub(super) struct SideWriter {
    inner: Arc<Inner>,
    number: i64,
    side: Side,
    records: Vec<Vec<u8>>,
    bytes: usize,
}

impl SideWriter {
    pub fn new(inner: &Arc<Inner>, number: i64, side: Side) -> Self {
        SideWriter { inner: Arc::clone(inner), number, side, records: Vec::new(), bytes: 0 }
    }

    fn hand_over(&mut self) -> Option<impl FnMut(&rusqlite::Connection) -> rusqlite::Result<()> + Send + use<>> {
        let records = std::mem::take(&mut self.records);
        self.bytes = 0;
        let (number, side) = (self.number, self.side.name());
        (!records.is_empty()).then_some(move |connection: &rusqlite::Connection| {
            let mut insert = connection.prepare_cached("INSERT INTO side (run, side, record) VALUES (?1, ?2, ?3)")?;
            records.iter().try_for_each(|record| insert.execute(params![number, side, record]).map(|_| ()))
        })
    }
}

impl SideLog for SideWriter {
    fn append(&mut self, record: &[u8]) -> Result<(), StorageError> {
        checks::record(&self.inner.file, record)?;
        self.inner.writer()?;
        self.bytes += record.len();
        self.records.push(record.to_vec());
        if self.bytes > SIDE_BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        match self.hand_over() {
            Some(records) => self.inner.writer()?.write(Urgency::Now, records),
            None => Ok(()),
        }
    }
}

impl Drop for SideWriter {
    fn drop(&mut self) {
        if let Some(records) = self.hand_over()
            && let Some(writer) = &self.inner.writer
        {
            writer.leave(records);
        }
    }
}
