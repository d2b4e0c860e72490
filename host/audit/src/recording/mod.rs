//! Recorded runs of other agents, as inputs of a run.
//!
//! One JSON object a run, plain or gzip, one after the other. Events are read one at a time: memory
//! does not grow with the length of a run.

mod nature;
mod openhands;
mod registry;
mod stream;

pub use stream::RecordingError;
pub(crate) use stream::{Event, Header, Runs, Visit};

pub(crate) use openhands::Adapter;
pub(crate) use registry::Envelope;
