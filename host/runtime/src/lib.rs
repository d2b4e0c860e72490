//! Judge every step of an agent loop by sandboxed, swappable, replayable policies.
//!
//! ```text
//! Host ── engine and bundle of a process
//!  └─ Session ── one run: its frames are judged, made durable, and only then acted on
//!
//! Governor ── the same from one file, for async programs: many runs at once, on threads of their own
//! ```
//!
//! [`shadow`] asks policies beside a run.

pub mod deployment;
mod governor;
mod host;
mod live;
mod operations;
mod random;
pub mod reach;
pub mod session;
pub mod settings;
pub mod shadow;
mod signed;

pub use deployment::Deployment;
pub use governor::{GovernedRun, Governor, GovernorError};
pub use host::{Host, HostError, Judges};
pub use live::{LiveHost, Refreshed};
pub use operations::{NotDispatched, Operations};
pub use random::{random, random_id};

pub use session::{Observer, Session, SessionError, Silent, World};

/// Opens the store in a file, and makes it where there is none.
///
/// # Errors
/// A file that cannot be opened, is no store, or was written by a newer release.
pub fn open_store(file: &std::path::Path) -> Result<store::SharedStore, store::StorageError> {
    Ok(std::sync::Arc::new(store::sqlite::SqliteStore::open(file)?))
}

pub use countersign_bundle as bundle;
pub use countersign_engine as engine;
pub use countersign_kernel as kernel;
pub use countersign_mcp as mcp;
pub use countersign_models as models;
pub use countersign_models::{INJECTED, MOST_REPLY_BYTES, Parsed, injected_tools, parse_patch, parse_step};
pub use countersign_models::{messages, overhead, render, templates_digest};
pub use countersign_operate as operate;
pub use countersign_operate::{utc_now, utc_text};
pub use countersign_spec as spec;
pub use countersign_store as store;
pub use countersign_store::trace::{Incoming, TransferError, beside, export, import, open_regular};
pub use countersign_tools as tools;
pub use countersign_tools::redact::{Salt, redact, salted};
pub use countersign_tools::{Arguments, Strict, canonical, keys, registry, shown};
