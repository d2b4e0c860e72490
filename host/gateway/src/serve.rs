//! From the gateway's file to a gateway that runs until its client is gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::bundle::Installed;
use countersign::deployment::AgentSection;
use countersign::engine::EngineOptions;
use countersign::mcp::{Accept, McpError, PinError, pins_beside};
use countersign::operate::SinkError;
use countersign::registry::Registry;
use countersign::session::SessionError;
use countersign::settings::SettingsError;
use countersign::spec::{Manifest, Mode};
use countersign::store::StorageError;
use countersign::{Deployment, Host, HostError, LiveHost};
use rmcp::ServiceExt;

use crate::service::Gateway;
use crate::upstream::{ToolLine, tools};

/// A gateway that cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Its file.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The policies.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A server.
    #[error(transparent)]
    Mcp(#[from] McpError),
    /// The pins of the servers' tools.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// A sink of the operator's.
    #[error("operator.sinks: {0}")]
    Sink(#[from] SinkError),
    /// The run.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Another process of the principal is in a run that lets nobody begin another one.
    #[error("the run {run} of the same principal {why}")]
    Barred {
        /// That run.
        run: String,
        /// What stands in the way.
        why: String,
    },
    /// Where runs are kept.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// The machine.
    #[error("cannot get random bytes: {source}")]
    Random {
        /// What the system says.
        source: std::io::Error,
    },
    /// The client does not speak the protocol.
    #[error("the client: {0}")]
    Client(String),
    /// A task of the gateway's own broke off.
    #[error("a task broke off: {0}")]
    Task(String),
}

/// How a gateway is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The deployment's file.
    pub file: PathBuf,
    /// The agent of the file that is meant; by default its only one, else `agent`.
    pub agent: Option<String>,
    /// A bundle's folder instead of the file's.
    pub bundle: Option<PathBuf>,
    /// A folder of installed bundles instead of what the file says; `bundle` counts before it.
    pub bundles: Option<PathBuf>,
    /// Record, block nothing, whatever the file says.
    pub monitor: bool,
    /// How policies are run.
    pub engine: EngineOptions,
}

/// What a gateway did until its client was gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The run at its end, which the next process takes up.
    pub run: Option<String>,
    /// Calls that were proposed.
    pub calls: u64,
    /// Calls that were not forwarded.
    pub held: u64,
    /// What monitor mode would have stopped: the call, who, why.
    pub would_have: Vec<String>,
}

/// Serves one client over standard input and output until it is gone.
///
/// # Errors
/// A file, a bundle, a server or a client that cannot be used.
pub async fn serve(options: &Options) -> Result<Report, GatewayError> {
    let served = Served::load(&options.file, options.agent.as_deref(), options.monitor)?;
    let live = Arc::new(live(options, &served.deployment)?);
    let hearing = live.follows().then(|| refresh_on_hangup(Arc::clone(&live)));
    let store = countersign::open_store(&served.deployment.store().file)?;
    let gateway = Gateway::new(live, Arc::new(served), store);
    let serving = Arc::clone(&gateway).serve(rmcp::transport::io::stdio_pipes());
    let ended = match serving.await {
        Ok(service) => {
            let idle = tokio::spawn(crate::service::end_when_idle(Arc::clone(&gateway)));
            let ended = service.waiting().await.map(drop).map_err(|error| GatewayError::Task(error.to_string()));
            idle.abort();
            ended
        }
        // A client that goes without a word has done nothing.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(GatewayError::Client(error.to_string())),
    };
    if let Some(hearing) = hearing {
        hearing.abort();
    }
    let report = gateway.leave().await?;
    ended?;
    Ok(report)
}

/// What is served: one agent of a deployment.
pub(crate) struct Served {
    pub deployment: Deployment,
    pub name: String,
    pub agent: AgentSection,
    monitor: bool,
}

impl Served {
    fn load(file: &Path, agent: Option<&str>, monitor: bool) -> Result<Self, SettingsError> {
        let deployment = Deployment::load(file)?;
        let wrong = |problem: &str| SettingsError::Invalid {
            file: file.display().to_string(),
            problem: format!("key `servers`: {problem}"),
        };
        if deployment.servers().is_empty() {
            return Err(wrong("expected at least one server, such as `[servers.files]`"));
        }
        let name = agent.unwrap_or(deployment.only_agent()).to_owned();
        // An agent that the file does not name would have no tenant, no goal and a health of its own.
        let names: Vec<&str> = deployment.agents().collect();
        if !names.is_empty() && !names.contains(&&*name) {
            let names = names.join("`, `");
            let problem = format!("key `agents`: there is no `{name}`; it names `{names}`: say which with `--agent`");
            return Err(SettingsError::Invalid { file: file.display().to_string(), problem });
        }
        let agent = deployment.agent(&name);
        Ok(Served { deployment, name, agent, monitor })
    }

    /// What a run of the agent is pinned to.
    pub fn manifest(&self, host: &Host, run: &str, registry: &Registry) -> Result<Manifest, SettingsError> {
        let mut manifest = self.deployment.manifest(host, &self.name, run, registry)?;
        if self.monitor {
            manifest.mode = Mode::Monitor;
        }
        Ok(manifest)
    }
}

/// The host of each run: by the command's own word, else by the file's.
fn live(options: &Options, deployment: &Deployment) -> Result<LiveHost, HostError> {
    let engine = options.engine.clone();
    match (&options.bundle, &options.bundles) {
        (Some(folder), _) => Ok(LiveHost::fixed(Host::new(engine, Some(folder))?)),
        (None, Some(folder)) => LiveHost::installed(engine, Installed::new(folder)),
        (None, None) => deployment.bundle().live(engine),
    }
}

/// A hang-up asks for what was installed to be taken now: whoever sends it hears at once whether it
/// loads. Without one it is taken when the next run begins.
#[cfg(unix)]
fn refresh_on_hangup(live: Arc<LiveHost>) -> tokio::task::JoinHandle<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let hangups = signal(SignalKind::hangup());
    tokio::spawn(async move {
        let mut hangups = match hangups {
            Ok(hangups) => hangups,
            Err(error) => return tracing::warn!(%error, "hang-ups are not heard: new bundles wait for the next run"),
        };
        while hangups.recv().await.is_some() {
            let live = Arc::clone(&live);
            // Loading takes a while, and calls go on meanwhile.
            let _ = tokio::task::spawn_blocking(move || live.refresh()).await;
        }
    })
}

#[cfg(not(unix))]
fn refresh_on_hangup(_: Arc<LiveHost>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(std::future::ready(()))
}

/// Says how the servers' tools stand, and accepts those that are named: lines, what was accepted, and
/// where that is kept.
///
/// # Errors
/// A file or a server that cannot be used, a name that no server has.
pub async fn review(file: &Path, accept: &Accept) -> Result<(Vec<ToolLine>, Vec<String>, PathBuf), GatewayError> {
    let served = Served::load(file, None, false)?;
    let (lines, accepted) = tools(&served.deployment, accept).await?;
    Ok((lines, accepted, pins_beside(file)))
}
