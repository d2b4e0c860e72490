use std::sync::Arc;

use countersign_kernel::{InputError, ManifestError};
use countersign_store::StoreError;

use crate::host::HostError;
use crate::operations::NotDispatched;

/// A run that cannot begin, be taken up, or go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Its manifest makes no sense.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is not of a run whose loop an agent owns.
    #[error("`driver`: expected `agent`; `Host::governed_manifest` makes such a manifest")]
    Driver,
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
    /// A frame cannot be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run does not expect what came.
    #[error("the run cannot take that: {0}")]
    Input(#[from] InputError),
    /// The log is not of this run, or not what was written.
    #[error("its trace does not fold: {0}")]
    Fold(String),
    /// An inbox cannot be read.
    #[error("its inbox cannot be read: {0}")]
    Inbox(String),
    /// An earlier error left the run in the middle of something.
    #[error("the run broke off at an earlier error; take it up again from its trace")]
    Broken,
    /// A permit or reading was handed in that is not of this session.
    #[error("the permit is of another run, or its call was answered before")]
    Foreign,
}
