//! A client of one server, from its start to its end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, PaginatedRequestParams, ProtocolVersion,
    ServerPeerInfo, Tool,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, NotificationContext, RunningService, serve_client_with_lifecycle,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ClientHandler, Peer, RoleClient, ServiceError};

use super::lost::LostAnswers;
use super::numbers::{ExactNumbers, From};
use super::pages::Pages;
use super::process::{Process, plain};
use super::wire::Wire;
use super::{Answer, McpError, Offer, ServerSpec};

/// Most tools that are taken from one server.
const MOST_TOOLS: usize = 1024;

/// A server that is running and has agreed to talk. Its process, and whatever that has started, end
/// when this is dropped; [`Connection::close`] lets it end by itself first.
#[derive(Debug)]
pub struct Connection<H: ClientHandler = Quiet> {
    name: String,
    service: RunningService<RoleClient, Arc<H>>,
    process: Process,
    time_out: Duration,
}

impl<H: ClientHandler> Connection<H> {
    /// Starts a server and agrees with it how to talk: first by the way that has no handshake, as of
    /// revision 2026-07-28, then by `initialize`. What is relative in `spec` is relative to `folder`.
    ///
    /// # Errors
    /// A program that does not start, or a server that ends, does not agree, or is not ready in time.
    pub async fn start(name: &str, spec: &ServerSpec, folder: &Path, handler: H) -> Result<Self, McpError> {
        let handler = Arc::new(handler);
        let until = tokio::time::Instant::now() + Duration::from_millis(spec.start_time_out);
        let either = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::LATEST],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        match Self::attempt(name, spec, folder, &handler, either, until).await {
            // Some servers hang up when the first thing they hear is not `initialize`.
            Err(Refused::HungUp(_)) => {
                let only = ClientLifecycleMode::Initialize;
                Self::attempt(name, spec, folder, &handler, only, until).await.map_err(Refused::error)
            }
            other => other.map_err(Refused::error),
        }
    }

    async fn attempt(
        name: &str,
        spec: &ServerSpec,
        folder: &Path,
        handler: &Arc<H>,
        lifecycle: ClientLifecycleMode,
        until: tokio::time::Instant,
    ) -> Result<Self, Refused> {
        let (process, stdout, stdin) = Process::start(name, spec, folder).map_err(Refused::Other)?;
        let stdout = ExactNumbers::new(stdout, From::Server).answering(LostAnswers::of(name));
        let transport = Wire::new(AsyncRwTransport::<RoleClient, _, _>::new(stdout, stdin));
        let begun = serve_client_with_lifecycle(Arc::clone(handler), transport, lifecycle);
        let server = name.to_owned();
        match tokio::time::timeout_at(until, begun).await {
            Ok(Ok(service)) => {
                let time_out = Duration::from_millis(spec.time_out);
                Ok(Connection { name: server, service, process, time_out })
            }
            Ok(Err(error)) => {
                // Whatever it says about it, it says before it is gone.
                process.end().await;
                let (problem, said) = (problem(&error), process.said());
                let wrapped = McpError::Begin { server, problem, said };
                let hung_up = matches!(
                    error,
                    ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::TransportError { .. }
                );
                Err(if hung_up { Refused::HungUp(wrapped) } else { Refused::Other(wrapped) })
            }
            Err(_) => {
                let said = process.said();
                Err(Refused::Other(McpError::NotReady { server, time_out: spec.start_time_out, said }))
            }
        }
    }

    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself, and the revision that was agreed upon.
    pub fn info(&self) -> Option<Arc<ServerPeerInfo>> {
        self.service.peer().peer_info()
    }

    /// The other side, for requests of any kind.
    pub fn peer(&self) -> &Peer<RoleClient> {
        self.service.peer()
    }

    /// The handler that was handed in.
    pub fn handler(&self) -> &H {
        self.service.service()
    }

    /// It has ended, or was closed.
    pub fn is_closed(&self) -> bool {
        self.service.is_closed() || self.peer().is_transport_closed()
    }

    /// All its tools, page by page.
    ///
    /// # Errors
    /// A server that does not answer in time, or lists without an end.
    pub async fn tools(&self) -> Result<Vec<Tool>, McpError> {
        let listing = tokio::time::timeout(self.time_out, self.pages());
        match listing.await {
            Ok(tools) => tools,
            Err(_) => Err(self.not_listed(ServiceError::Timeout { timeout: self.time_out })),
        }
    }

    async fn pages(&self) -> Result<Vec<Tool>, McpError> {
        let (mut pages, mut cursor) = (Pages::new(MOST_TOOLS), None);
        loop {
            let page = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.peer().list_tools(Some(page)).await.map_err(|source| self.not_listed(source))?;
            cursor = pages.take(page.tools, page.next_cursor);
            if cursor.is_none() {
                break;
            }
        }
        let (items, cut) = pages.all();
        // A page that comes twice brings nothing new; two tools of one name that differ are another matter.
        let mut tools: Vec<Tool> = Vec::with_capacity(items.len());
        let mut known: BTreeMap<Cow<'static, str>, Vec<usize>> = BTreeMap::new();
        for tool in items {
            let same = known.entry(tool.name.clone()).or_default();
            if !same.iter().any(|index| tools[*index] == tool) {
                same.push(tools.len());
                tools.push(tool);
            }
        }
        if tools.len() > MOST_TOOLS {
            return Err(McpError::TooMany { server: self.name.clone(), most: MOST_TOOLS });
        }
        if let Some(why) = cut {
            tracing::warn!(server = self.name, "its list of tools is taken as far as it came: {why}");
        }
        Ok(tools)
    }

    fn not_listed(&self, source: ServiceError) -> McpError {
        McpError::List { server: self.name.clone(), problem: plain(&source.to_string()), said: self.process.said() }
    }

    /// Its tools, with what it says of itself.
    ///
    /// # Errors
    /// As [`Connection::tools`].
    pub async fn offer(&self) -> Result<Offer, McpError> {
        let tools = self.tools().await?;
        let info = self.info().and_then(|info| info.server_info.clone());
        let (title, version) = info.map_or_else(Default::default, |info| (info.name, info.version));
        Ok(Offer { server: self.name.clone(), title, version, tools })
    }

    /// Calls a tool by the server's own name for it. Input that the server asks for on the way comes
    /// from the handler. When the time is over, or this future is dropped, the server is told. What it says of its
    /// progress reaches the handler under the token that `params` bring in their `_meta`, and only where they bring one.
    pub async fn call(&self, params: CallToolRequestParams, time_out: Duration) -> Answer {
        if self.is_closed() {
            return Answer::not_sent();
        }
        match tokio::time::timeout(time_out, self.service.call_tool(params)).await {
            Ok(answer) => Answer::new(answer),
            Err(_) => Answer::new(Err(ServiceError::Timeout { timeout: time_out })),
        }
    }

    /// Ends the conversation, and the server's process: by itself if it does so soon.
    pub async fn close(&self) {
        self.service.cancellation_token().cancel();
        self.process.end().await;
    }
}

/// Why a server was not won.
enum Refused {
    /// It closed the connection, or was never there.
    HungUp(McpError),
    Other(McpError),
}

impl Refused {
    fn error(self) -> McpError {
        match self {
            Refused::HungUp(error) | Refused::Other(error) => error,
        }
    }
}

fn problem(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::TransportError { .. } => {
            "it ended, or closed its output".to_owned()
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => problem(fallback),
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            let versions: Vec<&str> = server_supported.iter().map(ProtocolVersion::as_str).collect();
            format!("it speaks none of the protocol's revisions that this host does, only {}", versions.join(", "))
        }
        ClientInitializeError::JsonRpcError(error) => plain(&error.message),
        other => plain(&other.to_string()),
    }
}

/// A handler for runs that nobody watches: it declines what servers ask for, and only remembers that
/// a list of tools has changed.
#[derive(Debug, Default)]
pub struct Quiet {
    changed: AtomicBool,
}

impl Quiet {
    /// Whether the server has said since the last time that its tools have changed.
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }
}

impl ClientHandler for Quiet {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Relaxed);
    }

    fn get_info(&self) -> ClientConfig {
        let own = Implementation::new("countersign", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), own)
    }
}
