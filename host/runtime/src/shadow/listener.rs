use std::sync::Arc;

use countersign_kernel::Slot;
use countersign_kernel::contract::Verdict;

/// A shadow entry and what it hears.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub name: Arc<str>,
    /// Digest of the component.
    pub component: Arc<str>,
    /// Each with its failure verdict.
    pub slots: Vec<(Slot, Verdict)>,
}

impl Listener {
    pub fn hears(&self, slot: Slot) -> bool {
        self.slots.iter().any(|(own, _)| *own == slot)
    }
}
