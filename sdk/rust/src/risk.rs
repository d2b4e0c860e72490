//! Slot `risk`: may this action run?

use crate::RunView;

pub use crate::bindings::risk::exports::countersign::policy::risk::*;

/// A policy that fills the slot `risk`.
pub trait Risk: crate::Policy {
    /// Called once for each tool call within the boundary, before it is dispatched.
    fn judge(&mut self, action: ProposedAction, run: &dyn RunView) -> Assessment;
}
