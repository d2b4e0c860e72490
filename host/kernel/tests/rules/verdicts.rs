//! What the answers of policies do.

use super::*;

#[test]
fn a_reviewer_has_so_much_time() {
    // Three notices of a policy would come by its verdicts; here the failing patch asks for review.
    let mut stronger = with(|m| m.models = vec![model(Tier::Cheap), model(Tier::Strong)]);
    stronger.escalation.max_escalations = 1;
    let mut helped = Loop::start(stronger);
    let prose = |run: &mut Loop| {
        for _ in 0..3 {
            run.replies(Reply::Invalid { reason: "prose".into(), bytes: 5, payload: "p".into() });
        }
    };
    prose(&mut helped);
    assert_eq!(helped.count(|event| matches!(event, Event::Escalated { .. })), 1);
    helped.replies(Reply::Patch { text: "do this".into(), unwrapped: vec![] });
    assert_eq!(helped.run.guidance().map(|text| &**text), Some("do this"));
    prose(&mut helped);
    assert_eq!(ended(&helped), Some(Code::ValidationFail), "one escalation and no more");
}

const VERDICTS: [Verdict; 8] = [
    Verdict::Proceed,
    Verdict::Log,
    Verdict::Notify,
    Verdict::Replan,
    Verdict::Escalate,
    Verdict::Ask,
    Verdict::Deny,
    Verdict::Terminate,
];

#[test]
fn what_each_verdict_of_the_risk_slot_does() {
    use countersign_kernel::contract::risk::Assessment;
    for verdict in VERDICTS {
        let judge = move |_: &Question| Answered::Risk(Assessment { verdict, score: 0.5, reason: "r".into() });
        let mut judged = Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, |_| {}), judge);
        judged.does(call("write", 1));
        let expected = match verdict {
            Verdict::Proceed | Verdict::Log | Verdict::Notify => (1, Status::Running),
            Verdict::Replan | Verdict::Deny => (0, Status::Running),
            Verdict::Escalate => (0, Status::Suspended(Code::ReviewRequired)),
            Verdict::Ask => (0, Status::Suspended(Code::ConfirmRequired)),
            Verdict::Terminate => (0, Status::Ended(Code::UnsafeDetection)),
        };
        assert_eq!((judged.dispatched(), judged.status()), expected, "{verdict}");
        assert_eq!(
            judged.count(|event| matches!(event, Event::Notified { .. })),
            usize::from(verdict == Verdict::Notify)
        );
        assert_eq!(
            judged.count(|event| matches!(event, Event::Replanned { .. })),
            usize::from(verdict == Verdict::Replan)
        );
        // The same slot in monitor mode blocks nothing and is heard all the same.
        let mut watched = Loop::judged(filled(&[Slot::Risk], PolicyMode::Monitor, |_| {}), judge);
        watched.does(call("write", 1));
        assert_eq!(watched.dispatched(), 1, "{verdict} in monitor mode");
        let told = watched.count(|event| matches!(event, Event::WouldHave { .. }));
        assert_eq!(told, usize::from(verdict > Verdict::Notify), "{verdict}");
        // No verdict loosens a ceiling.
        let payment = |m: &mut Manifest| m.tools[1].category = ToolCategory::Payment;
        let mut ceiling = Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, payment), judge);
        ceiling.does(call("write", 1));
        assert_eq!(ceiling.dispatched(), 0, "{verdict} and a ceiling");
    }
}

#[test]
fn what_each_verdict_of_the_loop_detector_does() {
    use countersign_kernel::contract::doom_loop::{Handoff, Signal, Trip, TripReason};
    let trip = |handoff| Signal::Trip(Trip { reason: TripReason::NoProgress, evidence: "e".into(), handoff });
    let cases = [
        (Signal::Steady, Status::Running),
        (Signal::Caution("c".into()), Status::Running),
        (Signal::Warning("w".into()), Status::Running),
        (trip(Handoff::Replan), Status::Running),
        (trip(Handoff::Escalate), Status::Suspended(Code::ReviewRequired)),
        (trip(Handoff::Ask), Status::Suspended(Code::ReviewRequired)),
        (trip(Handoff::Terminate), Status::Ended(Code::RepeatedFailure)),
    ];
    for (signal, status) in cases {
        // After a good answer, a failed one, a refused call, and mere words.
        let scripts: [fn(&mut Loop); 4] = [
            |l| {
                l.does(call("read", 1)).answers("x");
            },
            |l| {
                l.does(call("read", 1)).fails();
            },
            |l| {
                l.does(call("dream", 1));
            },
            |l| {
                l.does(Action::Say { text: "hm".into(), key: Key(1) });
            },
        ];
        for (number, script) in scripts.into_iter().enumerate() {
            let said = signal.clone();
            let manifest = filled(&[Slot::DoomLoop], PolicyMode::Enforce, |_| {});
            let mut judged = Loop::judged(manifest, move |_| Answered::DoomLoop(said.clone()));
            script(&mut judged);
            assert_eq!(judged.status(), status, "{signal:?}, script {number}");
            let over = status != Status::Running;
            let circles =
                judged.count(|event| matches!(event, Event::Incomplete { kind: IncompleteKind::PoliteLoop, .. }));
            assert_eq!(circles, usize::from(over), "{signal:?}, script {number}: going in circles is told");
        }
    }
}

#[test]
fn an_estimate_ends_a_run_that_cannot_be_finished() {
    use countersign_kernel::contract::estimator::{Forecast, Interval};
    let run = |lower: u64, change: fn(&mut Manifest)| {
        let manifest = filled(&[Slot::Estimator], PolicyMode::Enforce, |m| {
            m.goal.step_estimate = Some(9);
            change(m);
        });
        let estimate = move |_: &Question| {
            let interval = Interval { dimension: Dimension::Steps, lower, upper: 99 };
            Answered::Estimator(Forecast { intervals: vec![interval], reason: String::new() })
        };
        let mut judged = Loop::judged(manifest, estimate);
        judged.does(call("read", 1)).answers("x");
        judged
    };
    // Twenty steps, one used.
    assert_eq!(run(19, |_| {}).status(), Status::Running, "exactly what is left is enough");
    let short = run(20, |_| {});
    assert_eq!(ended(&short), Some(Code::BudgetExhausted));
    assert_eq!(short.count(|event| matches!(event, Event::WillNotSuffice { lower: 20, left: 19, .. })), 1);
    // Where nobody knows how much there is to do, nobody is asked.
    let unknown = run(20, |m| m.goal.step_estimate = None);
    assert_eq!(unknown.count(|event| matches!(event, Event::Verdict { slot: Slot::Estimator, .. })), 0);
    // Undecided: the failure verdict, here a person.
    let manifest = filled(&[Slot::Estimator], PolicyMode::Enforce, |m| m.goal.step_estimate = Some(9));
    let mut undecided = Loop::judged(manifest, |_| Answered::Undecided(Cause::Trap));
    undecided.does(call("read", 1)).answers("x");
    assert_eq!(suspended(&undecided), Some(Code::ReviewRequired));
    // What is asked: criteria by the tools they hang on, else the plan.
    let counted = |change: fn(&mut Manifest), script: fn(&mut Loop)| {
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let sink = std::rc::Rc::clone(&seen);
        let manifest = filled(&[Slot::Estimator], PolicyMode::Enforce, change);
        let mut judged = Loop::judged(manifest, move |question| {
            if let Question::Estimator(progress) = question {
                sink.borrow_mut().push((progress.done, progress.total));
            }
            Answered::Estimator(Forecast { intervals: vec![], reason: String::new() })
        });
        script(&mut judged);
        seen.borrow().clone()
    };
    let criteria: fn(&mut Manifest) = |m| {
        for (id, tool) in [("a", "x"), ("b", "x"), ("c", "y")] {
            m.goal.criteria.push(Criterion { id: id.into(), text: "c".into(), tool: tool.into() });
        }
        for name in ["x", "y"] {
            add(m, countersign_spec::Tool { verifier: Some(Verifier::ExitCode(0)), ..reading(name) });
        }
    };
    let seen = counted(criteria, |l| {
        l.does(call("read", 1)).answers("x").does(call("x", 1)).answers("x").verifies(true, false);
    });
    assert_eq!(seen, [(0, 2), (1, 2)]);
    let seen = counted(
        |_| {},
        |l| {
            l.does(plan(vec![step("a", "read", &[]), step("b", "read", &["a"])]));
            l.does(call("read", 1)).answers("x");
        },
    );
    assert_eq!(seen, [(1, 2)]);
}

#[test]
fn what_the_confidence_slot_lets_pass() {
    use countersign_kernel::contract::confidence::{Resampling, Trust, TrustAction};
    let resample = TrustAction::Resample(Resampling { temperature: 0.7, samples: 5 });
    for (action, dispatched, status) in [
        (TrustAction::Ship, 1, Status::Running),
        (resample, 1, Status::Running),
        (TrustAction::Escalate, 0, Status::Suspended(Code::LowConfidence)),
        (TrustAction::Abstain, 0, Status::Suspended(Code::LowConfidence)),
    ] {
        let manifest = filled(&[Slot::Confidence], PolicyMode::Enforce, |_| {});
        let mut judged = Loop::judged(manifest, move |_| {
            Answered::Confidence(Trust {
                score: Some(0.5),
                action,
                signals_used: vec![],
                surface_uncertainty: false,
                reason: String::new(),
            })
        });
        judged.does(call("read", 1));
        assert_eq!((judged.dispatched(), judged.status()), (dispatched, status));
    }
}

#[test]
fn what_the_classifier_decides() {
    use countersign_kernel::contract::classifier::{Cascade, Classification, PlanningMode};
    let two = |m: &mut Manifest| m.models = vec![model(Tier::Cheap), model(Tier::Strong)];
    for (verdict, status) in [
        (Verdict::Proceed, Status::Running),
        (Verdict::Notify, Status::Running),
        (Verdict::Ask, Status::Suspended(Code::AmbiguousIntent)),
        (Verdict::Deny, Status::Ended(Code::UnsafeDetection)),
    ] {
        let judged = Loop::judged(filled(&[Slot::Classifier], PolicyMode::Enforce, two), move |_| {
            Answered::Classifier(Classification {
                class: "c".into(),
                tier: Tier::Strong,
                cascade: Some(Cascade { escalate_below: 0.5, max_escalations: 1 }),
                planning: PlanningMode::Act,
                ambiguity: 0.0,
                verdict,
                reason: "r".into(),
            })
        });
        assert_eq!(judged.status(), status, "{verdict}");
        assert_eq!(judged.run.class(), Some("c"));
        let strong =
            judged.effects().iter().any(|effect| matches!(effect, Effect::CallModel { tier: Tier::Strong, .. }));
        assert_eq!(strong, status == Status::Running);
    }
    // The answer to a question of the user's leads through scope and budget to the first step.
    let mut asked =
        Loop::judged(filled(&[Slot::Classifier], PolicyMode::Enforce, two), |_| Answered::Undecided(Cause::Trap));
    assert_eq!(suspended(&asked), Some(Code::AmbiguousIntent));
    asked.decides(Decision::Answered { text: "this one".into() });
    assert_eq!(asked.status(), Status::Running);
}

#[test]
fn what_the_risk_slot_is_told() {
    use countersign_kernel::contract::risk::{Assessment, Novelty};
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let sink = std::rc::Rc::clone(&seen);
    let manifest = filled(&[Slot::Risk], PolicyMode::Enforce, |m| m.goal.compliance = Compliance::Pii);
    let mut l = Loop::judged(manifest, move |question| {
        if let Question::Risk(action) = question {
            sink.borrow_mut().push((action.novelty, action.compliance, action.blast_radius));
        }
        Answered::Risk(Assessment { verdict: Verdict::Proceed, score: 0.5, reason: String::new() })
    });
    l.does(call("read", 1)).answers("x").does(call("read", 2)).answers("x").does(call("read", 1)).answers("x");
    let Action::Call { tool, arguments, key, invalid, missing, payload, .. } = call("write", 1) else { return };
    let touches = Touched { records: Some(40), ..Touched::default() };
    l.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
    let told = seen.borrow();
    let novelties: Vec<Novelty> = told.iter().map(|(novelty, _, _)| *novelty).collect();
    assert_eq!(novelties, [Novelty::NewTool, Novelty::NewArguments, Novelty::Repeated, Novelty::NewTool]);
    assert!(told.iter().all(|(_, compliance, _)| *compliance == Compliance::Pii), "the stricter of goal and tool");
    assert_eq!(told[3].2, Some(40), "what the arguments say goes before what the registry says");
}

#[test]
fn policies_see_the_last_steps_and_no_more_of_a_text_than_they_may() {
    use countersign_kernel::contract::risk::Assessment;
    use countersign_kernel::contract::view::{Answer, Query, RunView};
    let seen = std::rc::Rc::new(std::cell::RefCell::new(0));
    let sink = std::rc::Rc::clone(&seen);
    let mut l = Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, |_| {}), move |question| {
        if let Question::Risk(action) = question {
            *sink.borrow_mut() = action.arguments.len();
        }
        Answered::Risk(Assessment { verdict: Verdict::Proceed, score: 0.5, reason: String::new() })
    });
    l.does(call("read", 1)).answers("x").does(call("dream", 1));
    let Some(Answer::RecentSteps(Some(steps))) = l.run.view().read(&Query::RecentSteps(9)) else {
        panic!("the view tells the last steps")
    };
    assert_eq!(steps.iter().map(|step| step.failed).collect::<Vec<_>>(), [false, true]);
    let Action::Call { tool, key, invalid, missing, payload, touches, .. } = call("write", 1) else { return };
    let arguments = "x".repeat(70_000).into();
    l.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
    assert_eq!(*seen.borrow(), 64 << 10);
}

#[test]
fn a_loop_goes_up_once_before_it_is_a_polite_one() {
    use countersign_kernel::contract::doom_loop::{Handoff, Signal, Trip, TripReason};
    let circles = |escalations: u32, strong: bool| {
        let manifest = filled(&[Slot::DoomLoop], PolicyMode::Enforce, |m| {
            m.escalation.max_escalations = escalations;
            if strong {
                m.models = vec![model(Tier::Cheap), model(Tier::Strong)];
            }
        });
        let trip = Trip { reason: TripReason::NoProgress, evidence: "e".into(), handoff: Handoff::Escalate };
        let mut l = Loop::judged(manifest, move |_| Answered::DoomLoop(Signal::Trip(trip.clone())));
        l.does(call("read", 1)).answers("x");
        let told = l.count(|event| matches!(event, Event::Incomplete { kind: IncompleteKind::PoliteLoop, .. }));
        (told, l.count(|event| matches!(event, Event::Escalated { .. })))
    };
    assert_eq!(circles(1, true), (0, 1));
    assert_eq!(circles(0, true), (1, 0));
    assert_eq!(circles(1, false), (1, 0));
}
