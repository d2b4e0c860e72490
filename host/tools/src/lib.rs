//! What a tool is: what it declares, its arguments and their canonical form, when two calls are the same one, what of
//! its results may be recorded and shown, and whether they are what it promises.

mod arguments;
mod atomic_file;
mod canonical;
pub mod keys;
pub mod marks;
pub mod parts;
pub mod process;
pub mod redact;
mod redaction;
pub mod registry;
pub mod secret;
mod settings_error;
pub mod shown;

pub use arguments::{Arguments, MOST_ARGUMENTS};
pub use atomic_file::{AtomicFile, Readers, write_atomically};
pub use canonical::{Strict, canonical, twice};
pub use redaction::{Hidden, Inspected, Redaction, VisibleResult};
pub use settings_error::SettingsError;
