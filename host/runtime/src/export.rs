//! A run as files: its trace, and what lies beside it.

use std::fs::OpenOptions;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use countersign_store::{OpenError, RunReader, RunStore, Side, StorageError};

/// A run that cannot be written to files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is not there.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// A file cannot be written.
    #[error("`{}`: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes a run's trace to a file, and what policies logged and said in shadow beside it (`NAME.log`, `NAME.shadow`),
/// where there is any. Nothing is written over.
///
/// # Errors
/// A run that is not there, a file that is, or one that cannot be written.
pub fn export(store: &dyn RunStore, run: &str, path: &Path) -> Result<(), ExportError> {
    let reader = store.read(run)?;
    lines(path, |visit| reader.read_from(0, visit))?;
    for side in [Side::Log, Side::Shadow] {
        if !is_empty(&*reader, side)? {
            lines(&beside(path, side), |visit| reader.read_side(side, visit))?;
        }
    }
    Ok(())
}

/// Where a side stream of a trace lies.
pub fn beside(trace: &Path, side: Side) -> PathBuf {
    let mut path = trace.as_os_str().to_owned();
    path.push(".");
    path.push(side.name());
    path.into()
}

fn is_empty(reader: &dyn RunReader, side: Side) -> Result<bool, StorageError> {
    let mut empty = true;
    reader.read_side(side, &mut |_| {
        empty = false;
        ControlFlow::Break(())
    })?;
    Ok(empty)
}

fn lines(
    path: &Path,
    read: impl FnOnce(&mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), StorageError>,
) -> Result<(), ExportError> {
    let failed = |source| ExportError::File { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = std::io::BufWriter::new(options.open(path).map_err(failed)?);
    let mut written = Ok(());
    read(&mut |line| {
        written = file.write_all(line).and_then(|()| file.write_all(b"\n"));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.and_then(|()| file.flush()).map_err(failed)
}
