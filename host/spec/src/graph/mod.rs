//! The workflow graph of a run (specification D3, D7): which node follows which, on which outcome.
//!
//! A [`Graph`] is data. It is read from a file, kept in the run's manifest, and compiled once before
//! the run starts; [`Compiled`] cannot be changed. Whoever writes a graph chooses among the targets
//! that [`NodeKind::exits`] permits, may have several nodes of a kind, and may limit an edge. What a
//! node does and how it ends is not theirs to choose, and even less a model's.
//!
//! # Kinds of node
//! Nineteen: the eighteen of the document, and `memory-write` between `finalise` and `terminate`.
//!
//! # Phases and nodes
//! The loop has 18 phases. A phase is what a reader of a trace looks for, a node is where the run stands; which
//! phases take place at a node follows from its kind, see [`NodeKind::phases`] and [`phases`]. Where a graph has no
//! node for a phase, that phase does not take place in it: [`Graph::absent_phases`].
//!
//! # What is checked
//! [`Graph::compile`] makes six [`Check`]s and names every [`Violation`], not only the first.

mod check;
mod draw;
mod vocabulary;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use check::{Check, MOST_NODES, Violation};
pub use draw::mermaid;
pub use vocabulary::{Ending, Exit, INTERRUPTS, LoopPhase, NodeKind};

/// A workflow graph as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Graph {
    /// For people.
    pub name: String,
    /// For people; what tells two graphs apart is their digest.
    pub version: u32,
    /// By name.
    pub nodes: BTreeMap<Arc<str>, Node>,
    /// What follows what.
    pub edges: Vec<Edge>,
    /// What happens wherever the run stands.
    pub interrupts: Vec<InterruptEdge>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Node {
    /// What happens here.
    pub kind: NodeKind,
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Edge {
    /// The node that ended.
    pub from: Arc<str>,
    /// How it ended.
    pub on: Exit,
    /// The node that follows.
    pub to: Arc<str>,
    /// How often a run may take it; without, only the budget bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -{}-> {}", self.from, self.on, self.to)
    }
}

/// An edge from every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InterruptEdge {
    /// What happened.
    pub on: Exit,
    /// The node that follows.
    pub to: Arc<str>,
}

impl fmt::Display for InterruptEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "any node -{}-> {}", self.on, self.to)
    }
}

impl Graph {
    /// Checks the graph and turns it into tables.
    ///
    /// # Errors
    /// Every violation of the six checks, in the order of the checks.
    pub fn compile(&self) -> Result<Compiled, Vec<Violation>> {
        let violations = check::all(self);
        if !violations.is_empty() {
            return Err(violations);
        }
        let ids: BTreeMap<&str, NodeId> = self.nodes.keys().zip(0..).map(|(name, id)| (&**name, NodeId(id))).collect();
        let mut nodes: Vec<CompiledNode> = self
            .nodes
            .iter()
            .map(|(name, node)| CompiledNode { name: name.clone(), kind: node.kind, next: [None; EXITS] })
            .collect();
        let mut limits = BTreeMap::new();
        for edge in &self.edges {
            // Always there: an unknown end is a violation.
            let (Some(&from), Some(&to)) = (ids.get(&*edge.from), ids.get(&*edge.to)) else { continue };
            nodes[from.index()].next[edge.on as usize] = Some(to);
            if let Some(limit) = edge.limit {
                limits.insert((from, edge.on), limit);
            }
        }
        let mut interrupts = [None; EXITS];
        for edge in &self.interrupts {
            interrupts[edge.on as usize] = ids.get(&*edge.to).copied();
        }
        let start = nodes.iter().zip(0..).find(|(node, _)| node.kind == NodeKind::Intake).map_or(0, |(_, id)| id);
        Ok(Compiled { nodes: nodes.into(), start: NodeId(start), interrupts, limits })
    }
}

impl Graph {
    /// The phases that take place at these nodes, each once, in the order in which a run comes to them. Names
    /// of no node stand for nothing.
    pub fn phases_at<'a>(&self, nodes: impl IntoIterator<Item = &'a str>) -> Vec<LoopPhase> {
        let mut found = Vec::new();
        for node in nodes.into_iter().filter_map(|name| self.nodes.get(name)) {
            for phase in node.kind.phases() {
                if !found.contains(phase) {
                    found.push(*phase);
                }
            }
        }
        found
    }

    /// The phases that no node stands for, in their order: they do not take place in this graph.
    pub fn absent_phases(&self) -> Vec<LoopPhase> {
        let present = self.phases_at(self.nodes.keys().map(|name| &**name));
        LoopPhase::ALL.iter().copied().filter(|phase| !present.contains(phase)).collect()
    }
}

/// Which phase takes place at which kind of node, as a table in Markdown.
pub fn phases() -> String {
    let mut out = String::from("| phase | takes place at a node of kind |\n|---|---|\n");
    for phase in LoopPhase::ALL {
        let kinds = NodeKind::ALL.iter().filter(|kind| kind.phases().contains(phase));
        let kinds: Vec<String> = kinds.map(|kind| format!("`{kind}`")).collect();
        out.push_str(&format!("| {} {phase} | {} |\n", phase.number(), kinds.join(", ")));
    }
    out
}

const EXITS: usize = Exit::ALL.len();

/// A node of a [`Compiled`] graph; it means nothing to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u16);

impl NodeId {
    fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Debug, Clone)]
struct CompiledNode {
    name: Arc<str>,
    kind: NodeKind,
    next: [Option<NodeId>; EXITS],
}

/// A graph that has passed every check. It cannot be changed, and a clone shares its nodes.
#[derive(Debug, Clone)]
pub struct Compiled {
    nodes: Arc<[CompiledNode]>,
    start: NodeId,
    interrupts: [Option<NodeId>; EXITS],
    limits: BTreeMap<(NodeId, Exit), u32>,
}

impl Compiled {
    /// The node a run starts at.
    pub fn start(&self) -> NodeId {
        self.start
    }

    /// What follows when a node ends so; none when it cannot.
    pub fn next(&self, node: NodeId, on: Exit) -> Option<NodeId> {
        self.nodes[node.index()].next[on as usize]
    }

    /// What follows when this happens, wherever the run stands; none for what is no interrupt.
    pub fn interrupt(&self, on: Exit) -> Option<NodeId> {
        self.interrupts[on as usize]
    }

    /// What happens at a node.
    pub fn kind(&self, node: NodeId) -> NodeKind {
        self.nodes[node.index()].kind
    }

    /// Its name.
    pub fn name(&self, node: NodeId) -> &Arc<str> {
        &self.nodes[node.index()].name
    }

    /// How often a run may take an edge, where that is limited.
    pub fn limit(&self, node: NodeId, on: Exit) -> Option<u32> {
        self.limits.get(&(node, on)).copied()
    }

    /// The node of a name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        // The nodes lie in the order of their names.
        let index = self.nodes.binary_search_by(|node| (*node.name).cmp(name)).ok()?;
        u16::try_from(index).ok().map(NodeId)
    }

    /// Every node, in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().zip(0..).map(|(_, id)| NodeId(id))
    }

    /// How many nodes there are.
    #[expect(clippy::len_without_is_empty, reason = "it has at least an intake and a terminal node")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }
}
