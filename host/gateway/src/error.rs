use countersign::HostError;
use countersign::mcp::{McpError, PinError};
use countersign::operate::SinkError;
use countersign::session::SessionError;
use countersign::settings::SettingsError;
use countersign::store::StorageError;

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
    /// None of the servers can be used.
    #[error("no MCP server can be used:\n{problems}")]
    NoServer {
        /// What is wrong with each, line by line.
        problems: String,
    },
    /// A tool that no server has.
    #[error("no MCP server has a tool `{name}`; there are {}", known.join(", "))]
    NoTool {
        /// As asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
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
