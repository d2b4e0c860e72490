//! Slot `context`: what about the pressure on the context?

use crate::RunView;

pub use crate::bindings::context::exports::countersign::policy::context::*;

/// A policy that fills the slot `context`.
pub trait Context: crate::Policy {
    /// Called before each request to a model.
    fn relieve(&mut self, pressure: Pressure, run: &dyn RunView) -> Relief;
}
