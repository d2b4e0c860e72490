//! A run moves from a store to a file and back with its chain whole.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::{genesis, linked};
use super::file::{TraceFile, TraceFileError, create_new, open_regular};
use super::reader::{Ending, TraceError, TraceReader};
use crate::checks;
use crate::error::StorageError;
use crate::holder::Holder;
use crate::query::{Attributes, RunRow};
use crate::run_log::{AppendError, Durability, FrameMark, LARGEST_FRAME, RunReader, Side};
use crate::run_store::{BeginError, NewRun, OpenError, RunStore};

/// A run that was not moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The file.
    #[error(transparent)]
    File(#[from] TraceFileError),
    /// The frames are not what was written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The run cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The run cannot be begun.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// A frame was not taken.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// Where a side stream of a trace lies.
pub fn beside(trace: &Path, side: Side) -> PathBuf {
    let mut path = trace.as_os_str().to_owned();
    path.push(".");
    path.push(side.name());
    path.into()
}

/// Writes a run to a file, and what lies beside its frames to files beside that one. The chain is checked on the way;
/// the file has its name once everything is in it, and nothing is written over.
///
/// # Errors
/// A run that is not there or not what was written, a file that is there or cannot be written.
pub fn export(store: &dyn RunStore, run: &str, path: &Path) -> Result<(), TransferError> {
    let reader = store.read(run)?;
    all_new(path)?;
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.part", std::process::id()));
    let aside = PathBuf::from(aside);
    let written = whole(&*reader, &aside).and_then(|()| {
        // A link fails where the name is taken; a rename would replace what has it.
        std::fs::hard_link(&aside, path).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => TraceFileError::Exists { path: path.to_owned() }.into(),
            _ => TransferError::File(TraceFileError::Io { path: path.to_owned(), source }),
        })
    });
    let _ = std::fs::remove_file(&aside);
    written?;
    all_beside(&*reader, path)
}

/// Nothing has the name of the trace, or of what will lie beside it.
pub(super) fn all_new(path: &Path) -> Result<(), TraceFileError> {
    let names = std::iter::once(path.to_owned()).chain(Side::ALL.map(|side| beside(path, side)));
    names
        .into_iter()
        .find(|name| name.symlink_metadata().is_ok())
        .map_or(Ok(()), |path| Err(TraceFileError::Exists { path }))
}

/// Writes what lies beside a run's frames to files beside the trace.
pub(super) fn all_beside(reader: &dyn RunReader, path: &Path) -> Result<(), TransferError> {
    Side::ALL.into_iter().try_for_each(|side| records(reader, side, &beside(path, side)))
}

fn whole(reader: &dyn RunReader, path: &Path) -> Result<(), TransferError> {
    let mut file = TraceFile::create(path, Durability::Buffered)?;
    copy(reader, &mut file)?;
    Ok(file.flush()?)
}

/// Writes a run's frames to a file, checking that each is the one that was sealed behind the one before it.
pub(super) fn copy(reader: &dyn RunReader, file: &mut TraceFile) -> Result<(), TransferError> {
    let RunRow { id, .. } = reader.row()?;
    let mut prev = genesis(&id);
    let mut result = Ok(());
    reader.read_from(0, &mut |line| {
        let frame = file.next();
        result = match linked(line, frame, &prev) {
            Some(hash) => {
                prev = hash;
                file.append(frame, line).map_err(TransferError::from)
            }
            None => {
                let problem = "it does not follow from the frame before it, or is not what was sealed".to_owned();
                Err(TraceError::Broken { file: format!("run {id}"), frame, problem }.into())
            }
        };
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result
}

/// Writes a side stream, where there is any.
fn records(reader: &dyn RunReader, side: Side, path: &Path) -> Result<(), TransferError> {
    let mut file: Option<BufWriter<File>> = None;
    let mut result = Ok(());
    let io = |source| TraceFileError::Io { path: path.to_owned(), source };
    reader.read_side(side, &mut |record| {
        result = match &mut file {
            Some(_) => Ok(()),
            none => create_new(path).map(|new| *none = Some(BufWriter::new(new))),
        };
        if let (Ok(()), Some(file)) = (&result, &mut file) {
            result = file.write_all(record).and_then(|()| file.write_all(b"\n")).map_err(io);
        }
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result?;
    match &mut file {
        Some(file) => Ok(file.flush().map_err(io)?),
        None => Ok(()),
    }
}

/// A trace that was read whole, with what lies beside it: every frame is checked and folded. What was checked is what is
/// taken into a store, whatever becomes of the file meanwhile.
#[derive(Debug)]
pub struct Incoming {
    run: Arc<str>,
    attributes: Attributes,
    manifest: Vec<u8>,
    frames: Vec<(Vec<u8>, FrameMark)>,
    sides: Vec<(Side, Vec<Vec<u8>>)>,
}

impl Incoming {
    /// Reads a trace. No store is needed for it, and none is made for one that would be refused.
    ///
    /// # Errors
    /// A trace that is not what was written, or ends half-written.
    pub fn read(path: &Path) -> Result<Self, TransferError> {
        let io = |source| TraceFileError::Io { path: path.to_owned(), source };
        let file = open_regular(path).map_err(io)?;
        let mut lines: Vec<(Vec<u8>, FrameMark)> = Vec::new();
        let mut reader = TraceReader::new(path.display().to_string(), BufReader::new(file));
        let (run, ending) = reader.fold_lines(|run, closed, line| {
            let at = closed.map_or(0, |closed| closed.frame.at);
            lines.push((line.to_vec(), FrameMark { at, status: run.status() }));
        })?;
        if ending == (Ending::Open { half_written: true }) {
            return Err(TraceFileError::Torn { path: path.to_owned() }.into());
        }
        let mut frames = lines.into_iter();
        let (manifest, _) = frames.next().ok_or_else(|| io(std::io::ErrorKind::UnexpectedEof.into()))?;
        let frames = frames.collect();
        let mut sides = Vec::new();
        for side in Side::ALL {
            sides.push((side, read_records(&beside(path, side))?));
        }
        let attributes = Attributes {
            tenant: run.manifest().tenant.clone(),
            agent: Arc::clone(&run.manifest().agent),
            principal: None,
            started: run.manifest().started,
        };
        let incoming = Incoming { run: Arc::clone(&run.manifest().run), attributes, manifest, frames, sides };
        checks::begin(&incoming.begins())?;
        Ok(incoming)
    }

    fn begins(&self) -> NewRun<'_> {
        NewRun { id: &self.run, manifest: &self.manifest, attributes: self.attributes.clone(), salt: None }
    }

    /// Takes it into a store: an open trace is an open run there. Its salt stays where the run was. The run's row.
    ///
    /// # Errors
    /// A run that is there already, a store that cannot be written.
    pub fn put_into(&self, store: &dyn RunStore, holder: &Holder) -> Result<RunRow, TransferError> {
        let mut log = store.begin(self.begins(), holder, Durability::Buffered)?;
        for (frame, (line, mark)) in (1..).zip(&self.frames) {
            log.append(frame, line, *mark)?;
        }
        for (side, records) in &self.sides {
            let mut side = log.side(*side)?;
            records.iter().try_for_each(|record| side.append(record))?;
            side.flush()?;
        }
        log.sync()?;
        let row = log.row()?;
        log.release()?;
        Ok(RunRow { held: None, ..row })
    }
}

/// Reads a trace and takes it into a store that is there: [`Incoming::read`] and [`Incoming::put_into`].
///
/// # Errors
/// As there.
pub fn import(store: &dyn RunStore, path: &Path, holder: &Holder) -> Result<RunRow, TransferError> {
    Incoming::read(path)?.put_into(store, holder)
}

fn read_records(path: &Path) -> Result<Vec<Vec<u8>>, TransferError> {
    let io = |source| TraceFileError::Io { path: path.to_owned(), source };
    let mut file = match open_regular(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io(source).into()),
    };
    let mut records = Vec::new();
    loop {
        let mut record = Vec::new();
        let most = LARGEST_FRAME as u64 + 1;
        Read::by_ref(&mut file).take(most).read_until(b'\n', &mut record).map_err(io)?;
        match record.pop() {
            None => return Ok(records),
            Some(b'\n') => records.push(record),
            Some(_) => return Err(TraceFileError::Torn { path: path.to_owned() }.into()),
        }
    }
}
