//! Memories that the model proposed and that wait: for a person, or for the end of the run.

use countersign_spec::state::Memory;

/// Most memories that one run may propose; more are refused.
pub(super) const MEMORIES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Memories {
    proposed: Vec<Memory>,
    /// One that a person is asked about.
    awaiting_approval: Option<Memory>,
}

impl Memories {
    pub fn has_room(&self) -> bool {
        self.proposed.len() < MEMORIES
    }

    /// It waits for the end of the run.
    pub fn keep(&mut self, memory: Memory) {
        self.proposed.push(memory);
    }

    pub fn take_kept(&mut self) -> Vec<Memory> {
        std::mem::take(&mut self.proposed)
    }

    /// A person is asked about it.
    pub fn ask(&mut self, memory: Memory) {
        self.awaiting_approval = Some(memory);
    }

    /// A person has said something else, or about this one.
    pub fn take_asked(&mut self) -> Option<Memory> {
        self.awaiting_approval.take()
    }
}
