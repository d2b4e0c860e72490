pub use crate::bindings::countersign::policy::run::{BoundaryLimits as Boundary, StepSummary};
pub use crate::bindings::countersign::policy::types::{BudgetLine, Dimension, Phase};

/// The read-only view of the step loop at the moment of a call.
///
/// Every answer is recorded with the judgement. At most 32 reads and 64 KiB of answers a call;
/// `None` means that the host does not say, and a policy must be able to judge without.
pub trait RunView {
    /// What the run is to achieve.
    fn goal(&self) -> Option<String>;
    /// Model calls so far, from 0.
    fn step_index(&self) -> Option<u32>;
    /// Where in the loop the run is.
    fn phase(&self) -> Option<Phase>;
    /// One dimension of the budget.
    fn budget(&self, of: Dimension) -> Option<BudgetLine>;
    /// The last steps, newest last, at most 32.
    fn recent_steps(&self, count: u32) -> Option<Vec<StepSummary>>;
    /// A committed fact by its name.
    fn fact(&self, name: &str) -> Option<String>;
    /// The operating envelope.
    fn boundary(&self) -> Option<Boundary>;
}

/// The view a component has: each read is a call into the host.
#[doc(hidden)]
pub struct HostView;

impl RunView for HostView {
    fn goal(&self) -> Option<String> {
        crate::bindings::countersign::policy::run::goal()
    }
    fn step_index(&self) -> Option<u32> {
        crate::bindings::countersign::policy::run::step_index()
    }
    fn phase(&self) -> Option<Phase> {
        crate::bindings::countersign::policy::run::current_phase()
    }
    fn budget(&self, of: Dimension) -> Option<BudgetLine> {
        crate::bindings::countersign::policy::run::budget(of)
    }
    fn recent_steps(&self, count: u32) -> Option<Vec<StepSummary>> {
        crate::bindings::countersign::policy::run::recent_steps(count)
    }
    fn fact(&self, name: &str) -> Option<String> {
        crate::bindings::countersign::policy::run::fact(name)
    }
    fn boundary(&self) -> Option<Boundary> {
        crate::bindings::countersign::policy::run::boundary()
    }
}
