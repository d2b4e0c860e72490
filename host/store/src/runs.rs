//! A folder of runs: each in a folder of its own, under its id.

use std::path::{Path, PathBuf};

use crate::file::StoreError;
use crate::inbox::Inbox;

/// A folder of runs.
#[derive(Debug, Clone)]
pub struct Runs {
    folder: PathBuf,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// Id of the run.
    pub id: String,
    folder: PathBuf,
}

impl Runs {
    /// The runs in this folder, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Runs { folder: folder.into() }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder of a run.
    ///
    /// # Errors
    /// When it is there already or cannot be made.
    pub fn create(&self, id: &str) -> Result<RunFolder, StoreError> {
        let run = self.of(id);
        let failed = |source| StoreError { path: run.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        std::fs::create_dir(&run.folder).map_err(failed)?;
        Ok(run)
    }

    /// The folder of a run by its id, or by the only one that begins so; none when there is none, or
    /// several.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<RunFolder>, StoreError> {
        let mut found = self.list()?;
        if let Some(exact) = found.iter().find(|run| run.id == id) {
            return Ok(Some(exact.clone()));
        }
        found.retain(|run| run.id.starts_with(id) && !id.is_empty());
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// All of them, by id.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<RunFolder>, StoreError> {
        let failed = |source| StoreError { path: self.folder.clone(), source };
        let listing = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut runs = Vec::new();
        for entry in listing {
            let entry = entry.map_err(failed)?;
            let run = self.of(&entry.file_name().to_string_lossy());
            if run.trace().exists() || run.is_open() {
                runs.push(run);
            }
        }
        runs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(runs)
    }

    fn of(&self, id: &str) -> RunFolder {
        RunFolder { id: id.to_owned(), folder: self.folder.join(id) }
    }
}

impl RunFolder {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Its trace.
    pub fn trace(&self) -> PathBuf {
        self.folder.join("trace.jsonl")
    }

    /// What its trace is called while it is written.
    pub fn open_trace(&self) -> PathBuf {
        self.folder.join("trace.jsonl.open")
    }

    /// Whether some process is writing its trace, or stopped while it was.
    pub fn is_open(&self) -> bool {
        self.open_trace().exists()
    }

    /// The trace as far as it is there.
    pub fn readable_trace(&self) -> PathBuf {
        if self.is_open() { self.open_trace() } else { self.trace() }
    }

    /// Its inbox.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(self.folder.join("inbox"))
    }
}
