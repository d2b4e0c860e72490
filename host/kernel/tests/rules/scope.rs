//! What is in reach is settled before anything is spent; what the answer rests on is told before the end.

use super::*;

/// Tools, those withheld, memories, those lapsed, what is out of reach.
type Scope = (u32, Vec<Arc<str>>, u32, Vec<Arc<str>>, Vec<String>);

fn scoped(driven: &Loop) -> Vec<Scope> {
    let of = |event: &Event| match event {
        Event::Scoped { tools, withheld, memories, lapsed, out_of_reach, .. } => {
            Some((*tools, withheld.clone(), *memories, lapsed.clone(), out_of_reach.clone()))
        }
        _ => None,
    };
    driven.events.iter().filter_map(of).collect()
}

/// Criteria supported, facts and unverified claims of the final answer.
fn finalised(driven: &Loop) -> (Vec<String>, Vec<String>, Vec<String>) {
    let found = driven.events.iter().find_map(|event| match event {
        Event::Finalised { criteria, facts, unverified } => Some((criteria, facts, unverified)),
        _ => None,
    });
    let Some((criteria, facts, unverified)) = found else { panic!("nothing was finalised: {:#?}", driven.events) };
    let told = |all: &[countersign_kernel::Support]| all.iter().map(|one| format!("{} {}", one.of, one.call)).collect();
    (told(criteria), told(facts), unverified.iter().map(ToString::to_string).collect())
}

fn verified(mut tool: countersign_spec::Tool) -> countersign_spec::Tool {
    tool.verifier = Some(Verifier::ExitCode(0));
    tool
}

#[test]
fn a_goal_out_of_reach_ends_before_anything_is_spent() {
    let criterion = |tool: &str| Criterion { id: "c".into(), text: "c".into(), tool: tool.into() };
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Manifest));
    let far = |m: &mut Manifest, change: &dyn Fn(&mut countersign_spec::Tool)| {
        let mut tool = verified(reading("far"));
        change(&mut tool);
        add(m, tool);
        m.goal.criteria.push(criterion("far"));
    };
    let cases: [Case<'_>; 12] = [
        ("criterion `c`: tool `far` is outside the boundary", &|m| {
            m.tools.push(verified(reading("far")));
            m.goal.criteria.push(criterion("far"));
        }),
        ("criterion `c`: tool `far` needs the permission `orders`", &|m| {
            add(m, countersign_spec::Tool { permission: Some("orders".into()), ..verified(reading("far")) });
            m.goal.criteria.push(criterion("far"));
        }),
        ("step `s` of the task's plan: tool `far` needs the permission `orders`", &|m| {
            add(m, countersign_spec::Tool { permission: Some("orders".into()), ..reading("far") });
            m.plan = vec![step("s", "far", &[])];
        }),
        ("step `s` of the task's plan: there is no tool `nowhere`", &|m| m.plan = vec![step("s", "nowhere", &[])]),
        ("criterion `c`: tool `far` may be called 0 times", &|m| far(m, &|tool| tool.limits.calls = Some(0))),
        ("criterion `c`: tool `far` may be called 0 times", &|m| {
            far(m, &|tool| tool.limits.calls_per_minute = Some(0))
        }),
        ("criterion `c`: one call of tool `far` costs 7, and all of them may cost 6", &|m| {
            far(m, &|tool| (tool.cost, tool.limits.cost) = (7, Some(6)));
        }),
        ("criterion `c`: no tool call is within the ceilings", &|m| {
            far(m, &|_| {});
            (m.limits.tool_calls, m.ceilings.tool_calls) = (0, 0);
        }),
        ("criterion `c`: tool `far` comes after `near`: tool `near` is outside the boundary", &|m| {
            m.tools.push(reading("near"));
            far(m, &|tool| tool.cheaper = Some("near".into()));
        }),
        ("criterion `c`: tool `far` comes after `near`: tool `near` comes after `far`", &|m| {
            add(m, countersign_spec::Tool { cheaper: Some("far".into()), ..reading("near") });
            far(m, &|tool| tool.cheaper = Some("near".into()));
        }),
        ("criterion `c`: tool `far` needs `price`, and no other tool is within reach to read it", &|m| {
            m.boundary.tools.clear();
            far(m, &|tool| tool.needs_fresh = vec![Freshness { fact: "price".into(), within: 1000 }]);
        }),
        ("account-status must come from a tool", &|m| m.goal.needs = vec![Need::AccountStatus]),
    ];
    for (why, set) in cases {
        let ruled = Loop::start(with(set));
        assert_eq!(ended(&ruled), Some(Code::Impossible), "{why}");
        assert_eq!(ruled.count(|event| matches!(event, Event::ModelCalled { .. })), 0);
        let found = scoped(&ruled);
        assert!(found.len() == 1 && found[0].4.len() == 1 && found[0].4[0].starts_with(why), "{found:?}");
        // Without the rule the run tries.
        let tries = Loop::start(with(|m| {
            set(m);
            m.rules.reachable_goal = false;
        }));
        assert_ne!(ended(&tries), Some(Code::Impossible), "{why}");
        // A monitor says it and goes on.
        let watched = Loop::start(with(|m| {
            set(m);
            m.mode = Mode::Monitor;
        }));
        let said = |event: &Event| matches!(event, Event::WouldHave { by, .. } if **by == *"reachable goal");
        assert_eq!((ended(&watched) == Some(Code::Impossible), watched.count(said)), (false, 1), "{why}");
    }
}

#[test]
fn what_is_in_reach_is_told_and_told_again_after_an_answer() {
    let memory = |key: &str, tenure| Memory {
        key: key.into(),
        text: "t".into(),
        run: "before".into(),
        sources: vec![],
        written: Some(0),
        tenure,
    };
    let mut run = Loop::start(with(|m| {
        add(m, countersign_spec::Tool { permission: Some("orders".into()), ..reading("orders") });
        m.memory = vec![memory("kept", None), memory("old", Some(5))];
        m.started = 10;
    }));
    let told: Scope = (2, vec!["orders".into()], 1, vec!["old".into()], vec![]);
    assert_eq!(scoped(&run), std::slice::from_ref(&told));
    run.does(Action::Ask { question: "which?".into() });
    assert_eq!(suspended(&run), Some(Code::MissingInfo));
    run.decides(Decision::Answered { text: "this one".into() });
    assert_eq!(scoped(&run)[0], told);
}

#[test]
fn an_answer_rests_on_what_was_committed_and_still_holds() {
    let manifest = || {
        with(|m| {
            m.tools[1].verifier = Some(Verifier::ExitCode(0));
            add(m, verified(reading("look")));
            m.goal.criteria = vec![Criterion { id: "written".into(), text: "c".into(), tool: "write".into() }];
            m.rules.stop_when_complete = false;
        })
    };
    let mut run = Loop::start(manifest());
    run.does(call("look", 1)).answers("before").verifies(true, false);
    run.does(call("write", 1)).answers("done").verifies(true, false);
    run.does(call("read", 1)).answers("seen");
    run.does(finish(&["write", "look", "read", "write"]));
    assert_eq!(ended(&run), Some(Code::Success));
    // What was looked at before the change no longer holds; that it was looked at is true, and verified. Nothing
    // verifies what `read` says.
    let (criteria, facts, unverified) = finalised(&run);
    assert_eq!((criteria, facts), (vec!["written 1".to_owned()], vec!["write 1".to_owned()]));
    assert_eq!(unverified, ["read"]);

    let mut again = Loop::start(manifest());
    again.does(call("write", 1)).answers("done").verifies(true, false);
    again.does(call("look", 1)).answers("after").verifies(true, false);
    again.does(finish(&["look"]));
    let (_, facts, unverified) = finalised(&again);
    assert_eq!((facts, unverified), (vec!["look 1".to_owned(), "write 0".to_owned()], vec![]));

    // A run that was never done has no final answer.
    let mut given_up = Loop::start(manifest());
    given_up.does(Action::Abandon { reason: "no".into() });
    assert_eq!(given_up.count(|event| matches!(event, Event::Finalised { .. })), 0);
}

#[test]
fn one_policy_answers_what_does_not_join() {
    for slot in Slot::ALL {
        let one = entry(&[slot], PolicyMode::Enforce);
        let second = |mode| countersign_spec::EntryPin { name: "second".into(), ..entry(&[slot], mode) };
        let two = with(|m| m.entries = vec![one.clone(), second(PolicyMode::Enforce)]);
        let alone = slot.join() == countersign_kernel::contract::Join::One;
        match two.check() {
            Err(ManifestError::Invalid { key, .. }) => assert!(alone && key == "entries.second", "{slot}: {key}"),
            other => assert!(!alone && other.is_ok(), "{slot}: {other:?}"),
        }
        let watched = with(|m| m.entries = vec![one, second(PolicyMode::Monitor)]);
        assert!(watched.check().is_ok(), "{slot}: whoever only watches joins nothing");
    }
}
