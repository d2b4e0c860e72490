//! Slot `classifier`: which model tier and which planning mode does this task want?

use crate::RunView;

pub use crate::bindings::classifier::exports::countersign::policy::classifier::*;

/// A policy that fills the slot `classifier`.
pub trait Classifier: crate::Policy {
    /// Called once a run, before any model is called.
    fn classify(&mut self, task: Task, run: &dyn RunView) -> Classification;
}
