//! The six checks a graph passes before a run may use it (specification D7).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef, Reversed};
use serde::{Deserialize, Serialize};

use super::{Edge, Ending, Exit, Graph, INTERRUPTS, Node, NodeKind};

/// Most nodes of a graph: far more than anybody can read, and few enough for small indices.
pub const MOST_NODES: usize = 1024;

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// 1: a node that is not terminal has an edge for every way in which it can end.
    Exits,
    /// 2: a cycle can be left, and it cannot turn for ever.
    Cycles,
    /// 3: an edge has an exit that its node can give, alone, and a target that may follow.
    Labels,
    /// 4: a node that runs tools lies behind the one that checks calls and before the one that keeps results.
    Tools,
    /// 5: success, failure, cancellation, escalation and budget exhaustion reach a terminal node.
    Paths,
    /// 6: there is one start and an end, nothing follows an end, and every node has a name and a way to it.
    Terminals,
}

impl Check {
    /// All six.
    pub const ALL: [Check; 6] =
        [Check::Exits, Check::Cycles, Check::Labels, Check::Tools, Check::Paths, Check::Terminals];

    /// From 1 to 6.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// What is wrong with a graph, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Violation {
    /// The check it did not pass.
    pub check: Check,
    /// The node in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The edge in question, as `from -on-> to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// One sentence: what is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "check {}: {}", self.check.number(), self.problem)
    }
}

/// Every violation, in the order of the checks.
pub(super) fn all(graph: &Graph) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    if graph.nodes.len() > MOST_NODES {
        let problem = format!("the graph has {} nodes, and {MOST_NODES} are allowed: split it", graph.nodes.len());
        found.add(Check::Terminals, None, None, problem);
        return found.0;
    }
    let shape = Shape::of(graph);
    exits(graph, &mut found);
    cycles(&shape, &mut found);
    labels(graph, &mut found);
    tools(graph, &mut found);
    paths(&shape, &mut found);
    terminals(&shape, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, check: Check, node: Option<&str>, edge: Option<String>, problem: String) {
        self.0.push(Violation { check, node: node.map(str::to_owned), edge, problem });
    }
}

/// The graph as indices: the edges whose both ends exist.
struct Shape<'a> {
    graph: &'a Graph,
    names: Vec<&'a str>,
    nodes: Vec<&'a Node>,
    index: BTreeMap<&'a str, NodeIndex>,
    ways: DiGraph<(), &'a Edge>,
}

impl<'a> Shape<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut ways = DiGraph::new();
        let index: BTreeMap<&str, NodeIndex> = graph.nodes.keys().map(|name| (&**name, ways.add_node(()))).collect();
        for edge in &graph.edges {
            if let (Some(&from), Some(&to)) = (index.get(&*edge.from), index.get(&*edge.to)) {
                ways.add_edge(from, to, edge);
            }
        }
        let names = graph.nodes.keys().map(|name| &**name).collect();
        Shape { graph, names, nodes: graph.nodes.values().collect(), index, ways }
    }

    fn kind(&self, node: NodeIndex) -> NodeKind {
        self.nodes[node.index()].kind
    }

    fn name(&self, node: NodeIndex) -> &'a str {
        self.names[node.index()]
    }

    fn of_kind(&self, kind: NodeKind) -> impl Iterator<Item = NodeIndex> + '_ {
        self.ways.node_indices().filter(move |&node| self.kind(node) == kind)
    }

    /// What a run can reach: from its start, and from wherever an interrupt takes it.
    fn reached(&self) -> BTreeSet<NodeIndex> {
        let mut seen = Dfs::empty(&self.ways);
        seen.stack = self.of_kind(NodeKind::Intake).collect();
        seen.stack.extend(self.graph.interrupts.iter().filter_map(|edge| self.index.get(&*edge.to)));
        std::iter::from_fn(|| seen.next(&self.ways)).collect()
    }

    /// The nodes from which a terminal node can be reached.
    fn ending(&self) -> BTreeSet<NodeIndex> {
        let back = Reversed(&self.ways);
        let mut seen = Dfs::empty(back);
        seen.stack = self.ways.node_indices().filter(|&node| self.kind(node).is_terminal()).collect();
        std::iter::from_fn(|| seen.next(back)).collect()
    }
}

/// "`a`, `b` or `c`".
fn choice<T: fmt::Display>(of: &[T]) -> String {
    list(of, "or")
}

fn list<T: fmt::Display>(of: &[T], last: &str) -> String {
    let mut text = String::new();
    for (index, one) in of.iter().enumerate() {
        if index > 0 {
            text.push_str(&if index + 1 == of.len() { format!(" {last} ") } else { ", ".to_owned() });
        }
        text.push_str(&format!("`{one}`"));
    }
    text
}

/// Check 1.
fn exits(graph: &Graph, found: &mut Found) {
    let given: BTreeSet<(&str, Exit)> = graph.edges.iter().map(|edge| (&*edge.from, edge.on)).collect();
    for (name, node) in &graph.nodes {
        for way in node.kind.exits().iter().filter(|way| !given.contains(&(&**name, way.on))) {
            let problem = format!(
                "`{name}` can end on `{}` and no edge says what follows: add one to a node of kind {}",
                way.on,
                choice(way.to)
            );
            let edge = format!("{name} -{}-> ?", way.on);
            found.add(Check::Exits, Some(name), Some(edge), problem);
        }
    }
}

/// Check 2. Interrupts are no way out here: a graph must come to its end by itself.
fn cycles(shape: &Shape<'_>, found: &mut Found) {
    for part in kosaraju_scc(&shape.ways) {
        let members: BTreeSet<NodeIndex> = part.iter().copied().collect();
        let turns =
            shape.ways.edge_references().any(|way| members.contains(&way.source()) && members.contains(&way.target()));
        let left =
            shape.ways.edge_references().any(|way| members.contains(&way.source()) && !members.contains(&way.target()));
        if turns && !left {
            let names: Vec<&str> = members.iter().map(|&node| shape.name(node)).collect();
            let problem = format!(
                "nothing leads out of the cycle over {}: give one of them an edge to a node outside",
                list(&names, "and")
            );
            found.add(Check::Cycles, names.first().copied(), None, problem);
        }
    }
    // Without the nodes that spend and the edges that have a limit, nothing may turn.
    let free = shape.ways.filter_map(
        |_, ()| Some(()),
        |id, edge| {
            let (from, to) = shape.ways.edge_endpoints(id)?;
            let bounded = edge.limit.is_some() || shape.kind(from).spends() || shape.kind(to).spends();
            (!bounded).then_some(*edge)
        },
    );
    for part in kosaraju_scc(&free) {
        let Some(cycle) = part.iter().min().and_then(|&start| shortest_cycle(&free, start)) else { continue };
        let names: Vec<&str> = cycle.iter().map(|&node| shape.name(node)).collect();
        let round = names.iter().chain(names.first()).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ");
        let problem = format!(
            "the cycle {round} can turn for ever: give one of its edges a `limit`, or lead it \
             through a node that spends budget"
        );
        let edge = free.find_edge(cycle[0], *cycle.get(1).unwrap_or(&cycle[0])).map(|id| free[id].to_string());
        found.add(Check::Cycles, names.first().copied(), edge, problem);
    }
}

/// The shortest way from a node back to itself.
fn shortest_cycle(ways: &DiGraph<(), &Edge>, start: NodeIndex) -> Option<Vec<NodeIndex>> {
    let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        let next: BTreeSet<NodeIndex> = ways.neighbors(node).collect();
        if next.contains(&start) {
            let mut cycle = vec![node];
            let mut last = node;
            while last != start {
                last = *came_from.get(&last)?;
                cycle.push(last);
            }
            cycle.reverse();
            return Some(cycle);
        }
        for to in next {
            came_from.entry(to).or_insert_with(|| {
                waiting.push_back(to);
                node
            });
        }
    }
    None
}

/// Check 3.
fn labels(graph: &Graph, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for edge in &graph.edges {
        let mut add = |problem| found.add(Check::Labels, Some(&edge.from), Some(edge.to_string()), problem);
        if !seen.insert((&*edge.from, edge.on)) {
            add(format!("`{}` has more than one edge on `{}`: keep one of them", edge.from, edge.on));
        }
        if edge.limit == Some(0) {
            add(format!("the edge `{edge}` has a `limit` of 0 and could never be taken: give at least 1, or none"));
        }
        let to = target(graph, &edge.to, &edge.to_string(), &mut add);
        let Some(from) = graph.nodes.get(&edge.from) else {
            add(format!(
                "the edge `{edge}` starts at `{}`, which is no node: add the node or correct the name",
                edge.from
            ));
            continue;
        };
        if from.kind.is_terminal() {
            // Check 6 says it.
            continue;
        }
        match from.kind.exit(edge.on) {
            None => {
                let own: Vec<Exit> = from.kind.exits().iter().map(|way| way.on).collect();
                let problem = if INTERRUPTS.iter().any(|way| way.on == edge.on) {
                    format!("`{}` may happen at any node: move the edge to `interrupts`", edge.on)
                } else {
                    let (name, kind) = (&edge.from, from.kind);
                    format!("`{name}` is of kind `{kind}` and never ends on `{}`: use {}", edge.on, choice(&own))
                };
                add(problem);
            }
            // Check 5 says it.
            Some(way) if way.on == Exit::Complete => {}
            Some(way) => follows(way, to, &edge.to, &edge.to_string(), &mut add),
        }
    }
    let mut seen = BTreeSet::new();
    for edge in &graph.interrupts {
        let mut add = |problem| found.add(Check::Labels, None, Some(edge.to_string()), problem);
        if !seen.insert(edge.on) {
            add(format!("there is more than one interrupt on `{}`: keep one of them", edge.on));
        }
        let to = target(graph, &edge.to, &edge.to_string(), &mut add);
        match INTERRUPTS.iter().find(|way| way.on == edge.on) {
            None => {
                let all: Vec<Exit> = INTERRUPTS.iter().map(|way| way.on).collect();
                add(format!("`{}` is no interrupt: use {}, or an edge of one node", edge.on, choice(&all)));
            }
            Some(way) => follows(way, to, &edge.to, &edge.to_string(), &mut add),
        }
    }
}

fn target<'a>(graph: &'a Graph, to: &str, edge: &str, add: &mut impl FnMut(String)) -> Option<&'a Node> {
    let node = graph.nodes.get(to);
    if node.is_none() {
        add(format!("the edge `{edge}` leads to `{to}`, which is no node: add the node or correct the name"));
    }
    node
}

fn follows(way: &Ending, to: Option<&Node>, name: &str, edge: &str, add: &mut impl FnMut(String)) {
    if let Some(to) = to.filter(|to| !way.to.contains(&to.kind)) {
        let (kind, may) = (to.kind, choice(way.to));
        add(format!("the edge `{edge}` leads to `{name}` of kind `{kind}`: lead it to a node of kind {may}"));
    }
}

/// Check 4. Permission, schema and budget of a call are checked at the node before, its time-out is the tool's own,
/// and its result is verified behind the node after: the neighbours are what makes that so.
fn tools(graph: &Graph, found: &mut Found) {
    let kind = |name: &str| graph.nodes.get(name).map(|node| node.kind);
    for edge in &graph.edges {
        let (from, to) = (kind(&edge.from), kind(&edge.to));
        if to == Some(NodeKind::ToolInvocation) && from.is_some_and(|from| from != NodeKind::ToolEligibility) {
            let problem = format!(
                "the edge `{edge}` enters `{}` past the checks of a call: lead it to a node of kind `tool-eligibility`",
                edge.to
            );
            found.add(Check::Tools, Some(&edge.to), Some(edge.to_string()), problem);
        }
        if from == Some(NodeKind::ToolInvocation) && to.is_some_and(|to| to != NodeKind::ObservationCapture) {
            let problem = format!(
                "the edge `{edge}` would lose what the tool answered: lead it to a node of kind `observation-capture`"
            );
            found.add(Check::Tools, Some(&edge.from), Some(edge.to_string()), problem);
        }
    }
    for edge in graph.interrupts.iter().filter(|edge| kind(&edge.to) == Some(NodeKind::ToolInvocation)) {
        let problem = format!("the interrupt `{edge}` would run a tool past the checks of a call: lead it elsewhere");
        found.add(Check::Tools, Some(&edge.to), Some(edge.to_string()), problem);
    }
}

/// The five ways in which a run can go, of which each needs an end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Success,
    Failure,
    Cancellation,
    Escalation,
    Exhaustion,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Success => "success",
            Way::Failure => "failure",
            Way::Cancellation => "cancellation",
            Way::Escalation => "escalation",
            Way::Exhaustion => "budget exhaustion",
        }
    }

    /// What an edge is about; none for one that only goes on.
    fn of(on: Exit, from: Option<NodeKind>, to: Option<NodeKind>) -> Option<Way> {
        match on {
            Exit::Complete | Exit::Partial | Exit::Finalised | Exit::Written => Some(Way::Success),
            Exit::Cancelled | Exit::Withdrawn => Some(Way::Cancellation),
            Exit::OverBudget | Exit::TimedOut | Exit::Exhausted => Some(Way::Exhaustion),
            _ if from == Some(NodeKind::Escalate) || to == Some(NodeKind::Escalate) => Some(Way::Escalation),
            Exit::Refused
            | Exit::Abandoned
            | Exit::Unavailable
            | Exit::Unsafe
            | Exit::Unauthorised
            | Exit::Malformed
            | Exit::Failed
            | Exit::Expired
            | Exit::Drifted
            | Exit::Stuck
            | Exit::Hopeless
            | Exit::Conflicting
            | Exit::Halted => Some(Way::Failure),
            _ => None,
        }
    }
}

/// Check 5.
fn paths(shape: &Shape<'_>, found: &mut Found) {
    for interrupt in INTERRUPTS {
        if !shape.graph.interrupts.iter().any(|edge| edge.on == interrupt.on) {
            let problem = format!(
                "nothing says what follows when a run is `{}`: add an interrupt to a node of kind {}",
                interrupt.on,
                choice(interrupt.to)
            );
            found.add(Check::Paths, None, Some(format!("any node -{}-> ?", interrupt.on)), problem);
        }
    }
    let kind = |name: &str| shape.graph.nodes.get(name).map(|node| node.kind);
    let complete = shape
        .graph
        .edges
        .iter()
        .filter(|edge| edge.on == Exit::Complete && kind(&edge.from) == Some(NodeKind::CompletionCheck));
    let mut succeeds = false;
    for edge in complete {
        match kind(&edge.to) {
            Some(NodeKind::Finalise) => succeeds = true,
            Some(other) => {
                let problem = format!(
                    "the edge `{edge}` leads success to a node of kind `{other}`: lead it to a node of kind `finalise`"
                );
                found.add(Check::Paths, Some(&edge.from), Some(edge.to_string()), problem);
                succeeds = true;
            }
            None => {}
        }
    }
    if !succeeds {
        let problem = "the graph has no way to success: add a node of kind `completion-check` with an edge on \
                       `complete` to a node of kind `finalise`";
        found.add(Check::Paths, None, None, problem.to_owned());
    }
    let ending = shape.ending();
    if ending.is_empty() {
        // No terminal node at all: check 6 says it, once.
        return;
    }
    let edges = shape.graph.edges.iter().map(|edge| (Some(&*edge.from), edge.on, &*edge.to, edge.to_string()));
    let interrupts = shape.graph.interrupts.iter().map(|edge| (None, edge.on, &*edge.to, edge.to_string()));
    for (from, on, to, edge) in edges.chain(interrupts) {
        let Some(way) = Way::of(on, from.and_then(kind), kind(to)) else { continue };
        if shape.index.get(to).is_some_and(|node| !ending.contains(node)) {
            let problem = format!(
                "the edge `{edge}` is a way of {}, and from `{to}` no terminal node can be reached: \
                 lead it to one that can",
                way.name()
            );
            found.add(Check::Paths, from.or(Some(to)), Some(edge), problem);
        }
    }
}

/// Check 6.
fn terminals(shape: &Shape<'_>, found: &mut Found) {
    let graph = shape.graph;
    for name in graph.nodes.keys() {
        if !is_name(name) {
            let problem = format!(
                "`{}` is no name of a node: use lower-case letters, digits and single hyphens, a letter \
                 first",
                name.escape_debug()
            );
            found.add(Check::Terminals, Some(name), None, problem);
        }
    }
    for edge in &graph.edges {
        if graph.nodes.get(&edge.from).is_some_and(|from| from.kind.is_terminal()) {
            let problem = format!("the edge `{edge}` leaves a terminal node, where the run is over: take it away");
            found.add(Check::Terminals, Some(&edge.from), Some(edge.to_string()), problem);
        }
    }
    if !graph.nodes.values().any(|node| node.kind.is_terminal()) {
        found.add(Check::Terminals, None, None, "the graph has no end: add a node of kind `terminate`".to_owned());
    }
    let starts: Vec<&str> = shape.of_kind(NodeKind::Intake).map(|node| shape.name(node)).collect();
    match starts.as_slice() {
        // Then everything is unreachable, and this says why.
        [] => {
            found.add(Check::Terminals, None, None, "the graph has no start: add a node of kind `intake`".to_owned());
            return;
        }
        [_] => {}
        [first, ..] => {
            let problem = format!("the graph has more than one start: keep one of {}", choice(&starts));
            found.add(Check::Terminals, Some(first), None, problem);
        }
    }
    let reached = shape.reached();
    for node in shape.ways.node_indices().filter(|node| !reached.contains(node)) {
        let name = shape.name(node);
        let problem = format!("no run can reach `{name}`: lead an edge to it, or take it away");
        found.add(Check::Terminals, Some(name), None, problem);
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && !name.ends_with('-')
        && !name.contains("--")
}
