//! The servers behind: started with what the client can do, their tools joined into one list that follows them. A server
//! that cannot be used takes nothing with it that others have.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use countersign::INJECTED;
use countersign::mcp::{
    Accept, Connection, Joined, McpError, Offer, Overrides, Pins, full_names, nearest, pins_beside, settle, split,
};
use countersign::settings::SettingsError;
use rmcp::model::ClientCapabilities;

use crate::error::GatewayError;
use crate::relay::{Relay, Shared, locked};
use crate::served::Served;
use crate::supervised::Server;
use crate::waiting::Waiting;

/// How long the client waits for servers once one of them is there; those that take longer join later.
const GATHER: Duration = Duration::from_secs(10);
/// How often it is looked whether something is to be heeded.
const LOOK: Duration = Duration::from_millis(50);

/// The servers behind.
pub struct Upstream {
    served: Arc<Served>,
    shared: Arc<Shared>,
    servers: BTreeMap<String, Arc<Server>>,
    /// What may be used now.
    joined: Mutex<Arc<Joined>>,
    pins: PathBuf,
    /// The pins as they were read last: somebody may accept what is new.
    stamp: Mutex<Option<(SystemTime, u64)>>,
}

impl Upstream {
    /// Starts all servers at once and joins the tools of those that are there.
    ///
    /// # Errors
    /// Pins that cannot be read, what the file says of a tool that no server has, and no server that can be used.
    pub async fn start(
        served: &Arc<Served>,
        shared: &Arc<Shared>,
        capabilities: ClientCapabilities,
    ) -> Result<Self, GatewayError> {
        let deployment = &served.deployment;
        let begin = |(name, spec)| {
            let folder = deployment.folder().to_owned();
            (String::clone(name), Server::begin(name, spec, folder, capabilities.clone(), shared))
        };
        let upstream = Upstream {
            served: Arc::clone(served),
            shared: Arc::clone(shared),
            servers: deployment.servers().iter().map(begin).collect(),
            joined: Mutex::default(),
            pins: pins_beside(deployment.file()),
            stamp: Mutex::default(),
        };
        let began = Instant::now();
        while upstream.servers.values().any(|server| server.is_busy())
            && !(began.elapsed() > GATHER && upstream.alive().next().is_some())
        {
            upstream.wait().await;
        }
        if upstream.alive().next().is_none() {
            let problems: Vec<String> = upstream.servers.values().filter_map(|server| server.problem()).collect();
            upstream.close().await;
            return Err(GatewayError::NoServer { problems: problems.join("\n") });
        }
        for server in upstream.servers.values() {
            server.heed();
        }
        if let Err(error) = upstream.settle(true) {
            upstream.close().await;
            return Err(error);
        }
        Ok(upstream)
    }

    /// The tools that may be used now.
    pub fn joined(&self) -> Arc<Joined> {
        Arc::clone(&locked(&self.joined))
    }

    /// The servers that are there.
    pub fn alive(&self) -> impl Iterator<Item = (&str, Arc<Connection<Relay>>)> {
        self.servers.iter().filter_map(|(name, server)| Some((name.as_str(), server.connection()?)))
    }

    /// What talks to a server, where it is there.
    pub fn connection(&self, server: &str) -> Option<Arc<Connection<Relay>>> {
        self.servers.get(server)?.connection()
    }

    /// Why a tool may not be called now; none where it may, and where nothing is known of it here: the gateway's own, and
    /// those of no server. `was_there` says whether the run at hand was begun with it.
    pub fn withheld(&self, tool: &str, was_there: bool) -> Option<String> {
        if INJECTED.contains(&tool) {
            return None;
        }
        if let Some(away) = split(tool).and_then(|(server, _)| self.servers.get(server)?.away()) {
            return Some(away);
        }
        let joined = locked(&self.joined);
        if joined.tools.contains_key(tool) {
            return None;
        }
        Some(match joined.left_out.iter().find(|out| out.tool == tool) {
            Some(out) => format!("its definition {}", out.reason),
            None if was_there => "its server no longer has it".to_owned(),
            None => format!("there is no such tool as `{tool}`"),
        })
    }

    /// Takes in what has become of the servers and of what was accepted, and tells the client where its tools are others
    /// by that.
    pub async fn heed(&self) {
        let mut news = self.stamp() != *locked(&self.stamp);
        for server in self.servers.values() {
            news |= server.heed();
        }
        if !news {
            return;
        }
        match self.settle(false) {
            Ok(true) => self.shared.tools_changed().await,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the tools stay as they were"),
        }
    }

    /// The same for whoever is about to call a tool: waits for its server where that is being started, or asked for its
    /// tools.
    pub async fn heed_for(&self, tool: &str) {
        self.heed().await;
        let Some(server) = split(tool).and_then(|(server, _)| self.servers.get(server)) else { return };
        while server.is_busy() {
            self.wait().await;
            self.heed().await;
        }
    }

    /// Waits until there may be something to heed.
    pub async fn wait(&self) {
        let _ = tokio::time::timeout(LOOK, self.shared.news.notified()).await;
    }

    /// Joins the tools of the servers that are there; whether the list is another than before. At the start what the file
    /// says of a tool must fit; later a server that has changed is no reason to stop.
    fn settle(&self, first: bool) -> Result<bool, GatewayError> {
        let deployment = &self.served.deployment;
        let stamp = self.stamp();
        let mut pins = Pins::load(&self.pins)?;
        let mut joined = Joined::default();
        let mut waiting = Waiting::default();
        for server in self.servers.values() {
            let Some(offer) = server.offer() else { continue };
            let overrides = if first { deployment.tools().clone() } else { of_offered(deployment.tools(), &offer) };
            let offers = std::slice::from_ref(&offer);
            match settle(deployment.servers(), offers, &overrides, &mut pins, &Accept::Nothing) {
                Ok((own, report)) => {
                    for (server, tools) in &report.first {
                        tracing::info!(server, tools, "tools seen first are pinned");
                    }
                    waiting.note(&offer, &own);
                    joined.extend(own);
                }
                Err(error @ McpError::Key(_)) if first => return Err(error.into()),
                Err(error) => tracing::error!(server = server.name, %error, "none of its tools can be used"),
            }
        }
        if first {
            self.check_boundary(&joined)?;
        }
        pins.save()?;
        // As of before they were read: what somebody accepts meanwhile is heeded the next time.
        *locked(&self.stamp) = stamp;
        if let Err(error) = waiting.save(&self.pins) {
            tracing::warn!(%error, "tools that wait to be accepted cannot be written down");
        }
        let before = std::mem::replace(&mut *locked(&self.joined), Arc::new(joined));
        let now = self.joined();
        for out in now.left_out.iter().filter(|out| !before.left_out.contains(out)) {
            tracing::warn!(tool = out.tool, reason = out.reason, "left out; see `countersign mcp tools`");
        }
        for (name, own) in now.renamed().filter(|(name, _)| !before.own_names.contains_key(*name)) {
            tracing::info!(tool = name, own, "known to clients under a name that they take, beside the server's own");
        }
        Ok(before.definitions != now.definitions)
    }

    /// What the file's boundary names must be there, as far as its server is; what is said of the tools of a server that is
    /// away holds once it is there.
    fn check_boundary(&self, joined: &Joined) -> Result<(), GatewayError> {
        let deployment = &self.served.deployment;
        for (key, name) in deployment.boundary().names() {
            let Some(server) = split(name).and_then(|(server, _)| self.servers.get(server)) else { continue };
            if server.offer().is_none() {
                tracing::warn!(
                    tool = name,
                    key = format!("boundary.{key}"),
                    "its server is away; it holds once that is there"
                );
                continue;
            }
            if joined.own_names.contains_key(name) || joined.left_out.iter().any(|out| out.tool == *name) {
                continue;
            }
            let hint = nearest(name, joined.own_names.keys().map(String::as_str));
            let hint = hint.map(|known| format!("; the nearest is `{known}`")).unwrap_or_default();
            let problem = format!("no MCP server has a tool `{name}`{hint}");
            return Err(SettingsError::Invalid {
                file: deployment.file().display().to_string(),
                problem: format!("key `boundary.{key}`: {problem}"),
            }
            .into());
        }
        Ok(())
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let found = std::fs::metadata(&self.pins).ok()?;
        Some((found.modified().ok()?, found.len()))
    }

    /// Ends all servers.
    pub async fn close(&self) {
        for server in self.servers.values() {
            server.close().await;
        }
    }
}

/// What the file says of tools that a server has now.
fn of_offered(overrides: &Overrides, offer: &Offer) -> Overrides {
    let names = full_names(&offer.server, offer.tools.iter().map(|tool| &*tool.name));
    let is_offered = |key: &String| match split(key) {
        Some((server, own)) => {
            server == offer.server && (names.contains_key(own) || names.values().any(|name| name == key))
        }
        None => false,
    };
    overrides.iter().filter(|(key, _)| is_offered(key)).map(|(key, table)| (key.clone(), table.clone())).collect()
}
