//! Slot `dispatch`: who does this sub-task?

use crate::RunView;

pub use crate::bindings::dispatch::exports::countersign::policy::dispatch::*;

/// A policy that fills the slot `dispatch`.
pub trait Dispatch: crate::Policy {
    /// Called once for each new sub-task of a valid plan.
    fn assign(&mut self, sub_task: SubTask, run: &dyn RunView) -> Assigned;
}
