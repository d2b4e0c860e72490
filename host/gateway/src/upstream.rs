//! The servers behind: started with what the client can do, their tools joined into one registry, and
//! whatever they say beside answers relayed to the client.

#![expect(deprecated, reason = "what servers and clients of older revisions say is passed on")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign::Deployment;
use countersign::mcp::{Accept, Connection, Joined, McpError, Offer, Pin, Pins, Quiet, pins_beside, settle, split};
use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ElicitationAction, ErrorData, Implementation, ListRootsResult, LoggingMessageNotification,
    LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken, PromptListChangedNotification,
    ResourceListChangedNotification, ResourceUpdatedNotification, ResourceUpdatedNotificationParam, ServerNotification,
    ToolListChangedNotification,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionSink};
use rmcp::{ClientHandler, Peer, RoleClient, RoleServer};
use serde::Serialize;

use crate::error::GatewayError;

/// What the client and the servers' handlers share.
#[derive(Debug, Default)]
pub struct Shared {
    client: Mutex<Option<Peer<RoleServer>>>,
    /// The client's token of the call under way: one is at a time.
    progress: Mutex<Option<ProgressToken>>,
    sinks: Mutex<Vec<SubscriptionSink>>,
    /// Tools that are no longer what was accepted, and why.
    withheld: Mutex<BTreeMap<String, String>>,
    /// Servers that have ended.
    ended: Mutex<BTreeSet<String>>,
    pins: Mutex<Option<Pins>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The client, once it has spoken.
    pub fn client(&self) -> Option<Peer<RoleServer>> {
        locked(&self.client).clone()
    }

    pub fn set_client(&self, peer: &Peer<RoleServer>) {
        let mut client = locked(&self.client);
        if client.is_none() {
            *client = Some(peer.clone());
        }
    }

    pub fn set_progress(&self, token: Option<ProgressToken>) {
        *locked(&self.progress) = token;
    }

    pub fn listen(&self, sink: SubscriptionSink) {
        locked(&self.sinks).push(sink);
    }

    pub fn unlisten(&self, sink: &SubscriptionSink) {
        locked(&self.sinks).retain(|other| other.id() != sink.id());
    }

    /// Why a tool may not be called any more; none where it may.
    pub fn withheld(&self, tool: &str) -> Option<String> {
        let ended = split(tool).filter(|(server, _)| locked(&self.ended).contains(*server));
        let ended =
            ended.map(|(server, _)| format!("its server `{server}` has ended, and has no tools before it is back"));
        ended.or_else(|| locked(&self.withheld).get(tool).cloned())
    }

    /// Takes in which servers have ended; whether that is news.
    fn end(&self, now: BTreeSet<String>) -> bool {
        let mut ended = locked(&self.ended);
        for server in now.difference(&ended) {
            tracing::warn!(server, "the server has ended; its tools are taken out of the list");
        }
        std::mem::replace(&mut *ended, now.clone()) != now
    }

    /// Tells the client, the way it listens: over its subscriptions, or as of old.
    async fn tell(&self, notification: ServerNotification) {
        let sinks = locked(&self.sinks).clone();
        for sink in &sinks {
            // One that did not ask for this kind is not told.
            let _ = sink.send(notification.clone()).await;
        }
        if sinks.is_empty()
            && let Some(client) = self.client()
        {
            let _ = client.send_notification(notification).await;
        }
    }
}

/// Takes what a server says beside its answers.
#[derive(Debug)]
pub struct Relay {
    server: String,
    shared: Arc<Shared>,
    capabilities: ClientCapabilities,
}

impl Relay {
    async fn list_again(&self, peer: &Peer<RoleClient>) {
        let Ok(tools) = peer.list_all_tools().await else { return };
        let offer = Offer { server: self.server.clone(), title: String::new(), version: String::new(), tools };
        let review = locked(&self.shared.pins).as_mut().map(|pins| pins.review(&offer));
        let Some(review) = review else { return };
        let mut withheld = locked(&self.shared.withheld);
        withheld.retain(|tool, _| !tool.starts_with(&format!("{}__", self.server)));
        for seen in &review.seen {
            if matches!(seen.pin, Pin::Changed) {
                let why = "its definition is no longer what was accepted".to_owned();
                withheld.insert(format!("{}__{}", self.server, seen.tool), why);
            }
        }
        for tool in &review.vanished {
            withheld.insert(format!("{}__{tool}", self.server), "its server no longer has it".to_owned());
        }
    }
}

impl ClientHandler for Relay {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(self.capabilities.clone(), Implementation::new("countersign", env!("CARGO_PKG_VERSION")))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        match self.shared.client() {
            Some(client) => client.create_elicitation(request).await.map_err(relayed),
            None => Ok(ElicitResult::new(ElicitationAction::Decline)),
        }
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let client = self.shared.client().ok_or_else(|| ErrorData::internal_error("nobody is there", None))?;
        client.create_message(params).await.map_err(relayed)
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        match self.shared.client() {
            Some(client) if self.capabilities.roots.is_some() => client.list_roots().await.map_err(relayed),
            _ => Ok(ListRootsResult::default()),
        }
    }

    async fn on_progress(&self, mut params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        // The client knows the call by its own token, and hears of it only where it gave one.
        let token = locked(&self.shared.progress).clone();
        if let (Some(token), Some(client)) = (token, self.shared.client()) {
            params.progress_token = token;
            let _ = client.notify_progress(params).await;
        }
    }

    async fn on_logging_message(&self, params: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        if let Some(client) = self.shared.client() {
            let notification = LoggingMessageNotification::new(params);
            let _ = client.send_notification(ServerNotification::LoggingMessageNotification(notification)).await;
        }
    }

    async fn on_resource_updated(&self, params: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        let notification = ResourceUpdatedNotification::new(params);
        self.shared.tell(ServerNotification::ResourceUpdatedNotification(notification)).await;
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        let notification = ResourceListChangedNotification::default();
        self.shared.tell(ServerNotification::ResourceListChangedNotification(notification)).await;
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        let notification = PromptListChangedNotification::default();
        self.shared.tell(ServerNotification::PromptListChangedNotification(notification)).await;
    }

    async fn on_tool_list_changed(&self, context: NotificationContext<RoleClient>) {
        self.list_again(&context.peer).await;
        let notification = ToolListChangedNotification::default();
        self.shared.tell(ServerNotification::ToolListChangedNotification(notification)).await;
    }
}

/// An error of the client, as its server sees it.
fn relayed(error: rmcp::ServiceError) -> ErrorData {
    match error {
        rmcp::ServiceError::McpError(error) => error,
        other => ErrorData::internal_error(other.to_string(), None),
    }
}

/// The servers behind, started.
#[derive(Debug)]
pub struct Upstream {
    connections: BTreeMap<String, Connection<Relay>>,
    joined: Arc<Joined>,
}

/// How a tool stands, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ToolLine {
    /// `SERVER__TOOL`.
    pub name: String,
    /// What is known of it, or why it is left out.
    pub what: String,
    /// It may be called, as far as its definition goes.
    pub eligible: bool,
}

impl Upstream {
    /// Starts all servers at once and joins their tools.
    ///
    /// # Errors
    /// The first server that cannot be used, or what the file says of a tool that no server has.
    pub async fn start(
        deployment: &Deployment,
        pins: PathBuf,
        shared: &Arc<Shared>,
        capabilities: ClientCapabilities,
    ) -> Result<Self, GatewayError> {
        let mut starting = Vec::new();
        for (name, spec) in deployment.servers() {
            let relay = Relay { server: name.clone(), shared: Arc::clone(shared), capabilities: capabilities.clone() };
            let (name, spec, folder) = (name.clone(), spec.clone(), deployment.folder().to_owned());
            starting.push(tokio::spawn(async move {
                let connection = Connection::start(&name, &spec, &folder, relay).await?;
                let offer = connection.offer().await?;
                Ok::<_, McpError>((name, connection, offer))
            }));
        }
        let (mut connections, mut offers) = (BTreeMap::new(), Vec::new());
        for started in starting {
            let (name, connection, offer) =
                started.await.map_err(|error| GatewayError::Task(error.to_string()))?.map_err(GatewayError::Mcp)?;
            connections.insert(name, connection);
            offers.push(offer);
        }
        let mut pinned = Pins::load(&pins)?;
        let (joined, report) =
            settle(deployment.servers(), &offers, deployment.tools(), &mut pinned, &Accept::Nothing)?;
        pinned.save()?;
        for (server, tools) in &report.first {
            tracing::info!(server, tools, "tools seen first are pinned");
        }
        for out in &report.left_out {
            tracing::warn!(tool = out.tool, reason = out.reason, "left out; see `countersign mcp tools`");
        }
        *locked(&shared.pins) = Some(pinned);
        Ok(Upstream { connections, joined: Arc::new(joined) })
    }

    pub fn joined(&self) -> &Arc<Joined> {
        &self.joined
    }

    /// The servers that are there: one that has ended takes nothing with it that others have.
    pub fn alive(&self) -> impl Iterator<Item = (&String, &Connection<Relay>)> {
        self.connections.iter().filter(|(_, connection)| !connection.is_closed())
    }

    /// Takes the tools of servers that have ended out of the list, and tells the client that it is another.
    pub async fn heed_ended(&self, shared: &Shared) {
        let ended = self.connections.iter().filter(|(_, connection)| connection.is_closed());
        if shared.end(ended.map(|(server, _)| server.clone()).collect()) {
            let notification = ToolListChangedNotification::default();
            shared.tell(ServerNotification::ToolListChangedNotification(notification)).await;
        }
    }

    pub fn connection(&self, server: &str) -> Option<&Connection<Relay>> {
        self.connections.get(server)
    }

    pub async fn close(&self) {
        for connection in self.connections.values() {
            connection.close().await;
        }
    }
}

/// Starts the servers, says how their tools stand, and accepts those that are named. Gives the lines,
/// and what was accepted by full name.
///
/// # Errors
/// As [`Upstream::start`], and a name that no server has.
pub async fn tools(deployment: &Deployment, accept: &Accept) -> Result<(Vec<ToolLine>, Vec<String>), GatewayError> {
    let mut offers = Vec::new();
    for (name, spec) in deployment.servers() {
        let connection = Connection::start(name, spec, deployment.folder(), Quiet::default()).await?;
        offers.push(connection.offer().await?);
        connection.close().await;
    }
    let mut pins = Pins::load(&pins_beside(deployment.file()))?;
    let (joined, report) = settle(deployment.servers(), &offers, deployment.tools(), &mut pins, accept)?;
    pins.save()?;
    let mut lines: Vec<ToolLine> = joined
        .tools
        .iter()
        .map(|(name, spec)| {
            let tool = spec.registered(name);
            let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let name_of = |value: serde_json::Result<serde_json::Value>| value.map(word).unwrap_or_default();
            let side_effect = name_of(serde_json::to_value(tool.side_effect));
            let reversibility = name_of(serde_json::to_value(tool.reversibility));
            let idempotent = if tool.idempotent { ", idempotent" } else { "" };
            let what =
                if tool.mutating() { format!("{side_effect}, {reversibility}{idempotent}") } else { side_effect };
            ToolLine { name: name.clone(), what, eligible: true }
        })
        .collect();
    for out in &joined.left_out {
        lines.push(ToolLine { name: out.tool.clone(), what: out.reason.clone(), eligible: false });
    }
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((lines, report.accepted))
}
