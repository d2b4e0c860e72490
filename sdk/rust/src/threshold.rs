//! Slot `threshold`: is the next action worth it?

use crate::RunView;

pub use crate::bindings::threshold::exports::countersign::policy::threshold::*;

/// A policy that fills the slot `threshold`.
pub trait Threshold: crate::Policy {
    /// Called after each action, and before each call that is about to be dispatched.
    fn weigh(&mut self, ledger: Ledger, run: &dyn RunView) -> Weighing;
}
