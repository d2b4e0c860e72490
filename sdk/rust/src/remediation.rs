//! Slot `remediation`: can the agent mend this error?

use crate::RunView;

pub use crate::bindings::remediation::exports::countersign::policy::remediation::*;

/// A policy that fills the slot `remediation`.
pub trait Remediation: crate::Policy {
    /// Called once for each call that failed.
    fn classify(&mut self, call: FailedCall, run: &dyn RunView) -> Remedy;
}
