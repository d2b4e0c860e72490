//! Slot `guard`: is this text or call hostile, or does it leak?

use crate::RunView;

pub use crate::bindings::guard::exports::countersign::policy::guard::*;

/// A policy that fills the slot `guard`.
pub trait Guard: crate::Policy {
    /// Called for each text on its way to a model, to people or to a tool.
    fn inspect(&mut self, passing: Passing, run: &dyn RunView) -> Inspection;
}
