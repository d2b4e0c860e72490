//! Slot `estimator`: what will the rest of the task cost?

use crate::RunView;

pub use crate::bindings::estimator::exports::countersign::policy::estimator::*;

/// A policy that fills the slot `estimator`.
pub trait Estimator: crate::Policy {
    /// Called after each step, before the next model call, once the task's size is known.
    fn estimate(&mut self, progress: Progress, run: &dyn RunView) -> Forecast;
}
