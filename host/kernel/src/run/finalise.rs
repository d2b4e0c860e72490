//! The finalise node: what the final answer rests on is put together from what was committed, and what the model
//! claims is held against it (document 003, phase 16; specification F15).

use std::sync::Arc;

use super::Run;
use super::next::Next;
use crate::record::event::{Event, Support};
use countersign_spec::graph::Exit;

impl Run {
    /// The finalise node. Whether the run may come here at all the completion check has decided; a tool that nothing
    /// verifies may be claimed there, and is named here.
    pub(super) fn finalise(&mut self) -> Next {
        let supported = |(of, call): (&Arc<str>, u64)| Support { of: Arc::clone(of), call };
        let criteria = self.evidence.verified(&self.manifest.goal.criteria).map(supported).collect();
        let facts = self.evidence.facts().map(supported).collect();
        let unverified = self.evidence.take_unverified();
        self.event(Event::Finalised { criteria, facts, unverified });
        Next::Leave(Exit::Finalised)
    }
}
