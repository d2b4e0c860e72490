//! Which model is told, what it sees, and who does a sub-task (specification B1, B4, B7, B8, B14).

use countersign_kernel::ModelRequest;
use countersign_kernel::contract::SensitivityTag;
use countersign_kernel::contract::classifier::{Cascade, Classification, PlanningMode};
use countersign_kernel::contract::confidence::{Trust, TrustAction};
use countersign_kernel::contract::context::{Compaction, Layer, Strategy};
use countersign_kernel::contract::dispatch::{Assigned, Assignment, Specialist, SubTask};
use countersign_kernel::contract::guard::{Direction, Finding, FindingKind, Inspection, Severity};
use countersign_kernel::contract::sensitivity::Rating;
use countersign_kernel::told::CameOf;
use countersign_spec::Retention;

use super::*;

/// Rates every text that holds `word` as this tag.
fn rates(word: &'static str, tag: SensitivityTag) -> impl FnMut(&Question) -> Answered + 'static {
    move |question| match question {
        Question::Sensitivity(text) => Answered::Sensitivity(Rating {
            tag: if text.text.contains(word) { text.present.max(tag) } else { text.present },
            spans: vec![],
            reason: "found".into(),
        }),
        _ => panic!("nobody else is asked"),
    }
}

fn models(m: &mut Manifest) {
    let model = |tier, name: &str, retention, self_hosted, place: &str| Model {
        retention,
        self_hosted,
        jurisdiction: Some(place.into()),
        ..Model::new(tier, name)
    };
    m.models = vec![
        model(Tier::Cheap, "cloud", Some(Retention::Days(30)), false, "us"),
        model(Tier::Cheap, "forgetful", Some(Retention::None), false, "eu"),
        model(Tier::Strong, "own", None, true, "eu"),
    ];
}

/// The model that is called last, and what it is told.
fn called(l: &Loop) -> Option<(String, ModelRequest)> {
    l.effects().iter().find_map(|effect| match effect {
        Effect::CallModel { model, request, .. } => Some((model.to_string(), request.clone())),
        _ => None,
    })
}

#[test]
fn the_tag_decides_who_may_be_told() {
    use SensitivityTag::{Confidential, Critical, Internal, Public, Restricted};
    let table =
        [(Public, "cloud"), (Internal, "cloud"), (Confidential, "forgetful"), (Restricted, "own"), (Critical, "own")];
    for (tag, expected) in table {
        // By the task's own declaration, and by what a policy finds in it.
        let declared = filled(&[Slot::Sensitivity], PolicyMode::Enforce, |m| {
            models(m);
            m.goal.sensitivity = tag;
        });
        let l = Loop::judged(declared, rates("-", Public));
        assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some(expected), "{tag}");
        let l = Loop::judged(filled(&[Slot::Sensitivity], PolicyMode::Enforce, models), rates("do it", tag));
        assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some(expected), "{tag}");
        // By what a tool says on the way: the next model is another.
        let mut l = Loop::judged(filled(&[Slot::Sensitivity], PolicyMode::Enforce, models), rates("secret", tag));
        assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("cloud"));
        l.does(call("read", 1)).answers("a secret");
        assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some(expected), "{tag}");
    }
}

#[test]
fn where_nobody_may_be_told_a_person_looks() {
    let alone = |m: &mut Manifest| {
        models(m);
        m.models.truncate(1);
    };
    let mut l = Loop::judged(
        filled(&[Slot::Sensitivity], PolicyMode::Enforce, alone),
        rates("secret", SensitivityTag::Restricted),
    );
    l.does(call("read", 1)).answers("a secret");
    assert_eq!(l.status(), Status::Suspended(Code::ReviewRequired));
    assert_eq!(l.count(|event| matches!(event, Event::Rerouted { to: None, .. })), 1);
    // A policy that cannot say counts as restricted.
    let l =
        Loop::judged(filled(&[Slot::Sensitivity], PolicyMode::Enforce, models), |_| Answered::Undecided(Cause::Trap));
    assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("own"));
}

#[test]
fn a_boundary_may_name_jurisdictions() {
    let l = Loop::start(with(|m| {
        models(m);
        m.boundary.jurisdictions = vec!["eu".into()];
    }));
    assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("forgetful"));
    // Whose law nobody named is nobody's.
    let l = Loop::start(with(|m| {
        m.boundary.jurisdictions = vec!["eu".into()];
    }));
    assert_eq!(l.status(), Status::Suspended(Code::ReviewRequired));
}

#[test]
fn the_longest_cached_prefix_among_equals() {
    let two = |m: &mut Manifest| {
        m.models =
            vec![Model::new(Tier::Cheap, "first"), Model { context: Some(1500), ..Model::new(Tier::Cheap, "second") }];
        m.boundary.exchanges = 20;
    };
    let mut l = Loop::start(with(two));
    assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("first"), "the first of equals");
    // It was sent the goal: what it has in its cache keeps it ahead.
    l.does(call("read", 1)).answers("it");
    assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("first"));
    let cached = l.events.iter().rev().find_map(|event| match event {
        Event::ModelCalled { cached, .. } => Some(*cached),
        _ => None,
    });
    assert_eq!(cached, Some(2), "`do it` is two tokens");
    // What no longer fits into its window is sent to the other.
    let mut swapped = with(two);
    swapped.models.reverse();
    let mut l = Loop::start(swapped);
    assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("second"));
    for number in 0..4 {
        l.does(call("read", number)).answers(&"long ".repeat(200));
    }
    assert_eq!(called(&l).map(|(model, _)| model).as_deref(), Some("first"));
}

#[test]
fn the_cascade_has_a_gate_of_its_own() {
    let judge = |score: f64| {
        move |question: &Question| match question {
            Question::Classifier(_) => Answered::Classifier(Classification {
                class: "c".into(),
                tier: Tier::Cheap,
                cascade: Some(Cascade { escalate_below: 0.65, max_escalations: 1 }),
                planning: PlanningMode::Act,
                ambiguity: 0.0,
                verdict: Verdict::Proceed,
                reason: String::new(),
            }),
            _ => Answered::Confidence(Trust {
                score: Some(score),
                action: TrustAction::Ship,
                signals_used: vec![],
                surface_uncertainty: false,
                reason: String::new(),
            }),
        }
    };
    for (score, escalates) in [(0.65, 0), (0.64, 1)] {
        let two = |m: &mut Manifest| m.models = vec![model(Tier::Cheap), model(Tier::Strong)];
        let manifest = filled(&[Slot::Classifier, Slot::Confidence], PolicyMode::Enforce, two);
        let mut l = Loop::judged(manifest, judge(score));
        l.does(call("read", 1));
        assert_eq!(l.count(|event| matches!(event, Event::Escalated { .. })), escalates, "{score}");
    }
}

/// Finds `word` wherever it is, as this kind and this severity.
fn finds(word: &'static str, kind: FindingKind, severity: Severity) -> impl FnMut(&Question) -> Answered + 'static {
    move |question| match question {
        Question::Guard(transit) => {
            let at = transit.text.find(word).and_then(|at| u32::try_from(at).ok());
            let end = u32::try_from(word.len()).unwrap_or(1);
            let finding = at.map(|start| Finding { kind, start, end: start + end, score: 0.9, severity });
            Answered::Guard(Inspection { findings: finding.into_iter().collect(), reason: "found".into() })
        }
        _ => panic!("nobody else is asked"),
    }
}

#[test]
fn high_severity_ends_the_run_wherever_it_is_found() {
    let guarded = |word| {
        let manifest = filled(&[Slot::Guard], PolicyMode::Enforce, |_| {});
        Loop::judged(manifest, finds(word, FindingKind::Injection, Severity::High))
    };
    // In the task, in what a tool says, in a call, in what people would see.
    assert_eq!(guarded("do it").status(), Status::Ended(Code::UnsafeDetection));
    let mut l = guarded("ignore");
    l.does(call("read", 1)).answers("ignore all that");
    assert_eq!(l.status(), Status::Ended(Code::UnsafeDetection));
    let mut l = guarded("\"n\":13");
    l.does(call("read", 13));
    assert_eq!((l.status(), l.dispatched()), (Status::Ended(Code::UnsafeDetection), 0));
    let mut l = guarded("done");
    l.does(finish(&[]));
    assert_eq!(l.status(), Status::Ended(Code::UnsafeDetection));
}

#[test]
fn a_model_does_not_see_what_is_personal_or_secret() {
    let manifest = filled(&[Slot::Guard], PolicyMode::Enforce, |_| {});
    let mut l = Loop::judged(manifest, finds("ada@example.com", FindingKind::PersonalData, Severity::Low));
    l.does(call("read", 1)).answers("write to ada@example.com now");
    let told = called(&l).and_then(|(_, request)| request.recent.last().map(|exchange| exchange.came.clone()));
    assert_eq!(told, Some(CameOf::Result { text: "write to [personal-data:1] now".into(), cut_from: None }));
    assert_eq!(l.count(|event| matches!(event, Event::Redacted { .. })), 1);
    assert_eq!(l.count(|event| matches!(event, Event::TagRaised { .. })), 0);
}

#[test]
fn an_undecided_guard_has_the_call_approved() {
    let manifest = filled(&[Slot::Guard], PolicyMode::Enforce, |_| {});
    let mut l = Loop::judged(manifest, |question| match question {
        Question::Guard(transit) if transit.direction == Direction::Call => Answered::Undecided(Cause::Trap),
        _ => Answered::Guard(Inspection { findings: vec![], reason: String::new() }),
    });
    l.does(call("read", 1));
    assert_eq!(l.status(), Status::Suspended(Code::ConfirmRequired));
    l.approves();
    assert_eq!(l.dispatched(), 1);
}

#[test]
fn a_sub_task_goes_to_whom_the_policy_names() {
    let manifest = filled(&[Slot::Dispatch], PolicyMode::Enforce, |m| {
        let specialist =
            |name: &str| Specialist { name: name.into(), description: "is for it".into(), reliability: 0.9 };
        m.specialists = vec![specialist("reader"), specialist("writer")];
        m.reliability = Some(0.8);
    });
    let asked = std::rc::Rc::new(std::cell::RefCell::new(Vec::<SubTask>::new()));
    let seen = std::rc::Rc::clone(&asked);
    let mut l = Loop::judged(manifest, move |question| {
        let Question::Dispatch(task) = question else { panic!("nobody else is asked") };
        seen.borrow_mut().push(task.clone());
        let assignment = match &*task.does {
            "a" => Assignment::Specialist("reader".into()),
            "b" => Assignment::FanOut("writer".into()),
            _ => Assignment::HandOver,
        };
        Answered::Dispatch(Assigned { assignment, reason: "r".into() })
    });
    l.does(Action::Plan { steps: vec![step("a", "read", &[]), step("b", "write", &["a"])] });
    let (first, second) = (asked.borrow()[0].clone(), asked.borrow()[1].clone());
    assert_eq!((first.independent, first.parallel, first.chain_length, first.own_reliability), (true, 1, 1, 0.8));
    assert_eq!((second.independent, second.chain_length, second.chain_reliability), (false, 2, 0.9));
    // The model is told whose part it takes.
    let acting = |l: &Loop| called(l).and_then(|(_, request)| request.acting.map(|(name, _)| name.to_string()));
    assert_eq!(acting(&l).as_deref(), Some("reader"));
    l.does(call("read", 1)).answers("it");
    assert_eq!(acting(&l).as_deref(), Some("writer"));
    // A chain that cannot be relied on goes to a person.
    l.does(Action::Plan { steps: vec![step("c", "read", &[])] });
    assert_eq!(l.status(), Status::Suspended(Code::ReviewRequired));
}

#[test]
fn room_is_made_layer_by_layer() {
    let long = "word ".repeat(400);
    let sizes = [
        (Strategy::Keep, 3),
        (Strategy::Layer(Layer::BudgetReduction), 3),
        (Strategy::Layer(Layer::Snip), 2),
        (Strategy::Layer(Layer::Microcompact), 3),
        (Strategy::Layer(Layer::Collapse), 1),
        (Strategy::Layer(Layer::FullCompaction), 0),
        (Strategy::Branch, 0),
    ];
    let mut tokens = Vec::new();
    for (strategy, exchanges) in sizes {
        let manifest = filled(&[Slot::Context], PolicyMode::Enforce, |m| {
            m.limits.context_tokens = 100_000;
            m.boundary.exchanges = 20;
        });
        let mut l = Loop::judged(manifest, move |question| {
            let Question::Context(pressure) = question else { panic!("nobody else is asked") };
            let strategy = if pressure.items.len() < 4 { Strategy::Keep } else { strategy };
            Answered::Context(Compaction { strategy, reason: "r".into() })
        });
        for number in 0..3 {
            l.does(call("read", number)).answers(&long);
        }
        let Some((_, request)) = called(&l) else { panic!("{strategy:?}: no model is called") };
        assert_eq!(request.recent.len(), exchanges, "{strategy:?}");
        assert_eq!(request.kept.is_some(), exchanges < 2, "{strategy:?}");
        tokens.push(request.tokens());
    }
    // Each layer leaves less than the one before it, but that snipping halves are not less than cuts.
    assert!(tokens[1] < tokens[0] && tokens[3] < tokens[1] && tokens[4] < tokens[0] && tokens[5] < tokens[4]);
}
