//! The file format: a run as lines, one frame each, whose chain anybody can check offline.
//!
//! `NAME` holds the frames, `NAME.log` and `NAME.shadow` what lies beside them. A file with frames is evidence:
//! nothing here truncates, replaces or adopts one.

mod chain;
mod file;
mod reader;
mod tee;
mod transfer;

pub use chain::{Chain, encode_frame, encode_manifest, genesis};
pub(crate) use file::identity;
pub use file::{TraceFile, TraceFileError, open_regular};
pub use reader::{ChainReader, Ending, Stored, TraceError, TraceReader};
pub use tee::also_to_file;
pub use transfer::{Incoming, TransferError, beside, export, import};
