//! Random inputs against random answers: whatever comes, the run keeps its word.

#[path = "../../spec/tests/support/graphs.rs"]
mod graphs;

use std::sync::Arc;

use countersign_kernel::contract::classifier::{Cascade, Classification, PlanningMode};
use countersign_kernel::contract::confidence::{Resampling, Stakes, Trust, TrustAction};
use countersign_kernel::contract::context::{Compaction, Layer, Strategy as ContextStrategy};
use countersign_kernel::contract::dispatch::{Assigned, Assignment, Specialist};
use countersign_kernel::contract::doom_loop::{Handoff, Signal, Trip, TripReason};
use countersign_kernel::contract::estimator::{Forecast, Interval};
use countersign_kernel::contract::guard::{Finding, FindingKind, Inspection, Severity};
use countersign_kernel::contract::remediation::{Authority, Remediability, Remedy};
use countersign_kernel::contract::risk::{Assessment, Reversibility};
use countersign_kernel::contract::sensitivity::Rating;
use countersign_kernel::contract::threshold::{self, Decision as Weighed, Trigger};
use countersign_kernel::contract::{CONTRACT, Compliance, Dimension, Key, SensitivityTag, Tier, ToolCategory, Verdict};
use countersign_kernel::{
    Action, Alarm, Answered, Cause, Code, Decision, Effect, Event, Frame, Input, Judged, Observation, Outcome,
    Question, Reply, Run, Slot, Status, StepReply, StepStatus, Touched, Unavailability, Usage, Verification,
};
use countersign_spec::boundary::{DecisionRight, FailClosed, Pattern, PlanRule};
use countersign_spec::budget::Limits;
use countersign_spec::graph::{Graph, NodeKind};
use countersign_spec::plan::PlanStep;
use countersign_spec::state::StateKind;
use countersign_spec::tool::{ApprovalRule, SideEffectClass, ToolLimits};
use countersign_spec::{
    Boundary, Criterion, Driver, EntryPin, EscalationRules, Goal, HostRules, KERNEL_RULES, Manifest, Mode, Model,
    PolicyMode, SlotPin, TRACE_FORMAT, Tool, Verifier,
};
use proptest::prelude::*;

use graphs::valid_graph;

fn manifest(limits: Limits, entries: bool, graph: Graph, shape: u8) -> Manifest {
    let tool = |name: &str, mutating, verifier| Tool {
        name: name.into(),
        definition: "d".into(),
        category: ToolCategory::Sandbox,
        side_effect: if mutating { SideEffectClass::LocalWrite } else { SideEffectClass::ReadOnly },
        reversibility: Reversibility::Reversible,
        idempotent: !mutating,
        external: false,
        poller: false,
        internal: false,
        terminal: false,
        blast_radius: Some(1),
        compliance: Compliance::None,
        cost: 1,
        time_out: 1000,
        permission: None,
        approval: None,
        limits: ToolLimits::default(),
        cheaper: None,
        needs_fresh: vec![],
        verifier,
    };
    // One of the two may be told anything.
    let model = |tier| Model {
        self_hosted: tier == Tier::Strong && shape.is_multiple_of(2),
        context: Some(2000),
        input_price: 10,
        output_price: 20,
        max_output_tokens: 100,
        ..Model::new(tier, "m")
    };
    let slots = Slot::ALL.map(|slot| SlotPin { slot, mode: PolicyMode::Enforce, failure_verdict: Verdict::Ask });
    let mut tools =
        vec![tool("check", false, Some(Verifier::ExitCode(0))), tool("write", true, None), tool("outside", true, None)];
    // Sometimes a person must approve, sometimes a cycle needs a terminal tool.
    tools[1].approval = shape.is_multiple_of(3).then_some(ApprovalRule::Always);
    tools[1].terminal = shape.is_multiple_of(5);
    Manifest {
        format: TRACE_FORMAT,
        kernel_rules: KERNEL_RULES,
        run: "r".into(),
        tenant: None,
        agent: "a".into(),
        started: 0,
        seed: 7,
        mode: Mode::Enforce,
        driver: Driver::Host,
        goal: Goal {
            text: "g".into(),
            constraints: vec![],
            criteria: vec![Criterion { id: "c".into(), text: "c".into(), tool: "check".into() }],
            stakes: Stakes::Low,
            compliance: Compliance::None,
            sensitivity: SensitivityTag::Public,
            step_estimate: None,
            may_investigate: true,
            needs: vec![],
        },
        boundary: Boundary {
            name: "b".into(),
            digest: "b".into(),
            profile: None,
            autonomy: 6,
            least_autonomy: 6,
            pattern: Pattern::StateMachine,
            plans: if shape % 7 == 6 { PlanRule::Required } else { PlanRule::Optional },
            tools: vec!["check".into(), "write".into()],
            permissions: vec![],
            writes: vec![StateKind::Scratchpad, StateKind::Memory],
            decisions: DecisionRight::ALL.to_vec(),
            preauthorised: vec![],
            asks: vec![],
            fail_closed: if shape % 11 == 10 { vec![FailClosed::UngroundedClaim] } else { vec![] },
            blast_radius_limit: None,
            jurisdictions: vec![],
            working_context: "".into(),
            exchanges: 4,
        },
        graph_digest: "g".into(),
        graph: Arc::new(graph),
        rules: HostRules::default(),
        limits,
        ceilings: Limits::UNLIMITED,
        show_budget: true,
        slot_modes: std::collections::BTreeMap::new(),
        plan: vec![],
        escalation: EscalationRules { failed_attempts: 2, max_escalations: 1, table: vec![] },
        models: vec![model(Tier::Cheap), model(Tier::Strong)],
        tools,
        memory: vec![],
        specialists: vec![Specialist { name: "s".into(), description: "does it".into(), reliability: 0.9 }],
        reliability: None,
        past: vec![],
        request_overhead: 0,
        prompt_templates: "t".into(),
        lock: "l".into(),
        contract: CONTRACT.into(),
        engine: "e".into(),
        entries: if entries {
            vec![EntryPin {
                name: "p".into(),
                policy: "p@1.0.0".into(),
                component: "c".into(),
                configuration: "c".into(),
                slots: slots.to_vec(),
            }]
        } else {
            vec![]
        },
        source: None,
        approvers: Vec::new(),
    }
}

fn default_graph() -> Graph {
    let text = include_str!("../../runtime/presets/graph.toml");
    match toml::from_str(text) {
        Ok(graph) => graph,
        Err(error) => panic!("{error}"),
    }
}

/// One thing that happens: a kind, a choice within it, and time that passes.
type Chance = (u8, u8, u16);

fn reply(choice: u8) -> Reply {
    let call = |tool: &str, key| Action::Call {
        tool: tool.into(),
        arguments: "{}".into(),
        key: Key(key),
        invalid: (choice % 13 == 12).then(|| "no".to_owned()),
        missing: if choice % 29 == 28 { vec!["x".into()] } else { vec![] },
        payload: None,
        touches: Touched::default(),
    };
    let steps = |tool: &str| {
        let step = |id: &str, after: Vec<Arc<str>>| PlanStep {
            id: id.into(),
            does: id.into(),
            tool: Some(tool.into()),
            after,
            parent: None,
            signature: Key(u64::from(choice) + id.len() as u64),
        };
        vec![step("a", vec![]), step("bb", vec!["a".into()])]
    };
    let rare = match choice {
        240 => Some(Action::Plan { steps: steps("write") }),
        241 => Some(Action::Plan { steps: steps("outside") }),
        242 => Some(Action::Split { steps: steps("check") }),
        243 => Some(Action::Write { state: StateKind::Memory, key: "k".into(), text: "t".into(), sources: vec![0] }),
        244 => Some(Action::Write { state: StateKind::TaskState, key: "k".into(), text: "t".into(), sources: vec![] }),
        245 => Some(Action::Reflect { about: "x".into() }),
        246 => Some(Action::Ask { question: "which?".into() }),
        247 => Some(Action::Abandon { reason: "no".into() }),
        248 => Some(Action::Defer { reason: "a person must look at this".into() }),
        249 => Some(Action::EscalateToArchitect { severity: Alarm::Critical, reason: "the ground shakes".into() }),
        _ => None,
    };
    let action = rare.unwrap_or_else(|| match choice % 8 {
        0 | 1 => call("check", 1),
        2 | 3 => call("write", u64::from(choice)),
        4 => call("outside", 3),
        5 => call("unknown", 4),
        6 => Action::Finish {
            summary: "done".into(),
            claims: if choice.is_multiple_of(3) { vec!["write".into()] } else { vec![] },
        },
        _ => Action::Say { text: "hm".into(), key: Key(5) },
    });
    let status = match choice % 11 {
        9 => StepStatus::Confused,
        10 => StepStatus::Blocked,
        _ => StepStatus::Ok,
    };
    match choice % 17 {
        15 => Reply::Invalid { reason: "bad".into(), bytes: 3, payload: "p".into() },
        16 => Reply::Unavailable {
            reason: "gone".into(),
            class: if choice.is_multiple_of(2) { Unavailability::Transient } else { Unavailability::Permanent },
            retry_after: choice.is_multiple_of(4).then(|| u64::from(choice) * 500),
        },
        _ => Reply::Step(StepReply {
            step: format!("s{}", choice % 3).into(),
            action,
            reasoning: "r".into(),
            status,
            confidence: Some(f64::from(choice) / 255.0),
            signals: vec![],
            bytes: 10,
            unwrapped: vec![],
        }),
    }
}

fn observation(choice: u8) -> Observation {
    let outcome = match choice % 7 {
        0 | 1 => Outcome::Returned { exit_code: Some(0), ok: true },
        2 => Outcome::Returned { exit_code: Some(1), ok: false },
        3 => Outcome::TimedOut,
        4 => Outcome::Infrastructure,
        5 => Outcome::Unauthenticated,
        _ => Outcome::Unknown,
    };
    Observation { result_key: Some(Key(u64::from(choice % 3))), ..Observation::new(outcome, "out".into()) }
}

/// What a person says to a suspended run.
fn decision(run: &Run, choice: u8) -> Decision {
    let fingerprint = run.awaits().map(|approval| Arc::clone(&approval.fingerprint));
    match (choice % 9, fingerprint) {
        (0..=3, Some(fingerprint)) => Decision::Approved { fingerprint },
        (4, fingerprint) => Decision::Rejected { fingerprint, instead: Some("otherwise".into()) },
        (5, fingerprint) => Decision::Rejected { fingerprint, instead: None },
        (6, _) => Decision::Expired,
        (7, _) => Decision::Released { extra: [(Dimension::Steps, 1)].into() },
        (8, _) => Decision::Unavailable,
        (0, None) => Decision::Accepted,
        (1, None) => Decision::Resumed,
        _ => Decision::Answered { text: "this one".into() },
    }
}

fn answer(question: &Question, choice: u8) -> Answered {
    if choice % 23 == 22 {
        return Answered::Undecided(Cause::Trap);
    }
    let verdicts = [
        Verdict::Proceed,
        Verdict::Log,
        Verdict::Notify,
        Verdict::Replan,
        Verdict::Escalate,
        Verdict::Ask,
        Verdict::Deny,
        Verdict::Terminate,
    ];
    // Mostly going on, or no run gets anywhere.
    let verdict = verdicts[usize::from(if choice % 4 == 3 { choice / 4 % 8 } else { choice % 3 })];
    match question {
        Question::Classifier(task) => Answered::Classifier(Classification {
            class: "c".into(),
            tier: task.tiers[usize::from(choice) % task.tiers.len()].tier,
            cascade: choice
                .is_multiple_of(2)
                .then_some(Cascade { escalate_below: 0.5, max_escalations: u32::from(choice % 3) }),
            planning: PlanningMode::Act,
            ambiguity: 0.0,
            verdict,
            reason: String::new(),
        }),
        Question::Confidence(_) => Answered::Confidence(Trust {
            score: Some(0.5),
            action: match choice % 8 {
                0..=3 => TrustAction::Ship,
                4 => TrustAction::Resample(Resampling { temperature: 0.7, samples: 5 }),
                5 => TrustAction::Retrieve,
                6 => TrustAction::Escalate,
                _ => TrustAction::Abstain,
            },
            signals_used: vec![],
            surface_uncertainty: false,
            reason: String::new(),
        }),
        Question::Risk(_) => Answered::Risk(Assessment { verdict, score: 0.5, reason: "r".into() }),
        Question::Estimator(_) => Answered::Estimator(Forecast {
            intervals: vec![Interval {
                dimension: Dimension::Steps,
                lower: u64::from(choice.is_multiple_of(3)),
                upper: 9,
            }],
            reason: String::new(),
        }),
        Question::Sensitivity(text) => Answered::Sensitivity(Rating {
            tag: if choice % 16 == 15 { text.present.max(SensitivityTag::Restricted) } else { text.present },
            spans: vec![],
            reason: String::new(),
        }),
        Question::Guard(transit) => Answered::Guard(Inspection {
            findings: match choice % 16 {
                0..=9 => vec![],
                _ if transit.text.is_empty() || !transit.text.is_char_boundary(1) => vec![],
                other => vec![Finding {
                    kind: [FindingKind::Injection, FindingKind::Secret][usize::from(other % 2)],
                    start: 0,
                    end: 1,
                    score: 0.5,
                    severity: [Severity::Low, Severity::Medium, Severity::High][usize::from(other / 2 % 3)],
                }],
            },
            reason: "g".into(),
        }),
        Question::Dispatch(task) => Answered::Dispatch(Assigned {
            assignment: match choice % 4 {
                0 | 1 => Assignment::Inline,
                2 => Assignment::FanOut(task.specialists[0].name.to_string()),
                _ => Assignment::HandOver,
            },
            reason: String::new(),
        }),
        Question::Context(_) => Answered::Context(Compaction {
            strategy: match choice % 8 {
                0..=3 => ContextStrategy::Keep,
                4 => ContextStrategy::Layer(Layer::BudgetReduction),
                5 => ContextStrategy::Layer(Layer::Snip),
                6 => ContextStrategy::Layer(Layer::FullCompaction),
                _ => ContextStrategy::Branch,
            },
            reason: String::new(),
        }),
        Question::Remediation(_) => Answered::Remediation(Remedy {
            remediability: match choice % 8 {
                0..=5 => Remediability::SelfRemediable,
                6 => Remediability::Retryable,
                _ => Remediability::Irremediable(Authority { who: "user".into(), what: "do it".into() }),
            },
            reason: String::new(),
        }),
        Question::Threshold(ledger) => Answered::Threshold(threshold::Assessment {
            decision: match choice % 8 {
                _ if ledger.gap.is_some() => Weighed::Escalate(Trigger::AuthorityGap),
                0..=5 => Weighed::Continue,
                6 => Weighed::Escalate(Trigger::ConfidenceCollapse),
                _ => Weighed::Escalate(Trigger::BudgetExhausted),
            },
            value: 0.5,
            risk: 0.0,
            cost: 0.0,
            irreversibility: 0.0,
            authority_gap: 0.0,
            reason: "t".into(),
        }),
        Question::DoomLoop(_) => Answered::DoomLoop(match choice % 9 {
            0..=4 => Signal::Steady,
            5 => Signal::Caution("c".into()),
            6 => Signal::Warning("w".into()),
            other => Signal::Trip(Trip {
                reason: TripReason::NoProgress,
                evidence: "e".into(),
                handoff: if other == 7 {
                    Handoff::Replan
                } else {
                    [Handoff::Escalate, Handoff::Ask, Handoff::Terminate][usize::from(choice) / 9 % 3]
                },
            }),
        }),
    }
}

/// Feeds what the last effects ask for, or something that nobody asked for; gives all frames.
fn play(manifest: &Arc<Manifest>, chances: &[Chance]) -> Result<(Run, Vec<Frame>), TestCaseError> {
    let mut run = Run::open(Arc::clone(manifest)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut frames: Vec<Frame> = Vec::new();
    let mut asked: Vec<Effect> = Vec::new();
    let mut at = 0;
    let mut answers = 0_u8;
    for (kind, choice, passed) in chances {
        at += u64::from(*passed);
        let wanted = asked.iter().find_map(|effect| match effect {
            Effect::CallModel { call, request, .. } => Some(Input::Replied {
                call: *call,
                reply: match (&request.purpose, reply(*choice)) {
                    (countersign_kernel::Purpose::Patch(_), Reply::Step(_)) => {
                        Reply::Patch { text: "advice".into(), unwrapped: vec![] }
                    }
                    (_, reply) => reply,
                },
                usage: Usage { input_tokens: u64::from(*choice), output_tokens: 10, cost: 5, estimated: false },
                request: None,
            }),
            Effect::Dispatch { call, .. } => Some(Input::Observed { call: *call, observation: observation(*choice) }),
            Effect::Verify { call, verifier } => Some(Input::Verified {
                call: *call,
                verification: Verification {
                    verifier: verifier.clone(),
                    holds: choice.is_multiple_of(2),
                    detail: String::new(),
                    drifted: choice % 5 == 1,
                },
            }),
            Effect::Wait { wait, .. } => Some(Input::Waited { wait: *wait }),
            Effect::Suspend { .. } => Some(Input::Decided {
                id: format!("d{at}-{}", frames.len()).into(),
                by: "p".into(),
                decision: decision(&run, *choice),
                given: None,
            }),
            _ => None,
        });
        let input = match kind % 32 {
            0 => Input::Started,
            1 => Input::Message { text: "hello".into() },
            2 => Input::Replied {
                call: u64::from(*choice),
                reply: reply(*choice),
                usage: Usage::default(),
                request: None,
            },
            3 => Input::Observed { call: u64::from(*choice), observation: observation(*choice) },
            4 if *choice > 250 => Input::Cancelled,
            5 => Input::Closed { code: Code::Success },
            6 if *choice > 200 => {
                Input::Refused { bucket: "app".into(), dimension: "tokens".into(), demand: 1, left: 0 }
            }
            7 if *choice > 200 => Input::Halted { switch: "all".into(), reason: "x".into(), in_between: false },
            8 if *choice > 200 => Input::TakenUp { engine: (*choice > 250).then(|| "another".into()) },
            _ if frames.is_empty() => Input::Started,
            _ => wanted.unwrap_or(Input::Started),
        };
        let before = run.status();
        if run.accept(at, input).is_err() {
            prop_assert_eq!(run.status(), before, "a refused input changes nothing");
            continue;
        }
        prop_assert!(!matches!(before, Status::Ended(_)), "nothing follows the end");
        while let Some(request) = run.request() {
            answers = answers.wrapping_mul(31).wrapping_add(*choice);
            let answer = answer(request.question, answers);
            drop(request);
            run.answer(Judged { answer, reads: vec![], fuel: 1 })
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        let closed = run.close().map_err(|error| TestCaseError::fail(error.to_string()))?;
        // An end releases what the run holds, once, and nothing is begun after it.
        let ends = closed.effects.iter().filter(|effect| matches!(effect, Effect::End { .. })).count();
        prop_assert_eq!(ends, usize::from(closed.frame.is_terminal()));
        let last = matches!(closed.effects.last(), Some(Effect::End { .. }));
        prop_assert!(ends == 0 || last);
        // Being taken up asks for nothing, and what was asked for is asked for still.
        if matches!(closed.frame.input, Input::TakenUp { .. }) {
            prop_assert!(closed.effects.is_empty() && closed.frame.events.is_empty() && before == run.status());
        } else {
            asked = closed.effects;
        }
        frames.push(closed.frame);
    }
    Ok((run, frames))
}

fn limits() -> impl Strategy<Value = Limits> {
    (1_u64..12, 0_u64..8, 1_u64..20_000, prop::bool::ANY).prop_map(|(steps, tool_calls, running_time, rich)| Limits {
        steps,
        tool_calls,
        running_time,
        input_tokens: if rich { 1_000_000 } else { 3_000 },
        output_tokens: if rich { 1_000_000 } else { 400 },
        cost: if rich { 1_000_000 } else { 30 },
        retries: 4,
        reflections: 2,
        ..Limits::UNLIMITED
    })
}

/// Every transition is an edge of the graph or one of its interrupts, each from where the one before
/// led to.
fn legal_moves(manifest: &Manifest, frames: &[Frame]) -> Result<(), TestCaseError> {
    let graph = &manifest.graph;
    let start = graph.nodes.iter().find(|(_, node)| node.kind == NodeKind::Intake);
    let mut at = start.map(|(name, _)| Arc::clone(name)).unwrap_or_default();
    for frame in frames {
        for event in &frame.events {
            let Event::Moved { from, path, .. } = event else { continue };
            prop_assert_eq!(from, &at);
            for step in path {
                let edge = graph.edges.iter().any(|edge| edge.from == at && edge.on == step.on && edge.to == step.to);
                let interrupt = graph.interrupts.iter().any(|edge| edge.on == step.on && edge.to == step.to);
                prop_assert!(edge || interrupt, "{} -{}-> {} is no edge", at, step.on, step.to);
                at = Arc::clone(&step.to);
            }
        }
        // A call is made past its checks alone, or once more after a wait.
        let calls = frame.events.iter().any(|event| matches!(event, Event::Dispatched { .. }));
        if calls && !matches!(frame.input, Input::Waited { .. }) {
            let checked = frame.events.iter().any(|event| match event {
                Event::Moved { path, .. } => {
                    let kind = |name: &Arc<str>| graph.nodes.get(name).map(|node| node.kind);
                    path.iter()
                        .rev()
                        .take(2)
                        .map(|step| kind(&step.to))
                        .eq([Some(NodeKind::ToolInvocation), Some(NodeKind::ToolEligibility)])
                        || (path.len() == 1 && kind(&path[0].to) == Some(NodeKind::ToolInvocation))
                }
                _ => false,
            });
            prop_assert!(checked, "{:?}", frame.events);
        }
        let ended = frame.is_terminal();
        let terminal = graph.nodes.get(&at).is_some_and(|node| node.kind == NodeKind::Terminate);
        prop_assert_eq!(ended, terminal, "a run ends at a terminal node, and only there: {}", at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_keeps_its_word(
        limits in limits(),
        entries in prop::bool::weighted(0.8),
        graph in prop_oneof![Just(default_graph()), valid_graph()],
        shape in any::<u8>(),
        chances in prop::collection::vec((any::<u8>(), any::<u8>(), 0_u16..200), 0..120),
    ) {
        let manifest = Arc::new(manifest(limits, entries, graph, shape));
        let (run, frames) = play(&manifest, &chances)?;

        // At most one terminal event, and nothing after it.
        let ends = frames.iter().flat_map(|frame| &frame.events).filter(|event| matches!(event, Event::Ended { .. })).count();
        prop_assert!(ends <= 1);
        let last = frames.iter().position(Frame::is_terminal);
        prop_assert!(last.is_none_or(|at| at + 1 == frames.len()));
        prop_assert_eq!(ends == 1, matches!(run.status(), Status::Ended(_)));

        // Ended or suspended within f(B) inputs: a start; for each step a reply, a message and a
        // wait; for each tool call an observation, a verification and a wait. A person's decision
        // begins anew, with what was released.
        let released = frames.iter().flat_map(|frame| &frame.events).filter(|event| matches!(event, Event::Released { .. })).count() as u64;
        // A model that is busy is asked three times, with two waits.
        let bound = usize::try_from(2 + 7 * (limits.steps + released) + 3 * limits.tool_calls).unwrap_or(usize::MAX);
        let beside = |frame: &&Frame| matches!(frame.input, Input::Decided { .. } | Input::TakenUp { .. });
        let decided = frames.iter().filter(beside).count();
        prop_assert!(frames.len() - decided <= bound, "{} inputs with {} steps", frames.len(), limits.steps);

        // Only along compiled edges, and from where the run stood.
        legal_moves(&manifest, &frames)?;
        for frame in &frames {
            for event in &frame.events {
                if let Event::Suspended { code, .. } = event {
                    prop_assert!(code.may_suspend());
                }
            }
        }

        // What was spent stays within the caps, but for what only the world could know.
        let view = run.view();
        use Dimension::{Steps, ToolCalls};
        prop_assert!(view.budget(Steps).used <= limits.steps + released);
        prop_assert!(view.budget(ToolCalls).used <= limits.tool_calls);

        // Folding the recorded inputs gives the same frames, through their JSON too.
        let mut again = Run::open(Arc::clone(&manifest)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for frame in &frames {
            let text = serde_json::to_string(frame).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let read: Frame = serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&read, frame);
            again.fold(&read).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        prop_assert_eq!(again.status(), run.status());
    }
}
