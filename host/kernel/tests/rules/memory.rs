//! What is written, and what is not.

use super::*;

fn remember(sources: &[u64]) -> Action {
    Action::Write { state: StateKind::Memory, key: "k".into(), text: "t".into(), sources: sources.to_vec() }
}

#[test]
fn memories_are_written_after_verification_and_with_sources() {
    let written = |l: &Loop| l.count(|event| matches!(event, Event::MemoryWritten { .. }));
    let refused = |l: &Loop| l.count(|event| matches!(event, Event::WriteRefused { .. }));
    let run = |set: Setting, sources: &[u64]| {
        let mut l = Loop::start(with(|m| {
            *m = with_criteria(&["a", "b"]);
            set(m);
        }));
        l.does(call("a", 1)).answers("x").verifies(true, false).does(remember(sources));
        l.does(call("b", 1)).answers("x").verifies(true, false);
        l
    };
    let supported = run(|_| {}, &[0]);
    assert_eq!((ended(&supported), written(&supported)), (Some(Code::Success), 1));
    let kept = supported
        .effects()
        .iter()
        .any(|effect| matches!(effect, Effect::Remember(Memory { tenure: Some(_), sources, .. }) if *sources == [0]));
    assert!(kept, "with its sources and an end");
    for sources in [&[][..], &[7], &[0, 7]] {
        let unsupported = run(|_| {}, sources);
        assert_eq!((written(&unsupported), refused(&unsupported)), (0, 1), "{sources:?}");
        assert_eq!(written(&run(|m| m.rules.memory_sources = false, sources)), 1, "{sources:?}");
    }
    assert_eq!(written(&run(|m| m.limits.memory_writes = 0, &[0])), 0);
    assert_eq!(refused(&run(|m| m.boundary.writes = vec![], &[0])), 1);
    assert_eq!(refused(&run(|m| m.boundary.decisions = vec![DecisionRight::ChooseTool], &[0])), 1);
    let for_ever = run(|m| m.rules.memory_tenure = 0, &[0]);
    assert!(for_ever.effects().iter().any(|effect| matches!(effect, Effect::Remember(Memory { tenure: None, .. }))));
    // A run that does not succeed leaves nothing, and says so.
    let mut failed = Loop::start(with_criteria(&["a", "b"]));
    failed.does(call("a", 1)).answers("x").verifies(true, false).does(remember(&[0]));
    failed.does(Action::Abandon { reason: "no".into() });
    assert_eq!((ended(&failed), written(&failed), refused(&failed)), (Some(Code::Impossible), 0, 1));
    let mut at_once = Loop::start(with(|m| {
        *m = with_criteria(&["a", "b"]);
        m.rules.memory_after_verification = false;
    }));
    at_once.does(call("a", 1)).answers("x").verifies(true, false).does(remember(&[0]));
    assert_eq!(written(&at_once), 1);
    let mut unverified = Loop::start(manifest());
    unverified.does(remember(&[])).does(finish(&[]));
    assert_eq!((ended(&unverified), written(&unverified), refused(&unverified)), (Some(Code::Success), 0, 1));
    // Where memories need approval, a person gives it.
    let mut asked = Loop::start(with(|m| {
        *m = with_criteria(&["a", "b"]);
        m.boundary.asks = vec!["memory".into()];
    }));
    asked.does(call("a", 1)).answers("x").verifies(true, false).does(remember(&[0]));
    assert_eq!(suspended(&asked), Some(Code::ConfirmRequired));
    asked.approves().does(call("b", 1)).answers("x").verifies(true, false);
    assert_eq!(written(&asked), 1);
}

#[test]
fn a_model_writes_its_scratchpad_and_nothing_else() {
    for state in StateKind::ALL {
        let mut writes = Loop::start(with(|m| m.boundary.writes = StateKind::ALL.to_vec()));
        writes.does(Action::Write { state, key: "k".into(), text: "note".into(), sources: vec![] });
        let refused = writes.count(|event| matches!(event, Event::WriteRefused { .. }));
        assert_eq!(refused, usize::from(!state.model_may_propose()), "{state}");
    }
    let mut noted = Loop::start(manifest());
    noted.does(Action::Write { state: StateKind::Scratchpad, key: "k".into(), text: "note".into(), sources: vec![] });
    let pad = |l: &Loop| {
        l.effects().iter().any(|effect| match effect {
            Effect::CallModel { request, .. } => request.scratchpad.as_deref() == Some("note"),
            _ => false,
        })
    };
    assert!(pad(&noted), "the next step reads it");
    noted.does(call("read", 1)).answers("x");
    assert!(!pad(&noted), "the one after does not");
}

#[test]
fn memories_have_an_end() {
    let remembered = |tenure: Option<u64>, written: Option<u64>, at: u64| {
        let mut l = Loop::start(with(|m| {
            m.started = 1000;
            m.memory =
                vec![Memory { key: "k".into(), text: "t".into(), run: "r".into(), sources: vec![], written, tenure }];
        }));
        l.at = at;
        l.does(call("read", 1)).answers("x");
        l.effects().iter().any(|effect| match effect {
            Effect::CallModel { request, .. } => !request.memory.is_empty(),
            _ => false,
        })
    };
    assert!(remembered(None, Some(0), 1_000_000));
    assert!(remembered(Some(500), Some(900), 400));
    assert!(!remembered(Some(500), Some(900), 401));
    assert!(remembered(Some(500), None, 500), "without a date it counts from the start");
    assert!(!remembered(Some(500), None, 501));
}
