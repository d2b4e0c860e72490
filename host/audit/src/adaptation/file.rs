//! The log of a trace: derived from it, whenever somebody wants it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_store::{TraceError, TraceReader};
use countersign_tools::{AtomicFile, Readers};

use super::fold::Triples;
use super::triple::Triple;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {source}", path.display())]
pub struct WriteError {
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// What it is called in the folder of a backtest.
pub(crate) const FILE: &str = "adaptation.jsonl";

/// A log that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AdaptationError {
    /// The trace is not what was written, or cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The log cannot be written.
    #[error(transparent)]
    Store(#[from] WriteError),
}

/// The triples of a stored trace, in the order of the log. `each` takes them one by one: memory does not
/// grow with the trace.
///
/// # Errors
/// At the first frame that is not what was written; what came before it was given out.
pub fn derive<E: From<AdaptationError>>(trace: &Path, each: impl FnMut(Triple) -> Result<(), E>) -> Result<(), E> {
    let name = trace.display().to_string();
    let failed = |source| AdaptationError::from(TraceError::Io { file: name.clone(), source });
    let file = File::open(trace).map_err(failed)?;
    derive_from(&mut TraceReader::new(name, BufReader::new(file)), each)
}

/// The same from wherever the lines of a trace come.
///
/// # Errors
/// As [`derive()`].
pub fn derive_from<R: BufRead, E: From<AdaptationError>>(
    reader: &mut TraceReader<R>,
    mut each: impl FnMut(Triple) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error: TraceError| AdaptationError::from(error);
    let (mut triples, mut result) = (None, Ok(()));
    let folded = reader.fold(|run, closed| {
        let triples = triples.get_or_insert_with(|| Triples::new(Arc::clone(run.manifest())));
        if result.is_ok() {
            result = triples.frame(closed).into_iter().try_for_each(&mut each);
        }
    });
    result?;
    folded.map_err(failed)?;
    triples.map_or_else(Vec::new, Triples::finish).into_iter().try_for_each(each)
}

/// A log being written: under its name once it is whole.
pub(crate) struct AdaptationFile {
    path: PathBuf,
    file: AtomicFile,
    line: Vec<u8>,
}

impl AdaptationFile {
    pub(crate) fn create(path: &Path) -> Result<Self, WriteError> {
        let file =
            AtomicFile::create(path, Readers::Owner).map_err(|source| WriteError { path: path.to_owned(), source })?;
        Ok(AdaptationFile { path: path.to_owned(), file, line: Vec::new() })
    }

    pub(crate) fn write(&mut self, triple: &Triple) -> Result<(), WriteError> {
        self.line.clear();
        let line = serde_json::to_writer(&mut self.line, triple).map_err(std::io::Error::from);
        let written = line.and_then(|()| {
            self.line.push(b'\n');
            self.file.write_all(&self.line)
        });
        written.map_err(|source| WriteError { path: self.path.clone(), source })
    }

    pub(crate) fn finish(self) -> Result<(), WriteError> {
        let AdaptationFile { path, file, .. } = self;
        file.finish().map_err(|source| WriteError { path, source })
    }
}
