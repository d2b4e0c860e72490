use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_kernel::{Frame, Manifest};

use crate::run_log::Durability;
use crate::shadow::shadow_beside;
use crate::trace::{Stored, TraceError, TraceReader};

/// A trace that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {source}", path.display())]
pub struct StoreError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// Where a run's frames go. A frame is durable when `append` returns.
pub trait Store {
    /// Takes the next frame.
    ///
    /// # Errors
    /// When it could not be made durable: the run must not go on.
    fn append(&mut self, frame: &Frame) -> Result<(), StoreError>;

    /// Makes what was appended survive a crash of the machine, where it does not already.
    ///
    /// # Errors
    /// When it cannot.
    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The run is over or suspended.
    ///
    /// # Errors
    /// When what was written cannot be put in its place.
    fn finish(&mut self) -> Result<(), StoreError>;

    /// Where the frames appended so far can be read back; none when nothing is kept.
    fn read_back(&mut self) -> Option<PathBuf>;

    /// What the trace is called once it is finished: what belongs to it lies beside it, under this name
    /// and an ending of its own. None when nothing is kept, or not in a file.
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// A trace in a file: `NAME.open` while it is written, `NAME` once it is finished.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    open: PathBuf,
    file: BufWriter<File>,
    durability: Durability,
    prev: String,
    line: Vec<u8>,
    /// Taken up again, and nothing appended since: dropped, the trace gets its name back.
    untouched: bool,
}

impl FileStore {
    /// Starts a trace with its manifest.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, manifest: &Manifest, durability: Durability) -> Result<Self, StoreError> {
        let open = opened(path);
        let failed = |source| StoreError { path: open.clone(), source };
        // What was judged beside another trace of this name says nothing of this one.
        let _ = std::fs::remove_file(shadow_beside(path));
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&open).map_err(failed)?;
        // Held until the store is dropped: who finds it free knows that nobody writes here any more.
        // Where a file system knows no locks, runs are not taken over.
        let _ = file.try_lock();
        let mut line = Vec::new();
        let prev = crate::trace::encode_manifest(&mut line, manifest);
        let mut store = FileStore {
            path: path.to_owned(),
            open,
            file: BufWriter::new(file),
            durability,
            prev,
            line,
            untouched: false,
        };
        store.write()?;
        Ok(store)
    }

    /// Takes a trace up again: its frames so far, and a store that goes on behind them. One that is
    /// still called `NAME.open` is taken from whoever was lost while writing it, up to its last whole
    /// line; from whoever still writes it, it is not taken.
    ///
    /// # Errors
    /// A trace that is broken, is being written, or cannot be opened for writing.
    pub fn resume(path: &Path, durability: Durability) -> Result<(Self, Manifest, Vec<Frame>), ResumeError> {
        let open = opened(path);
        let io = |source| StoreError { path: path.to_owned(), source };
        if open.exists() {
            take_over(&open)?;
        } else {
            // While it is written it is `NAME.open`: nobody takes it for a finished one.
            std::fs::rename(path, &open).map_err(io)?;
        }
        match FileStore::go_on(path, &open, durability) {
            Ok(resumed) => Ok(resumed),
            Err(error) => {
                // Nothing was appended: it gets its name back.
                let _ = std::fs::rename(&open, path);
                Err(error)
            }
        }
    }

    fn go_on(path: &Path, open: &Path, durability: Durability) -> Result<(Self, Manifest, Vec<Frame>), ResumeError> {
        let io = |source| StoreError { path: open.to_owned(), source };
        let file = OpenOptions::new().append(true).open(open).map_err(io)?;
        lock(&file, open)?;
        let written = File::open(open).map_err(io)?;
        let mut reader = TraceReader::new(open.display().to_string(), std::io::BufReader::new(written));
        let (mut manifest, mut frames) = (None, Vec::new());
        while let Some(stored) = reader.read()? {
            match stored {
                Stored::Manifest(read) => manifest = Some(read),
                Stored::Frame(frame) => frames.push(frame),
            }
        }
        let Some(manifest) = manifest else { return Err(io(std::io::ErrorKind::UnexpectedEof.into()).into()) };
        let prev = reader.head().unwrap_or_default().to_owned();
        let (path, open, file) = (path.to_owned(), open.to_owned(), BufWriter::new(file));
        Ok((FileStore { path, open, file, durability, prev, line: Vec::new(), untouched: true }, manifest, frames))
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.untouched = false;
        self.line.push(b'\n');
        let written = self.file.write_all(&self.line).and_then(|()| match self.durability {
            Durability::Synced => self.file.flush().and_then(|()| self.file.get_ref().sync_data()),
            Durability::Written => self.file.flush(),
            Durability::Buffered => Ok(()),
        });
        written.map_err(|source| StoreError { path: self.open.clone(), source })
    }
}

/// Whoever wrote this is gone: its lock is free. What it had not written whole is cut off; the frame
/// was never durable, so nothing it asked for was begun.
fn take_over(open: &Path) -> Result<(), ResumeError> {
    let io = |source| StoreError { path: open.to_owned(), source };
    let file = OpenOptions::new().read(true).write(true).open(open).map_err(io)?;
    lock(&file, open)?;
    let bytes = std::fs::read(open).map_err(io)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64).map_err(io)?;
    }
    Ok(())
}

/// Where another thread is just starting a program, the program holds a copy of every lock until it has
/// begun: a lock that was given up is free a little later.
fn lock(file: &File, open: &Path) -> Result<(), ResumeError> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    file.try_lock().map_err(|_| ResumeError::Busy { path: open.to_owned() })
}

fn opened(path: &Path) -> PathBuf {
    let mut open = path.as_os_str().to_owned();
    open.push(".open");
    PathBuf::from(open)
}

/// A trace that cannot be taken up again.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is broken.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Another process is writing it.
    #[error("`{}`: another process is writing it", path.display())]
    Busy {
        /// Which.
        path: PathBuf,
    },
}

impl Store for FileStore {
    fn append(&mut self, frame: &Frame) -> Result<(), StoreError> {
        self.prev = crate::trace::encode_frame(&mut self.line, &self.prev, frame);
        self.write()
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|source| StoreError { path: self.open.clone(), source })
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.untouched = false;
        let done = self.file.flush().and_then(|()| std::fs::rename(&self.open, &self.path));
        done.map_err(|source| StoreError { path: self.path.clone(), source })
    }

    fn read_back(&mut self) -> Option<PathBuf> {
        self.file.flush().ok()?;
        Some(self.open.clone())
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        if self.untouched {
            let _ = std::fs::rename(&self.open, &self.path);
        }
    }
}

/// A trace in memory, for tests and for runs whose trace nobody wants.
#[derive(Debug, Default)]
pub struct MemoryStore {
    frames: Option<Vec<Frame>>,
}

impl MemoryStore {
    /// Keeps every frame.
    pub fn keeping() -> Self {
        MemoryStore { frames: Some(Vec::new()) }
    }

    /// Keeps nothing.
    pub fn discarding() -> Self {
        MemoryStore { frames: None }
    }

    /// What was kept.
    pub fn frames(&self) -> &[Frame] {
        self.frames.as_deref().unwrap_or_default()
    }
}

impl Store for MemoryStore {
    fn append(&mut self, frame: &Frame) -> Result<(), StoreError> {
        if let Some(frames) = &mut self.frames {
            frames.push(frame.clone());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn read_back(&mut self) -> Option<PathBuf> {
        None
    }
}
