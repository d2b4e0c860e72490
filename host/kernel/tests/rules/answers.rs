//! Answers that cannot be read, or that nobody has counted.

use countersign_kernel::contract::Dimension;
use countersign_kernel::{Effect, ModelRequest, Purpose, StepReply, StepStatus, Usage};

use super::*;

fn invalid() -> Reply {
    Reply::Invalid { reason: "expected one JSON object".into(), bytes: 5, payload: "p".into() }
}

fn reads(unwrapped: Vec<countersign_kernel::Wrapping>) -> Reply {
    Reply::Step(StepReply {
        step: "s".into(),
        action: call("read", 1),
        reasoning: "r".into(),
        status: StepStatus::Ok,
        confidence: Some(0.9),
        signals: vec![],
        bytes: 10,
        unwrapped,
    })
}

/// What the model is asked now.
fn asked(run: &Loop) -> &ModelRequest {
    let request = run.effects().iter().find_map(|effect| match effect {
        Effect::CallModel { request, .. } => Some(request),
        _ => None,
    });
    request.unwrap_or_else(|| panic!("no model is asked: {:?}", run.effects()))
}

fn sent_back(run: &Loop) -> Vec<u32> {
    let attempt = |event: &Event| match event {
        Event::AnswerSentBack { attempt } => Some(*attempt),
        _ => None,
    };
    run.events.iter().filter_map(attempt).collect()
}

fn escalations(run: &Loop) -> usize {
    run.count(|event| matches!(event, Event::Escalated { .. }))
}

/// Two tiers, and one escalation.
fn two_tiers(set: impl FnOnce(&mut Manifest)) -> Manifest {
    with(|m| {
        m.models = vec![model(Tier::Cheap), model(Tier::Strong)];
        m.escalation.max_escalations = 1;
        set(m);
    })
}

#[test]
fn the_same_model_is_told_what_is_wrong_and_asked_again() {
    let mut l = Loop::start(two_tiers(|_| {}));
    assert_eq!(asked(&l).mend, None);
    for attempt in 1..=2 {
        l.replies(invalid());
        assert_eq!(asked(&l).mend.as_deref(), Some("expected one JSON object"));
        assert_eq!(l.run.view().budget(Dimension::Steps).used, attempt, "each is a call like any other");
    }
    l.does(call("read", 1)).answers("x");
    assert_eq!((sent_back(&l), escalations(&l), l.dispatched()), (vec![1, 2], 0, 1));
    assert_eq!(asked(&l).mend, None, "an answer in form settles it");
    // A later one is told as often.
    l.replies(invalid()).replies(invalid()).does(call("read", 2)).answers("y");
    assert_eq!((sent_back(&l), escalations(&l)), (vec![1, 2, 1, 2], 0));
}

#[test]
fn the_rule_says_how_often() {
    for most in [0, 1, 2, 5] {
        let mut l = Loop::start(with(|m| m.rules.answer_repairs = most));
        for _ in 0..most {
            l.replies(invalid());
            assert_eq!(l.status(), Status::Running);
        }
        l.replies(invalid());
        assert_eq!(ended(&l), Some(Code::ValidationFail), "{most}");
        assert_eq!(sent_back(&l), (1..=most).collect::<Vec<_>>());
    }
    let mut short = Loop::start(with(|m| m.limits.steps = 2));
    short.replies(invalid()).replies(invalid());
    assert_eq!(ended(&short), Some(Code::BudgetExhausted), "no budget is made for it");
}

#[test]
fn an_escalation_for_form_leaves_the_run_its_own() {
    let mut l = Loop::start(two_tiers(|m| m.escalation.failed_attempts = 1));
    l.replies(invalid()).replies(invalid()).replies(invalid());
    assert_eq!(escalations(&l), 1);
    assert!(matches!(asked(&l).purpose, Purpose::Patch(_)) && asked(&l).mend.is_none(), "{:?}", asked(&l));
    l.replies(Reply::Patch { text: "one object".into(), unwrapped: vec![] });
    // What the run needs help with still gets it, once.
    l.does(call("read", 1)).fails();
    assert_eq!(escalations(&l), 2);
    l.replies(Reply::Patch { text: "another file".into(), unwrapped: vec![] });
    l.does(call("read", 2)).fails();
    assert_eq!(escalations(&l), 2);
}

#[test]
fn advice_that_cannot_be_used_is_asked_for_again() {
    let mut l = Loop::start(two_tiers(|m| m.escalation.failed_attempts = 1));
    l.does(call("read", 1)).fails();
    l.replies(invalid());
    assert!(matches!(asked(&l).purpose, Purpose::Patch(_)));
    assert_eq!(asked(&l).mend.as_deref(), Some("expected one JSON object"));
    l.replies(Reply::Patch { text: "do that".into(), unwrapped: vec![] });
    assert_eq!((l.run.guidance().map(|text| &**text), escalations(&l)), (Some("do that"), 1));
    let mut never = Loop::start(two_tiers(|m| m.escalation.failed_attempts = 1));
    never.does(call("read", 1)).fails();
    never.replies(invalid()).replies(invalid()).replies(invalid());
    assert_eq!(suspended(&never), Some(Code::ReviewRequired), "a person looks, and the run is not lost");
}

#[test]
fn a_plan_that_cannot_be_read_is_asked_for_again() {
    let planning = |strong: bool| {
        let mut l = Loop::start(with(|m| {
            m.boundary.plans = PlanRule::Required;
            if strong {
                *m = two_tiers(|m| m.boundary.plans = PlanRule::Required);
            }
        }));
        l.replies(invalid()).replies(invalid());
        assert_eq!((sent_back(&l), asked(&l).purpose.clone()), (vec![1, 2], Purpose::Plan));
        l
    };
    let mut mended = planning(false);
    mended.does(Action::Plan { steps: vec![step("a", "read", &[])] });
    assert_eq!(mended.count(|event| matches!(event, Event::Planned { .. })), 1);
    let mut ends = planning(false);
    ends.replies(invalid());
    assert_eq!(ended(&ends), Some(Code::ValidationFail));
    let mut helped = planning(true);
    helped.replies(invalid());
    assert_eq!(escalations(&helped), 1);
}

#[test]
fn what_a_person_said_is_not_lost_with_an_answer() {
    let busy = || Reply::Unavailable { reason: "busy".into(), class: Unavailability::Transient, retry_after: None };
    for lost in [invalid as fn() -> Reply, busy] {
        let mut l = Loop::start(manifest());
        l.give(Input::Message { text: "only the first page".into() });
        l.give(Input::Replied { call: 0, reply: reads(vec![]), usage: Usage::default(), request: None });
        l.answers("x");
        assert_eq!(asked(&l).message.as_deref(), Some("only the first page"));
        l.replies(lost());
        assert_eq!(asked(&l).message.as_deref(), Some("only the first page"));
        l.does(call("read", 2)).answers("y");
        assert_eq!(asked(&l).message, None);
    }
}

#[test]
fn what_nobody_has_counted_is_booked_as_it_was_set_aside() {
    let mut l = Loop::start(manifest());
    let Some(lost) = l.run.lost() else { panic!("a model is asked") };
    let Input::Replied { usage, .. } = &lost else { panic!("{lost:?}") };
    let usage: Usage = *usage;
    let reserved = |dimension| l.run.view().budget(dimension).reserved;
    assert!(usage.estimated && usage.output_tokens == 100, "{usage:?}");
    assert_eq!((usage.input_tokens, usage.cost), (reserved(Dimension::InputTokens), reserved(Dimension::Cost)));
    l.give(lost);
    let used = |dimension| l.run.view().budget(dimension).used;
    assert_eq!((used(Dimension::OutputTokens), used(Dimension::Steps)), (100, 0));
    l.give(Input::Cancelled);
    assert_eq!(l.run.view().budget(Dimension::OutputTokens).used, 200, "it may well have been answered");
}

#[test]
fn what_was_set_aside_around_an_answer_changes_nothing() {
    let mut l = Loop::start(manifest());
    l.replies(reads(vec![countersign_kernel::Wrapping::CodeFence]));
    assert_eq!(l.dispatched(), 1);
}
