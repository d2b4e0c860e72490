//! One run's frames: read beside whoever writes them, written by the one process that holds the run.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign_kernel::{Code, Status};

use crate::error::StorageError;
use crate::holder::Holder;
use crate::query::RunRow;

/// Most bytes of a frame's line, without the line's end. No reader takes more, so no writer does.
pub const LARGEST_FRAME: usize = (64 << 20) - 1;

/// What redaction marks of a run are salted with.
pub type SaltBytes = [u8; 32];

/// A stream beside the frames: never in the fold, never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Side {
    /// What policies logged.
    Log,
    /// What policies in shadow said.
    Shadow,
}

impl Side {
    /// All of them.
    pub const ALL: [Side; 2] = [Side::Log, Side::Shadow];

    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Side::Log => "log",
            Side::Shadow => "shadow",
        }
    }
}

/// What a caller does with each record, and whether it wants the next.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

/// Called once, when everything appended before is safe or can never be.
pub type Then = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// A run that is read. What is read is what was durable when the call began, or later.
pub trait RunReader: Send + Debug {
    /// What the list of runs tells of it, at this moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn row(&self) -> Result<RunRow, StorageError>;

    /// Shows the lines of frames in their order, without the lines' ends. Frame 0 is the manifest.
    ///
    /// # Errors
    /// When the store cannot be read, or a frame is missing.
    fn read_from(&self, frame: u64, visit: Visit<'_>) -> Result<(), StorageError>;

    /// Shows the records of a side stream in their order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read_side(&self, side: Side, visit: Visit<'_>) -> Result<(), StorageError>;

    /// What redaction marks are salted with; none when it was not kept, or has been erased.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn salt(&self) -> Result<Option<SaltBytes>, StorageError>;
}

/// How much a frame survives once `append` has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the machine: `append` waits for its own frame, which is written together with those of
    /// other runs. For runs that act on the world.
    Synced,
    /// What the store has handed to the system by then, which takes it at most some milliseconds; a crash
    /// of the process from [`RunLog::flush`] on, one of the machine from [`RunLog::sync`] on. For runs that
    /// mostly read: whoever drives them flushes before an effect, and syncs before one that changes
    /// something.
    Written,
    /// Nothing before `flush`, `sync` or `release`. For runs that only judge what has long happened.
    Buffered,
}

/// What the list of runs needs to know of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMark {
    /// The run's own time at this frame, milliseconds.
    pub at: u64,
    /// Where the run stands after it. After one that ends it the log takes no more frames.
    pub status: Status,
}

/// A frame that was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// It is not the next one.
    #[error("run `{run}`: frame {given} was to be written where frame {expected} is next")]
    Conflict {
        /// The run.
        run: Arc<str>,
        /// The number given.
        given: u64,
        /// The next one.
        expected: u64,
    },
    /// Another process has taken the run over.
    #[error("run `{run}`: another process has taken it over{}", by.as_ref().map_or_else(String::new, |by| format!(": {by}")))]
    Fenced {
        /// The run.
        run: Arc<str>,
        /// Who, where that is known.
        by: Option<Holder>,
    },
    /// The run is over.
    #[error("run `{run}`: is over with {code}, nothing can follow")]
    Ended {
        /// The run.
        run: Arc<str>,
        /// With which code.
        code: Code,
    },
    /// No reader would take it.
    #[error("run `{run}`: frame {frame} has {bytes} bytes, a frame has at most {LARGEST_FRAME}")]
    TooLarge {
        /// The run.
        run: Arc<str>,
        /// The number given.
        frame: u64,
        /// Its size.
        bytes: usize,
    },
    /// A line's end inside a frame: in a file it would be two.
    #[error("run `{run}`: frame {frame} holds a line's end")]
    NotALine {
        /// The run.
        run: Arc<str>,
        /// The number given.
        frame: u64,
    },
    /// An earlier frame was not taken; this log takes no more.
    #[error("run `{run}`: an earlier frame could not be written: {problem}")]
    Failed {
        /// The run.
        run: Arc<str>,
        /// What the store said then.
        problem: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// A run that this process holds and writes. Dropping it gives the run back, as well as that goes.
///
/// A log whose append has failed takes no more: what it holds then is a beginning of what was
/// appended, and taking the run up again finds out which.
pub trait RunLog: RunReader {
    /// Id of the run.
    fn run(&self) -> &Arc<str>;

    /// Grows each time the run is taken: what an older number writes is refused.
    fn fence(&self) -> u64;

    /// Number of the next frame.
    fn next(&self) -> u64;

    /// Takes frame number `frame`, as [`crate::Chain`] has encoded it.
    ///
    /// # Errors
    /// When it was not taken, or one before it turns out not to be. The run must not go on.
    fn append(&mut self, frame: u64, line: &[u8], mark: FrameMark) -> Result<(), AppendError>;

    /// Waits until what was appended survives a crash of this process.
    ///
    /// # Errors
    /// When it does not.
    fn flush(&mut self) -> Result<(), AppendError>;

    /// Waits until what was appended survives a crash of the machine.
    ///
    /// # Errors
    /// When it does not.
    fn sync(&mut self) -> Result<(), AppendError>;

    /// As [`RunLog::sync`], without waiting: `then` is called from a thread of the store, or from this one,
    /// and must not wait for anything itself. For whoever is on a thread that must not be held up.
    fn when_synced(&mut self, then: Then) {
        then(self.sync());
    }

    /// As [`RunLog::when_synced`] for [`RunLog::flush`].
    fn when_flushed(&mut self, then: Then) {
        then(self.flush());
    }

    /// A side stream of the run, which may be written from another thread.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn side(&self, side: Side) -> Result<Box<dyn SideLog>, StorageError>;

    /// Makes what was appended safe and gives the run back, so that any process may take it at once.
    ///
    /// # Errors
    /// When what was appended could not be written.
    fn release(&mut self) -> Result<(), AppendError>;
}

/// A side stream that is written. Several may write one; their records do not mix.
pub trait SideLog: Send + Debug {
    /// Takes a record, which may wait in memory until [`SideLog::flush`].
    ///
    /// # Errors
    /// A record that holds a line's end or is larger than a frame may be, or a store that cannot be
    /// written.
    fn append(&mut self, record: &[u8]) -> Result<(), StorageError>;

    /// Hands everything over: it can be read from now on, and survives a crash of this process.
    ///
    /// # Errors
    /// When it cannot.
    fn flush(&mut self) -> Result<(), StorageError>;
}
