//! The default graph passes, broken graphs are named, random valid graphs pass.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "support/graphs.rs"]
mod graphs;

use std::path::Path;

use countersign_spec::graph::{
    Check, Edge, Exit, Graph, INTERRUPTS, InterruptEdge, LoopPhase, MOST_NODES, NodeKind, Violation, mermaid,
};
use proptest::prelude::*;

const DEFAULT: &str = include_str!("../../runtime/presets/graph.toml");

fn default_graph() -> Graph {
    toml::from_str(DEFAULT).unwrap()
}

#[test]
fn the_default_graph_is_the_first_target_of_every_exit() {
    let graph = default_graph();
    let compiled = graph.compile().unwrap();
    assert_eq!(compiled.len(), 19);
    assert_eq!(&**compiled.name(compiled.start()), "intake");
    for kind in NodeKind::ALL {
        let node = compiled.find(kind.name()).unwrap();
        assert_eq!(compiled.kind(node), *kind);
        for exit in Exit::ALL {
            let next = compiled.next(node, *exit).map(|next| compiled.kind(next));
            assert_eq!(next, kind.exit(*exit).map(|way| way.to[0]), "{kind} on {exit}");
            assert_eq!(compiled.limit(node, *exit), None);
        }
    }
    for exit in Exit::ALL {
        let next = compiled.interrupt(*exit).map(|next| compiled.kind(next));
        assert_eq!(next, INTERRUPTS.iter().find(|way| way.on == *exit).map(|way| way.to[0]));
    }
    assert_eq!(compiled.find("nowhere"), None);
}

#[test]
fn every_phase_takes_place_in_the_default_graph() {
    let mut graph = default_graph();
    assert_eq!(graph.absent_phases(), []);
    assert_eq!(
        graph.phases_at(["repair", "nirvana", "plan", "plan-validation"]),
        [LoopPhase::ReflectionTrigger, LoopPhase::PlanSelection,]
    );
    edge(&mut graph, "finalise", Exit::Finalised).to = "terminate".into();
    drop_node(&mut graph, "memory-write");
    assert!(graph.compile().is_ok());
    assert_eq!(graph.absent_phases(), [LoopPhase::MemoryWrite]);
}

#[test]
fn a_limit_is_kept() {
    let mut graph = default_graph();
    edge(&mut graph, "plan-validation", Exit::Invalid).limit = Some(2);
    let compiled = graph.compile().unwrap();
    let node = compiled.find("plan-validation").unwrap();
    assert_eq!(compiled.limit(node, Exit::Invalid), Some(2));
    assert_eq!(compiled.limit(node, Exit::Valid), None);
}

#[test]
fn a_graph_reads_the_same_from_toml_and_json() {
    let graph = default_graph();
    let json = serde_json::to_string(&graph).unwrap();
    assert_eq!(serde_json::from_str::<Graph>(&json).unwrap(), graph);
    let unknown = DEFAULT.replace("name = \"default\"", "name = \"default\"\nmodel = \"decides\"");
    assert!(toml::from_str::<Graph>(&unknown).unwrap_err().to_string().contains("model"));
    let unknown = DEFAULT.replace("on = \"accepted\"", "on = \"whatever-the-model-says\"");
    assert!(toml::from_str::<Graph>(&unknown).is_err());
}

fn edge<'a>(graph: &'a mut Graph, from: &str, on: Exit) -> &'a mut Edge {
    graph.edges.iter_mut().find(|edge| &*edge.from == from && edge.on == on).unwrap()
}

fn drop_edge(graph: &mut Graph, from: &str, on: Exit) {
    graph.edges.retain(|edge| &*edge.from != from || edge.on != on);
}

fn add_edge(graph: &mut Graph, from: &str, on: Exit, to: &str) {
    graph.edges.push(Edge { from: from.into(), on, to: to.into(), limit: None });
}

fn drop_node(graph: &mut Graph, name: &str) {
    graph.nodes.remove(name);
    graph.edges.retain(|edge| &*edge.from != name && &*edge.to != name);
    graph.interrupts.retain(|edge| &*edge.to != name);
}

/// What is broken, how, and what is to be found: check, node, edge, a piece of the sentence.
type Broken = (&'static str, fn(&mut Graph), u8, Option<&'static str>, Option<&'static str>, &'static str);

const BROKEN: &[Broken] = &[
    (
        "an exit without an edge",
        |graph| drop_edge(graph, "plan", Exit::Abandoned),
        1,
        Some("plan"),
        Some("plan -abandoned-> ?"),
        "add one to a node of kind `terminate`, `escalate` or `ask-user`",
    ),
    (
        "a node without any exit",
        |graph| graph.edges.retain(|edge| &*edge.from != "state-update"),
        1,
        Some("state-update"),
        Some("state-update -updated-> ?"),
        "no edge says what follows",
    ),
    (
        "a second node of a kind without exits",
        |graph| {
            graph.nodes.insert("second-plan".into(), graphs::node(NodeKind::Plan));
            edge(graph, "repair", Exit::Looping).to = "second-plan".into();
        },
        1,
        Some("second-plan"),
        Some("second-plan -drafted-> ?"),
        "kind `plan-validation`",
    ),
    (
        "a cycle without a way out",
        |graph| {
            graph.edges.retain(|edge| &*edge.from != "finalise" && &*edge.from != "memory-write");
            add_edge(graph, "finalise", Exit::Finalised, "memory-write");
            add_edge(graph, "memory-write", Exit::Written, "finalise");
        },
        2,
        Some("finalise"),
        None,
        "nothing leads out of the cycle over `finalise` and `memory-write`",
    ),
    (
        "a cycle that spends nothing and has no limit",
        |graph| edge(graph, "state-update", Exit::Updated).to = "observation-verification".into(),
        2,
        Some("observation-verification"),
        Some("observation-verification -verified-> state-update"),
        "`observation-verification` → `state-update` → `observation-verification` can turn for ever",
    ),
    (
        "a node that leads to itself",
        |graph| edge(graph, "state-update", Exit::Updated).to = "state-update".into(),
        2,
        Some("state-update"),
        Some("state-update -updated-> state-update"),
        "`state-update` → `state-update` can turn for ever",
    ),
    (
        "an exit of another kind",
        |graph| add_edge(graph, "scope", Exit::Drafted, "plan"),
        3,
        Some("scope"),
        Some("scope -drafted-> plan"),
        "never ends on `drafted`: use `resolved` or `refused`",
    ),
    (
        "an interrupt as an edge of one node",
        |graph| add_edge(graph, "scope", Exit::Cancelled, "terminate"),
        3,
        Some("scope"),
        Some("scope -cancelled-> terminate"),
        "move the edge to `interrupts`",
    ),
    (
        "two edges with one exit",
        |graph| add_edge(graph, "plan", Exit::Abandoned, "escalate"),
        3,
        Some("plan"),
        Some("plan -abandoned-> escalate"),
        "more than one edge on `abandoned`",
    ),
    (
        "a target that does not exist",
        |graph| edge(graph, "plan", Exit::Abandoned).to = "nirvana".into(),
        3,
        Some("plan"),
        Some("plan -abandoned-> nirvana"),
        "`nirvana`, which is no node",
    ),
    (
        "a source that does not exist",
        |graph| add_edge(graph, "limbo", Exit::Abandoned, "terminate"),
        3,
        Some("limbo"),
        Some("limbo -abandoned-> terminate"),
        "`limbo`, which is no node",
    ),
    (
        "a target that may not follow",
        |graph| edge(graph, "plan", Exit::Drafted).to = "action-selection".into(),
        3,
        Some("plan"),
        Some("plan -drafted-> action-selection"),
        "lead it to a node of kind `plan-validation`",
    ),
    (
        "a limit of zero",
        |graph| edge(graph, "plan", Exit::Drafted).limit = Some(0),
        3,
        Some("plan"),
        Some("plan -drafted-> plan-validation"),
        "could never be taken",
    ),
    (
        "two interrupts on one exit",
        |graph| graph.interrupts.push(InterruptEdge { on: Exit::Halted, to: "terminate".into() }),
        3,
        None,
        Some("any node -halted-> terminate"),
        "more than one interrupt on `halted`",
    ),
    (
        "an interrupt that is none",
        |graph| graph.interrupts.push(InterruptEdge { on: Exit::Finished, to: "terminate".into() }),
        3,
        None,
        Some("any node -finished-> terminate"),
        "`finished` is no interrupt",
    ),
    (
        "a cancellation that goes on",
        |graph| graph.interrupts[0].to = "plan".into(),
        3,
        None,
        Some("any node -cancelled-> plan"),
        "lead it to a node of kind `terminate`",
    ),
    (
        "a call past its checks",
        |graph| edge(graph, "action-selection", Exit::Selected).to = "tool-invocation".into(),
        4,
        Some("tool-invocation"),
        Some("action-selection -selected-> tool-invocation"),
        "lead it to a node of kind `tool-eligibility`",
    ),
    (
        "an interrupt that runs a tool",
        |graph| graph.interrupts[4].to = "tool-invocation".into(),
        4,
        Some("tool-invocation"),
        Some("any node -halted-> tool-invocation"),
        "past the checks of a call",
    ),
    (
        "an answer that nobody keeps",
        |graph| edge(graph, "tool-invocation", Exit::Answered).to = "state-update".into(),
        4,
        Some("tool-invocation"),
        Some("tool-invocation -answered-> state-update"),
        "lead it to a node of kind `observation-capture`",
    ),
    (
        "success that is escalated",
        |graph| edge(graph, "completion-check", Exit::Complete).to = "escalate".into(),
        5,
        Some("completion-check"),
        Some("completion-check -complete-> escalate"),
        "lead it to a node of kind `finalise`",
    ),
    (
        "no success at all",
        |graph| drop_node(graph, "completion-check"),
        5,
        None,
        None,
        "the graph has no way to success",
    ),
    (
        "nothing for a cancellation",
        |graph| graph.interrupts.retain(|edge| edge.on != Exit::Cancelled),
        5,
        None,
        Some("any node -cancelled-> ?"),
        "add an interrupt to a node of kind `terminate`",
    ),
    (
        "nothing for a used up budget",
        |graph| graph.interrupts.retain(|edge| edge.on != Exit::OverBudget),
        5,
        None,
        Some("any node -over-budget-> ?"),
        "a node of kind `terminate` or `escalate`",
    ),
    (
        "success that never ends",
        |graph| edge(graph, "memory-write", Exit::Written).to = "memory-write".into(),
        5,
        Some("finalise"),
        Some("finalise -finalised-> memory-write"),
        "is a way of success, and from `memory-write` no terminal node can be reached",
    ),
    (
        "an escalation without an end",
        |graph| {
            graph.edges.retain(|edge| &*edge.from != "escalate");
            add_edge(graph, "escalate", Exit::Rejected, "escalate");
        },
        5,
        Some("action-selection"),
        Some("action-selection -stuck-> escalate"),
        "is a way of escalation",
    ),
    (
        "a life after the end",
        |graph| add_edge(graph, "terminate", Exit::Accepted, "intake"),
        6,
        Some("terminate"),
        Some("terminate -accepted-> intake"),
        "where the run is over",
    ),
    (
        "a node that nobody reaches",
        |graph| edge(graph, "finalise", Exit::Finalised).to = "terminate".into(),
        6,
        Some("memory-write"),
        None,
        "no run can reach `memory-write`",
    ),
    (
        "a name in capitals",
        |graph| {
            graph.nodes.insert("Loud--".into(), graphs::node(NodeKind::Terminate));
            edge(graph, "ask-user", Exit::Withdrawn).to = "Loud--".into();
        },
        6,
        Some("Loud--"),
        None,
        "use lower-case letters",
    ),
    ("no start", |graph| drop_node(graph, "intake"), 6, None, None, "add a node of kind `intake`"),
    ("no end", |graph| drop_node(graph, "terminate"), 6, None, None, "add a node of kind `terminate`"),
    (
        "two starts",
        |graph| {
            graph.nodes.insert("back-door".into(), graphs::node(NodeKind::Intake));
            add_edge(graph, "back-door", Exit::Accepted, "classify");
            add_edge(graph, "back-door", Exit::Refused, "terminate");
        },
        6,
        Some("back-door"),
        None,
        "more than one start: keep one of `back-door` or `intake`",
    ),
    (
        "more nodes than allowed",
        |graph| {
            let names = (0..=MOST_NODES).map(|index| format!("end-{index}").into());
            graph.nodes.extend(names.map(|name| (name, graphs::node(NodeKind::Terminate))));
        },
        6,
        None,
        None,
        "1024 are allowed",
    ),
];

#[test]
fn a_broken_graph_is_named() {
    for (what, break_it, check, node, edge, piece) in BROKEN {
        let mut graph = default_graph();
        break_it(&mut graph);
        let violations = graph.compile().expect_err(what);
        let fits = |found: &Violation| {
            found.check.number() == *check
                && found.node.as_deref() == *node
                && found.edge.as_deref() == *edge
                && found.problem.contains(piece)
        };
        assert!(violations.iter().any(fits), "{what}: {violations:#?}");
        assert!(violations.is_sorted_by_key(|found| found.check), "{what}");
        for found in &violations {
            let text = found.to_string();
            assert!(text.starts_with(&format!("check {}: ", found.check.number())), "{text}");
            assert!(!text.contains('\n') && !text.ends_with('.') && text.contains(": "), "{text}");
        }
    }
}

#[test]
fn every_check_is_in_the_table() {
    for check in Check::ALL {
        assert!(BROKEN.iter().any(|(_, _, number, ..)| *number == check.number()), "{check:?}");
    }
}

/// One mistake does not hide another.
#[test]
fn every_violation_is_told() {
    let mut graph = default_graph();
    drop_edge(&mut graph, "plan", Exit::Abandoned);
    edge(&mut graph, "plan", Exit::Drafted).to = "nirvana".into();
    add_edge(&mut graph, "plan", Exit::Unavailable, "tool-invocation");
    add_edge(&mut graph, "terminate", Exit::Accepted, "intake");
    graph.interrupts.clear();
    let checks: Vec<u8> = graph.compile().unwrap_err().iter().map(|found| found.check.number()).collect();
    for check in [1, 3, 4, 5, 6] {
        assert!(checks.contains(&check), "{checks:?}");
    }
}

#[test]
fn a_limit_makes_a_cycle_end() {
    let mut graph = default_graph();
    *edge(&mut graph, "state-update", Exit::Updated) =
        Edge { from: "state-update".into(), on: Exit::Updated, to: "observation-verification".into(), limit: Some(3) };
    let violations = graph.compile().unwrap_err();
    assert!(violations.iter().all(|found| found.check != Check::Cycles), "{violations:#?}");
}

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("COUNTERSIGN_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "`{}` differs; set COUNTERSIGN_BLESS=1 to accept the new one", path.display());
}

#[test]
fn the_default_graph_is_drawn_as_before() {
    golden("graph.mmd", &mermaid(&default_graph()));
}

#[test]
fn what_a_name_holds_cannot_leave_the_picture() {
    let mut graph = default_graph();
    let name = "\"]<script>&#;\u{1b}\n";
    graph.name = name.to_owned();
    graph.nodes.insert(name.into(), graphs::node(NodeKind::Plan));
    add_edge(&mut graph, name, Exit::Drafted, "nirvana");
    assert!(!mermaid(&graph).contains("<script") && !mermaid(&graph).contains('\u{1b}'));
}

#[test]
fn a_broken_graph_is_drawn_too() {
    for (_, break_it, ..) in BROKEN {
        let mut graph = default_graph();
        break_it(&mut graph);
        assert!(mermaid(&graph).starts_with("flowchart TD\n"));
    }
    let empty = Graph { name: String::new(), version: 0, nodes: [].into(), edges: vec![], interrupts: vec![] };
    assert!(empty.compile().is_err());
    assert!(mermaid(&empty).starts_with("flowchart TD\n"));
}

proptest! {
    #[test]
    fn a_random_valid_graph_compiles(graph in graphs::valid_graph()) {
        let compiled = graph.compile();
        prop_assert!(compiled.is_ok(), "{:#?}", compiled.err());
        let compiled = compiled.unwrap();
        for edge in &graph.edges {
            let (from, to) = (compiled.find(&edge.from).unwrap(), compiled.find(&edge.to));
            prop_assert_eq!(compiled.next(from, edge.on), to);
            prop_assert_eq!(compiled.limit(from, edge.on), edge.limit);
        }
        prop_assert_eq!(mermaid(&graph), mermaid(&graph.clone()));
        prop_assert_eq!(graph.nodes.len(), compiled.len());
    }

    /// Without any one of its edges a valid graph is not valid: nothing falls back silently.
    #[test]
    fn no_edge_can_be_left_out(graph in graphs::valid_graph(), at in any::<proptest::sample::Index>()) {
        let mut graph = graph;
        let edge = graph.edges.remove(at.index(graph.edges.len()));
        let missing = format!("{} -{}-> ?", edge.from, edge.on);
        let violations = graph.compile().unwrap_err();
        prop_assert!(violations.iter().any(|found| found.edge.as_deref() == Some(&missing)));
    }
}
