//! Random graphs that pass every check.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_spec::graph::{Edge, Graph, INTERRUPTS, InterruptEdge, Node, NodeKind};
use proptest::prelude::*;

/// A graph with a random permitted target for every exit: sometimes with more than one node of a
/// kind, sometimes without a memory write, sometimes with limits.
pub fn valid_graph() -> impl Strategy<Value = Graph> {
    let more = proptest::collection::vec(0usize..3, NodeKind::ALL.len());
    let picks = proptest::collection::vec(any::<u16>(), 64..400);
    (more, any::<bool>(), any::<bool>(), picks).prop_map(|(more, several, memory, picks)| {
        let mut picks = picks.into_iter().map(usize::from).cycle();
        // Endless: the list is not empty.
        let mut pick = move |of: usize| picks.next().unwrap_or(0) % of;
        let mut names: BTreeMap<NodeKind, Vec<Arc<str>>> = BTreeMap::new();
        for (&kind, &more) in NodeKind::ALL.iter().zip(&more) {
            let count = match kind {
                NodeKind::MemoryWrite if !memory => 0,
                NodeKind::Intake => 1,
                _ if several => 1 + more,
                _ => 1,
            };
            let name = |index| if index == 0 { kind.name().into() } else { format!("{kind}-{}", index + 1).into() };
            names.insert(kind, (0..count).map(name).collect());
        }
        let mut target = |to: &[NodeKind]| {
            let kinds: Vec<_> = to.iter().filter(|kind| !names[kind].is_empty()).collect();
            let of_kind = &names[kinds[pick(kinds.len())]];
            (of_kind[pick(of_kind.len())].clone(), pick(8))
        };
        let mut edges = Vec::new();
        for (kind, names) in &names {
            for (name, exit) in names.iter().flat_map(|name| kind.exits().iter().map(move |exit| (name, exit))) {
                let (to, limit) = target(exit.to);
                let limit = (limit == 0).then_some(3);
                edges.push(Edge { from: name.clone(), on: exit.on, to, limit });
            }
        }
        let interrupts = INTERRUPTS.iter().map(|exit| InterruptEdge { on: exit.on, to: target(exit.to).0 }).collect();
        let nodes = names.iter().flat_map(|(&kind, names)| names.iter().map(move |name| (name.clone(), node(kind))));
        let mut graph = Graph { name: "random".to_owned(), version: 1, nodes: nodes.collect(), edges, interrupts };
        keep_reachable(&mut graph);
        graph
    })
}

/// A node of a kind.
pub fn node(kind: NodeKind) -> Node {
    Node { kind }
}

/// Takes away what nobody picked. Whatever is left leads only to what is left.
fn keep_reachable(graph: &mut Graph) {
    let mut kept: BTreeSet<Arc<str>> = BTreeSet::from([NodeKind::Intake.name().into()]);
    kept.extend(graph.interrupts.iter().map(|edge| edge.to.clone()));
    loop {
        let before = kept.len();
        kept.extend(
            graph.edges.iter().filter(|edge| kept.contains(&edge.from)).map(|edge| edge.to.clone()).collect::<Vec<_>>(),
        );
        if kept.len() == before {
            break;
        }
    }
    graph.nodes.retain(|name, _| kept.contains(name));
    graph.edges.retain(|edge| kept.contains(&edge.from));
}
