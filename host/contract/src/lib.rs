//! The contract between a policy and the step loop, natively: what each slot is asked and may answer, one
//! module a slot, with the checks of its answers. Serialised with the names of the WIT, this is what a trace
//! holds; with the feature `component` wasmtime lifts and lowers these very types.
//!
//! What each field means, its unit and its range stand in `wit/v0.1`, the files of the same names.
//! [`slots!`] is the one list of slots: whatever has a row for each slot is made from it.
#![forbid(unsafe_code)]

#[macro_use]
mod declare;

mod digest;
mod identity;
mod judgement;
mod key;
mod log;
mod policy;
mod slots;
mod types;
pub mod view;
mod violation;

pub use digest::{Digest, hex, sha256};
pub use judgement::{Cause, Judged, Judgement};
pub use key::Key;
pub use log::Level;
pub use policy::{ConfigError, Descriptor};
pub use slots::*;
pub use types::{
    BudgetLine, Compliance, Dimension, FailureClass, ModelKind, Orientation, Phase, Reversibility, SensitivityTag,
    Signal, Span, Stakes, Tier, ToolCategory, Verdict,
};
pub use violation::Violation;

/// Version of the contract that this host speaks, as the package name in a component's imports and exports
/// carries it.
pub const CONTRACT: &str = "countersign:policy@0.1.0-draft.5";
