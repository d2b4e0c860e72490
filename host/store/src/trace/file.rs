//! A trace that is written to a file while its run runs.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::run_log::{Durability, LARGEST_FRAME};

/// A file that no frame was written to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceFileError {
    /// There is a file of that name, and it may be evidence.
    #[error("`{}` exists and is not written over; give another name, or move it away", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Its last line is half a frame.
    #[error("`{}`: its last line is cut off; nothing is appended behind it", path.display())]
    Torn {
        /// Which file.
        path: PathBuf,
    },
    /// Not the next frame.
    #[error("`{}`: frame {given} was to be written where frame {expected} is next", path.display())]
    Conflict {
        /// Which file.
        path: PathBuf,
        /// The number given.
        given: u64,
        /// The next one.
        expected: u64,
    },
    /// No reader would take it.
    #[error("`{}`: frame {frame} has {bytes} bytes or a line's end in it; a frame is one line of at most {LARGEST_FRAME} bytes", path.display())]
    NotALine {
        /// Which file.
        path: PathBuf,
        /// The number given.
        frame: u64,
        /// Its size.
        bytes: usize,
    },
    /// It is no longer what was written: somebody moved, removed or cut it.
    #[error("`{}`: was moved, removed or cut while it was being written", path.display())]
    Gone {
        /// Which file.
        path: PathBuf,
    },
    /// What was written before is not whole.
    #[error("`{}`: an earlier frame could not be written; nothing is appended behind it", path.display())]
    Failed {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The writer of a trace, which nobody else writes meanwhile.
#[derive(Debug)]
pub struct TraceFile {
    path: PathBuf,
    file: BufWriter<File>,
    durability: Durability,
    next: u64,
    written: u64,
    failed: bool,
}

impl TraceFile {
    /// A new file, for its owner alone. Its first frame is the manifest.
    ///
    /// # Errors
    /// A file that is there already, or cannot be made.
    pub fn create(path: &Path, durability: Durability) -> Result<Self, TraceFileError> {
        let file = create_new(path)?;
        Ok(TraceFile {
            path: path.to_owned(),
            file: BufWriter::new(file),
            durability,
            next: 0,
            written: 0,
            failed: false,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the next frame.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes a frame's line; with [`Durability::Synced`] it survives a crash of the machine then.
    ///
    /// # Errors
    /// When it was not taken. After a write that failed nothing more is.
    pub fn append(&mut self, frame: u64, line: &[u8]) -> Result<(), TraceFileError> {
        let path = || self.path.clone();
        if self.failed {
            return Err(TraceFileError::Failed { path: path() });
        }
        if frame != self.next {
            return Err(TraceFileError::Conflict { path: path(), given: frame, expected: self.next });
        }
        if line.len() > LARGEST_FRAME || line.contains(&b'\n') {
            return Err(TraceFileError::NotALine { path: path(), frame, bytes: line.len() });
        }
        let written = self.file.write_all(line).and_then(|()| self.file.write_all(b"\n"));
        self.done(written)?;
        self.written += line.len() as u64 + 1;
        self.next += 1;
        match self.durability {
            Durability::Synced => self.sync(),
            Durability::Written => self.flush(),
            Durability::Buffered => Ok(()),
        }
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// When it cannot.
    pub fn flush(&mut self) -> Result<(), TraceFileError> {
        let flushed = self.file.flush();
        self.done(flushed)?;
        // A trace that nobody will find is none: whoever acts on a frame acts on what is there.
        if there(self.file.get_ref(), &self.path) == Some(self.written) {
            return Ok(());
        }
        self.failed = true;
        Err(TraceFileError::Gone { path: self.path.clone() })
    }

    /// Waits until everything survives a crash of the machine.
    ///
    /// # Errors
    /// When it cannot.
    pub fn sync(&mut self) -> Result<(), TraceFileError> {
        self.flush()?;
        let synced = self.file.get_ref().sync_data();
        self.done(synced)
    }

    fn done(&mut self, result: std::io::Result<()>) -> Result<(), TraceFileError> {
        result.map_err(|source| {
            self.failed = true;
            TraceFileError::Io { path: self.path.clone(), source }
        })
    }
}

/// How long the file is that the name leads to, where that is the one that is open.
fn there(file: &File, path: &Path) -> Option<u64> {
    let found = std::fs::metadata(path).ok()?;
    (identity(&found) == identity(&file.metadata().ok()?)).then_some(found.len())
}

/// What tells one file from another of the same name, where the system has such a thing.
#[cfg(unix)]
pub(crate) fn identity(file: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

#[cfg(not(unix))]
pub(crate) fn identity(_: &std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// A file to be read from its begin to its end, as often as is needed.
///
/// # Errors
/// What cannot be opened, and what is no regular file: of a pipe nobody knows when it has something to say.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    let about = std::fs::metadata(path)?;
    if about.is_file() {
        return File::open(path);
    }
    let (what, then) = match about.is_dir() {
        true => ("a folder", "name a file in it"),
        false => ("a pipe or a device", "write what it gives into a file first"),
    };
    Err(std::io::Error::new(ErrorKind::InvalidInput, format!("is {what}, and no regular file; {then}")))
}

/// A file that was not there.
pub(super) fn create_new(path: &Path) -> Result<File, TraceFileError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => TraceFileError::Exists { path: path.to_owned() },
        _ => TraceFileError::Io { path: path.to_owned(), source },
    })
}
