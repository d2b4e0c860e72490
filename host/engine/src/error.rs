use std::error::Error as StdError;

use countersign_contract::Slot;

/// An engine that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the policy engine")]
pub struct EngineError(#[source] Box<dyn StdError + Send + Sync>);

impl EngineError {
    pub(crate) fn new(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        EngineError(source.into())
    }
}

/// A component that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{origin}`: {problem}")]
pub struct LoadError {
    /// What was loaded.
    pub(crate) origin: String,
    /// What is wrong with it.
    pub(crate) problem: LoadProblem,
}

impl LoadError {
    /// Whether the component was made for another version of the contract.
    pub fn is_version_mismatch(&self) -> bool {
        matches!(self.problem, LoadProblem::Version { .. })
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadProblem {
    #[error("is no WebAssembly component: {0}")]
    NotWasm(String),
    #[error("is a precompiled artifact; expected a component as its author shipped it")]
    Precompiled,
    #[error("is a core module; wrap it into a component with `countersign policy build`")]
    CoreModule,
    #[error("has {found} {what}, at most {limit} are allowed")]
    TooLarge { what: &'static str, found: u64, limit: u64 },
    #[error(
        "imports `{0}`, which no policy may; build it for `wasm32-unknown-unknown` (a `wasi:` import comes from \
         `wasm32-wasip2`) and drop what needs clock, files, network or randomness"
    )]
    ForeignImport(String),
    #[error(
        "was built for contract {found}, this host speaks {expected}; rebuild it with the SDK of that version, or use \
         a host that speaks {found}"
    )]
    Version { found: String, expected: String },
    #[error("does not export `{0}`; does its crate end in a line like `policy!(MyPolicy: SLOT);`?")]
    MissingExport(&'static str),
    #[error("fills no slot; expected an export of one of {}", Slot::ALL.map(Slot::name).join(", "))]
    NoSlot,
    #[error("cannot be compiled: {0}")]
    Compile(String),
    #[error("cannot say who it is: {0}")]
    Describe(String),
    #[error("says that its {field} is `{found}`; expected {expected}")]
    Descriptor { field: &'static str, found: String, expected: &'static str },
    #[error("its configuration schema: {0}")]
    Schema(String),
}

impl LoadProblem {
    /// What the parser says, on one line.
    pub(crate) fn not_wasm(error: &wasmparser::BinaryReaderError) -> Self {
        LoadProblem::NotWasm(error.message().lines().next().unwrap_or_default().to_owned())
    }
}

/// A configuration that a policy does not take.
#[derive(Debug, thiserror::Error)]
#[error("configuration of {policy}{}: {message}", at(key))]
pub struct ConfigurationError {
    /// The policy and its version.
    pub policy: String,
    /// JSON pointer; empty for the whole.
    pub key: String,
    /// What was expected.
    pub message: String,
}

fn at(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(", key `{key}`") }
}

/// A session that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration is not what the policy takes.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The instance could not be made.
    #[error("cannot open {policy}: {message}")]
    Instance {
        /// The policy and its version.
        policy: String,
        /// The author's own message first, else the cause.
        message: String,
    },
}
