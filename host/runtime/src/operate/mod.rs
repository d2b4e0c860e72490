//! What an operator holds in hand around every run: where requests for people go, which agents are
//! fit for work, what tenants may use in all, and the switches that stop things at once.
//!
//! Nothing here is policy: policies judge within a run, these hold above all runs.

pub mod buckets;
pub mod health;
mod revoke;
pub mod sinks;
pub mod switches;

pub use buckets::{
    BucketLine, BucketRefused, BucketReservation, BucketSpec, Buckets, BucketsSnapshot, BucketsSpec, Demand,
    RestoreError,
};
pub use health::{
    AdminPause, AgentHealth, Counter, ErrorClass, Escalations, HealthError, HealthRules, HealthTracker, Paused,
    Refused, RefusedBy,
};
pub use revoke::{restore, revoke};
pub use sinks::{
    CommandSpec, Delivery, FileSpec, Item, ItemKind, Severity, SinkError, SinkSpec, Sinks, WebhookSpec, sign,
    signed_at, verify_signature,
};
pub use switches::{Halt, Halted, SwitchError, SwitchFile, Switches};
