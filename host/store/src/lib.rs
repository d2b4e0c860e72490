//! Where runs live.
//!
//! [`RunStore`] and [`RunLog`] are all that a runtime knows of it: no trait here knows a path. A run is a
//! list of frames, each one JSON object on a line: frame 0 is the manifest, every later frame one input
//! with its judgements and events. `prev` is the SHA-256 of the previous line's bytes (frame 0: of a
//! domain tag and the run's id), `seal` the SHA-256 of the frame's own bytes up to it, so that the last
//! line is protected too. Only the terminal frame, which carries the count, proves the end.

mod checks;
mod diagnostics;
mod error;
mod holder;
mod inbox;
pub mod memory;
mod query;
mod register;
mod run_log;
mod run_store;
mod shadow;
pub mod sqlite;
pub mod trace;

pub use diagnostics::Diagnostic;
pub use error::StorageError;
pub use holder::Holder;
pub use inbox::{Entry, LARGEST_ENTRY, Offer, by_caution};
pub use query::{Attributes, FindError, RunQuery, RunRow, RunState};
pub use register::{LARGEST_REGISTER, Register, RegisterError, RegisterName, RegisterNameError};
pub use run_log::{
    AppendError, Durability, FrameMark, LARGEST_FRAME, RunLog, RunReader, SaltBytes, Side, SideLog, Then, Visit,
};
pub use run_store::{
    BeginError, InboxError, LARGEST_PAYLOAD, LONGEST_ID, NewRun, OpenError, PayloadError, Reject, RunStore,
    SharedStore, Taken,
};
pub use shadow::{
    SHADOW_FORMAT, ShadowBegan, ShadowCount, ShadowEnded, ShadowEntry, ShadowError, ShadowJudgement, ShadowReader,
    ShadowRecord,
};
pub use trace::{Chain, ChainReader, Ending, Stored, TraceError, TraceReader, encode_frame, encode_manifest, genesis};
