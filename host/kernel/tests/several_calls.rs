//! Agents that have several calls under way: whatever order proposals, results, verifications and decisions come
//! in, each call is one call, and nothing is set aside for a call that is over.

#[path = "support/loop.rs"]
#[expect(dead_code, reason = "shared with the tests of the rules, which use all of it")]
mod driven;
#[path = "../../spec/tests/support/graphs.rs"]
mod graphs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_kernel::contract::doom_loop::{Handoff, Signal, Trip, TripReason};
use countersign_kernel::contract::risk::Assessment;
use countersign_kernel::contract::{Dimension, Key, Verdict};
use countersign_kernel::{
    Action, Answered, Code, Decision, Effect, Event, Frame, Input, Judged, Observation, Outcome, Question, Reply, Run,
    Slot, Status, StepReply, StepStatus, Usage, Verification,
};
use countersign_spec::graph::{Graph, NodeKind};
use countersign_spec::tool::ApprovalRule;
use countersign_spec::{Driver, Manifest, PolicyMode, Tool, Verifier};
use proptest::prelude::*;

use driven::{call, entry, finish, manifest, reading};
use graphs::valid_graph;

/// Most calls that a run lets an agent have under way.
const OPEN: usize = 64;

/// One thing that happens: which of the things that may, a choice within it, and time that passes.
type Chance = (u8, u8, u16);

/// What an open call waits for.
#[derive(Debug, Clone, PartialEq)]
enum Under {
    Way,
    Verification(Verifier),
}

fn agents_manifest(steps: u64, tool_calls: u64, graph: Graph, shape: u8) -> Manifest {
    let mut manifest = manifest();
    manifest.driver = Driver::Agent;
    manifest.graph = Arc::new(graph);
    manifest.limits.steps = steps;
    manifest.limits.tool_calls = tool_calls;
    manifest.tools.push(Tool { verifier: Some(Verifier::ExitCode(0)), ..reading("check") });
    manifest.boundary.tools.push("check".into());
    manifest.tools[1].approval = shape.is_multiple_of(3).then_some(ApprovalRule::Always);
    if shape.is_multiple_of(2) {
        manifest.entries = vec![entry(&[Slot::Risk, Slot::DoomLoop], PolicyMode::Enforce)];
    }
    manifest
}

fn default_graph() -> Graph {
    match toml::from_str(include_str!("../../runtime/presets/graph.toml")) {
        Ok(graph) => graph,
        Err(error) => panic!("{error}"),
    }
}

fn proposal(choice: u8) -> Reply {
    let action = match choice % 16 {
        0..=5 => call("read", u64::from(choice / 16)),
        6..=9 => call("check", u64::from(choice / 16)),
        // Few, so that the very same change is often wanted again while it is under way.
        10..=13 => call("write", u64::from(choice / 64)),
        14 => Action::Say { text: "hm".into(), key: Key(5) },
        _ => finish(&["read"]),
    };
    Reply::Step(StepReply {
        step: "s".into(),
        action,
        reasoning: "".into(),
        status: StepStatus::Ok,
        confidence: None,
        signals: vec![],
        bytes: 10,
        unwrapped: vec![],
    })
}

fn observation(choice: u8) -> Observation {
    let outcome = match choice % 8 {
        0..=4 => Outcome::Returned { exit_code: Some(0), ok: true },
        5 => Outcome::Returned { exit_code: Some(1), ok: false },
        6 => Outcome::TimedOut,
        _ => Outcome::Infrastructure,
    };
    Observation { result_key: Some(Key(u64::from(choice % 5))), ..Observation::new(outcome, "out".into()) }
}

fn answer(question: &Question, choice: u8) -> Answered {
    match question {
        Question::Risk(_) => {
            let verdict = [Verdict::Proceed, Verdict::Proceed, Verdict::Proceed, Verdict::Replan, Verdict::Ask];
            Answered::Risk(Assessment {
                verdict: verdict[usize::from(choice) % verdict.len()],
                score: 0.5,
                reason: "r".into(),
            })
        }
        _ if choice % 16 == 15 => Answered::DoomLoop(Signal::Trip(Trip {
            reason: TripReason::NoProgress,
            evidence: "e".into(),
            handoff: Handoff::Replan,
        })),
        _ => Answered::DoomLoop(Signal::Steady),
    }
}

/// A run, what the agent has under way of it, and every frame.
struct Played {
    run: Run,
    frames: Vec<Frame>,
    open: BTreeMap<u64, Under>,
    /// Open calls by their identity.
    keys: BTreeMap<u64, Key>,
    /// The most that were open at once.
    most: usize,
    at: u64,
    answers: u8,
}

impl Played {
    /// Gives an input that the run expects.
    fn give(&mut self, input: Input, choice: u8) -> Result<(), TestCaseError> {
        let failed = |error: &dyn std::fmt::Display| TestCaseError::fail(error.to_string());
        prop_assert!(!matches!(self.run.status(), Status::Ended(_)), "nothing follows the end");
        let closes = match &input {
            Input::Observed { call, .. } | Input::Verified { call, .. } => Some(*call),
            _ => None,
        };
        self.run.accept(self.at, input).map_err(|error| failed(&error))?;
        while let Some(request) = self.run.request() {
            self.answers = self.answers.wrapping_mul(31).wrapping_add(choice);
            let answer = answer(request.question, self.answers);
            drop(request);
            self.run.answer(Judged { answer, reads: vec![], fuel: 1 }).map_err(|error| failed(&error))?;
        }
        let closed = self.run.close().map_err(|error| failed(&error))?;
        if let Some(call) = closes {
            self.open.remove(&call);
        }
        for event in &closed.frame.events {
            match event {
                Event::Dispatched { call, key, .. } => {
                    self.keys.insert(*call, *key);
                }
                Event::Withdrawn { call } => {
                    self.open.remove(call);
                }
                _ => {}
            }
        }
        for effect in &closed.effects {
            match effect {
                Effect::Dispatch { call, tool, .. } => {
                    let twice = |other: &u64| self.keys.get(other) == self.keys.get(call) && **tool == *"write";
                    prop_assert!(!self.open.keys().any(twice), "the same change is under way twice");
                    prop_assert_eq!(self.open.insert(*call, Under::Way), None, "a number is given once");
                }
                Effect::Verify { call, verifier } => {
                    self.open.insert(*call, Under::Verification(verifier.clone()));
                }
                Effect::End { .. } => self.open.clear(),
                Effect::CallModel { .. } | Effect::Wait { .. } => {
                    return Err(TestCaseError::fail("an agent brings its own model and its own time"));
                }
                _ => {}
            }
        }
        self.frames.push(closed.frame);
        self.most = self.most.max(self.open.len());
        self.agrees()
    }

    /// What the run has set aside is for what is under way, and no more.
    fn agrees(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.open.len() <= OPEN);
        let sent = self.open.values().filter(|under| **under == Under::Way).count() as u64;
        let view = self.run.view();
        prop_assert_eq!(view.budget(Dimension::ToolCalls).reserved, sent);
        prop_assert_eq!(view.budget(Dimension::Steps).reserved, u64::from(self.run.awaited().is_some()));
        if matches!(self.run.status(), Status::Ended(_)) {
            prop_assert_eq!((self.run.lost(), self.run.awaited()), (None, None));
        }
        Ok(())
    }

    /// What may happen now.
    fn possible(&self, choice: u8) -> Vec<Input> {
        let mut inputs = Vec::new();
        if let Some(call) = self.run.awaited() {
            // Twice, or calls would come back faster than they are proposed.
            let usage = Usage { input_tokens: 5, output_tokens: 5, cost: 1, estimated: false };
            let replied = Input::Replied { call, reply: proposal(choice), usage, request: None };
            inputs.extend([replied.clone(), replied]);
        }
        for (call, under) in &self.open {
            inputs.push(match under {
                Under::Way => Input::Observed { call: *call, observation: observation(choice) },
                Under::Verification(verifier) => Input::Verified {
                    call: *call,
                    verification: Verification {
                        verifier: verifier.clone(),
                        holds: choice.is_multiple_of(2),
                        detail: "d".into(),
                        drifted: false,
                    },
                },
            });
        }
        let id = Arc::from(format!("d{}", self.frames.len()));
        if let Status::Suspended(_) = self.run.status() {
            let decision = if choice.is_multiple_of(4) { Decision::Expired } else { Decision::Resumed };
            inputs.push(Input::Decided { id, by: "p".into(), decision, given: None });
        } else if let Some(approval) = self.run.parked().next() {
            let fingerprint = Arc::clone(&approval.fingerprint);
            let decision = match choice % 3 {
                0 => Decision::Rejected { fingerprint: Some(fingerprint), instead: None },
                _ => Decision::Approved { fingerprint },
            };
            inputs.push(Input::Decided { id, by: "p".into(), decision, given: None });
        }
        if choice == 255 {
            inputs.push(Input::Halted { switch: "all".into(), reason: "x".into(), in_between: false });
        }
        inputs
    }
}

fn play(manifest: &Arc<Manifest>, chances: &[Chance]) -> Result<Played, TestCaseError> {
    let run = Run::open(Arc::clone(manifest)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let (open, keys) = (BTreeMap::new(), BTreeMap::new());
    let mut played = Played { run, frames: vec![], open, keys, most: 0, at: 0, answers: 0 };
    played.give(Input::Started, 0)?;
    for (which, choice, passed) in chances {
        played.at += u64::from(*passed);
        let mut possible = played.possible(*choice);
        possible.retain(|input| played.run.expects(input).is_ok());
        if possible.is_empty() {
            continue;
        }
        let input = possible.swap_remove(usize::from(*which) % possible.len());
        played.give(input, *choice)?;
        // What no call of the run is cannot come back.
        let unknown = Input::Observed { call: 9_999, observation: observation(*choice) };
        prop_assert!(played.run.expects(&unknown).is_err());
    }
    Ok(played)
}

/// Along edges alone, each from the node that the frame names: of a call that came back, the call's own.
fn legal_moves(manifest: &Manifest, frames: &[Frame]) -> Result<(), TestCaseError> {
    let graph = &manifest.graph;
    for frame in frames {
        for event in &frame.events {
            let Event::Moved { from, path, .. } = event else { continue };
            let kind = graph.nodes.get(from).map(|node| node.kind);
            match &frame.input {
                Input::Observed { .. } => prop_assert_eq!(kind, Some(NodeKind::ToolInvocation)),
                Input::Verified { .. } => prop_assert_eq!(kind, Some(NodeKind::ObservationVerification)),
                _ => {}
            }
            let mut at = Arc::clone(from);
            for step in path {
                let edge = graph.edges.iter().any(|edge| edge.from == at && edge.on == step.on && edge.to == step.to);
                let interrupt = graph.interrupts.iter().any(|edge| edge.on == step.on && edge.to == step.to);
                prop_assert!(edge || interrupt, "{} -{}-> {} is no edge", at, step.on, step.to);
                at = Arc::clone(&step.to);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_open_calls_are_each_one_call(
        steps in 1_u64..60,
        tool_calls in 0_u64..60,
        graph in prop_oneof![4 => Just(default_graph()), 1 => valid_graph()],
        shape in any::<u8>(),
        chances in prop::collection::vec((any::<u8>(), any::<u8>(), 0_u16..50), 0..150),
    ) {
        let manifest = Arc::new(agents_manifest(steps, tool_calls, graph, shape));
        let mut played = play(&manifest, &chances)?;
        legal_moves(&manifest, &played.frames)?;

        // Each call is answered once at most.
        let mut observed = BTreeSet::new();
        for frame in &played.frames {
            if let Input::Observed { call, .. } = frame.input {
                prop_assert!(observed.insert(call), "call {} came back twice", call);
            }
        }

        // Folding the recorded inputs gives the same frames.
        let mut again = Run::open(Arc::clone(&manifest)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for frame in &played.frames {
            again.fold(frame).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        prop_assert_eq!((again.status(), again.awaited()), (played.run.status(), played.run.awaited()));

        // A host that is taken up again says of each call under way that nobody knows, and then of none.
        let under_way = played.open.len();
        for _ in 0..2 * under_way {
            let Some(lost) = played.run.lost() else { break };
            played.give(lost, 0)?;
        }
        prop_assert!(played.open.is_empty(), "{:?}", played.open);
        let made = played.frames.iter().flat_map(|frame| &frame.events);
        let made = made.fold(0_u64, |made, event| match event {
            Event::Dispatched { .. } => made + 1,
            Event::Withdrawn { .. } => made - 1,
            _ => made,
        });
        prop_assert_eq!(played.run.view().budget(Dimension::ToolCalls).used, made);
        prop_assert!(made <= tool_calls && played.run.view().budget(Dimension::Steps).used <= steps);
        if !matches!(played.run.status(), Status::Ended(_)) {
            played.give(Input::Closed { code: Code::Success }, 0)?;
        }
    }
}

/// The property above is about something: random runs do have many calls under way.
#[test]
fn random_runs_have_many_calls_under_way() -> Result<(), TestCaseError> {
    let manifest = Arc::new(agents_manifest(60, 60, default_graph(), 1));
    let mut most = 0;
    for seed in 0..20_u16 {
        let chances: Vec<Chance> = (0..80_u16)
            .map(|number| {
                let [which, choice] =
                    (number + 1).wrapping_mul(seed.wrapping_mul(7919).wrapping_add(9973)).to_be_bytes();
                (which, choice, 1)
            })
            .collect();
        most = most.max(play(&manifest, &chances)?.most);
    }
    assert!(most >= 4, "at most {most} were open at once");
    Ok(())
}
