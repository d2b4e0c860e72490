use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use countersign_kernel::{Frame, Manifest};

use crate::chain;

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

    /// The run is over or suspended.
    ///
    /// # Errors
    /// When what was written cannot be put in its place.
    fn finish(&mut self) -> Result<(), StoreError>;

    /// Where the frames appended so far can be read back; none when nothing is kept.
    fn read_back(&mut self) -> Option<PathBuf>;
}

/// How much a frame survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the machine. For runs that act on the world.
    Synced,
    /// Nothing before `finish`. For runs that only judge what has long happened.
    Buffered,
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
}

impl FileStore {
    /// Starts a trace with its manifest.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, manifest: &Manifest, durability: Durability) -> Result<Self, StoreError> {
        let mut open = path.as_os_str().to_owned();
        open.push(".open");
        let open = PathBuf::from(open);
        let failed = |source| StoreError { path: open.clone(), source };
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&open).map_err(failed)?;
        let mut line = Vec::new();
        let prev = chain::encode_manifest(&mut line, manifest);
        let mut store = FileStore { path: path.to_owned(), open, file: BufWriter::new(file), durability, prev, line };
        store.write()?;
        Ok(store)
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.line.push(b'\n');
        let written = self.file.write_all(&self.line).and_then(|()| match self.durability {
            Durability::Synced => self.file.flush().and_then(|()| self.file.get_ref().sync_data()),
            Durability::Buffered => Ok(()),
        });
        written.map_err(|source| StoreError { path: self.open.clone(), source })
    }
}

impl Store for FileStore {
    fn append(&mut self, frame: &Frame) -> Result<(), StoreError> {
        self.prev = chain::encode_frame(&mut self.line, &self.prev, frame);
        self.write()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        let done = self.file.flush().and_then(|()| std::fs::rename(&self.open, &self.path));
        done.map_err(|source| StoreError { path: self.path.clone(), source })
    }

    fn read_back(&mut self) -> Option<PathBuf> {
        self.file.flush().ok()?;
        Some(self.open.clone())
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
