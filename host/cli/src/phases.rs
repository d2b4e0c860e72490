//! The phases of document 003 that a run has come to, by the nodes that it stood at.

use std::sync::Arc;

use countersign::kernel::Event;
use countersign::spec::Manifest;
use countersign::spec::graph::{Graph, LoopPhase};

pub struct Phases {
    graph: Arc<Graph>,
    seen: Vec<LoopPhase>,
}

impl Phases {
    pub fn new(manifest: &Manifest) -> Self {
        Phases { graph: Arc::clone(&manifest.graph), seen: Vec::new() }
    }

    /// Those that a move leads through, that of the node it starts from among them; none for any other event.
    pub fn of(&mut self, event: &Event) -> Option<String> {
        let Event::Moved { from, path, .. } = event else { return None };
        let nodes = std::iter::once(&**from).chain(path.iter().map(|step| &*step.to));
        let phases = self.graph.phases_at(nodes);
        for phase in &phases {
            if !self.seen.contains(phase) {
                self.seen.push(*phase);
            }
        }
        Some(numbered(&phases))
    }

    /// How many of them the run has come to so far.
    pub fn summary(&self) -> String {
        format!("{} of {}", self.seen.len(), LoopPhase::ALL.len())
    }

    /// Those that the run has not come to, apart from those that its graph has no node for.
    pub fn not_seen(&self) -> Vec<(&'static str, String)> {
        let absent = self.graph.absent_phases();
        let not_seen = LoopPhase::ALL.iter().copied().filter(|phase| !self.seen.contains(phase));
        let not_seen: Vec<LoopPhase> = not_seen.filter(|phase| !absent.contains(phase)).collect();
        let groups = [("not come to", not_seen), ("no node for", absent)];
        groups.into_iter().filter(|(_, of)| !of.is_empty()).map(|(what, of)| (what, numbered(&of))).collect()
    }
}

/// Phases with their numbers, as in "7 tool-eligibility, 9 tool-invocation".
pub fn numbered(phases: &[LoopPhase]) -> String {
    phases.iter().map(|phase| format!("{} {phase}", phase.number())).collect::<Vec<_>>().join(", ")
}
