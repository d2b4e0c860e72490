//! Slot `sensitivity`: how sensitive is this text?

use crate::RunView;

pub use crate::bindings::sensitivity::exports::countersign::policy::sensitivity::*;

/// A policy that fills the slot `sensitivity`.
pub trait Sensitivity: crate::Policy {
    /// Called for each text on its way to a model.
    fn rate(&mut self, text: Text, run: &dyn RunView) -> Rating;
}
