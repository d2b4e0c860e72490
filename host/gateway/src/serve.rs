//! From the gateway's file to a gateway that runs until its client is gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::bundle::Installed;
use countersign::engine::EngineOptions;
use countersign::mcp::{Accept, pins_beside};
use countersign::{Deployment, Host, HostError, LiveHost};
use rmcp::ServiceExt;

use crate::client_lines::ClientLines;
use crate::error::GatewayError;
use crate::gateway::{Gateway, end_when_idle, watch_servers};
use crate::served::{Report, Served};
use crate::tools::{ToolLine, tools};

/// How long the process waits at its end until people are told.
const TELLING: Duration = Duration::from_secs(10);

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

impl Options {
    /// As a file says it.
    pub fn of(file: &Path, engine: EngineOptions) -> Self {
        let file = file.to_owned();
        Options { file, agent: None, bundle: None, bundles: None, monitor: false, engine }
    }
}

/// Serves one client over standard input and output until it is gone.
///
/// # Errors
/// A file, a bundle, a server or a client that cannot be used.
pub async fn serve(options: &Options) -> Result<Report, GatewayError> {
    let mut served = Served::load(&options.file, options.agent.as_deref(), options.monitor)?;
    served.tell()?;
    let sinks = served.sinks.clone();
    let live = Arc::new(live(options, &served.deployment)?);
    let hearing = live.follows().then(|| refresh_on_hangup(Arc::clone(&live)));
    let store = countersign::open_store(&served.deployment.store().file)?;
    let gateway = Gateway::new(live, Arc::new(served), store);
    let (input, output) = rmcp::transport::io::stdio_pipes();
    let serving = Arc::clone(&gateway).serve(ClientLines::new(input, output));
    let ended = match serving.await {
        Ok(service) => {
            let idle = tokio::spawn(end_when_idle(Arc::clone(&gateway)));
            let watch = tokio::spawn(watch_servers(Arc::clone(&gateway)));
            let ended = service.waiting().await.map(drop).map_err(|error| GatewayError::Task(error.to_string()));
            idle.abort();
            watch.abort();
            ended
        }
        // A client that goes without a word has done nothing.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(GatewayError::Client(error.to_string())),
    };
    if let Some(hearing) = hearing {
        hearing.abort();
    }
    let left = gateway.leave().await;
    if let Some(sinks) = sinks {
        // The process ends with this: what is not told by then is kept in the file.
        sinks.finish(TELLING);
    }
    let report = left?;
    ended?;
    Ok(report)
}

/// The host of each run: by the command's own word, else by the file's.
pub(crate) fn live(options: &Options, deployment: &Deployment) -> Result<LiveHost, HostError> {
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
    let (lines, accepted) = tools(&served, accept).await?;
    Ok((lines, accepted, pins_beside(file)))
}
