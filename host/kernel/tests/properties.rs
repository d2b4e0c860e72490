//! Random inputs against random answers: whatever comes, the run keeps its word.

use std::sync::Arc;

use countersign_kernel::budget::Limits;
use countersign_kernel::contract::classifier::{Cascade, Classification, PlanningMode};
use countersign_kernel::contract::confidence::{ModelKind, Resampling, Stakes, Trust, TrustAction};
use countersign_kernel::contract::doom_loop::{Handoff, Signal, Trip, TripReason};
use countersign_kernel::contract::risk::{Assessment, Reversibility};
use countersign_kernel::contract::{CONTRACT, Compliance, Key, Tier, ToolCategory, Verdict};
use countersign_kernel::{
    Action, Answered, Boundary, Cause, Code, Criterion, Effect, EntryPin, EscalationRules, Event, Frame, Goal, Input,
    Judged, KERNEL_RULES, Manifest, Mode, Model, Observation, Outcome, PolicyMode, Question, Reply, Run, Slot, SlotPin,
    Status, StepReply, StepStatus, TRACE_FORMAT, Tool, Usage, Verification, Verifier,
};
use proptest::prelude::*;

fn manifest(limits: Limits, entries: bool) -> Manifest {
    let tool = |name: &str, mutating, verifier| Tool {
        name: name.into(),
        definition: "d".into(),
        category: ToolCategory::Sandbox,
        reversibility: Reversibility::Reversible,
        mutating,
        poller: false,
        internal: false,
        blast_radius: Some(1),
        compliance: Compliance::None,
        verifier,
    };
    let model = |tier| Model {
        tier,
        name: "m".into(),
        kind: ModelKind::General,
        input_price: 10,
        output_price: 20,
        max_output_tokens: 100,
    };
    let slots = Slot::ALL.map(|slot| SlotPin { slot, mode: PolicyMode::Enforce, failure_verdict: Verdict::Ask });
    Manifest {
        format: TRACE_FORMAT,
        kernel_rules: KERNEL_RULES,
        run: "r".into(),
        tenant: None,
        mode: Mode::Enforce,
        goal: Goal {
            text: "g".into(),
            constraints: vec![],
            criteria: vec![Criterion { id: "c".into(), text: "c".into(), tool: "check".into() }],
            stakes: Stakes::Low,
            compliance: Compliance::None,
            step_estimate: None,
            may_investigate: true,
        },
        boundary: Boundary {
            name: "b".into(),
            tools: vec!["check".into(), "write".into()],
            blast_radius_limit: None,
            working_context: "".into(),
        },
        limits,
        show_budget: true,
        escalation: EscalationRules { failed_attempts: 2, max_escalations: 1 },
        models: vec![model(Tier::Cheap), model(Tier::Strong)],
        tools: vec![
            tool("check", false, Some(Verifier::ExitCode(0))),
            tool("write", true, None),
            tool("outside", true, None),
        ],
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
        payload: None,
    };
    let action = match choice % 8 {
        0 | 1 => call("check", 1),
        2 | 3 => call("write", u64::from(choice)),
        4 => call("outside", 3),
        5 => call("unknown", 4),
        6 => Action::Finish { summary: "done".into() },
        _ => Action::Say { text: "hm".into(), key: Key(5) },
    };
    let status = match choice % 11 {
        9 => StepStatus::Confused,
        10 => StepStatus::Blocked,
        _ => StepStatus::Ok,
    };
    match choice % 17 {
        15 => Reply::Invalid { reason: "bad".into(), bytes: 3, payload: "p".into() },
        16 => Reply::Unavailable { reason: "gone".into() },
        _ => Reply::Step(StepReply {
            step: format!("s{}", choice % 3).into(),
            action,
            reasoning: "r".into(),
            status,
            confidence: Some(f64::from(choice) / 255.0),
            signals: vec![],
            bytes: 10,
        }),
    }
}

fn observation(choice: u8) -> Observation {
    Observation {
        outcome: match choice % 6 {
            0 | 1 => Outcome::Returned { exit_code: Some(0), ok: true },
            2 => Outcome::Returned { exit_code: Some(1), ok: false },
            3 => Outcome::TimedOut,
            4 => Outcome::Infrastructure,
            _ => Outcome::Unknown,
        },
        text: "out".into(),
        bytes: 3,
        payload: None,
        result_key: Some(Key(u64::from(choice % 3))),
        error_key: None,
        state_before: None,
        state_after: None,
        mutating: None,
        poller: None,
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
                    (countersign_kernel::Purpose::Patch(_), Reply::Step(_)) => Reply::Patch { text: "advice".into() },
                    (_, reply) => reply,
                },
                usage: Usage { input_tokens: u64::from(*choice), output_tokens: 10, cost: 5 },
            }),
            Effect::Dispatch { call, .. } => Some(Input::Observed { call: *call, observation: observation(*choice) }),
            Effect::Verify { call, verifier } => Some(Input::Verified {
                call: *call,
                verification: Verification {
                    verifier: *verifier,
                    holds: choice.is_multiple_of(2),
                    detail: String::new(),
                },
            }),
            _ => None,
        });
        let input = match kind % 16 {
            0 => Input::Started,
            1 => Input::Message { text: "hello".into() },
            2 => Input::Replied { call: u64::from(*choice), reply: reply(*choice), usage: Usage::default() },
            3 => Input::Observed { call: u64::from(*choice), observation: observation(*choice) },
            4 if *choice > 250 => Input::Cancelled,
            5 => Input::Closed { code: Code::Success },
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
        asked = closed.effects;
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
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_keeps_its_word(
        limits in limits(),
        entries in prop::bool::weighted(0.8),
        chances in prop::collection::vec((any::<u8>(), any::<u8>(), 0_u16..200), 0..120),
    ) {
        let manifest = Arc::new(manifest(limits, entries));
        let (run, frames) = play(&manifest, &chances)?;

        // At most one terminal event, and nothing after it.
        let ends = frames.iter().flat_map(|frame| &frame.events).filter(|event| matches!(event, Event::Ended { .. })).count();
        prop_assert!(ends <= 1);
        let last = frames.iter().position(Frame::is_terminal);
        prop_assert!(last.is_none_or(|at| at + 1 == frames.len()));
        prop_assert_eq!(ends == 1, matches!(run.status(), Status::Ended(_)));

        // Ended or suspended within f(B) inputs: a start, and for each step a reply, an
        // observation, a verification and a message; then what a person does.
        let bound = 2 + 4 * usize::try_from(limits.steps).unwrap_or(usize::MAX);
        let running = frames.iter().take_while(|frame| !frame.events.iter().any(|event| matches!(event, Event::Suspended { .. } | Event::Ended { .. }))).count();
        prop_assert!(running <= bound, "{running} inputs with {} steps", limits.steps);
        for frame in &frames {
            for event in &frame.events {
                if let Event::Suspended { code, .. } = event {
                    prop_assert!(code.may_suspend());
                }
            }
        }

        // What was spent stays within the caps, but for what only the world could know.
        let view = run.view();
        use countersign_kernel::contract::Dimension::{Steps, ToolCalls};
        prop_assert!(view.budget(Steps).used <= limits.steps);
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
