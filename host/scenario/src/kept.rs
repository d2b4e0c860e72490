//! What taking a scripted run up again needs beside its record: its scenario as it was, and where its files lie.

use std::path::{Path, PathBuf};

use countersign_store::{RegisterError, RegisterName, SharedStore, StorageError};
use serde::{Deserialize, Serialize};

/// A store that a run is kept in, with the folder for what tools write.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Its record goes here.
    pub store: SharedStore,
    /// The working folders of its runs lie below this folder, and what an operator's part of a scenario names is
    /// relative to it.
    pub files: PathBuf,
}

impl Keep {
    /// The working folder of a run.
    pub(super) fn workspace(&self, run: &str) -> PathBuf {
        self.files.join("workspaces").join(run)
    }
}

/// A task as its run was begun with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct KeptTask {
    /// The scenario with everything that it includes, as TOML.
    pub scenario: String,
    /// What its paths are relative to.
    pub folder: PathBuf,
    /// The file of its models, which names secrets and holds none.
    pub models: Option<String>,
    /// The pinned tools of its servers.
    pub pins: Option<String>,
}

/// A task that is not kept, or not what was kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It cannot be kept.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// There is none, or it is damaged.
    #[error("the task of run `{run}` {problem}")]
    Damaged {
        /// Which run.
        run: String,
        /// What was found.
        problem: String,
    },
}

fn name(run: &str) -> Result<RegisterName, KeptError> {
    let damaged = |problem: String| KeptError::Damaged { run: run.to_owned(), problem };
    RegisterName::of(&["tasks", run]).map_err(|error| damaged(format!("has no place: {error}")))
}

impl KeptTask {
    pub fn put(&self, store: &SharedStore, run: &str) -> Result<(), KeptError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        store.compare_and_set(&name(run)?, None, &bytes)?;
        Ok(())
    }

    pub fn get(store: &SharedStore, run: &str) -> Result<Self, KeptError> {
        let damaged = |problem: String| KeptError::Damaged { run: run.to_owned(), problem };
        let register = store.register(&name(run)?)?;
        let register =
            register.ok_or_else(|| damaged("was not kept in this store; it cannot be taken up".to_owned()))?;
        serde_json::from_slice(&register.value).map_err(|error| damaged(format!("is damaged: {error}")))
    }
}

/// An absolute path, where it can be told.
pub(super) fn absolute(folder: &Path) -> PathBuf {
    let base = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    base.canonicalize().unwrap_or_else(|_| folder.to_owned())
}
