//! A whole governed run in one file: goal, models, tools, boundary, budgets, expectations.
//!
//! Models are scripted, but a reply is matched on what the request says, so that a loop that sends
//! something else gets something else; or they are real ones of a registry. Tools are scripted too, or
//! real commands in a working folder.

mod agent;
mod describe;
mod expect;
mod origin;
mod people;
mod resume;
mod script;
mod servers;
mod spec;
mod tools;
mod workspace;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use countersign_bundle::write_atomically;
use countersign_engine::Outcome;
use countersign_kernel::contract::threshold::Trigger;
use countersign_kernel::state::Memory;
use countersign_kernel::{Frame, Input, Manifest, ManifestError, Run, Status};
use countersign_store::{Diagnostics, Durability, FileStore, ResumeError, RunFolder, Runs, StoreError};
use toml::Table;

use crate::adaptation::{self, AdaptationError};
use crate::convergence::RunFigures;
use crate::drive::{DriveError, Observer, drive};
use crate::host::{Host, HostError};
use crate::mcp::{Accept, McpError, pins_beside};
use crate::models::{Client, Registry};
use crate::operate::SinkError;
use crate::operations::{NotDispatched, Operations};
use crate::random::random_id;
use crate::redact::Salt;
use crate::settings::{SettingsError, read_merged};

pub(crate) use crate::clock::utc_now;
pub use crate::reply::INJECTED;
pub use describe::line as describe_event;
pub use expect::{Expectations, describe};
pub use resume::{Resumed, resume};
use servers::RunTools;

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
    /// What is derived from it.
    #[error(transparent)]
    Adaptation(#[from] AdaptationError),
    /// The scenario's values.
    #[error("`{file}`: {source}")]
    Manifest {
        /// Which file.
        file: String,
        /// What makes no sense.
        source: ManifestError,
    },
    /// A file of settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A sink of the operator's.
    #[error("`{file}`, operator.sinks: {source}")]
    Sink {
        /// Which file.
        file: String,
        /// What makes no sense.
        source: SinkError,
    },
    /// An MCP server, or its tools.
    #[error("`{file}`: {source}")]
    Mcp {
        /// Which file.
        file: String,
        /// What is the matter.
        source: McpError,
    },
    /// Its agent is paused, or something is switched off.
    #[error(transparent)]
    NotDispatched(#[from] NotDispatched),
    /// A run that cannot be taken up again.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The same, for reasons of its own.
    #[error("run `{run}`: {problem}")]
    NotResumable {
        /// Which.
        run: String,
        /// What stands in the way, and what to do.
        problem: String,
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
    /// Everything in it, with what it includes.
    table: Table,
    /// Where the file lies: what it names is relative to it.
    folder: PathBuf,
    twin: Option<Box<Scenario>>,
}

/// How a run is made.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// Where the trace goes; none keeps it in a folder that vanishes.
    pub trace: Option<PathBuf>,
    /// A folder of runs that this one joins: it can be taken up again from there.
    pub store: Option<Runs>,
    /// Id of the run; random by default.
    pub id: Option<String>,
    /// Its salt; random by default. Whoever fixes both gets the same trace each time, byte for byte, where models and
    /// tools are scripted and no store keeps the run.
    pub salt: Option<Salt>,
    /// Set from another thread to stop the run.
    pub cancel: Option<Arc<AtomicBool>>,
    /// Real models; they answer instead of scripted ones.
    pub models: Option<Registry>,
    /// Tools of MCP servers that are accepted as they are now.
    pub accept: Accept,
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
    /// Why and when the evaluator stopped it, in milliseconds of its own time; none where it did not.
    pub held: Option<(Option<Trigger>, u64)>,
    /// What shows it: files and amounts that were expected, as they are.
    pub evidence: Vec<String>,
    /// Of each run, where a scenario has several.
    pub figures: Vec<RunFigures>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong, with line or key.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let merged = read_merged(path).map_err(|error| match error {
            SettingsError::Io { path, source } => ScenarioError::Io { path, source },
            SettingsError::Invalid { file, problem } => ScenarioError::Invalid { file, problem },
        })?;
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Scenario::from_table(file, merged.table, merged.text.as_deref(), folder)
    }

    fn from_table(file: String, table: Table, text: Option<&str>, folder: PathBuf) -> Result<Self, ScenarioError> {
        let invalid = |problem: String| ScenarioError::Invalid { file: file.clone(), problem };
        let mut spec = spec::Spec::parse(table.clone(), text).map_err(invalid)?;
        let twin = match spec.twin.take() {
            None => None,
            Some(twin) => {
                let table = twin.table(&table).map_err(invalid)?;
                let mut other = Scenario::from_table(file.clone(), table, None, folder.clone())?;
                other.spec.expect = twin.expect;
                other.spec.title = format!("without {}", twin.without);
                Some(Box::new(other))
            }
        };
        Ok(Scenario { file, spec, table, folder, twin })
    }

    /// Its file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.spec.title
    }

    /// The same scenario with one guard switched off, where it has one.
    pub fn twin(&self) -> Option<&Scenario> {
        self.twin.as_deref()
    }

    /// The behaviours that it shows: id, and the part of an event line that must come.
    pub fn shows(&self) -> &BTreeMap<String, String> {
        &self.spec.shows
    }

    /// Whether it is also run by an agent that owns its loop, see [`Scenario::run_by_agent`].
    pub fn by_agent(&self) -> bool {
        self.spec.by_agent
    }

    /// The bundle that it asks for, instead of the host's own.
    pub fn bundle(&self) -> Option<PathBuf> {
        self.spec.bundle.as_ref().map(|bundle| self.folder.join(bundle))
    }

    /// What it expects.
    pub fn expectations(&self) -> &Expectations {
        &self.spec.expect
    }

    /// Runs it, as often as it says.
    ///
    /// # Errors
    /// When it could not be run; a run that ends badly is no error.
    pub fn run(&self, host: &Host, options: RunOptions, observer: &mut dyn Observer) -> Result<Finished, RunError> {
        let mut memory = Vec::new();
        let mut figures = Vec::new();
        let mut complaints = Vec::new();
        for number in 1..=self.spec.runs {
            let last = number == self.spec.runs;
            let once = self.once(host, &options, last, &mut memory, observer)?;
            figures.push(RunFigures::of(&once.run, number.into()));
            let mut finished = once;
            complaints.append(&mut finished.unmet);
            if last {
                if self.spec.expect.converges {
                    complaints.extend(crate::convergence::not_converging(&figures));
                }
                return Ok(Finished { unmet: complaints, figures, ..finished });
            }
        }
        Err(machine("the scenario has no run")(std::io::ErrorKind::InvalidInput.into()))
    }

    fn once(
        &self,
        host: &Host,
        options: &RunOptions,
        last: bool,
        memory: &mut Vec<Memory>,
        observer: &mut dyn Observer,
    ) -> Result<Finished, RunError> {
        let salt = options.salt.map_or_else(Salt::random, Ok);
        let salt = salt.map_err(machine("cannot get random bytes for the run's salt"))?;
        let id = options.id.clone().map_or_else(random_id, Ok).map_err(machine("cannot get random bytes for an id"))?;
        let origin = origin::Origin::of(&self.spec, options.models.is_some() || options.store.is_some());
        let origin = origin.map_err(machine("cannot get random bytes for the run's seed"))?;
        let client = self.client(options.models.as_ref())?;
        let scratch = tempfile::tempdir().map_err(machine("cannot make a folder for the trace"))?;
        let kept = options.store.as_ref().map(|store| store.create(&id)).transpose()?;
        // What does not come so far as to have a trace leaves nothing behind.
        let mut begun = Begun(kept.clone());
        let workspace = match &kept {
            Some(folder) => workspace::Workspace::at(folder.path().join("workspace"), &self.spec.files),
            None => workspace::Workspace::create(&self.spec.files),
        };
        let workspace = workspace.map_err(machine("cannot make the working folder"))?;
        let pins = self.pins();
        let place = servers::Place { folder: &self.folder, workspace: workspace.path(), pins: &pins };
        let (tools, report) =
            RunTools::of(&self.spec, &place, Some(&options.accept)).map_err(|source| self.mcp(source))?;
        if let Some(report) = report.filter(|report| !report.is_empty()) {
            observer.tools(&report);
        }
        let pinned = spec::Pinned {
            file: &self.file,
            models: options.models.as_ref(),
            id: &id,
            seed: origin.seed,
            started: origin.started,
            memory: memory.as_slice(),
            tools: &tools.specs,
        };
        let manifest = Arc::new(self.spec.manifest(host, &self.folder, &pinned)?);
        let mut run = Run::open(Arc::clone(&manifest))
            .map_err(|source| RunError::Manifest { file: self.file.clone(), source })?;
        let operator = match &options.store {
            Some(store) => store.folder().to_path_buf(),
            None => scratch.path().join("operator"),
        };
        std::fs::create_dir_all(&operator).map_err(machine("cannot make the operator's folder"))?;
        let mut operations = self.operations(&operator)?;
        operations.dispatch(&manifest, manifest.started)?;
        let mut judges = host.open(&run)?;
        if let Some(folder) = &kept {
            self.keep(folder, options.models.as_ref(), &tools)?;
        }
        let named = options.trace.clone().filter(|_| last);
        let durable = named.is_some() || kept.is_some();
        if !durable {
            // Its side stream would vanish with its trace.
            judges.shadow().off();
        }
        let path =
            named.or_else(|| kept.as_ref().map(RunFolder::trace)).unwrap_or_else(|| scratch.path().join("trace.jsonl"));
        let mut store = self.store(&path, &manifest, durable, &salt)?;
        begun.0 = None;
        let surroundings = world::Surroundings {
            workspace,
            operator: operator.clone(),
            salt,
            cancel: options.cancel.clone().or_else(|| Some(Arc::new(AtomicBool::new(false)))),
            models: client,
            before: 0,
        };
        let mut world = world::ScenarioWorld::new(&self.spec, &tools, &manifest, surroundings);
        let mut watching = Watching {
            inner: observer,
            diagnostics: Diagnostics::beside(&path),
            frame: 1,
            matching: expect::Matching::new(&self.spec.expect, &self.spec.shows),
        };
        let status =
            drive(&mut run, Input::Started, &mut judges, &mut store, &mut world, &mut operations, &mut watching)?;
        if durable {
            adaptation::write_beside(&path)?;
        }
        let mut unmet = Vec::new();
        let held = watching.matching.held;
        if last {
            unmet = watching.matching.unmet(&self.spec.expect, status);
            unmet.extend(expect::unmet_after(&self.spec.expect, &run, world.workspace().path(), &operator));
        }
        let evidence = expect::evidence(&self.spec.expect, &run, world.workspace().path(), &operator);
        unmet.extend(world.complaints().iter().cloned());
        memory.extend(world.memories().iter().cloned());
        Ok(Finished { status, id, run, unmet, held, evidence, figures: Vec::new() })
    }

    /// What calls the models, where they are real.
    fn client(&self, models: Option<&Registry>) -> Result<Option<Client>, RunError> {
        if models.is_none() && self.spec.models.is_empty() {
            let problem = "expected a table such as `[models.cheap]` with replies; or name real models with \
                           `--models models.toml`";
            return Err(SettingsError::invalid(&self.file, "models", problem).into());
        }
        Ok(models.map(Client::new).transpose()?)
    }

    fn operations(&self, folder: &Path) -> Result<Operations, RunError> {
        let mut operator = self.spec.operator.clone();
        if let Some(named) = &operator.switches {
            // A switch that is not where it is looked for would switch nothing off.
            let path = self.folder.join(named);
            if !path.exists() {
                let problem = format!("there is no file `{}`", path.display());
                return Err(SettingsError::invalid(&self.file, "operator.switches", problem).into());
            }
            operator.switches = Some(std::path::absolute(&path).unwrap_or(path));
        }
        if !self.spec.switches.is_empty() {
            operator.switches = Some("switches.toml".into());
        }
        let file = || self.file.clone();
        Operations::new(&operator, None, folder).map_err(|source| RunError::Sink { file: file(), source })
    }

    /// Keeps what taking the run up again needs.
    fn keep(&self, folder: &RunFolder, models: Option<&Registry>, tools: &RunTools<'_>) -> Result<(), RunError> {
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            write_atomically(&path, text.as_bytes()).map_err(|source| StoreError { path: path.clone(), source })
        };
        let base = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let base = base.canonicalize().unwrap_or_else(|_| self.folder.clone());
        write("scenario.toml", self.table.to_string())?;
        write("folder", base.display().to_string())?;
        // It names secrets and holds none.
        models.map_or(Ok(()), |models| write(MODELS, models.portable()))?;
        if let Some(pins) = &tools.pins {
            let beside = pins_beside(&folder.path().join("scenario.toml"));
            pins.copy_to(&beside).map_err(|error| self.mcp(error.into()))?;
        }
        Ok(())
    }

    /// Where the tools of its servers are pinned.
    fn pins(&self) -> PathBuf {
        pins_beside(Path::new(&self.file))
    }

    fn mcp(&self, source: McpError) -> RunError {
        RunError::Mcp { file: self.file.clone(), source }
    }

    fn store(&self, path: &Path, manifest: &Manifest, kept: bool, salt: &Salt) -> Result<FileStore, RunError> {
        // A trace that vanishes needs to survive nothing.
        let durability = if kept { Durability::Synced } else { Durability::Buffered };
        let store = FileStore::create(path, manifest, durability)?;
        if kept {
            let salt_path = salt_beside(path);
            write_atomically(&salt_path, &salt.0).map_err(|source| StoreError { path: salt_path.clone(), source })?;
        }
        Ok(store)
    }
}

/// Where a run folder has the registry that its models are from.
const MODELS: &str = "models.toml";
/// The folder of a run that has no trace yet.
struct Begun(Option<RunFolder>);

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // Nobody could show it or take it up.
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}

fn salt_beside(trace: &Path) -> PathBuf {
    let mut path = trace.as_os_str().to_owned();
    path.push(".salt");
    PathBuf::from(path)
}

fn machine(what: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    move |source| RunError::Machine { what, source }
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
