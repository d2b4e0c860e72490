//! What a run is pinned to: the [`Manifest`], and everything that stands in it. A trace begins with it, and
//! no run changes it: which graph it moves along, what it may do, what it may use, who judges it.

pub mod boundary;
pub mod budget;
pub mod graph;
pub mod host_rules;
mod manifest;
pub mod plan;
pub mod routing;
pub mod state;
pub mod tool;

pub use boundary::Boundary;
pub use countersign_contract as contract;
pub use host_rules::HostRules;
pub use manifest::{
    Approver, Criterion, Driver, EntryPin, EscalationRules, Goal, Manifest, ManifestError, Mode, Model, Need,
    PolicyMode, Retention, SlotPin, Source,
};
pub use tool::{Tool, Verifier};

/// Version of the fold's behaviour. Raised by any change that could give another frame for the same
/// inputs; recorded in the manifest.
pub const KERNEL_RULES: u32 = 7;

/// Version of the trace's format.
pub const TRACE_FORMAT: u32 = 1;
