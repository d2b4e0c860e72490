//! Caps, waits, repairs: what bounds a run.

use super::*;

/// What the ledger and the vector count, each to the last unit.
#[test]
fn budgets_are_reserved_and_settled() {
    fn touching(touches: Touched) -> Action {
        let Action::Call { tool, arguments, key, invalid, missing, payload, .. } = call("write", 1) else {
            return call("write", 1);
        };
        Action::Call { tool, arguments, key, invalid, missing, payload, touches }
    }
    let touched = Touched { records: Some(3), money: Some(500), recipients: Some(2) };
    type Cap = (Dimension, fn(&mut Manifest, u64), u64);
    let caps: [Cap; 8] = [
        (Dimension::ToolCalls, |m, cap| m.limits.tool_calls = cap, 1),
        (Dimension::ExternalCalls, |m, cap| m.limits.external_calls = cap, 1),
        (Dimension::SideEffects, |m, cap| m.limits.side_effects = cap, 1),
        (Dimension::RecordsTouched, |m, cap| m.limits.records_touched = cap, 3),
        (Dimension::MoneyMoved, |m, cap| m.limits.money_moved = cap, 500),
        (Dimension::RecipientsReached, |m, cap| m.limits.recipients_reached = cap, 2),
        // One model call of 110 micro-dollars before it, and what the next may cost.
        (Dimension::Cost, |m, cap| m.limits.cost = cap + 110 + 360, 25),
        (Dimension::MemoryWrites, |m, cap| m.limits.memory_writes = cap, 0),
    ];
    for (dimension, set, amount) in caps {
        let prepared = |cap: u64| {
            with(|m| {
                m.tools[1].external = true;
                m.tools[1].cost = 25;
                m.rules.duplicate_actions = false;
                set(m, cap);
            })
        };
        let mut fits = Loop::start(prepared(amount));
        fits.does(touching(touched));
        assert_eq!(fits.dispatched(), 1, "{dimension}: exactly what is left is enough");
        fits.answers("x");
        if amount > 1 && dimension != Dimension::Cost {
            let mut short = Loop::start(prepared(amount - 1));
            short.does(touching(touched));
            assert_eq!((short.dispatched(), ended(&short)), (0, Some(Code::BudgetExhausted)), "{dimension}");
        }
    }
    // What did nothing is not booked, what was not dispatched neither.
    for outcome in [Outcome::Rejected, Outcome::Unauthenticated] {
        let mut nothing = Loop::start(manifest());
        nothing.does(call("write", 1)).observes(Observation::new(outcome, "".into()));
        assert_eq!(nothing.run.view().budget(Dimension::SideEffects).used, 0);
        assert_eq!(nothing.run.view().budget(Dimension::ToolCalls).used, 1);
    }
    let mut counted = Loop::start(with(|m| m.tools[1].external = true));
    counted.does(touching(touched)).answers("x");
    let used = |dimension| counted.run.view().budget(dimension).used;
    assert_eq!(used(Dimension::RecordsTouched), 3);
    assert_eq!((used(Dimension::MoneyMoved), used(Dimension::RecipientsReached)), (500, 2));
    assert_eq!((used(Dimension::ExternalCalls), used(Dimension::SideEffects)), (1, 1));
    assert_eq!((used(Dimension::Steps), used(Dimension::InputTokens), used(Dimension::OutputTokens)), (1, 100, 10));
}

#[test]
fn model_calls_are_within_the_caps() {
    let caps: [(Dimension, Setting); 4] = [
        (Dimension::Steps, |m| m.limits.steps = 1),
        (Dimension::InputTokens, |m| m.limits.input_tokens = 300),
        (Dimension::OutputTokens, |m| m.limits.output_tokens = 109),
        (Dimension::Cost, |m| m.limits.cost = 460),
    ];
    for (dimension, set) in caps {
        let mut capped = Loop::start(with(set));
        assert_eq!(capped.status(), Status::Running, "{dimension}: the first call fits");
        capped.does(call("read", 1)).answers("x");
        assert_eq!(ended(&capped), Some(Code::BudgetExhausted), "{dimension}");
        let named =
            capped.count(|event| matches!(event, Event::BudgetRefused { dimension: found, .. } if *found == dimension));
        assert_eq!(named, 1, "{dimension}");
    }
    let mut late = Loop::start(with(|m| m.limits.running_time = 100));
    late.at = 100;
    late.does(call("read", 1));
    assert_eq!(late.status(), Status::Running);
    late.at = 101;
    late.answers("x");
    assert_eq!(ended(&late), Some(Code::Timeout));
    // Waiting for a person costs no running time.
    let mut waiting = Loop::start(with(|m| {
        m.limits.running_time = 100;
        m.tools[1].approval = Some(ApprovalRule::Always);
    }));
    waiting.does(call("write", 1));
    waiting.at = 5000;
    waiting.approves();
    assert_eq!((waiting.status(), waiting.dispatched()), (Status::Running, 1));
}

#[test]
fn a_release_raises_a_cap_up_to_the_ceiling() {
    let frozen = |ceiling: u64| {
        with(|m| {
            m.limits.steps = 1;
            m.ceilings.steps = ceiling;
            let mut graph = (*m.graph).clone();
            for edge in &mut graph.interrupts {
                if edge.on == countersign_spec::graph::Exit::OverBudget {
                    edge.to = "escalate".into();
                }
            }
            m.graph = Arc::new(graph);
        })
    };
    let mut released = Loop::start(frozen(9));
    released.does(call("read", 1)).answers("x");
    assert_eq!((suspended(&released), released.run.wanted()), (Some(Code::BudgetExhausted), Some(Wanted::Release)));
    released.decides(Decision::Released { extra: [(Dimension::Steps, 5)].into() });
    assert_eq!((released.status(), released.run.view().budget(Dimension::Steps).limit), (Status::Running, 6));
    let mut ceiling = Loop::start(frozen(2));
    ceiling.does(call("read", 1)).answers("x").decides(Decision::Released { extra: [(Dimension::Steps, 5)].into() });
    assert_eq!(ceiling.run.view().budget(Dimension::Steps).limit, 2);
}

#[test]
fn reflection_is_for_a_diagnosis() {
    let reflect = || Action::Reflect { about: "style".into() };
    let mut refused = Loop::start(manifest());
    refused.does(reflect());
    assert_eq!(refused.count(|event| matches!(event, Event::ReflectionRefused { .. })), 1);
    let mut free = Loop::start(with(|m| {
        m.rules.diagnosed_reflection = false;
        m.limits.reflections = 1;
    }));
    free.does(reflect());
    assert_eq!(free.run.view().budget(Dimension::Reflections).used, 1);
    free.does(reflect());
    assert_eq!(free.count(|event| matches!(event, Event::ReflectionRefused { .. })), 1, "its passes are used up");
    // A failed verification calls for one.
    let verified = || with(|m| m.tools[0].verifier = Some(Verifier::ExitCode(0)));
    let mut diagnosed = Loop::start(verified());
    diagnosed.does(call("read", 1)).answers("x").verifies(false, false);
    assert_eq!(diagnosed.count(|event| matches!(event, Event::Reflecting { .. })), 1);
    diagnosed.does(call("read", 2)).answers("x").verifies(false, false);
    assert_eq!(diagnosed.count(|event| matches!(event, Event::Reflecting { .. })), 1, "one pass");
    let mut never = Loop::start(with(|m| {
        *m = verified();
        m.rules.validation_reflections = 0;
    }));
    never.does(call("read", 1)).answers("x").verifies(false, false);
    assert_eq!(never.count(|event| matches!(event, Event::Reflecting { .. })), 0);
}

#[test]
fn repairs_are_bounded_by_the_smallest_cap() {
    // Attempts at one step, failures in a row, the budget's retries.
    let failing = |set: Setting, same: bool| {
        let mut failing = Loop::start(with(set));
        let mut calls = 0;
        while failing.status() == Status::Running && calls < 9 {
            calls += 1;
            let action = call("read", calls);
            if same {
                failing.says("look", action)
            } else {
                failing.does(action)
            };
            failing.fails();
        }
        (calls, ended(&failing))
    };
    let over = Some(Code::RepeatedFailure);
    assert_eq!(failing(|m| m.escalation.failed_attempts = 2, true), (2, over));
    assert_eq!(failing(|m| m.rules.repairs = 4, false), (5, over));
    assert_eq!(
        failing(
            |m| {
                m.rules.repairs = 9;
                m.limits.retries = 1;
            },
            false
        ),
        (2, over)
    );
    // A success starts anew.
    let mut anew = Loop::start(with(|m| m.rules.repairs = 1));
    for number in [1, 3, 5] {
        anew.does(call("read", number)).fails().does(call("read", number + 1)).answers("x");
    }
    assert_eq!(anew.status(), Status::Running);
    assert_eq!(anew.run.view().budget(Dimension::Retries).used, 0);
}

#[test]
fn what_may_be_tried_again() {
    let outcomes = [Outcome::Infrastructure, Outcome::TimedOut];
    for outcome in outcomes {
        // A reading, and a change that may be repeated; with the same key each time.
        for (tool, idempotent) in [("read", false), ("write", true)] {
            let mut again = Loop::start(with(|m| m.tools[1].idempotent = idempotent));
            again.does(call(tool, 1)).observes(Observation::new(outcome, "".into()));
            assert_eq!((again.dispatched(), again.at > 0), (2, true), "{tool} {outcome:?}");
            again.answers("x");
            let keys: Vec<_> = again
                .events
                .iter()
                .filter_map(|event| match event {
                    Event::Dispatched { call, idempotency_key, .. } => Some((*call, idempotency_key.clone())),
                    _ => None,
                })
                .collect();
            assert_eq!(keys[0], keys[1]);
            assert_eq!(keys[0].1.is_some(), tool == "write");
        }
        let mut never = Loop::start(manifest());
        never.does(call("write", 1)).observes(Observation::new(outcome, "".into()));
        assert_eq!(never.dispatched(), 1, "{outcome:?}: its outcome is unknown");
    }
    // Twice more and no further, each time after a longer wait.
    let mut storm = Loop::start(manifest());
    storm.does(call("read", 1));
    for _ in 0..3 {
        storm.observes(Observation::new(Outcome::Infrastructure, "".into()));
    }
    assert_eq!(storm.dispatched(), 3);
    let waits: Vec<u64> = storm
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Retrying { wait, .. } => Some(*wait),
            _ => None,
        })
        .collect();
    assert!(waits.len() == 2 && (500..=750).contains(&waits[0]) && (1000..=1500).contains(&waits[1]), "{waits:?}");
    let mut off = Loop::start(with(|m| m.rules.retry.attempts = 0));
    off.does(call("read", 1)).observes(Observation::new(Outcome::Infrastructure, "".into()));
    assert_eq!(off.dispatched(), 1);
    // A model that is busy is asked again, one that is gone is not.
    let mut busy = Loop::start(manifest());
    busy.is_unavailable(Unavailability::Transient).is_unavailable(Unavailability::Transient);
    assert_eq!(busy.status(), Status::Running);
    busy.is_unavailable(Unavailability::Transient);
    assert_eq!(ended(&busy), Some(Code::UnavailableDep));
    for class in [Unavailability::Permanent, Unavailability::AuthFailure, Unavailability::QuotaExceeded] {
        let mut gone = Loop::start(manifest());
        gone.is_unavailable(class);
        assert_eq!(ended(&gone), Some(Code::UnavailableDep));
    }
}

#[test]
fn a_model_that_says_when_to_ask_again_is_not_asked_before() {
    let busy =
        |retry_after| Reply::Unavailable { reason: "busy".into(), class: Unavailability::Transient, retry_after };
    let wait = |run: &Loop| {
        run.events.iter().find_map(|event| match event {
            Event::Retrying { wait, .. } => Some(*wait),
            _ => None,
        })
    };
    // What it asks for, where that is longer than the back-off; never shorter.
    for (retry_after, least, most) in [(None, 500, 750), (Some(1), 500, 750), (Some(29_999), 29_999, 29_999)] {
        let mut asked = Loop::start(manifest());
        asked.replies(busy(retry_after));
        let waited = wait(&asked);
        assert!(waited.is_some_and(|wait| (least..=most).contains(&wait)), "{retry_after:?}: {waited:?}");
        asked.does(finish(&[]));
        assert!(ended(&asked).is_some_and(|code| code != Code::UnavailableDep), "{retry_after:?}");
    }
    // Longer than a run waits: it is gone, and the reason says so.
    let mut gone = Loop::start(manifest());
    gone.replies(busy(Some(30_001)));
    assert_eq!((ended(&gone), wait(&gone)), (Some(Code::UnavailableDep), None));
    let told = |event: &Event| matches!(event, Event::Ended { reason, .. } if reason.contains("for 30001 ms"));
    assert_eq!(gone.count(told), 1);
    // Only a model that is busy is waited for at all.
    let mut refused = Loop::start(manifest());
    let (reason, class) = ("no".into(), Unavailability::AuthFailure);
    refused.replies(Reply::Unavailable { reason, class, retry_after: Some(1000) });
    assert_eq!((ended(&refused), wait(&refused)), (Some(Code::UnavailableDep), None));
}

#[test]
fn what_a_trace_says_of_a_model_stays_as_it_was() -> Result<(), serde_json::Error> {
    // Fields that came later are not written where nobody gave them, and need not be there.
    let reply = r#"{"unavailable":{"reason":"gone","class":"transient"}}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Reply>(reply)?)?, reply);
    let model =
        r#"{"tier":"cheap","name":"m","kind":"general","input-price":1,"output-price":2,"max-output-tokens":3}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Model>(model)?)?, model);
    Ok(())
}

#[test]
fn a_request_is_compressed_at_the_gate() {
    let long = || "x".repeat(2000);
    let crowded = |gate: u32| {
        with(|m| {
            m.boundary.exchanges = 50;
            m.limits.context_tokens = 1500;
            m.rules.context_gate = gate;
            m.tools[0].verifier = Some(Verifier::ExitCode(0));
        })
    };
    let read = |l: &mut Loop| {
        for number in 0..4 {
            if l.status() == Status::Running {
                l.does(call("read", number)).answers(&long()).verifies(true, false);
            }
        }
    };
    let mut compressed = Loop::start(crowded(80));
    read(&mut compressed);
    assert_eq!(compressed.status(), Status::Running);
    let found = compressed.events.iter().find_map(|event| match event {
        Event::Compressed { before, after, kept, dropped } => Some((*before, *after, kept.clone(), dropped.clone())),
        _ => None,
    });
    let Some((before, after, kept, dropped)) = found else { panic!("nothing was compressed") };
    assert!(before > 1200 && after < before);
    assert!(kept.contains(&StateKind::TaskState) && dropped.contains(&StateKind::Scratchpad));
    let carries = compressed.effects().iter().any(|effect| match effect {
        Effect::CallModel { request, .. } => {
            request.kept.as_ref().is_some_and(|kept| kept.facts.iter().any(|(name, _)| **name == *"read"))
        }
        _ => false,
    });
    assert!(carries, "what was verified is kept");
    let mut off = Loop::start(crowded(0));
    read(&mut off);
    assert_eq!(ended(&off), Some(Code::BudgetExhausted));
}

#[test]
fn waits_grow_and_follow_from_the_seed() {
    use countersign_spec::host_rules::Retry;
    let retry = Retry { attempts: 5, base: 100, most: 1000, jitter: 50 };
    // Golden: another jitter would be another trace for the same seed.
    let waits: Vec<u64> = (1..=6).map(|attempt| retry.wait(7, attempt)).collect();
    assert_eq!(waits, GOLDEN_WAITS);
    let plain = Retry { jitter: 0, ..retry };
    let waits: Vec<u64> = [1, 2, 3, 4, 5, 64, 65, u32::MAX].map(|attempt| plain.wait(7, attempt)).to_vec();
    assert_eq!(waits, [100, 200, 400, 800, 1000, 1000, 1000, 1000]);
    let spread: std::collections::BTreeSet<u64> = (0..100).map(|seed| retry.wait(seed, 1)).collect();
    assert!(spread.len() > 30 && spread.first() >= Some(&100) && spread.last() <= Some(&150), "{spread:?}");
}

/// SplitMix64 of seed and attempt, worked out apart from this code.
const GOLDEN_WAITS: [u64; 6] = [132, 271, 503, 832, 1265, 1281];

#[test]
fn what_a_recording_used_is_booked() {
    let mut recorded = Loop::start(with(|m| m.mode = Mode::Recorded));
    // Nobody calls anything: the recording says what happened.
    assert!(recorded.effects().is_empty());
    let usage = countersign_kernel::Usage { input_tokens: 100, output_tokens: 10, cost: 110, estimated: false };
    let reply = |action| {
        Reply::Step(countersign_kernel::StepReply {
            step: "s".into(),
            action,
            reasoning: "".into(),
            status: countersign_kernel::StepStatus::Ok,
            confidence: None,
            signals: vec![],
            bytes: 1,
            unwrapped: vec![],
        })
    };
    recorded.give(Input::Replied { call: 0, reply: reply(call("write", 1)), usage, request: None });
    recorded.give(Input::Observed { call: 0, observation: Observation::new(ok(), "x".into()) });
    let used = |dimension| recorded.run.view().budget(dimension).used;
    assert_eq!((used(Dimension::Steps), used(Dimension::Cost), used(Dimension::ToolCalls)), (1, 110, 1));
    recorded.give(Input::Closed { code: Code::Timeout });
    assert_eq!(ended(&recorded), Some(Code::Timeout));
}

#[test]
fn ceilings_hold_where_nothing_else_blocks() {
    let mut l = Loop::start(with(|m| {
        m.mode = Mode::Monitor;
        m.limits.steps = 2;
        m.ceilings.steps = 4;
    }));
    let mut steps = 0;
    while l.status() == Status::Running && steps < 9 {
        steps += 1;
        l.does(call("read", steps)).answers("x");
    }
    assert_eq!((steps, ended(&l)), (4, Some(Code::BudgetExhausted)));
}

#[test]
fn levels_are_where_they_stand() {
    let mut l = Loop::start(manifest());
    let context = |l: &Loop| l.run.view().budget(Dimension::ContextTokens).used;
    let empty = context(&l);
    assert!(empty >= 256, "the request that is out");
    l.does(call("read", 1)).fails();
    assert!(context(&l) > empty);
    assert_eq!(l.run.view().budget(Dimension::Retries).used, 1);
    l.does(call("read", 2)).answers("x");
    assert_eq!(l.run.view().budget(Dimension::Retries).used, 0);
    // What is said of the tools is part of every request.
    let larger = Loop::start(with(|m| m.request_overhead = 1000));
    assert_eq!(context(&larger), empty + 1000);
}

#[test]
fn a_retry_needs_room() {
    let again = |set: Setting| {
        let mut l = Loop::start(with(set));
        l.does(call("read", 1)).observes(Observation::new(Outcome::Infrastructure, "".into()));
        l.dispatched()
    };
    assert_eq!(again(|_| {}), 2);
    assert_eq!(again(|m| m.limits.tool_calls = 1), 1, "no call is left");
    assert_eq!(again(|m| m.limits.tool_calls = 2), 2);
    assert_eq!(again(|m| m.limits.retries = 0), 1, "no retry is allowed");
    let retries = |limit: u64| {
        let mut l = Loop::start(with(|m| {
            m.limits.retries = limit;
            m.rules.retry.attempts = 9;
        }));
        l.does(call("read", 1));
        for _ in 0..5 {
            if l.effects().iter().any(|effect| matches!(effect, Effect::Dispatch { .. })) {
                l.observes(Observation::new(Outcome::Infrastructure, "".into()));
            }
        }
        l.dispatched()
    };
    assert_eq!((retries(1), retries(2)), (2, 3), "the smaller of both counts");
}

#[test]
fn after_a_release_the_call_that_did_not_fit_is_made() {
    let frozen = with(|m| {
        m.limits.steps = 1;
        let mut graph = (*m.graph).clone();
        for edge in &mut graph.interrupts {
            if edge.on == countersign_spec::graph::Exit::OverBudget {
                edge.to = "escalate".into();
            }
        }
        m.graph = Arc::new(graph);
    });
    let mut l = Loop::start(frozen);
    // The plan is sent back, and there is no step left to mend it.
    l.does(plan(vec![step("a", "outside", &[])]));
    assert_eq!(suspended(&l), Some(Code::BudgetExhausted));
    l.decides(Decision::Released { extra: [(Dimension::Steps, 5)].into() });
    let wants_plan = l.effects().iter().any(|effect| match effect {
        Effect::CallModel { request, .. } => request.purpose == Purpose::Plan,
        _ => false,
    });
    assert!(wants_plan, "it was the plan that did not fit");
}

#[test]
fn each_try_counts_for_the_tools_own_caps() {
    let tries = |limits: ToolLimits| {
        let mut l = Loop::start(with(|m| {
            m.tools[0].limits = limits;
            m.tools[0].cost = 10;
        }));
        l.does(call("read", 1));
        while l.effects().iter().any(|effect| matches!(effect, Effect::Dispatch { .. })) {
            l.observes(Observation::new(Outcome::Infrastructure, "".into()));
        }
        l.dispatched()
    };
    let none = ToolLimits::default();
    assert_eq!(tries(none), 3);
    assert_eq!(tries(ToolLimits { calls: Some(1), ..none }), 1);
    assert_eq!(tries(ToolLimits { calls: Some(2), ..none }), 2);
    assert_eq!(tries(ToolLimits { cost: Some(20), ..none }), 2);
    assert_eq!(tries(ToolLimits { calls_per_minute: Some(1), ..none }), 1);
}

#[test]
fn a_reading_that_verifies_costs_what_its_tool_costs() {
    let set = |m: &mut Manifest| {
        m.tools[1].verifier = Some(Verifier::ReadBack("read".into()));
        m.tools[0].cost = 40;
        m.tools[0].external = true;
    };
    let mut l = Loop::start(with(set));
    l.does(call("write", 1)).answers("x").verifies(true, false);
    let used = |dimension| l.run.view().budget(dimension).used;
    assert_eq!((used(Dimension::ToolCalls), used(Dimension::ExternalCalls)), (2, 1));
    assert_eq!(used(Dimension::Cost), 110 + 40);
    // Its reader lies within the boundary, or there is none.
    let outside = with(|m| {
        set(m);
        m.boundary.tools = vec!["write".into()];
    });
    assert!(Run::open(Arc::new(outside)).is_err());
}

#[test]
fn the_gate_is_at_its_percentage() {
    // A request of known size: the gate lies just above it, or just below.
    let size = |gate: u32, most: u64| {
        let mut l = Loop::start(with(|m| {
            m.limits.context_tokens = most;
            m.rules.context_gate = gate;
            m.boundary.exchanges = 50;
        }));
        l.does(call("read", 1)).answers("x").does(call("read", 2)).answers("x");
        let compressed = l.count(|event| matches!(event, Event::Compressed { .. }));
        (compressed, l.run.view().budget(Dimension::ContextTokens).used)
    };
    let (none, tokens) = size(0, u64::MAX);
    assert_eq!(none, 0);
    // 60 % of a cap that is no round number.
    let cap = |line: u64| (line * 100).div_ceil(60);
    assert_eq!(size(60, cap(tokens)).0, 0, "at the line nothing happens");
    assert!(size(60, cap(tokens) - 2).0 > 0, "above it the request is compressed");
}

#[test]
fn no_two_waits_of_a_run_are_alike() {
    let mut l = Loop::start(with(|m| m.rules.retry.base = 100_000));
    for number in 1..=2 {
        l.does(call("read", number)).observes(Observation::new(Outcome::Infrastructure, "".into())).answers("x");
    }
    let waits: Vec<u64> = l
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Retrying { attempt: 1, wait, .. } => Some(*wait),
            _ => None,
        })
        .collect();
    assert!(waits.len() == 2 && waits[0] != waits[1], "{waits:?}");
}
