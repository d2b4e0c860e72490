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
//! The loop has 18 phases. A phase is what a trace speaks of, a node is where the run stands; the
//! default graph (`presets/graph.toml` of the runtime) puts them together so:
//!
//! | phase | node of the default graph |
//! |---|---|
//! | 1 goal-intake | intake, classify |
//! | 2 scope-resolution | scope |
//! | 3 policy-check | scope |
//! | 4 state-init | state-init |
//! | 5 plan-selection | plan, plan-validation |
//! | 6 budget-assignment | state-init |
//! | 7 tool-eligibility | tool-eligibility |
//! | 8 action-selection | action-selection |
//! | 9 tool-invocation | tool-invocation |
//! | 10 observation-grounding | observation-capture, observation-verification |
//! | 11 state-update | state-update |
//! | 12 validation-check | observation-verification, completion-check |
//! | 13 reflection-trigger | repair |
//! | 14 termination-check | completion-check |
//! | 15 escalation-check | ask-user, escalate |
//! | 16 final-response | finalise |
//! | 17 memory-write | memory-write |
//! | 18 trace-logging | terminate |
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
pub use vocabulary::{Ending, Exit, INTERRUPTS, LoopPhase, NodeKind, Requirement, TerminalWrite};

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
    /// The phases it covers, for the trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<LoopPhase>,
    /// Of a node that runs tools: all five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Of a node that ends the run: all four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<TerminalWrite>,
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
            .map(|(name, node)| CompiledNode {
                name: name.clone(),
                kind: node.kind,
                phases: node.phases.clone().into(),
                next: [None; EXITS],
            })
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
    phases: Arc<[LoopPhase]>,
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

    /// The phases it covers.
    pub fn phases(&self, node: NodeId) -> &[LoopPhase] {
        &self.nodes[node.index()].phases
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
