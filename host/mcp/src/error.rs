use super::PinError;

/// A server that cannot be used. Names it, and says what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The program cannot be started.
    #[error("MCP server `{server}`: cannot start `{program}`: {source}; check `servers.{server}.command`")]
    Spawn {
        /// Which server.
        server: String,
        /// What was to be started.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A variable that is to be handed on is not there.
    #[error(
        "key `servers.{server}.env-from`: there is no variable `{variable}` in this environment; set it, or leave it out"
    )]
    Variable {
        /// Which server.
        server: String,
        /// Which variable.
        variable: String,
    },
    /// It did not become ready.
    #[error(
        "MCP server `{server}`: not ready within {time_out} ms; \
         if it needs longer, raise `servers.{server}.start-time-out`{said}"
    )]
    NotReady {
        /// Which server.
        server: String,
        /// Milliseconds.
        time_out: u64,
        /// The end of its standard error.
        said: String,
    },
    /// It did not agree to talk, or ended before it did.
    #[error("MCP server `{server}`: cannot begin to talk to it: {problem}{said}")]
    Begin {
        /// Which server.
        server: String,
        /// What happened.
        problem: String,
        /// The end of its standard error.
        said: String,
    },
    /// It does not list its tools.
    #[error("MCP server `{server}`: cannot list its tools: {problem}{said}")]
    List {
        /// Which server.
        server: String,
        /// What the server or the connection answered.
        problem: String,
        /// The end of its standard error.
        said: String,
    },
    /// It lists them without an end.
    #[error("MCP server `{server}`: it lists more than {most} tools, or pages without an end")]
    TooMany {
        /// Which server.
        server: String,
        /// As many as are taken.
        most: usize,
    },
    /// What waits for servers cannot be made.
    #[error("cannot make what waits for MCP servers: {source}")]
    Runtime {
        /// What the system says.
        source: std::io::Error,
    },
    /// The pins.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// A key of the file that does not fit what the servers have.
    #[error("{0}")]
    Key(String),
}
