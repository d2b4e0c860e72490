//! Runs for an async program: many at once, from one file, on threads of their own.
//!
//! ```text
//! Governor::open("countersign.toml") ─► begin(agent, …) / take_up(agent, run) ─► GovernedRun ─► propose … observe
//! ```
//!
//! Judging and fsyncs happen on threads that may wait, with the stacks that policies may use; no async thread is
//! blocked, and a slow run never holds another. [`Session`] is the same without any of this.

mod pool;
mod run;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_engine::EngineOptions;
use countersign_operate::{SinkError, SinkQueue};
use countersign_store::{BeginError, Durability, RunQuery, SharedStore, StorageError};
use countersign_tools::registry::Registry;
use tokio::sync::oneshot;

use crate::deployment::Deployment;
use crate::host::HostError;
use crate::live::LiveHost;
use crate::operations::Operations;
use crate::session::{Held, Observer, Session, SessionError, Setup};
use crate::settings::SettingsError;
use pool::Pool;

pub use run::GovernedRun;

/// Most threads that judge at once. A session beyond them waits for the first that is free.
const THREADS: usize = 512;

/// Opens runs by one file. Cheap to clone.
#[derive(Clone)]
pub struct Governor {
    deployment: Arc<Deployment>,
    live: Arc<LiveHost>,
    store: SharedStore,
    pool: Pool,
    /// Where items for people go, once there was a run.
    sinks: Arc<Mutex<Option<Arc<SinkQueue>>>>,
}

impl std::fmt::Debug for Governor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Governor").field("file", &self.deployment.file()).finish_non_exhaustive()
    }
}

/// A governor that cannot open, or a run of it that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GovernorError {
    /// Its file.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The policies.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// A sink of the operator's.
    #[error("operator.sinks: {0}")]
    Sink(#[from] SinkError),
    /// The run.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The run is pinned to a bundle that cannot be had here.
    #[error("run `{run}` is pinned to the bundle {bundle}, which is not here; install it, or end the run")]
    Bundle {
        /// Which run.
        run: Arc<str>,
        /// Digest of the lock.
        bundle: Arc<str>,
    },
    /// The run was closed.
    #[error("run `{run}` was closed here")]
    Gone {
        /// Which.
        run: Arc<str>,
    },
    /// The machine gives no threads.
    #[error("the machine gives no thread to judge on")]
    Threads,
}

impl Governor {
    /// Opens what a file says.
    ///
    /// # Errors
    /// A file, a bundle or a store that cannot be used.
    pub fn open(file: &Path, options: EngineOptions) -> Result<Self, GovernorError> {
        Governor::of(Deployment::load(file)?, options)
    }

    /// The same of a deployment that was read.
    ///
    /// # Errors
    /// A bundle or a store that cannot be used.
    pub fn of(deployment: Deployment, options: EngineOptions) -> Result<Self, GovernorError> {
        let live = deployment.bundle().live(options)?;
        let store = crate::open_store(&deployment.store().file)?;
        Ok(Governor::with(deployment, live, store))
    }

    /// The same with a host and a store that are open already.
    pub fn with(deployment: Deployment, live: LiveHost, store: SharedStore) -> Self {
        Governor {
            deployment: Arc::new(deployment),
            live: Arc::new(live),
            store,
            pool: Pool::new(THREADS),
            sinks: Arc::default(),
        }
    }

    /// What its file says.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The hosts of its runs.
    pub fn live(&self) -> &LiveHost {
        &self.live
    }

    /// Where its runs are kept.
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Begins a run of an agent over these tools; `run` is its id, random where none is given.
    ///
    /// # Errors
    /// A paused agent, an id that is taken, a store that takes nothing.
    pub async fn begin(
        &self,
        agent: &str,
        run: Option<&str>,
        tools: Registry,
        observer: Option<Box<dyn Observer + Send>>,
    ) -> Result<GovernedRun, GovernorError> {
        let (governor, agent, run) = (self.clone(), agent.to_owned(), run.map(str::to_owned));
        self.on_a_thread(move || {
            let id = match run {
                Some(run) => run,
                None => crate::random_id().map_err(|source| SessionError::Random { source })?,
            };
            governor.live.refresh();
            let host = governor.live.host();
            let manifest = governor.deployment.manifest(&host, &agent, &id, &tools)?;
            let setup = governor.setup(&agent, tools, observer)?;
            let session = Session::begin(&host, &governor.store, manifest, setup)?;
            Ok(GovernedRun::new(session, &governor.pool))
        })
        .await
    }

    /// Takes a run of an agent up again, from nobody or from a process that is gone, by the bundle that it is pinned to.
    ///
    /// # Errors
    /// A run that is not there, is over or held by another process, a paused agent, a bundle that is gone.
    pub async fn take_up(
        &self,
        agent: &str,
        run: &str,
        tools: Registry,
        observer: Option<Box<dyn Observer + Send>>,
    ) -> Result<GovernedRun, GovernorError> {
        let (governor, agent, run) = (self.clone(), agent.to_owned(), run.to_owned());
        self.on_a_thread(move || {
            let held = Held::open(&governor.store, &run, Durability::Written).map_err(SessionError::from)?;
            let manifest = &held.past().manifest;
            let (run, bundle) = (Arc::clone(&manifest.run), Arc::clone(&manifest.lock));
            let host = governor.live.host_for(&bundle)?.ok_or(GovernorError::Bundle { run, bundle })?;
            let session = held.resume(&host, governor.setup(&agent, tools, observer)?)?;
            Ok(GovernedRun::new(session, &governor.pool))
        })
        .await
    }

    /// Runs of an agent, the newest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn runs(&self, agent: &str) -> Result<Vec<countersign_store::RunRow>, StorageError> {
        self.store.list(&RunQuery { agent: Some(agent.into()), ..RunQuery::default() })
    }

    /// The sinks of all its runs, started with the first.
    fn sinks(&self) -> Result<Option<Arc<SinkQueue>>, SinkError> {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if sinks.is_none() {
            *sinks = Operations::sinks(self.deployment.operator(), self.deployment.store().folder())?;
        }
        Ok(sinks.clone())
    }

    fn setup(
        &self,
        agent: &str,
        tools: Registry,
        observer: Option<Box<dyn Observer + Send>>,
    ) -> Result<Setup, GovernorError> {
        let store = self.deployment.store();
        let setup = Setup {
            operations: Operations::watching(self.deployment.operator(), &self.store, store.folder())
                .telling(self.sinks()?),
            principal: Some(agent.into()),
            keep_secrets: store.keep_secrets,
            ..Setup::new(tools)
        };
        Ok(match observer {
            Some(observer) => Setup { observer, ..setup },
            None => setup,
        })
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, GovernorError> + Send + 'static,
    ) -> Result<T, GovernorError> {
        let (answer, answered) = oneshot::channel();
        if !self.pool.spawn(move || drop(answer.send(act()))) {
            return Err(GovernorError::Threads);
        }
        answered.await.map_err(|_| GovernorError::Threads)?
    }
}

impl From<BeginError> for GovernorError {
    fn from(error: BeginError) -> Self {
        SessionError::from(error).into()
    }
}
