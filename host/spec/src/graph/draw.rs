//! Pictures of a graph. The same graph gives the same bytes; one that does not pass its checks is
//! drawn as well, without the edges that have an unknown end.

use std::collections::BTreeMap;

use super::{Exit, Graph, Node, NodeKind};

/// The edges between two nodes, drawn as one.
struct Bundle {
    from: usize,
    to: usize,
    labels: Vec<String>,
    /// Where the first of them stands among the exits of its kind: the first one is the main way.
    exit: usize,
}

/// The edges by their ends, in the order in which a kind lists its exits.
fn bundles(graph: &Graph, index: &BTreeMap<&str, usize>) -> Vec<Bundle> {
    let mut all: Vec<Bundle> = Vec::new();
    let mut known: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for edge in &graph.edges {
        let (Some(&from), Some(&to)) = (index.get(&*edge.from), index.get(&*edge.to)) else { continue };
        let label = match edge.limit {
            Some(limit) => format!("{} (at most {limit})", edge.on),
            None => edge.on.to_string(),
        };
        let exits = graph.nodes.get(&edge.from).map_or(&[][..], |node| node.kind.exits());
        let exit = exits.iter().position(|exit| exit.on == edge.on).unwrap_or(exits.len());
        let at = *known.entry((from, to)).or_insert(all.len());
        match all.get_mut(at) {
            Some(bundle) => {
                bundle.labels.push(label);
                bundle.exit = bundle.exit.min(exit);
            }
            None => all.push(Bundle { from, to, labels: vec![label], exit }),
        }
    }
    all.sort_by_key(|bundle| (bundle.from, bundle.exit, bundle.to));
    all
}

/// The interrupts by their target.
fn interrupts(graph: &Graph, index: &BTreeMap<&str, usize>) -> Vec<(usize, Vec<Exit>)> {
    let mut all: BTreeMap<usize, Vec<Exit>> = BTreeMap::new();
    for edge in &graph.interrupts {
        if let Some(&to) = index.get(&*edge.to) {
            all.entry(to).or_default().push(edge.on);
        }
    }
    all.into_iter().collect()
}

fn joined(words: &[impl ToString]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn numbered(graph: &Graph) -> (Vec<(&str, &Node)>, BTreeMap<&str, usize>) {
    let nodes: Vec<(&str, &Node)> = graph.nodes.iter().map(|(name, node)| (&**name, node)).collect();
    let index = nodes.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
    (nodes, index)
}

/// The graph as a Mermaid flowchart.
pub fn mermaid(graph: &Graph) -> String {
    let (nodes, index) = numbered(graph);
    let mut out = String::from("flowchart TD\n");
    for (id, (name, node)) in nodes.iter().enumerate() {
        let mut label = mermaid_text(name);
        if *name != node.kind.name() {
            label.push_str(&format!("<br/>{}", node.kind));
        }
        let phases: Vec<u8> = node.kind.phases().iter().map(|phase| phase.number()).collect();
        label.push_str(&format!("<br/>phase {}", joined(&phases)));
        let (open, close, class) = match node.kind {
            NodeKind::Intake => ("([", "])", ":::start"),
            kind if kind.is_terminal() => ("(((", ")))", ":::terminal"),
            kind if kind.waits() => ("{{", "}}", ":::waiting"),
            _ => ("[", "]", ""),
        };
        out.push_str(&format!("    n{id}{open}\"{label}\"{close}{class}\n"));
    }
    for bundle in bundles(graph, &index) {
        out.push_str(&format!("    n{} -->|\"{}\"| n{}\n", bundle.from, joined(&bundle.labels), bundle.to));
    }
    let interrupts = interrupts(graph, &index);
    if !interrupts.is_empty() {
        out.push_str("    any[\"any node\"]:::any\n");
    }
    for (to, exits) in interrupts {
        out.push_str(&format!("    any -.->|\"{}\"| n{to}\n", joined(&exits)));
    }
    out.push_str(
        "    classDef start fill:#e8f3ec,stroke:#4f8a5b\n    classDef waiting fill:#fdf4e3,stroke:#b5802a\n    \
         classDef terminal fill:#eceff3,stroke:#4b5563,stroke-width:2px\n    \
         classDef any fill:#ffffff,stroke:#6b7280,stroke-dasharray:4 3\n",
    );
    out
}

/// What Mermaid would read as syntax, as its own character codes.
fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | ' ' => out.push(c),
            _ => out.push_str(&format!("#{};", u32::from(c))),
        }
    }
    out
}
