//! Where the run stands in its graph, and how often it took the edges that may not be taken for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_spec::graph::{Compiled, Exit, NodeId, NodeKind};

#[derive(Debug)]
pub(super) struct Place {
    graph: Compiled,
    node: NodeId,
    /// How often edges with a limit were taken.
    taken: BTreeMap<(NodeId, Exit), u32>,
    /// Where the run goes on once a call that came back beside it is done with.
    rest: Option<NodeId>,
}

impl Place {
    pub fn new(graph: Compiled) -> Self {
        Place { node: graph.start(), graph, taken: BTreeMap::new(), rest: None }
    }

    pub fn node(&self) -> NodeId {
        self.node
    }

    pub fn kind(&self) -> NodeKind {
        self.graph.kind(self.node)
    }

    pub fn name(&self) -> &Arc<str> {
        self.graph.name(self.node)
    }

    pub fn name_of(&self, node: NodeId) -> &Arc<str> {
        self.graph.name(node)
    }

    pub fn stand_at(&mut self, node: NodeId) {
        self.node = node;
    }

    /// An open call is done with somewhere else; the run comes back to where it stands.
    pub fn leave_for(&mut self, node: NodeId) {
        self.rest.get_or_insert(self.node);
        self.node = node;
    }

    /// Back to where the run stood.
    pub fn return_to_rest(&mut self) {
        if let Some(node) = self.rest.take() {
            self.node = node;
        }
    }

    /// The run has moved on for good.
    pub fn settle(&mut self) {
        self.rest = None;
    }

    pub fn interrupt(&self, on: Exit) -> Option<NodeId> {
        self.graph.interrupt(on)
    }

    /// The edge of an exit; an error where it was taken as often as it may be.
    pub fn edge(&mut self, on: Exit) -> Result<Option<NodeId>, u32> {
        if let Some(limit) = self.graph.limit(self.node, on) {
            let taken = self.taken.entry((self.node, on)).or_default();
            if *taken >= limit {
                return Err(limit);
            }
            *taken += 1;
        }
        Ok(self.graph.next(self.node, on))
    }
}
