//! Slot `doom-loop`: is the run still getting anywhere?

use crate::RunView;

pub use crate::bindings::doom_loop::exports::countersign::policy::doom_loop::*;

/// A policy that fills the slot `doom-loop`.
pub trait DoomLoop: crate::Policy {
    /// Called once for each step, after its tool has answered.
    fn observe(&mut self, step: ObservedStep, run: &dyn RunView) -> Signal;
}
