//! What servers say beside their answers, relayed to the client.

#![expect(deprecated, reason = "what servers and clients of older revisions say is passed on")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ElicitationAction, ErrorData, Implementation, ListRootsResult, LoggingMessageNotification,
    LoggingMessageNotificationParam, ProgressNotificationParam, PromptListChangedNotification,
    ResourceListChangedNotification, ResourceUpdatedNotification, ResourceUpdatedNotificationParam, ServerNotification,
    ToolListChangedNotification,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionSink};
use rmcp::{ClientHandler, Peer, RoleClient, RoleServer};
use tokio::sync::Notify;

/// What the client and the servers' handlers share.
#[derive(Debug, Default)]
pub struct Shared {
    client: Mutex<Option<Peer<RoleServer>>>,
    sinks: Mutex<Vec<SubscriptionSink>>,
    /// Something is to be heeded: a server has come, gone, or says that its tools have changed.
    pub news: Notify,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

    pub fn listen(&self, sink: SubscriptionSink) {
        locked(&self.sinks).push(sink);
    }

    pub fn unlisten(&self, sink: &SubscriptionSink) {
        locked(&self.sinks).retain(|other| other.id() != sink.id());
    }

    /// Tells the client that there are other tools.
    pub async fn tools_changed(&self) {
        self.tell(ServerNotification::ToolListChangedNotification(ToolListChangedNotification::default())).await;
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
    /// The server says that its tools are others than those it listed.
    pub stale: AtomicBool,
    pub shared: Arc<Shared>,
    /// What the client can do.
    pub capabilities: ClientCapabilities,
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

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        // It comes under the token of the client's own call.
        if let Some(client) = self.shared.client() {
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

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        // The client is told once it is known what has changed.
        self.stale.store(true, Ordering::Release);
        self.shared.news.notify_one();
    }
}

/// An error of the client, as its server sees it.
fn relayed(error: rmcp::ServiceError) -> ErrorData {
    match error {
        rmcp::ServiceError::McpError(error) => error,
        other => ErrorData::internal_error(other.to_string(), None),
    }
}
