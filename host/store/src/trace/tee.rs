//! A run that goes to a file as well as to its store.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{TraceFile, TraceFileError, create_new};
use super::transfer::{TransferError, all_beside, all_new, beside, copy};
use crate::checks;
use crate::error::StorageError;
use crate::query::RunRow;
use crate::run_log::{AppendError, Durability, FrameMark, RunLog, RunReader, SaltBytes, Side, SideLog, Then, Visit};

/// Opens a log and writes everything that it takes to a file too, and what it holds already before that: the file is
/// the whole trace from the beginning. A frame counts once it is in both.
///
/// # Errors
/// A file that is there already or cannot be written: then the log is not opened. A log that cannot be opened or read.
pub fn also_to_file<E: From<TransferError>>(
    path: &Path,
    durability: Durability,
    log: impl FnOnce() -> Result<Box<dyn RunLog>, E>,
) -> Result<Box<dyn RunLog>, E> {
    let new = all_new(path).and_then(|()| TraceFile::create(path, durability));
    let mut file = new.map_err(TransferError::from)?;
    let log = log().inspect_err(|_| {
        // Nothing is in it.
        let _ = std::fs::remove_file(path);
    })?;
    copy(&*log, &mut file)?;
    all_beside(&*log, path)?;
    Ok(Box::new(Tee { log, file }))
}

#[derive(Debug)]
struct Tee {
    log: Box<dyn RunLog>,
    file: TraceFile,
}

impl Tee {
    fn both(&self, result: Result<(), TraceFileError>) -> Result<(), AppendError> {
        Ok(result.map_err(|error| failed(self.file.path(), error))?)
    }
}

fn failed(path: &Path, error: TraceFileError) -> StorageError {
    let store = path.display().to_string();
    match error {
        TraceFileError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            StorageError::Full { store }
        }
        TraceFileError::Io { source, .. } => StorageError::failed(&store, source),
        other => StorageError::failed(&store, other),
    }
}

impl RunReader for Tee {
    fn row(&self) -> Result<RunRow, StorageError> {
        self.log.row()
    }

    fn read_from(&self, frame: u64, visit: Visit<'_>) -> Result<(), StorageError> {
        self.log.read_from(frame, visit)
    }

    fn read_side(&self, side: Side, visit: Visit<'_>) -> Result<(), StorageError> {
        self.log.read_side(side, visit)
    }

    fn salt(&self) -> Result<Option<SaltBytes>, StorageError> {
        self.log.salt()
    }
}

impl RunLog for Tee {
    fn run(&self) -> &Arc<str> {
        self.log.run()
    }

    fn fence(&self) -> u64 {
        self.log.fence()
    }

    fn next(&self) -> u64 {
        self.log.next()
    }

    fn append(&mut self, frame: u64, line: &[u8], mark: FrameMark) -> Result<(), AppendError> {
        // The store refuses what does not fit: then nothing stands in the file either.
        self.log.append(frame, line, mark)?;
        let written = self.file.append(frame, line);
        self.both(written)
    }

    fn flush(&mut self) -> Result<(), AppendError> {
        self.log.flush()?;
        let flushed = self.file.flush();
        self.both(flushed)
    }

    fn sync(&mut self) -> Result<(), AppendError> {
        self.log.sync()?;
        let synced = self.file.sync();
        self.both(synced)
    }

    fn when_synced(&mut self, then: Then) {
        let synced = self.file.sync();
        match self.both(synced) {
            Ok(()) => self.log.when_synced(then),
            Err(error) => then(Err(error)),
        }
    }

    fn side(&self, side: Side) -> Result<Box<dyn SideLog>, StorageError> {
        let path = beside(self.file.path(), side);
        Ok(Box::new(TeeSide { log: self.log.side(side)?, path, file: None }))
    }

    fn release(&mut self) -> Result<(), AppendError> {
        let synced = self.file.sync();
        self.log.release()?;
        self.both(synced)
    }
}

/// The file is made with the first record: most runs have none.
#[derive(Debug)]
struct TeeSide {
    log: Box<dyn SideLog>,
    path: PathBuf,
    file: Option<std::fs::File>,
}

impl SideLog for TeeSide {
    fn append(&mut self, record: &[u8]) -> Result<(), StorageError> {
        let store = self.path.display().to_string();
        checks::record(&store, record)?;
        self.log.append(record)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // A stream of this run that was opened before has made it.
                let there = std::fs::OpenOptions::new().append(true).open(&self.path);
                let file = there.map_or_else(|_| create_new(&self.path), Ok);
                none.insert(file.map_err(|error| failed(&self.path, error))?)
            }
        };
        let mut line = record.to_vec();
        line.push(b'\n');
        file.write_all(&line).map_err(|source| StorageError::failed(&store, source))
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.log.flush()
    }
}
