//! A bundle: which policy sits in which slot, with which configuration and which limits.
//!
//! `bundle.toml` is written by hand, `bundle.lock` by [`lock`]. The lock holds every value that can
//! reach a verdict or a limit, and the host reads nothing else: changing any key of it changes its
//! digest.

mod default;
mod error;
pub mod findings;
mod folder;
mod installed;
mod lock;
mod manifest;
mod mode;

pub use default::{default_bundle, write_default_bundle};
pub use error::BundleError;
pub use folder::{Bundle, LeftOut, lock};
pub use installed::{Installed, Listed, Pointer, Standing};
pub use lock::{Entry, EntryLimits, Lock, SlotEntry};
pub use manifest::BundleManifest;
pub use mode::EntryMode;

pub use countersign_contract::{Digest, sha256};
