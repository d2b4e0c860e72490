//! Recorded runs of other agents, as steps of one form and as inputs of a run.
//!
//! A recording is read element by element: memory does not grow with the length of a run. `formats` knows the forms,
//! `file` how they lie on disk.

mod file;
mod formats;
mod found;
mod inputs;
mod nature;
mod not_read;
mod reading;
mod registry;
mod run;
mod sink;
mod sketch;
mod source;
#[cfg(test)]
mod tests;
mod used;
mod value;

pub(crate) use file::Recording;
pub use file::RecordingError;
pub(crate) use found::{Found, Recordings};
pub(crate) use inputs::Adapter;
pub(crate) use nature::of_tool;
pub use not_read::NotRead;
pub use reading::{Problem, Readout};
pub(crate) use registry::{Envelope, tools};
pub(crate) use run::{Call, Header, Returned, Step, Visit, Went};
pub(crate) use used::UsedTools;
