//! What a store tells of its runs without reading their frames.

use std::sync::Arc;

use countersign_kernel::{Code, Status};

use crate::error::StorageError;
use crate::holder::Holder;

/// What a run is listed by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// On whose account.
    pub tenant: Option<Arc<str>>,
    /// Who does the work.
    pub agent: Arc<str>,
    /// Who the work is done for: an edge finds its last run by it.
    pub principal: Option<Arc<str>>,
    /// When it began, UTC milliseconds.
    pub started: u64,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: Arc<str>,
    /// As given when it began.
    pub attributes: Attributes,
    /// Where it stands.
    pub status: Status,
    /// Frames, the manifest included.
    pub frames: u64,
    /// When its last frame was made, UTC milliseconds.
    pub last: u64,
    /// Who writes it; none when nobody does, or whoever did is gone.
    pub held: Option<Holder>,
}

/// Where a run stands, without its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Going on.
    Running,
    /// Waiting for a person.
    Suspended,
    /// Over.
    Ended,
}

impl RunState {
    /// That of a status.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Running => RunState::Running,
            Status::Suspended(_) => RunState::Suspended,
            Status::Ended(_) => RunState::Ended,
        }
    }
}

/// Which runs to list. Every field that is set must fit; the default fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// Where it stands.
    pub state: Option<RunState>,
    /// The code that it is suspended or ended with.
    pub code: Option<Code>,
    /// On whose account.
    pub tenant: Option<Arc<str>>,
    /// Who does the work.
    pub agent: Option<Arc<str>>,
    /// Who the work is done for.
    pub principal: Option<Arc<str>>,
    /// Began at this time or later, UTC milliseconds.
    pub since: Option<u64>,
    /// Began before this time, UTC milliseconds.
    pub until: Option<u64>,
    /// At most so many.
    pub most: Option<usize>,
}

/// A run that cannot be found by what its id begins with.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error("there is no run with an id that begins with `{prefix}`; `countersign runs list` shows them")]
    NotFound {
        /// As given.
        prefix: String,
    },
    /// There are several.
    #[error("several runs have an id that begins with `{prefix}`, such as {first} and {second}; give more of it")]
    Ambiguous {
        /// As given.
        prefix: String,
        /// One of them.
        first: Arc<str>,
        /// Another.
        second: Arc<str>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}
