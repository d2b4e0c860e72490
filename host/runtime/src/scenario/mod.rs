//! A whole governed run in one file: goal, models, tools, boundary, budgets, expectations.
//!
//! Models are scripted, but a reply is matched on what the request says, so that a loop that sends
//! something else gets something else. Tools are scripted too, or real commands in a working folder.

mod expect;
mod script;
mod spec;
mod tools;
mod workspace;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use countersign_bundle::write_atomically;
use countersign_engine::Outcome;
use countersign_kernel::{Frame, Manifest, ManifestError, Run, Status};
use countersign_store::{Diagnostics, Durability, FileStore, StoreError};

use crate::drive::{DriveError, Observer, drive};
use crate::host::{Host, HostError};
use crate::redact::Salt;

pub use expect::{Expectations, describe};

/// A scenario that cannot be read. Names file and line or key.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file cannot be read.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it makes no sense.
    #[error("`{file}`: {problem}")]
    Invalid {
        /// Which file.
        file: String,
        /// Line or key, and what was expected.
        problem: String,
    },
}

/// A scenario that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The policies.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The loop.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The trace.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scenario's values.
    #[error("`{file}`: {source}")]
    Manifest {
        /// Which file.
        file: String,
        /// What makes no sense.
        source: ManifestError,
    },
    /// The machine.
    #[error("{what}: {source}")]
    Machine {
        /// What could not be made.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// A loaded scenario.
#[derive(Debug)]
pub struct Scenario {
    file: String,
    spec: spec::Spec,
    /// Where the file lies: `bundle` is relative to it.
    folder: PathBuf,
}

/// How a run is made.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// Where the trace goes; none keeps it in a folder that vanishes.
    pub trace: Option<PathBuf>,
    /// Id of the run; random by default.
    pub id: Option<String>,
    /// Set from another thread to stop the run.
    pub cancel: Option<Arc<AtomicBool>>,
}

/// How a run went.
#[derive(Debug)]
pub struct Finished {
    /// Where it stands.
    pub status: Status,
    /// Id of the run.
    pub id: String,
    /// The fold at its end.
    pub run: Run,
    /// What was expected and did not happen; empty when all is as expected.
    pub unmet: Vec<String>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong, with line or key.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| ScenarioError::Io { path: path.to_owned(), source })?;
        let invalid = |problem: String| ScenarioError::Invalid { file: file.clone(), problem };
        let text = String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8".to_owned()))?;
        let spec = spec::Spec::parse(&text).map_err(invalid)?;
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Ok(Scenario { file, spec, folder })
    }

    /// Its file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.spec.title
    }

    /// The bundle that it asks for, instead of the host's own.
    pub fn bundle(&self) -> Option<PathBuf> {
        self.spec.bundle.as_ref().map(|bundle| self.folder.join(bundle))
    }

    /// What it expects.
    pub fn expectations(&self) -> &Expectations {
        &self.spec.expect
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it could not be run; a run that ends badly is no error.
    pub fn run(&self, host: &Host, options: RunOptions, observer: &mut dyn Observer) -> Result<Finished, RunError> {
        let machine = |what| move |source| RunError::Machine { what, source };
        let mut random = [0; 40];
        getrandom::fill(&mut random)
            .map_err(std::io::Error::other)
            .map_err(machine("cannot get random bytes for the run's salt"))?;
        let mut salt = [0; 32];
        salt.copy_from_slice(&random[8..]);
        let salt = Salt(salt);
        let id = options.id.unwrap_or_else(|| random[..8].iter().map(|byte| format!("{byte:02x}")).collect());

        let workspace =
            workspace::Workspace::create(&self.spec.files).map_err(machine("cannot make the working folder"))?;
        let manifest = Arc::new(self.spec.manifest(host, &id));
        let mut run = Run::open(Arc::clone(&manifest))
            .map_err(|source| RunError::Manifest { file: self.file.clone(), source })?;
        let mut judges = host.open(&run)?;
        let scratch = tempfile::tempdir().map_err(machine("cannot make a folder for the trace"))?;
        let path = options.trace.clone().unwrap_or_else(|| scratch.path().join("trace.jsonl"));
        let mut store = self.store(&path, &manifest, options.trace.is_some(), &salt)?;
        let mut world = world::ScenarioWorld::new(&self.spec, &manifest, workspace, salt, options.cancel);
        let mut watching = Watching {
            inner: observer,
            diagnostics: Diagnostics::beside(&path),
            frame: 1,
            matching: expect::Matching::new(&self.spec.expect),
        };
        let status = drive(&mut run, &mut judges, &mut store, &mut world, &mut watching)?;
        let mut unmet = watching.matching.unmet(&self.spec.expect, status);
        unmet.extend(world.complaints());
        Ok(Finished { status, id, run, unmet })
    }

    fn store(&self, path: &Path, manifest: &Manifest, kept: bool, salt: &Salt) -> Result<FileStore, RunError> {
        // A trace that vanishes needs to survive nothing.
        let durability = if kept { Durability::Synced } else { Durability::Buffered };
        let store = FileStore::create(path, manifest, durability)?;
        if kept {
            let mut salt_path = path.as_os_str().to_owned();
            salt_path.push(".salt");
            let salt_path = PathBuf::from(salt_path);
            write_atomically(&salt_path, &salt.0).map_err(|source| StoreError { path: salt_path.clone(), source })?;
        }
        Ok(store)
    }
}

/// Passes everything on, writes diagnostics beside the trace, and matches expectations.
struct Watching<'a> {
    inner: &'a mut dyn Observer,
    diagnostics: Diagnostics,
    frame: u64,
    matching: expect::Matching,
}

impl Observer for Watching<'_> {
    fn judged(&mut self, entry: &str, outcome: &Outcome) {
        // Diagnostics are a help: where they cannot be written the run goes on.
        let _ = crate::backtest::diagnose(&mut self.diagnostics, self.frame, entry, outcome);
        self.inner.judged(entry, outcome);
    }

    fn frame(&mut self, run: &Run, frame: &Frame) {
        self.frame = frame.frame + 1;
        self.matching.frame(frame);
        self.inner.frame(run, frame);
    }
}
