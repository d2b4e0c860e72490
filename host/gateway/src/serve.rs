//! From the gateway's file to a gateway that runs until its client is gone.

use std::path::PathBuf;
use std::sync::Arc;

use countersign::bundle::Installed;
use countersign::engine::EngineOptions;
use countersign::guard::GuardError;
use countersign::mcp::{Accept, McpError, PinError, pins_beside};
use countersign::operate::SinkError;
use countersign::settings::SettingsError;
use countersign::store::StoreError;
use countersign::{Host, HostError, LiveHost};
use rmcp::ServiceExt;

use crate::config::Config;
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
    Guard(#[from] GuardError),
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
    Store(#[from] StoreError),
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
    /// Its file.
    pub file: PathBuf,
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
    let mut config = Config::load(&options.file)?;
    if options.monitor {
        config.mode = countersign::kernel::Mode::Monitor;
    }
    let live = Arc::new(live(options, &config)?);
    let hearing = live.follows().then(|| refresh_on_hangup(Arc::clone(&live)));
    let gateway = Gateway::new(live, Arc::new(config), options.file.clone());
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

/// The host of each run: by the command's own word, else by the file's.
fn live(options: &Options, config: &Config) -> Result<LiveHost, HostError> {
    let own = options.bundle.is_some() || options.bundles.is_some();
    let said = |command: &Option<PathBuf>, file: &Option<PathBuf>| if own { command.clone() } else { file.clone() };
    let (bundle, bundles) = (said(&options.bundle, &config.bundle), said(&options.bundles, &config.bundles));
    match bundles.filter(|_| bundle.is_none()) {
        Some(folder) => LiveHost::installed(options.engine.clone(), Installed::new(folder)),
        None => Ok(LiveHost::fixed(Host::new(options.engine.clone(), bundle.as_deref())?)),
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
pub async fn review(
    file: &std::path::Path,
    accept: &Accept,
) -> Result<(Vec<ToolLine>, Vec<String>, PathBuf), GatewayError> {
    let config = Config::load(file)?;
    let (lines, accepted) = tools(&config, file, accept).await?;
    Ok((lines, accepted, pins_beside(file)))
}
