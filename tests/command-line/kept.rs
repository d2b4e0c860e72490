//! A store of runs, as the command and whoever tampers with its file see it.

use std::path::{Path, PathBuf};

use countersign::store::SharedStore;
use countersign_tests::rusqlite::Connection;
use serde_json::Value;

use super::{Run, countersign};

/// The file of a store.
pub struct Kept(PathBuf);

impl Kept {
    /// The store in a folder.
    pub fn new(folder: &Path) -> Self {
        Kept(folder.join("runs.db"))
    }

    /// That of a gateway whose file lies in a folder.
    pub fn of_gateway(folder: &Path) -> Self {
        Kept(folder.join(".countersign/runs.db"))
    }

    pub fn path(&self) -> String {
        self.0.display().to_string()
    }

    /// `countersign runs` on it.
    pub fn runs(&self, arguments: &[&str]) -> Run {
        countersign([&["runs"], arguments, &["--store", &self.path()]].concat())
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let run = self.runs(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.out()).unwrap_or_default()
    }

    /// Ids of its runs, the oldest first.
    pub fn ids(&self) -> Vec<String> {
        let listed = self.json(&["list"]);
        let ids = listed.as_array().into_iter().flatten().filter_map(|row| row["run"].as_str());
        ids.rev().map(str::to_owned).collect()
    }

    /// `countersign trace` on a run of it.
    pub fn trace(&self, command: &str, run: &str) -> Run {
        countersign(["trace", command, run, "--store", &self.path()])
    }

    /// Verifies a run that is not over.
    pub fn so_far(&self, run: &str) -> Run {
        countersign(["trace", "verify", "--open", run, "--store", &self.path()])
    }

    /// The trace of a run, as its lines.
    pub fn text(&self, run: &str) -> std::io::Result<String> {
        let folder = tempfile::tempdir()?;
        std::fs::read_to_string(self.export(run, folder.path()))
    }

    /// The trace of a run in a file of a folder.
    pub fn export(&self, run: &str, folder: &Path) -> PathBuf {
        let file = folder.join(format!("{run}.jsonl"));
        countersign(["trace", "export", run, &file.display().to_string(), "--store", &self.path()]).expect(0, "");
        file
    }

    /// The store itself.
    pub fn open(&self) -> anyhow::Result<SharedStore> {
        Ok(countersign::open_store(&self.0)?)
    }

    /// The file, for whoever tampers with it.
    pub fn database(&self) -> std::io::Result<Connection> {
        Connection::open(&self.0).map_err(std::io::Error::other)
    }

    /// Changes it behind the command's back, for sure.
    pub fn tamper(&self, change: &str, values: &[&str]) -> std::io::Result<()> {
        let database = self.database()?;
        let changed = database.execute(change, countersign_tests::rusqlite::params_from_iter(values));
        match changed.map_err(std::io::Error::other)? {
            0 => Err(std::io::Error::other("the test changed nothing")),
            _ => Ok(()),
        }
    }
}
