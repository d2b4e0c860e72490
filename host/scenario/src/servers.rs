//! MCP servers of a run: started before it, called by a loop that waits, ended with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_kernel::Outcome;
use countersign_mcp::{self as mcp, Accept, Connection, LeftOut, McpError, Offer, Pins, Quiet, ToolsReport, split};
use countersign_tools::registry::{ToolResult, ToolSpec};
use rmcp::model::CallToolRequestParams;
use tokio::runtime::Runtime;

use super::spec::Spec;

/// How often a wait looks whether the run was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// How long the list of a server that has changed it may take.
const LISTING: Duration = Duration::from_secs(10);

/// The tools of a run: those of its file, and those of its servers.
pub struct RunTools<'a> {
    /// By name.
    pub specs: Cow<'a, BTreeMap<String, ToolSpec>>,
    /// Those that a server has are called there.
    pub servers: Option<Servers>,
    /// What was accepted, to be kept with the run.
    pub pins: Option<Pins>,
}

/// Where the servers of a run are.
pub struct Place<'a> {
    /// Where the file lies that names them.
    pub folder: &'a Path,
    /// Where the run works.
    pub workspace: &'a Path,
    /// Where their tools are pinned.
    pub pins: &'a Path,
}

impl<'a> RunTools<'a> {
    /// Starts the servers of a file and decides which of their tools are eligible. A file without
    /// servers has its own tools, and nothing is started. With `accept` what is new is pinned; without
    /// it the pins stay as they are.
    pub fn of(
        spec: &'a Spec,
        place: &Place<'_>,
        accept: Option<&Accept>,
    ) -> Result<(Self, Option<ToolsReport>), McpError> {
        if spec.servers.is_empty() {
            return Ok((RunTools { specs: Cow::Borrowed(&spec.tools), servers: None, pins: None }, None));
        }
        // Before anything is started: what is damaged stays as it is.
        let mut pins = Pins::load(place.pins)?;
        let (mut servers, offers, away) = Servers::start(spec, place)?;
        let nothing = Accept::Nothing;
        // A server that does not start takes its own tools away, and what the file says of them.
        let is_away = |tool: &str| split(tool).is_some_and(|(server, _)| away.iter().any(|(name, _)| name == server));
        let overrides = spec.overrides.iter().filter(|(tool, _)| !is_away(tool));
        let overrides = overrides.map(|(tool, table)| (tool.clone(), table.clone())).collect();
        let (joined, mut report) =
            mcp::settle(&spec.servers, &offers, &overrides, &mut pins, accept.unwrap_or(&nothing))?;
        for (server, error) in &away {
            let (tool, reason) = (format!("{server}__*"), format!("its server does not start: {error}"));
            report.left_out.push(LeftOut { tool, reason, acceptable: false });
        }
        let own = |name: &String| joined.owner(name).map(|(server, own)| (server.to_owned(), own.to_owned()));
        servers.tools = joined.tools.keys().filter_map(|name| Some((name.clone(), own(name)?))).collect();
        let mut specs = spec.tools.clone();
        specs.extend(joined.tools);
        spec.check_tools(&specs).map_err(McpError::Key)?;
        if accept.is_some() {
            pins.save()?;
        }
        Ok((RunTools { specs: Cow::Owned(specs), servers: Some(servers), pins: Some(pins) }, Some(report)))
    }
}

/// A server that does not start, and why.
type Away = (String, McpError);

/// Running servers, and what waits for them in place of a loop that cannot.
pub struct Servers {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    connections: BTreeMap<String, Arc<Connection>>,
    /// By full name, the server and its own name for the tool.
    tools: BTreeMap<String, (String, String)>,
    /// Of servers that have said that their tools have changed: definitions as they are now.
    changed: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// The folder of the run, in every way that a server may write it.
    workspace: Vec<String>,
}

impl Servers {
    /// Those that start, what they offer, and why the others do not.
    fn start(spec: &Spec, place: &Place<'_>) -> Result<(Self, Vec<Offer>, Vec<Away>), McpError> {
        let failed = |source| McpError::Runtime { source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mcp")
            .enable_all()
            .build()
            .map_err(failed)?;
        let absolute = std::path::absolute(place.workspace).unwrap_or_else(|_| place.workspace.to_owned());
        let canonical = absolute.canonicalize().unwrap_or_else(|_| absolute.clone());
        let mut workspace: Vec<String> =
            [canonical, absolute.clone()].iter().map(|path| path.display().to_string()).collect();
        workspace.dedup();
        let mut servers = Servers {
            runtime: Some(runtime),
            connections: BTreeMap::new(),
            tools: BTreeMap::new(),
            changed: Mutex::default(),
            workspace,
        };
        let starts: Vec<_> = spec
            .servers
            .iter()
            .filter_map(|(name, server)| {
                let (name, called, server) = (name.clone(), name.clone(), server.in_workspace(&absolute));
                let folder: PathBuf = place.folder.to_owned();
                let started = servers.begin(async move {
                    let connection = Connection::start(&name, &server, &folder, Quiet::default()).await?;
                    let offer = connection.offer().await?;
                    Ok::<_, McpError>((connection, offer))
                });
                started.map(|(started, _)| (called, started))
            })
            .collect();
        let mut offers = Vec::new();
        let mut away = Vec::new();
        for (server, started) in starts {
            // Each is waited for, so that each is ended; a start has a time-out of its own.
            match started.recv() {
                Ok(Ok((connection, offer))) => {
                    servers.connections.insert(offer.server.clone(), Arc::new(connection));
                    offers.push(offer);
                }
                Ok(Err(error)) => away.push((server, error)),
                Err(_) => {
                    let problem = "nobody knows what became of its start".to_owned();
                    away.push((server.clone(), McpError::Begin { server, problem, said: String::new() }));
                }
            }
        }
        // What the task cannot do without is told now, and not by a model that finds nothing to call.
        let needed = |name: &str| spec.needs().any(|tool| split(tool).is_some_and(|(server, _)| server == name));
        let missed = away.iter().position(|(name, _)| offers.is_empty() || needed(name));
        match missed {
            Some(at) => Err(away.swap_remove(at).1),
            None => Ok((servers, offers, away)),
        }
    }

    /// Whether a server has this tool.
    pub fn have(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// Calls a tool and waits, unless the run is cancelled meanwhile.
    pub fn call(&self, name: &str, spec: &ToolSpec, exact: &str, cancel: Option<&AtomicBool>) -> ToolResult {
        let rejected = |text: &str| ToolResult::new(Outcome::Rejected, text);
        let owner = self.tools.get(name);
        let parts = owner.and_then(|(server, tool)| Some((self.connections.get(server)?, server, tool)));
        let Some((connection, server, tool)) = parts else { return rejected("there is no such tool") };
        if self.differs(connection, server, tool, spec) {
            return rejected("its server has changed its definition since the run began; it is not called");
        }
        let arguments = match serde_json::from_str(exact) {
            Ok(serde_json::Value::Object(arguments)) => arguments,
            _ => return rejected("its arguments are no JSON object"),
        };
        let params = CallToolRequestParams::new(tool.clone()).with_arguments(arguments);
        let (time_out, own) = (Duration::from_millis(spec.time_out), Arc::clone(connection));
        let wanted = mcp::reads_json(spec);
        let begun = self.begin(async move { own.call(params, time_out).await.result(wanted) });
        let Some((answered, task)) = begun else { return rejected("its server was ended") };
        let mut result = loop {
            match answered.recv_timeout(LOOK) {
                Ok(result) => break result,
                Err(RecvTimeoutError::Timeout) if cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) => {
                    // Dropping the call tells the server.
                    task.abort();
                    let text = "the run was cancelled during the call; what it had done by then is not known";
                    break ToolResult::new(Outcome::TimedOut, text);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    break ToolResult::new(Outcome::TimedOut, "nobody knows what became of the call");
                }
            }
        };
        for folder in &self.workspace {
            result.text = result.text.replace(folder.as_str(), ".");
        }
        result
    }

    /// Whether a tool is no longer what the run was pinned to. Its server is asked again where it has
    /// said that something changed.
    fn differs(&self, connection: &Arc<Connection>, server: &str, tool: &str, spec: &ToolSpec) -> bool {
        if connection.handler().take_changed() {
            let own = Arc::clone(connection);
            let begun = self.begin(async move { own.tools().await });
            let tools = begun.and_then(|(listed, _)| listed.recv_timeout(LISTING).ok()?.ok()).unwrap_or_default();
            let now = tools.iter().map(|tool| (tool.name.to_string(), mcp::digest(tool).to_string())).collect();
            if let Ok(mut changed) = self.changed.lock() {
                changed.insert(server.to_owned(), now);
            }
        }
        let Ok(changed) = self.changed.lock() else { return true };
        changed.get(server).is_some_and(|now| now.get(tool) != spec.definition.as_ref())
    }

    /// Does something on the runtime; whoever receives waits for it. Unlike `block_on` this may be
    /// called wherever the loop happens to run.
    fn begin<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<(Receiver<T>, tokio::task::JoinHandle<()>)> {
        let (sender, receiver) = channel();
        let task = self.runtime.as_ref()?.spawn(async move {
            // Nobody waits any more once a run was cancelled.
            let _ = sender.send(future.await);
        });
        Some((receiver, task))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let connections = std::mem::take(&mut self.connections);
        let closing: Vec<_> = connections
            .into_values()
            .filter_map(|connection| self.begin(async move { connection.close().await }))
            .collect();
        for (closed, _) in closing {
            let _ = closed.recv_timeout(Duration::from_secs(5));
        }
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed everywhere; what is left is killed with its handle.
            runtime.shutdown_background();
        }
    }
}
