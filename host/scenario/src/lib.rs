//! A whole governed run in one file: goal, models, tools, boundary, budgets, expectations.
//!
//! Models are scripted, but a reply is matched on what the request says, so that a loop that sends
//! something else gets something else; or they are real ones of a registry. Tools are scripted too, or
//! real commands in a working folder.

mod agent;
mod describe;
mod expect;
mod kept;
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
use std::time::Duration;

use countersign::session::{Observer, Session, SessionError, Setup};
use countersign::settings::{SettingsError, read_merged};
use countersign::{Host, HostError, NotDispatched, Operations, random_id};
use countersign_audit::convergence::RunFigures;
use countersign_engine::Outcome;
use countersign_kernel::contract::Trigger;
use countersign_kernel::{Closed, Input, Run, Status};
use countersign_mcp::{Accept, McpError, Pins, pins_beside};
use countersign_models::{Client, Registry};
use countersign_operate::SinkError;
use countersign_spec::ManifestError;
use countersign_spec::state::Memory;
use countersign_store::memory::MemoryStore;
use countersign_store::trace::TransferError;
use countersign_store::{Durability, SharedStore};
use countersign_tools::redact::Salt;
use toml::Table;

pub use countersign_models::INJECTED;
pub use describe::line as describe_event;
pub use expect::{Expectations, describe};
use kept::KeptTask;
pub use kept::{Keep, KeptError};
pub use resume::{Resumed, resume};
use servers::RunTools;

/// How long a run waits at its end until the sinks have taken what there is to tell people.
const TELLING: std::time::Duration = std::time::Duration::from_secs(10);

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
    /// The run cannot begin, be taken up or go on.
    #[error(transparent)]
    Session(SessionError),
    /// Its trace cannot be written to a file.
    #[error(transparent)]
    Export(#[from] TransferError),
    /// Its task cannot be kept with it, or read back.
    #[error(transparent)]
    Kept(#[from] KeptError),
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

impl From<SessionError> for RunError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Host(error) => error.into(),
            SessionError::NotDispatched(error) => error.into(),
            error => RunError::Session(error),
        }
    }
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
    /// A file that the trace is written to as well; it must not be there yet.
    pub trace: Option<PathBuf>,
    /// A store that the run is kept in: it can be taken up again from there. None keeps it in memory.
    pub keep: Option<Keep>,
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

    /// The same scenario with one rule switched off, where it has one.
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
                    complaints.extend(countersign_audit::convergence::not_converging(&figures));
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
        let origin = origin::Origin::of(&self.spec, options.models.is_some() || options.keep.is_some());
        let origin = origin.map_err(machine("cannot get random bytes for the run's seed"))?;
        let client = self.client(options.models.as_ref())?;
        let scratch = tempfile::tempdir().map_err(machine("cannot make a folder for the operator"))?;
        let workspace = match &options.keep {
            Some(keep) => workspace::Workspace::at(keep.workspace(&id), &self.spec.files),
            None => workspace::Workspace::create(&self.spec.files),
        };
        let workspace = workspace.map_err(machine("cannot make the working folder"))?;
        // What does not come so far as to have a record leaves nothing behind.
        let mut begun = Begun(options.keep.as_ref().map(|keep| keep.workspace(&id)));
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
        let manifest = self.spec.manifest(host, &self.folder, &pinned)?;
        let operator = options.keep.as_ref().map_or_else(|| scratch.path().to_path_buf(), |keep| keep.files.clone());
        let store: SharedStore = match &options.keep {
            Some(keep) => Arc::clone(&keep.store),
            None => Arc::new(MemoryStore::new()),
        };
        let mut operations = self.operations(&operator, &store)?;
        // Before anything is kept of it: a refused run leaves nothing behind.
        operations.dispatch(&manifest, manifest.started)?;
        if let Some(keep) = &options.keep {
            self.kept_task(options.models.as_ref(), &tools)?.put(&keep.store, &id)?;
        }
        let named = options.trace.as_ref().filter(|_| last);
        // A record that vanishes needs to survive nothing, and nobody would read what is said in shadow beside it.
        let durable = options.keep.is_some();
        let setup = Setup {
            operations,
            salt: Some(salt),
            durability: if durable || named.is_some() { Durability::Synced } else { Durability::Buffered },
            trace: named.cloned(),
            shadow: durable || named.is_some(),
            ..Setup::new(countersign_tools::registry::Registry::new(&tools.specs))
        };
        let mut session = self.begun(Session::begin(host, &store, manifest, setup))?;
        begun.0 = None;
        let manifest = Arc::clone(session.run().manifest());
        let surroundings = world::Surroundings {
            workspace,
            operator: operator.clone(),
            salt,
            cancel: options.cancel.clone().or_else(|| Some(Arc::new(AtomicBool::new(false)))),
            models: client,
            before: 0,
        };
        let mut world = world::ScenarioWorld::new(&self.spec, &tools, &manifest, surroundings);
        let mut watching =
            Watching { inner: observer, matching: expect::Matching::new(&self.spec.expect, &self.spec.shows) };
        let driven = session.drive(Input::Started, &mut world, &mut watching);
        // What went wrong first says more than that the run cannot be given back because of it.
        let put_away = session.put_away();
        // What people are told is looked at next.
        session.told(TELLING);
        driven?;
        let status = put_away?;
        let mut unmet = Vec::new();
        let held = watching.matching.held;
        let left = expect::Left { workspace: world.workspace().path(), operator: &operator, store: &*store };
        if last {
            unmet = watching.matching.unmet(&self.spec.expect, status);
            unmet.extend(expect::unmet_after(&self.spec.expect, session.run(), &left));
        }
        let evidence = expect::evidence(&self.spec.expect, session.run(), &left);
        unmet.extend(world.complaints().iter().cloned());
        memory.extend(world.memories().iter().cloned());
        Ok(Finished { status, id, run: session.into_run(), unmet, held, evidence, figures: Vec::new() })
    }

    /// A session, or what is wrong with the scenario's values.
    fn begun(&self, begun: Result<Session, SessionError>) -> Result<Session, RunError> {
        begun.map_err(|error| match error {
            SessionError::Manifest(source) => RunError::Manifest { file: self.file.clone(), source },
            error => error.into(),
        })
    }

    /// What calls the models, where they are real.
    fn client(&self, models: Option<&Registry>) -> Result<Option<Client>, RunError> {
        if models.is_none() && self.spec.models.is_empty() {
            let problem = "expected a table such as `[models.cheap]` with replies; or name real models with \
                           `--config countersign.toml`";
            return Err(SettingsError::invalid(&self.file, "models", problem).into());
        }
        Ok(models.map(Client::new).transpose()?)
    }

    fn operations(&self, folder: &Path, store: &SharedStore) -> Result<Operations, RunError> {
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
            // The scripted operator has a file that switches nothing off, until it is thrown.
            let path = folder.join("switches.toml");
            if !path.exists() {
                std::fs::write(&path, "").map_err(machine("cannot make the operator's switch file"))?;
            }
            operator.switches = Some("switches.toml".into());
        }
        let file = || self.file.clone();
        Operations::new(&operator, store, folder).map_err(|source| RunError::Sink { file: file(), source })
    }

    /// What taking the run up again needs.
    fn kept_task(&self, models: Option<&Registry>, tools: &RunTools<'_>) -> Result<KeptTask, RunError> {
        let pins = tools.pins.as_ref().map(Pins::text).transpose();
        let pins = pins.map_err(|error| SettingsError::invalid(&self.file, "servers", error.to_string()))?;
        Ok(KeptTask {
            scenario: self.table.to_string(),
            folder: kept::absolute(&self.folder),
            models: models.map(Registry::portable),
            pins,
        })
    }

    /// Where the tools of its servers are pinned.
    fn pins(&self) -> PathBuf {
        pins_beside(Path::new(&self.file))
    }

    fn mcp(&self, source: McpError) -> RunError {
        RunError::Mcp { file: self.file.clone(), source }
    }
}

/// The working folder of a run that has no record yet.
struct Begun(Option<PathBuf>);

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // Nobody could show it or take it up.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn machine(what: &'static str) -> impl FnOnce(std::io::Error) -> RunError {
    move |source| RunError::Machine { what, source }
}

/// Passes everything on, and matches expectations.
struct Watching<'a> {
    inner: &'a mut dyn Observer,
    matching: expect::Matching,
}

impl Observer for Watching<'_> {
    fn judged(&mut self, entry: &str, outcome: &Outcome, took: Duration) {
        self.inner.judged(entry, outcome, took);
    }

    fn frame(&mut self, run: &Run, closed: &Closed) {
        self.matching.frame(&closed.frame);
        self.inner.frame(run, closed);
    }
}
