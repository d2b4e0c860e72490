//! Slot `confidence`: may this answer be trusted?

use crate::RunView;

pub use crate::bindings::confidence::exports::countersign::policy::confidence::*;

/// A policy that fills the slot `confidence`.
pub trait Confidence: crate::Policy {
    /// Called once for each model reply that parses, before its action is judged.
    fn judge(&mut self, answer: Answer, run: &dyn RunView) -> Trust;
}
