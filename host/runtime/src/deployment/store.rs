use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where runs are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StoreSection {
    /// The file of the store, which `countersign runs --store` reads. Default `.countersign/runs.db`.
    pub file: PathBuf,
    /// Keep the exact arguments of calls that hold a secret while their run lives, so that another process can make such
    /// a call after an approval. Default true; without it the call is refused then and has to be proposed again.
    pub keep_secrets: bool,
}

impl Default for StoreSection {
    fn default() -> Self {
        StoreSection { file: PathBuf::from(".countersign/runs.db"), keep_secrets: true }
    }
}

impl StoreSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        let whole = folder.join(&self.file);
        // Told to people who may be anywhere.
        self.file = std::path::absolute(&whole).unwrap_or(whole);
    }

    /// What lies beside the store: working folders of runs, and what an operator's paths are relative to.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }
}
