//! Where runs live, whatever that is.

use std::fmt::Debug;
use std::sync::Arc;

use countersign_kernel::Code;

use crate::error::StorageError;
use crate::holder::Holder;
use crate::inbox::Entry;
use crate::query::{Attributes, FindError, RunQuery, RunRow};
use crate::register::{Register, RegisterError, RegisterName};
use crate::run_log::{Durability, RunLog, RunReader, SaltBytes, Side, SideLog};

/// Longest id of a run, in bytes.
pub const LONGEST_ID: usize = 200;
/// Most bytes of a payload.
pub const LARGEST_PAYLOAD: usize = 64 << 20;

/// A run that begins.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// Its id: letters, digits and `-._`, at most [`LONGEST_ID`] bytes.
    pub id: &'a str,
    /// Frame 0, as [`crate::Chain::begin`] has encoded it.
    pub manifest: &'a [u8],
    /// What it is listed by.
    pub attributes: Attributes,
    /// What its redaction marks are salted with; none when nobody may ever check a mark.
    pub salt: Option<SaltBytes>,
}

/// A run that was not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// There is one of this id.
    #[error("run `{run}` is there already")]
    Exists {
        /// The id.
        run: String,
    },
    /// The id cannot be one.
    #[error("`{run}` is no id of a run: expected letters, digits and `-._`, at most {LONGEST_ID} bytes")]
    Id {
        /// As given.
        run: String,
    },
    /// No reader would take the manifest.
    #[error("run `{run}`: its manifest has {bytes} bytes, a frame has at most {}", crate::run_log::LARGEST_FRAME)]
    TooLarge {
        /// The id.
        run: String,
        /// Size of the manifest.
        bytes: usize,
    },
    /// A line's end inside the manifest: in a file it would be two lines.
    #[error("run `{run}`: its manifest holds a line's end")]
    NotALine {
        /// The id.
        run: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// A run that was not taken, or not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none of this id.
    #[error("there is no run `{run}`; `countersign runs list` shows them")]
    NotFound {
        /// The id.
        run: String,
    },
    /// Another process writes it.
    #[error("run `{run}` is held by {by}")]
    Held {
        /// The id.
        run: String,
        /// Who.
        by: Holder,
    },
    /// It is over: it can be read, and nothing can follow.
    #[error("run `{run}` is over with {code}")]
    Ended {
        /// The id.
        run: String,
        /// With which code.
        code: Code,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// What became of an entry of the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is this frame of the run.
    Frame(u64),
    /// The run refused it, and why.
    Refused(String),
}

/// An entry that was not offered or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// There is no such run.
    #[error("there is no run `{run}`; `countersign runs list` shows them")]
    NotFound {
        /// The id.
        run: String,
    },
    /// Nothing of this id waits.
    #[error("run `{run}`: no entry `{id}` is waiting in its inbox")]
    NotWaiting {
        /// The run.
        run: String,
        /// The entry.
        id: String,
    },
    /// The id cannot be one.
    #[error("`{id}` is no id of an entry: expected 1 to {} letters, digits and hyphens", crate::inbox::LONGEST_ID)]
    Id {
        /// As given.
        id: String,
    },
    /// It is too large.
    #[error("entry `{id}` has {bytes} bytes, an entry has at most {}", crate::inbox::LARGEST_ENTRY)]
    TooLarge {
        /// The entry.
        id: String,
        /// Its size.
        bytes: usize,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// What lies in an inbox and cannot be understood here; it holds nobody up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its id.
    pub id: String,
    /// What was expected.
    pub problem: String,
}

/// A payload that was not stored or erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// There is no such run.
    #[error("there is no run `{run}`; `countersign runs list` shows them")]
    NotFound {
        /// The id.
        run: String,
    },
    /// The run still needs it.
    #[error("run `{run}` is not over: what is stored for it may still be needed")]
    NotEnded {
        /// The id.
        run: String,
    },
    /// The digest cannot be one.
    #[error("`{digest}` is no digest of a payload: expected 1 to 128 letters, digits and `:`")]
    Digest {
        /// As given.
        digest: String,
    },
    /// It is too large.
    #[error("payload {digest} has {bytes} bytes, a payload has at most {LARGEST_PAYLOAD}")]
    TooLarge {
        /// Its digest.
        digest: String,
        /// Its size.
        bytes: usize,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// Where runs live. Several processes may use one store at once; everything that it takes is there as a
/// whole or not at all.
pub trait RunStore: Send + Sync + Debug {
    /// For people: what this store is, such as a file's name.
    fn name(&self) -> &str;

    /// Begins a run and holds it. Frame 0 is as safe as `durability` says when this returns; where frames are
    /// buffered it survives a crash of the process all the same.
    ///
    /// # Errors
    /// An id that is taken or is none, or a store that cannot be written. Nothing was begun then.
    fn begin(&self, new: NewRun<'_>, holder: &Holder, durability: Durability) -> Result<Box<dyn RunLog>, BeginError>;

    /// Takes a run up: from nobody, or from a holder that is gone. From then on what the earlier holder
    /// still tries to write is refused.
    ///
    /// # Errors
    /// A run that is not there, is held, or is over.
    fn open(&self, run: &str, holder: &Holder, durability: Durability) -> Result<Box<dyn RunLog>, OpenError>;

    /// Reads a run, beside whoever writes it.
    ///
    /// # Errors
    /// [`OpenError::NotFound`], or a store that cannot be read.
    fn read(&self, run: &str) -> Result<Box<dyn RunReader>, OpenError>;

    /// The runs that fit, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn list(&self, query: &RunQuery) -> Result<Vec<RunRow>, StorageError>;

    /// The run of this id, or the only one whose id begins so.
    ///
    /// # Errors
    /// When there is none, or there are several.
    fn find(&self, prefix: &str) -> Result<RunRow, FindError>;

    /// A side stream of a run that nobody need hold, also after its end.
    ///
    /// # Errors
    /// [`OpenError::NotFound`], or a store that cannot be written.
    fn side(&self, run: &str, side: Side) -> Result<Box<dyn SideLog>, OpenError>;

    /// Offers an entry to a run's inbox. False when one of the same id was offered before, taken or not:
    /// nothing changes then.
    ///
    /// # Errors
    /// An entry that cannot be one, or a run that is not there.
    fn offer(&self, run: &str, entry: &Entry) -> Result<bool, InboxError>;

    /// What waits in a run's inbox, the oldest first.
    ///
    /// # Errors
    /// A run that is not there, or a store that cannot be read.
    fn waiting(&self, run: &str) -> Result<Vec<Entry>, InboxError>;

    /// What waits in a run's inbox and cannot be understood here.
    ///
    /// # Errors
    /// A run that is not there, or a store that cannot be read.
    fn rejects(&self, run: &str) -> Result<Vec<Reject>, InboxError>;

    /// An entry is one of the run's frames, or was refused by it. It never waits again.
    ///
    /// # Errors
    /// When no such entry waits.
    fn take(&self, run: &str, id: &str, taken: &Taken) -> Result<(), InboxError>;

    /// What a register holds; none when it was never set, or is removed.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn register(&self, name: &RegisterName) -> Result<Option<Register>, StorageError>;

    /// Sets a register that still has this version, or is not there where none is given; its version
    /// from now on.
    ///
    /// # Errors
    /// [`RegisterError::Conflict`] when another process was faster: nothing changes then.
    fn compare_and_set(&self, name: &RegisterName, expected: Option<u64>, value: &[u8]) -> Result<u64, RegisterError>;

    /// Removes a register that still has this version.
    ///
    /// # Errors
    /// [`RegisterError::Conflict`] when it has not.
    fn remove(&self, name: &RegisterName, expected: u64) -> Result<(), RegisterError>;

    /// The registers below a name, by name: `buckets` finds `buckets/app`, not `buckets-of-old`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn registers(&self, below: &RegisterName) -> Result<Vec<(RegisterName, Register)>, StorageError>;

    /// Keeps a payload of a run under its digest, which is salted by the caller. The same digest again
    /// changes nothing.
    ///
    /// # Errors
    /// A run that is not there, a payload that is too large, or a store that cannot be written.
    fn put_payload(&self, run: &str, digest: &str, bytes: &[u8]) -> Result<(), PayloadError>;

    /// A payload of a run; none when it was not kept, or has been erased.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn payload(&self, run: &str, digest: &str) -> Result<Option<Vec<u8>>, PayloadError>;

    /// Erases a run's payloads and its salt for good. Its frames stay, and still verify.
    ///
    /// # Errors
    /// A run that is not there or not over, or a store that cannot be written.
    fn erase(&self, run: &str) -> Result<(), PayloadError>;

    /// Erases a run's payloads for good, whether it is over or not. Its salt stays, so that its marks can still be
    /// checked.
    ///
    /// # Errors
    /// A run that is not there, or a store that cannot be written.
    fn erase_payloads(&self, run: &str) -> Result<(), PayloadError>;
}

/// A store that is shared.
pub type SharedStore = Arc<dyn RunStore>;
