//! What a call must pass before it runs.

use super::*;

/// The last call is blocked at a stage with a response with the rule on, and dispatched with it off.
struct Blocked {
    rule: &'static str,
    set: Setting,
    off: Setting,
    script: fn(&mut Loop),
    stage: &'static str,
    response: &'static str,
}

fn blocked() -> Vec<Blocked> {
    vec![
        Blocked {
            rule: "repeated calls",
            set: |m| m.rules.repeated_calls = 3,
            off: |m| m.rules.repeated_calls = 0,
            script: |l| {
                for _ in 0..3 {
                    l.does(call("read", 1)).answers("x");
                }
                l.does(call("read", 1));
            },
            stage: "repetition",
            response: "block",
        },
        Blocked {
            rule: "duplicate actions",
            set: |_| {},
            off: |m| m.rules.duplicate_actions = false,
            script: |l| {
                l.does(call("write", 1)).answers("x");
                l.does(call("write", 1));
            },
            stage: "repetition",
            response: "block",
        },
        Blocked {
            rule: "duplicate actions, outcome unknown",
            set: |_| {},
            off: |m| m.rules.duplicate_actions = false,
            script: |l| {
                l.does(call("write", 1)).observes(Observation::new(Outcome::TimedOut, "".into()));
                l.does(call("write", 1));
            },
            stage: "repetition",
            response: "block",
        },
        Blocked {
            rule: "fresh facts, never read",
            set: |m| m.tools[1].needs_fresh = vec![Freshness { fact: "price".into(), within: 1000 }],
            off: |m| m.rules.fresh_facts = false,
            script: |l| {
                l.does(call("write", 1));
            },
            stage: "freshness",
            response: "repair",
        },
        Blocked {
            rule: "fresh facts, read too long ago",
            set: |m| m.tools[1].needs_fresh = vec![Freshness { fact: "price".into(), within: 1000 }],
            off: |m| m.rules.fresh_facts = false,
            script: |l| {
                l.does(call("read", 1)).observes(states(&[("price", "7")]));
                l.at += 1001;
                l.does(call("write", 1));
            },
            stage: "freshness",
            response: "repair",
        },
        Blocked {
            rule: "fresh facts, changed since",
            set: |m| {
                m.tools[1].needs_fresh = vec![Freshness { fact: "price".into(), within: 1000 }];
                add(m, writing("change"));
            },
            off: |m| m.rules.fresh_facts = false,
            script: |l| {
                l.does(call("read", 1)).observes(states(&[("price", "7")]));
                l.does(call("change", 1)).answers("x");
                l.does(call("write", 1));
            },
            stage: "freshness",
            response: "repair",
        },
        Blocked {
            rule: "least tool",
            set: |m| m.tools[1].cheaper = Some("read".into()),
            off: |m| m.rules.least_tool = false,
            script: |l| {
                l.does(call("write", 1));
            },
            stage: "least-tool",
            response: "substitute",
        },
        Blocked {
            rule: "calls of a tool",
            set: |m| m.tools[0].limits = ToolLimits { calls: Some(1), ..ToolLimits::default() },
            off: |m| m.tools[0].limits = ToolLimits::default(),
            script: |l| {
                l.does(call("read", 1)).answers("x");
                l.does(call("read", 2));
            },
            stage: "budget",
            response: "block",
        },
        Blocked {
            rule: "cost of a tool",
            set: |m| {
                m.tools[0].cost = 10;
                m.tools[0].limits = ToolLimits { cost: Some(15), ..ToolLimits::default() };
            },
            off: |m| m.tools[0].limits = ToolLimits::default(),
            script: |l| {
                l.does(call("read", 1)).answers("x");
                l.does(call("read", 2));
            },
            stage: "budget",
            response: "block",
        },
        Blocked {
            rule: "rate of a tool",
            set: |m| m.tools[0].limits = ToolLimits { calls_per_minute: Some(1), ..ToolLimits::default() },
            off: |m| m.tools[0].limits = ToolLimits::default(),
            script: |l| {
                l.does(call("read", 1)).answers("x");
                l.at += 59_999;
                l.does(call("read", 2));
            },
            stage: "rate",
            response: "defer",
        },
        Blocked {
            rule: "the boundary's tools",
            set: |m| m.boundary.tools = vec!["read".into()],
            off: |m| m.boundary.tools = vec!["read".into(), "write".into()],
            script: |l| {
                l.does(call("write", 1));
            },
            stage: "permission",
            response: "block",
        },
        Blocked {
            rule: "permissions",
            set: |m| m.tools[1].permission = Some("writer".into()),
            off: |m| m.boundary.permissions = vec!["writer".into()],
            script: |l| {
                l.does(call("write", 1));
            },
            stage: "permission",
            response: "block",
        },
        Blocked {
            rule: "a cap of 0",
            set: |m| m.limits.side_effects = 0,
            off: |m| m.limits.side_effects = 9,
            script: |l| {
                l.does(call("write", 1));
            },
            stage: "budget",
            response: "block",
        },
        Blocked {
            rule: "parser drift",
            set: |m| m.tools[0].verifier = Some(Verifier::ResultSchema),
            off: |m| m.rules.parser_drift = 0,
            script: |l| {
                l.does(call("read", 1)).answers("{}").verifies(true, false);
                l.does(call("read", 2)).answers("<>").verifies(false, true);
                if suspended(l).is_some() {
                    l.decides(Decision::Resumed);
                }
                l.does(call("read", 3));
            },
            stage: "registry",
            response: "block",
        },
    ]
}

#[test]
fn each_guard_blocks_and_without_it_nothing_does() {
    for case in blocked() {
        let mut guarded = Loop::start(with(|m| (case.set)(m)));
        (case.script)(&mut guarded);
        let found = guarded.blocked().map(|(stage, response, _)| (stage, response));
        assert_eq!(found, Some((case.stage, case.response)), "{}", case.rule);
        let mut free = Loop::start(with(|m| {
            (case.set)(m);
            (case.off)(m);
        }));
        (case.script)(&mut free);
        assert_eq!(free.blocked(), None, "without {}", case.rule);
        assert_eq!(free.dispatched(), guarded.dispatched() + 1, "without {}", case.rule);
    }
}

#[test]
fn what_is_nearly_blocked_is_not() {
    // Pollers repeat themselves, idempotent tools too; another call in between starts anew.
    let mut polling = Loop::start(with(|m| {
        m.rules.repeated_calls = 2;
        m.tools[0].poller = true;
    }));
    for _ in 0..5 {
        polling.does(call("read", 1)).answers("x");
    }
    assert_eq!(polling.dispatched(), 5);
    let mut between = Loop::start(with(|m| m.rules.repeated_calls = 2));
    for number in [1, 1, 2, 1, 1] {
        between.does(call("read", number)).answers("x");
    }
    assert_eq!(between.dispatched(), 5);
    let mut idempotent = Loop::start(with(|m| m.tools[1].idempotent = true));
    for _ in 0..2 {
        idempotent.does(call("write", 1)).answers("x");
    }
    assert_eq!(idempotent.dispatched(), 2);
    // A failed change has not been made; the rate's window moves on; a cost that just fits, fits.
    let mut failed = Loop::start(manifest());
    failed.does(call("write", 1)).fails().does(call("write", 1));
    assert_eq!(failed.dispatched(), 2);
    let mut rate = Loop::start(with(|m| m.tools[0].limits.calls_per_minute = Some(1)));
    rate.does(call("read", 1)).answers("x");
    rate.at += 60_000;
    rate.does(call("read", 2));
    assert_eq!(rate.dispatched(), 2);
    let mut cost = Loop::start(with(|m| {
        m.tools[0].cost = 10;
        m.tools[0].limits.cost = Some(20);
    }));
    cost.does(call("read", 1)).answers("x").does(call("read", 2));
    assert_eq!(cost.dispatched(), 2);
    let mut fresh = Loop::start(with(|m| {
        m.tools[1].needs_fresh = vec![Freshness { fact: "price".into(), within: 1000 }];
        m.tools[1].cheaper = Some("read".into());
    }));
    fresh.does(call("read", 1)).observes(states(&[("price", "7")]));
    fresh.at += 1000;
    fresh.does(call("write", 1));
    assert_eq!(fresh.dispatched(), 2);
    // Whatever a person says meanwhile: the call that did not answer may have been done.
    let mut looked = Loop::start(with(|m| m.limits.steps = 3));
    looked.does(call("write", 1)).observes(Observation::new(Outcome::TimedOut, "".into()));
    looked.does(Action::Ask { question: "was it done?".into() });
    assert_eq!(suspended(&looked), Some(Code::MissingInfo));
    looked.decides(Decision::Answered { text: "no".into() }).does(call("write", 1));
    assert_eq!(looked.dispatched(), 1);
}

#[test]
fn what_the_pipeline_sends_back_and_what_it_asks() {
    let invalid = |missing: Vec<Arc<str>>| match call("read", 1) {
        Action::Call { tool, arguments, key, payload, touches, .. } => {
            Action::Call { tool, arguments, key, invalid: Some("no".into()), missing, payload, touches }
        }
        other => other,
    };
    let mut schema = Loop::start(manifest());
    schema.does(invalid(vec![]));
    assert_eq!(schema.blocked().map(|(stage, response, _)| (stage, response)), Some(("schema", "repair")));
    let mut unregistered = Loop::start(manifest());
    unregistered.does(call("dream", 1));
    assert_eq!(unregistered.blocked().map(|(stage, response, _)| (stage, response)), Some(("registry", "repair")));
    // Told once and still without it, the user is asked.
    let mut missing = Loop::start(manifest());
    missing.says("look", invalid(vec!["order".into()])).says("look", invalid(vec!["order".into()]));
    assert_eq!(suspended(&missing), Some(Code::MissingInfo));
    assert_eq!(missing.blocked().map(|(stage, response, _)| (stage, response)), Some(("schema", "ask-user")));
    missing.decides(Decision::Answered { text: "7".into() });
    assert_eq!(missing.status(), Status::Running);
}

#[test]
fn denials_end_a_run() {
    // The same call; the same tool otherwise called; one tool after the other.
    let outside = |m: &mut Manifest| {
        m.boundary.tools = vec!["read".into()];
        for name in ["a", "b", "c", "d", "e", "f"] {
            m.tools.push(writing(name));
        }
    };
    for second in [call("write", 1), call("write", 2)] {
        let mut denied = Loop::start(with(outside));
        denied.does(call("write", 1));
        assert_eq!(denied.status(), Status::Running, "once, the run may find another way");
        denied.does(second);
        assert_eq!(ended(&denied), Some(Code::PermissionDenied));
    }
    let mut one_after_the_other = Loop::start(with(outside));
    for name in ["a", "b", "c", "d", "e"] {
        one_after_the_other.does(call(name, 1));
        if one_after_the_other.status() != Status::Running {
            break;
        }
    }
    assert_eq!(ended(&one_after_the_other), Some(Code::RepeatedFailure), "five refusals in a row");
    let mut patient = Loop::start(with(|m| {
        outside(m);
        m.rules.refusals = 0;
    }));
    for name in ["a", "b", "c", "d", "e"] {
        patient.does(call(name, 1));
    }
    assert_eq!(patient.status(), Status::Running);
    patient.does(call("f", 1));
    assert_eq!(ended(&patient), Some(Code::PermissionDenied), "six different ones");
    let mut lenient = Loop::start(with(|m| {
        outside(m);
        m.rules.denials = 0;
    }));
    lenient.does(call("write", 1)).does(call("write", 1)).does(call("write", 1));
    assert_eq!(lenient.status(), Status::Running);
}

#[test]
fn rights_that_are_not_leased() {
    let bare = || with(|m| m.boundary.decisions = vec![DecisionRight::ChooseTool]);
    let actions = [
        Action::Ask { question: "which?".into() },
        Action::Abandon { reason: "no".into() },
        Action::Defer { reason: "a person must look".into() },
        Action::EscalateToArchitect { severity: Alarm::Warning, reason: "it is all wrong".into() },
    ];
    for action in actions {
        let mut refused = Loop::start(bare());
        refused.does(action.clone());
        assert_eq!(refused.status(), Status::Running, "{action:?}");
        let mut allowed = Loop::start(manifest());
        allowed.does(action.clone());
        assert_ne!(allowed.status(), Status::Running, "{action:?}");
    }
}

#[test]
fn in_monitor_mode_nothing_is_blocked_and_everything_is_told() {
    for case in blocked() {
        // Without registry and schema there is nothing that could be called; caps of 0 forbid.
        if matches!(case.rule, "parser drift" | "a cap of 0") {
            continue;
        }
        let mut watched = Loop::start(with(|m| {
            (case.set)(m);
            m.mode = Mode::Monitor;
        }));
        (case.script)(&mut watched);
        assert_eq!(watched.blocked(), None, "{}", case.rule);
        assert!(watched.count(|event| matches!(event, Event::WouldHave { .. })) > 0, "{}", case.rule);
    }
}

#[test]
fn a_minute_is_counted_from_each_call() {
    let second = |at: u64| {
        let mut l = Loop::start(with(|m| m.tools[0].limits.calls_per_minute = Some(1)));
        l.at = 1000;
        l.does(call("read", 1)).answers("x");
        l.at = at;
        l.does(call("read", 2));
        l.dispatched()
    };
    assert_eq!((second(60_999), second(61_000)), (1, 2));
}

#[test]
fn what_was_refused_is_mended_and_remembered() {
    let mut l = Loop::start(with(|m| {
        m.models = vec![model(Tier::Cheap), model(Tier::Strong)];
        m.escalation.max_escalations = 1;
        m.escalation.failed_attempts = 2;
    }));
    l.says("look", call("dream", 1));
    let mended =
        l.events.iter().any(|event| matches!(event, Event::Repairing { reason, .. } if reason.contains("dream")));
    assert!(mended);
    let failed = l.run.view().budget(Dimension::Retries).used;
    assert_eq!(failed, 1);
    l.says("look", call("dream", 1));
    let packet = l.events.iter().find_map(|event| match event {
        Event::Escalated { packet, cause, .. } => Some((packet.clone(), cause.clone())),
        _ => None,
    });
    let Some((packet, cause)) = packet else { panic!("a stronger model is asked") };
    assert_eq!(cause, "step `look` failed 2 times");
    assert!(packet.error_signals.iter().any(|signal| signal.contains("no tool `dream`")), "{packet:?}");
    assert!(packet.snippet.starts_with("dream {"), "{packet:?}");
}

#[test]
fn a_blast_radius_at_the_limit_is_within_it() {
    let asks = |blast: u64| {
        let mut l = Loop::start(with(|m| {
            m.tools[1].category = ToolCategory::FileSystem;
            m.tools[1].blast_radius = Some(blast);
            m.boundary.blast_radius_limit = Some(10);
        }));
        l.does(call("write", 1));
        suspended(&l).is_some()
    };
    assert_eq!([asks(9), asks(10), asks(11)], [false, false, true]);
}
