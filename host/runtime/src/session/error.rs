use std::sync::Arc;

use countersign_kernel::InputError;
use countersign_spec::ManifestError;
use countersign_store::trace::TransferError;
use countersign_store::{AppendError, BeginError, InboxError, OpenError, PayloadError, StorageError, TraceError};

use crate::host::HostError;
use crate::operations::NotDispatched;

/// A run that cannot begin, be taken up, or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Its manifest makes no sense.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The host has another bundle than the run is pinned to.
    #[error("the run is pinned to the bundle {pinned}, this host has {found}; `LiveHost::host_for` gives its own")]
    Bundle {
        /// Digest of the lock that the manifest names.
        pinned: Arc<str>,
        /// Digest of the host's lock.
        found: Arc<str>,
    },
    /// The policies cannot be opened.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The agent is paused, or something is switched off.
    #[error(transparent)]
    NotDispatched(#[from] NotDispatched),
    /// The run cannot be begun in its store.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// It cannot be taken up from its store.
    #[error(transparent)]
    TakeUp(#[from] TakeUpError),
    /// A frame cannot be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A call was made, and what came of it is not part of the record.
    #[error(
        "a call was made, and what came of it could not be recorded: {source}; do not make it again: whoever takes the \
         run up counts it as one of which nobody knows what became"
    )]
    Unrecorded {
        /// Number of the call.
        call: u64,
        /// Why it could not.
        source: Box<SessionError>,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StorageError),
    /// The file that the trace is written to as well.
    #[error(transparent)]
    Trace(#[from] TransferError),
    /// What is kept above runs in its store cannot be read or written.
    #[error(transparent)]
    Kept(#[from] countersign_operate::StateError),
    /// Its inbox fails.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// Its payloads fail.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The machine gives no random bytes.
    #[error("the machine gives no random bytes for the run's salt: {source}")]
    Random {
        /// What it says.
        source: std::io::Error,
    },
    /// The run does not expect what came.
    #[error("the run cannot take that: {0}")]
    Input(#[from] InputError),
    /// The record is not of this run.
    #[error("its record does not fold: {0}")]
    Fold(String),
    /// An earlier error left the run in the middle of something.
    #[error("the run broke off at an earlier error; take it up again from its store")]
    Broken,
    /// A permit or reading was handed in that is not of this session.
    #[error("the permit is of another run, or its call was answered before")]
    Foreign,
}

/// A record that cannot be taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeUpError {
    /// It is not there, another process has it, or the run is over.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is not what was written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Its salt is gone.
    #[error(
        "run `{run}`: what its marks are salted with is not in this store: it was erased, or the run came from a file; it goes \
         on only in the store it ran in"
    )]
    Salt {
        /// Which.
        run: String,
    },
    /// It holds nothing.
    #[error("run `{run}`: its record holds nothing")]
    Empty {
        /// Which.
        run: String,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StorageError),
}
