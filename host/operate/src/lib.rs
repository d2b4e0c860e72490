//! What an operator holds in hand around every run: where requests for people go, which agents are
//! fit for work, what tenants may use in all, and the switches that stop things at once.
//!
//! Nothing here is policy: policies judge within a run, these hold above all runs.

mod approvers;
pub mod buckets;
mod clock;
pub mod health;
mod memories;
mod revoke;
pub mod sinks;
mod standing;
mod state;
pub mod switches;

pub use approvers::{ApproverError, Signer, check_key, heard};
pub use buckets::{
    BucketError, BucketLine, BucketRefused, BucketReservation, BucketSpec, Buckets, BucketsSpec, Demand,
};
pub use clock::{utc_now, utc_text};
pub use health::{
    AdminPause, AgentHealth, Counter, ErrorClass, Escalations, HealthRules, HealthTracker, Paused, Refused, RefusedBy,
};
pub use memories::Memories;
pub use revoke::{restore, restore_in, revoke, revoke_in};
pub use sinks::{
    CommandSpec, Delivery, FileSpec, Item, ItemKind, Severity, SinkError, SinkQueue, SinkSpec, Sinks, WebhookSpec,
    sign, signed_at, verify_signature,
};
pub use standing::{KeptApproval, KeptApprovals};
pub use state::StateError;
pub use switches::{Halt, Halted, StoredSwitches, SwitchError, SwitchFile, Switches};
