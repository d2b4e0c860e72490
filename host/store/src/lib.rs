//! Where traces live.
//!
//! A trace is one JSON object a line: frame 0 is the manifest, every later frame one input with its
//! judgements and events. `prev` is the SHA-256 of the previous line's bytes (frame 0: of a domain
//! tag and the run's id), `seal` the SHA-256 of the frame's own bytes up to it, so that the last
//! line is protected too. Only the terminal frame, which carries the count, proves the end.

mod chain;
mod diagnostics;
mod file;
mod inbox;
mod reader;
mod runs;
mod shadow;

pub use chain::{encode_frame, encode_manifest, genesis};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use file::{Durability, FileStore, MemoryStore, ResumeError, Store, StoreError};
pub use inbox::{Entry, EntryError, Inbox, Offer};
pub use reader::{Ending, Stored, TraceError, TraceReader};
pub use runs::{RunFolder, Runs};
pub use shadow::{
    SHADOW_FORMAT, ShadowBegan, ShadowCount, ShadowEnded, ShadowEntry, ShadowError, ShadowJudgement, ShadowReader,
    ShadowRecord, ShadowWriter, shadow_beside,
};
