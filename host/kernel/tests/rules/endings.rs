//! How runs end, and who takes over.

use countersign_kernel::told::Notice;

use super::*;

/// Conditions of a boundary that end a run at once.
#[test]
fn conditions_that_fail_closed() {
    fn write(l: &mut Loop) {
        l.does(call("write", 1));
    }
    fn reports(l: &mut Loop) {
        let reports = vec![FailClosed::IdentityMismatch];
        l.does(call("read", 1)).observes(Observation { reports, ..Observation::new(ok(), "x".into()) });
    }
    fn secret(l: &mut Loop) {
        let Action::Call { tool, arguments, key, invalid, missing, touches, .. } = call("write", 1) else { return };
        let payload = Some("digest".into());
        l.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
    }
    type Case = (FailClosed, Setting, fn(&mut Loop), Code);
    let cases: [Case; 13] = [
        (FailClosed::UnauthorisedAccess, |m| m.boundary.tools.clear(), write, Code::PermissionDenied),
        (
            FailClosed::UngroundedClaim,
            |m| m.goal.needs = vec![Need::TestResults],
            |l| {
                l.does(finish(&[]));
            },
            Code::ValidationFail,
        ),
        (FailClosed::SecretExposure, |m| m.tools[1].external = true, secret, Code::UnsafeDetection),
        (
            FailClosed::ProductionChange,
            |m| m.tools[1].category = ToolCategory::Infrastructure,
            write,
            Code::UnsafeDetection,
        ),
        (FailClosed::RegulatedData, |m| m.tools[1].compliance = Compliance::Regulated, write, Code::UnsafeDetection),
        (FailClosed::PaymentChange, |m| m.tools[1].category = ToolCategory::Payment, write, Code::UnsafeDetection),
        (
            FailClosed::DestructiveAction,
            |m| m.tools[1].reversibility = Reversibility::Irreversible,
            write,
            Code::UnsafeDetection,
        ),
        (FailClosed::UncertainBlastRadius, |m| m.tools[1].blast_radius = None, write, Code::UnsafeDetection),
        (
            FailClosed::BudgetBreach,
            |m| m.limits.records_touched = 1,
            |l| {
                l.does(call("write", 1)).answers("x").does(call("write", 2));
            },
            Code::BudgetExhausted,
        ),
        (FailClosed::IdentityMismatch, |_| {}, reports, Code::UnsafeDetection),
        (
            FailClosed::SourceConflict,
            |m| add(m, reading("other")),
            |l| {
                l.does(call("read", 1)).observes(states(&[("price", "7")]));
                l.does(call("other", 1)).observes(states(&[("price", "8")]));
            },
            Code::SourceConflict,
        ),
        (
            FailClosed::FailedCheckAfterChange,
            |m| m.tools[0].verifier = Some(Verifier::ExitCode(0)),
            |l| {
                l.does(call("write", 1)).answers("x");
                l.does(call("read", 1)).answers("x").verifies(false, false);
            },
            Code::ValidationFail,
        ),
        (
            FailClosed::MissingApproval,
            |m| {
                m.tools[1].approval = Some(ApprovalRule::Always);
                m.rules.approval_reasks = 0;
            },
            |l| {
                l.does(call("write", 1)).decides(Decision::Expired);
            },
            Code::ConfirmRequired,
        ),
    ];
    for (condition, set, script, code) in cases {
        let mut closed = Loop::start(with(|m| {
            set(m);
            m.boundary.fail_closed = vec![condition];
        }));
        script(&mut closed);
        assert_eq!(ended(&closed), Some(code), "{}", condition.name());
        let named =
            closed.count(|event| matches!(event, Event::FailedClosed { condition: found, .. } if *found == condition));
        assert_eq!(named, 1, "{}", condition.name());
        // Where the boundary does not list it, it is dealt with otherwise.
        let mut open = Loop::start(with(set));
        script(&mut open);
        assert_eq!(open.count(|event| matches!(event, Event::FailedClosed { .. })), 0, "{}", condition.name());
    }
    // The checks before a change say nothing about one.
    let mut before = Loop::start(with(|m| {
        m.tools[0].verifier = Some(Verifier::ExitCode(0));
        m.boundary.fail_closed = vec![FailClosed::FailedCheckAfterChange];
    }));
    before.does(call("read", 1)).answers("x").verifies(false, false);
    assert_eq!(before.status(), Status::Running);
}

#[test]
fn claims_need_ground() {
    type Case = (&'static str, Setting, Setting, fn(&Event) -> bool);
    let cases: [Case; 3] = [
        (
            "a criterion",
            |m| {
                m.tools[0].verifier = Some(Verifier::ExitCode(0));
                m.goal.criteria = vec![Criterion { id: "c".into(), text: "c".into(), tool: "read".into() }];
            },
            |m| m.rules.verified_completion = false,
            |event| matches!(event, Event::ClaimUnsupported { .. }),
        ),
        ("a claimed tool", |_| {}, |m| m.rules.grounded_claims = false, |event| matches!(event, Event::Assumed { .. })),
        (
            "a need",
            |m| m.goal.needs = vec![Need::TestResults],
            |m| m.rules.grounded_claims = false,
            |event| matches!(event, Event::ToolRequired { .. }),
        ),
    ];
    for (what, set, off, told) in cases {
        let mut claimed = Loop::start(with(set));
        claimed.does(finish(&["write"]));
        assert_eq!(claimed.status(), Status::Running, "{what}: repaired first");
        assert_eq!(claimed.count(told), 1, "{what}");
        claimed.says("done", finish(&["write"])).says("done", finish(&["write"])).says("done", finish(&["write"]));
        assert_eq!(ended(&claimed), Some(Code::ValidationFail), "{what}");
        let mut believed = Loop::start(with(|m| {
            set(m);
            off(m);
            m.rules.grounded_claims = false;
        }));
        believed.does(finish(&["write"]));
        assert_eq!(ended(&believed), Some(Code::Success), "without the rule for {what}");
    }
    // What a tool was seen to do may be claimed, and what it did meets the need.
    let mut grounded = Loop::start(with(|m| m.goal.needs = vec![Need::TestResults]));
    grounded.does(call("write", 1)).answers("x").does(finish(&["write"]));
    assert_eq!(ended(&grounded), Some(Code::Success));
    let mut failed = Loop::start(manifest());
    failed.does(call("write", 1)).fails().does(finish(&["write"]));
    assert_eq!(failed.status(), Status::Running, "a failed call supports nothing");
    let met = [
        (Need::ExactArithmetic, ToolCategory::Sandbox, ToolCategory::LiveApi),
        (Need::TestResults, ToolCategory::Sandbox, ToolCategory::Database),
        (Need::CurrentFacts, ToolCategory::LiveApi, ToolCategory::Sandbox),
        (Need::CurrentFacts, ToolCategory::Retrieval, ToolCategory::Payment),
        (Need::AccountStatus, ToolCategory::Database, ToolCategory::Retrieval),
    ];
    for (need, by, not_by) in met {
        assert!(need.met_by(by) && !need.met_by(not_by), "{}", need.name());
    }
}

#[test]
fn success_is_what_was_verified() {
    let mut all = Loop::start(with_criteria(&["a", "b"]));
    all.does(call("a", 1)).answers("x").verifies(true, false);
    assert_eq!(all.status(), Status::Running);
    all.does(call("b", 1)).answers("x").verifies(true, false);
    assert_eq!(ended(&all), Some(Code::Success), "the run ends by itself");
    assert_eq!(all.count(|event| matches!(event, Event::Ended { verified: true, .. })), 1);
    let mut going_on = Loop::start(with(|m| {
        *m = with_criteria(&["a"]);
        m.rules.stop_when_complete = false;
    }));
    going_on.does(call("a", 1)).answers("x").verifies(true, false);
    assert_eq!(going_on.status(), Status::Running);
    // Some of it, at the end of all attempts.
    let mut some = Loop::start(with_criteria(&["a", "b"]));
    some.does(call("a", 1)).answers("x").verifies(true, false);
    for _ in 0..3 {
        some.says("done", finish(&[]));
    }
    assert_eq!(ended(&some), Some(Code::PartialSuccess));
    // A change makes what was read stale, a failed verification takes it back.
    let mut stale = Loop::start(with_criteria(&["a", "b"]));
    stale.does(call("a", 1)).answers("x").verifies(true, false);
    stale.does(call("write", 1)).answers("x");
    assert_eq!(stale.count(|event| matches!(event, Event::CriterionLost { .. })), 1);
    let mut lost = Loop::start(with_criteria(&["a", "b"]));
    lost.does(call("a", 1)).answers("x").verifies(true, false);
    lost.does(call("a", 2)).answers("x").verifies(false, false);
    assert_eq!(lost.count(|event| matches!(event, Event::CriterionLost { .. })), 1);
    assert_eq!(
        lost.count(|event| matches!(event, Event::Committed { .. })),
        1,
        "what was not verified is not committed"
    );
    let mut failing = Loop::start(with_criteria(&["a", "b"]));
    failing.does(call("a", 1)).answers("x").verifies(true, false);
    failing.does(call("a", 2)).observes(Observation::new(Outcome::Rejected, "".into()));
    assert_eq!(failing.count(|event| matches!(event, Event::CriterionLost { .. })), 1);
}

#[test]
fn a_cycle_needs_a_terminal_tool() {
    let terminal = |rule: TerminalTools| {
        with(|m| {
            m.tools[1].terminal = true;
            m.rules.terminal_tools = rule;
        })
    };
    let kinds = |l: &Loop| -> Vec<(IncompleteKind, bool)> {
        l.events
            .iter()
            .filter_map(|event| match event {
                Event::Incomplete { kind, retried, .. } => Some((*kind, *retried)),
                _ => None,
            })
            .collect()
    };
    let mut pseudo = Loop::start(terminal(TerminalTools::RequiredWithRetry));
    pseudo.does(call("read", 1)).answers("x").does(finish(&[]));
    let directive = pseudo.effects().iter().any(|effect| match effect {
        Effect::CallModel { request, .. } => request.notice == Some(Notice::NoTerminalTool),
        _ => false,
    });
    assert!(directive && pseudo.status() == Status::Running);
    pseudo.does(finish(&[]));
    assert_eq!(ended(&pseudo), Some(Code::ValidationFail));
    assert_eq!(kinds(&pseudo), [(IncompleteKind::PseudoCompletion, true), (IncompleteKind::PseudoCompletion, false)]);
    let tail = pseudo.events.iter().any(|event| {
        matches!(event, Event::Incomplete { last_calls, .. } if last_calls.len() == 1 && last_calls[0].starts_with("read"))
    });
    assert!(tail, "the last calls are kept");
    let mut silent = Loop::start(terminal(TerminalTools::Required));
    silent.does(Action::Say { text: "well".into(), key: Key(1) });
    assert_eq!(ended(&silent), Some(Code::ValidationFail));
    assert_eq!(kinds(&silent), [(IncompleteKind::SilentGiveUp, false)]);
    let mut off = Loop::start(terminal(TerminalTools::Off));
    off.does(finish(&[]));
    assert_eq!(ended(&off), Some(Code::Success));
    let mut called = Loop::start(terminal(TerminalTools::Required));
    called.does(call("write", 1)).answers("x").does(finish(&[]));
    assert_eq!(ended(&called), Some(Code::Success));
    let mut none = Loop::start(with(|m| m.rules.terminal_tools = TerminalTools::Required));
    none.does(finish(&[]));
    assert_eq!(ended(&none), Some(Code::Success), "where there are none, none is needed");
}

#[test]
fn a_credential_that_runs_out_pauses_the_run() {
    let expired = || Observation::new(Outcome::Unauthenticated, "401".into());
    let mut paused = Loop::start(manifest());
    paused.does(call("read", 1)).answers("x").does(call("read", 2)).observes(expired());
    assert_eq!((suspended(&paused), paused.run.wanted()), (Some(Code::ReviewRequired), Some(Wanted::Resumption)));
    paused.decides(Decision::Resumed).does(call("read", 2)).answers("x");
    assert_eq!(paused.status(), Status::Running);
    let mut never_worked = Loop::start(manifest());
    never_worked.does(call("read", 1)).observes(expired());
    assert_eq!(never_worked.status(), Status::Running, "it has never worked: a failure like any other");
    let mut off = Loop::start(with(|m| m.rules.credential_expiry = false));
    off.does(call("read", 1)).answers("x").does(call("read", 2)).observes(expired());
    assert_eq!(off.status(), Status::Running);
}

#[test]
fn sources_that_disagree() {
    let script = |l: &mut Loop| {
        l.does(call("read", 1)).observes(states(&[("price", "7")]));
        l.does(call("other", 1)).observes(states(&[("price", "8")]));
    };
    let two = |m: &mut Manifest| add(m, reading("other"));
    let mut checked = Loop::start(with(two));
    script(&mut checked);
    assert_eq!(checked.status(), Status::Running, "one cross-check first");
    assert_eq!(checked.count(|event| matches!(event, Event::Reflecting { .. })), 1);
    checked.does(call("read", 2)).observes(states(&[("price", "7")]));
    assert_eq!(suspended(&checked), Some(Code::SourceConflict));
    let mut at_once = Loop::start(with(|m| {
        two(m);
        m.rules.conflict_reflections = 0;
    }));
    script(&mut at_once);
    assert_eq!(suspended(&at_once), Some(Code::SourceConflict));
    let mut off = Loop::start(with(|m| {
        two(m);
        m.rules.source_conflicts = false;
    }));
    script(&mut off);
    assert_eq!(off.count(|event| matches!(event, Event::Conflict { .. })), 0);
    // The same source may change its mind, two may agree, and a change in between explains it.
    let mut agree = Loop::start(with(two));
    agree.does(call("read", 1)).observes(states(&[("price", "7")]));
    agree.does(call("read", 2)).observes(states(&[("price", "8")]));
    agree.does(call("other", 1)).observes(states(&[("price", "8")]));
    agree.does(call("write", 1)).answers("x");
    agree.does(call("other", 2)).observes(states(&[("price", "9")]));
    assert_eq!(agree.count(|event| matches!(event, Event::Conflict { .. })), 0);
}

#[test]
fn who_receives_authority() {
    let row = |state, endpoint: &str| Route {
        state,
        severity: Severity::High,
        endpoint: endpoint.into(),
        recovery: "then".into(),
    };
    let table = vec![row(RiskState::MissingInput, "user"), row(RiskState::FinancialCommitment, "finance")];
    let mut pays = Loop::start(with(|m| {
        m.tools[1].category = ToolCategory::Payment;
        m.escalation.table = table.clone();
    }));
    pays.does(call("write", 1));
    let authority = |l: &Loop| {
        l.events.iter().rev().find_map(|event| match event {
            Event::Suspended { report, .. } => Some((report.authority.endpoint.to_string(), report.authority.class)),
            _ => None,
        })
    };
    assert_eq!(authority(&pays), Some(("finance".to_owned(), TriggerClass::Approval)));
    let mut asks = Loop::start(with(|m| m.escalation.table = table.clone()));
    asks.does(Action::Ask { question: "which?".into() });
    assert_eq!(authority(&asks), Some(("user".to_owned(), TriggerClass::Clarification)));
    // Tools of a person's own name theirs; what the table lacks goes to an operator.
    let mut defers = Loop::start(manifest());
    defers.does(Action::Defer { reason: "a person must look".into() });
    assert_eq!(authority(&defers).map(|(endpoint, _)| endpoint), Some("triage".to_owned()));
    assert_eq!(defers.run.wanted(), Some(Wanted::Triage));
    let mut alarm = Loop::start(manifest());
    alarm.does(Action::EscalateToArchitect { severity: Alarm::Critical, reason: "it is all wrong".into() });
    assert_eq!(authority(&alarm).map(|(endpoint, _)| endpoint), Some("architect and operations lead".to_owned()));
    let mut unknown = Loop::start(asking());
    unknown.does(call("write", 1));
    assert_eq!(authority(&unknown).map(|(endpoint, _)| endpoint), Some("operator".to_owned()));
}

#[test]
fn buckets_switches_and_cancellation_stop_a_run() {
    let mut refused = Loop::start(manifest());
    refused.give(Input::Refused { bucket: "tenant a".into(), dimension: "tokens".into(), demand: 9, left: 1 });
    assert_eq!(suspended(&refused), Some(Code::BudgetExhausted));
    assert_eq!(refused.run.view().budget(Dimension::Steps).reserved, 0, "what was set aside is given back");
    let mut halted = Loop::start(manifest());
    halted.does(call("read", 1));
    halted.give(Input::Halted { switch: "tool `read`".into(), reason: "x".into(), in_between: false });
    assert_eq!(
        (suspended(&halted), halted.run.view().budget(Dimension::ToolCalls).reserved),
        (Some(Code::ReviewRequired), 0)
    );
    halted.decides(Decision::Resumed);
    assert_eq!(halted.status(), Status::Running);
    halted.give(Input::Cancelled);
    assert_eq!(ended(&halted), Some(Code::UserCancel));
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused() {
    let cases: [(&str, Setting); 15] = [
        ("limits.steps", |m| m.limits.steps = 0),
        ("limits.cost", |m| m.ceilings.cost = 5),
        ("boundary.autonomy", |m| m.boundary.autonomy = 8),
        ("boundary.autonomy", |m| m.boundary.autonomy = 2),
        ("boundary.pattern", |m| m.boundary.pattern = Pattern::Swarm),
        ("boundary.pattern", |m| m.boundary.pattern = Pattern::Blackboard),
        ("boundary.plans", |m| m.boundary.autonomy = 5),
        ("plan", |m| m.boundary.autonomy = 3),
        ("boundary.preauthorised.x", |m| m.boundary.preauthorised = vec!["x".into()]),
        ("boundary.asks.x", |m| m.boundary.asks = vec!["x".into()]),
        ("tools.read.time-out", |m| m.tools[0].time_out = 0),
        ("tools.read.cheaper", |m| m.tools[0].cheaper = Some("read".into())),
        ("tools.read.verify.read-back", |m| m.tools[0].verifier = Some(Verifier::ReadBack("write".into()))),
        ("models", |m| m.models.clear()),
        ("graph", |m| {
            let mut graph = (*m.graph).clone();
            graph.interrupts.clear();
            m.graph = Arc::new(graph);
        }),
    ];
    for (expected, set) in cases {
        match Run::open(Arc::new(with(set))) {
            Err(ManifestError::Invalid { key, .. }) => assert_eq!(key, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn an_end_names_who_takes_over() {
    let authority = |l: &Loop| {
        l.events.iter().find_map(|event| match event {
            Event::Ended { authority, .. } => Some(authority.as_ref().map(|authority| authority.state)),
            _ => None,
        })
    };
    type End = (Option<RiskState>, Setting, fn(&mut Loop));
    let ends: [End; 7] = [
        (
            None,
            |_| {},
            |l| {
                l.does(finish(&[]));
            },
        ),
        (None, |_| {}, |l| l.give(Input::Cancelled)),
        (
            Some(RiskState::ProviderOutage),
            |_| {},
            |l| {
                l.is_unavailable(Unavailability::Permanent);
            },
        ),
        (
            Some(RiskState::BudgetLimit),
            |m| m.limits.steps = 1,
            |l| {
                l.does(call("read", 1)).answers("x");
            },
        ),
        (
            Some(RiskState::RepeatedDenial),
            |m| m.boundary.tools.clear(),
            |l| {
                l.does(call("read", 1)).does(call("read", 1));
            },
        ),
        (
            Some(RiskState::SecurityBreach),
            |m| {
                m.tools[1].category = ToolCategory::Payment;
                m.boundary.fail_closed = vec![FailClosed::PaymentChange];
            },
            |l| {
                l.does(call("write", 1));
            },
        ),
        (
            Some(RiskState::ToolFailure),
            |m| m.rules.repairs = 0,
            |l| {
                l.does(call("read", 1)).fails();
            },
        ),
    ];
    for (state, set, script) in ends {
        let mut l = Loop::start(with(set));
        script(&mut l);
        assert_eq!(authority(&l), Some(state), "{:?}", l.status());
    }
    // And a suspension names the dimension that is short.
    let mut dry = Loop::start(manifest());
    dry.give(Input::Refused { bucket: "app".into(), dimension: "cost".into(), demand: 1, left: 0 });
    assert_eq!(dry.run.wanted(), Some(Wanted::Resumption));
}

#[test]
fn troubles_go_to_whom_they_concern() {
    let said = |status: countersign_kernel::StepStatus| {
        let mut l = Loop::start(manifest());
        l.replies(Reply::Step(countersign_kernel::StepReply {
            step: "s".into(),
            action: call("read", 1),
            reasoning: "r".into(),
            status,
            confidence: Some(0.9),
            signals: vec![],
            bytes: 1,
            unwrapped: vec![],
        }));
        let report = l.events.iter().find_map(|event| match event {
            Event::Suspended { report, .. } => Some((report.authority.state, report.wanted)),
            _ => None,
        });
        (suspended(&l), report)
    };
    use countersign_kernel::StepStatus::{Blocked, Confused};
    let confused = (Some(Code::AmbiguousIntent), Some((RiskState::AmbiguousGoal, Wanted::Answer)));
    assert_eq!(said(Confused), confused);
    let blocked = (Some(Code::MissingInfo), Some((RiskState::MissingInput, Wanted::Answer)));
    assert_eq!(said(Blocked), blocked);
}

#[test]
fn what_was_refused_above_the_run_was_not_done() {
    let mut l = Loop::start(with(|m| {
        *m = with_criteria(&["a", "b"]);
        m.rules.duplicate_actions = false;
    }));
    l.does(call("a", 1)).answers("x").verifies(true, false).does(call("write", 1));
    l.give(Input::Refused { bucket: "app".into(), dimension: "cost".into(), demand: 1, left: 0 });
    assert_eq!(l.count(|event| matches!(event, Event::Withdrawn { .. })), 1);
    assert_eq!(l.count(|event| matches!(event, Event::CriterionLost { .. })), 0);
    assert_eq!(l.run.view().budget(Dimension::SideEffects).used, 0);
}

/// A mark in the arguments of a change stands for a secret: whoever would let the call pass, a person is shown it.
#[test]
fn a_secret_that_goes_along_with_a_change_is_a_persons_to_see() {
    for (payload, dispatched) in [(Some("digest".into()), 0), (None, 1)] {
        let mut l = Loop::start(with(|m| m.boundary.preauthorised = vec!["write".into()]));
        let Action::Call { tool, arguments, key, invalid, missing, touches, .. } = call("write", 1) else { return };
        l.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
        assert_eq!(l.dispatched(), dispatched);
        let waits = l.status() == Status::Suspended(Code::ConfirmRequired);
        assert_eq!(waits, dispatched == 0, "{:?}", l.status());
    }
}

/// What nearly meets a condition does not.
#[test]
fn conditions_that_are_nearly_met() {
    fn write(l: &mut Loop) {
        l.does(call("write", 1));
    }
    fn secret(l: &mut Loop) {
        let Action::Call { tool, arguments, key, invalid, missing, touches, .. } = call("write", 1) else { return };
        let payload = Some("digest".into());
        l.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
    }
    type Near = (&'static str, FailClosed, Setting, fn(&mut Loop));
    let cases: [Near; 8] = [
        (
            "a secret that a reading gets",
            FailClosed::SecretExposure,
            |m| m.tools[1].side_effect = SideEffectClass::ReadOnly,
            secret,
        ),
        ("no secret going out", FailClosed::SecretExposure, |m| m.tools[1].external = true, write),
        (
            "reading infrastructure",
            FailClosed::ProductionChange,
            |m| {
                m.tools[1].category = ToolCategory::Infrastructure;
                m.tools[1].side_effect = SideEffectClass::ReadOnly;
            },
            write,
        ),
        (
            "reading an invoice",
            FailClosed::PaymentChange,
            |m| {
                m.tools[1].category = ToolCategory::Payment;
                m.tools[1].side_effect = SideEffectClass::ReadOnly;
            },
            write,
        ),
        (
            "reading what cannot be undone",
            FailClosed::DestructiveAction,
            |m| {
                m.tools[1].reversibility = Reversibility::Irreversible;
                m.tools[1].side_effect = SideEffectClass::ReadOnly;
            },
            write,
        ),
        (
            "reading what nobody counted",
            FailClosed::UncertainBlastRadius,
            |m| {
                m.tools[1].blast_radius = None;
                m.tools[1].side_effect = SideEffectClass::ReadOnly;
            },
            write,
        ),
        ("a change that is counted", FailClosed::UncertainBlastRadius, |_| {}, write),
        ("personal data, which is not regulated", FailClosed::RegulatedData, |_| {}, write),
    ];
    for (what, condition, set, script) in cases {
        let mut l = Loop::start(with(|m| {
            set(m);
            m.boundary.fail_closed = vec![condition];
        }));
        script(&mut l);
        assert_eq!((l.dispatched(), l.status()), (1, Status::Running), "{what}");
    }
    // Whichever of both makes it so: what kind of tool it is, or what it changes.
    for change in [(|m| m.tools[1].category = ToolCategory::Infrastructure) as Setting, |m| {
        m.tools[1].side_effect = SideEffectClass::Infrastructure
    }] {
        let mut l = Loop::start(with(|m| {
            change(m);
            m.boundary.fail_closed = vec![FailClosed::ProductionChange];
        }));
        l.does(call("write", 1));
        assert_eq!(ended(&l), Some(Code::UnsafeDetection));
    }
    for change in [(|m| m.tools[1].external = true) as Setting, |m| {
        m.tools[1].side_effect = SideEffectClass::ExternalWrite;
    }] {
        let mut l = Loop::start(with(|m| {
            change(m);
            m.boundary.fail_closed = vec![FailClosed::SecretExposure];
        }));
        secret(&mut l);
        assert_eq!(ended(&l), Some(Code::UnsafeDetection));
    }
}

#[test]
fn a_claim_without_ground_goes_up_before_it_ends() {
    let strong = |escalations: u32| {
        let mut manifest = with_criteria(&["a", "b"]);
        manifest.models = vec![model(Tier::Cheap), model(Tier::Strong)];
        manifest.escalation.max_escalations = escalations;
        manifest.escalation.failed_attempts = 1;
        let mut l = Loop::start(manifest);
        l.does(finish(&[]));
        l
    };
    assert_eq!(strong(1).count(|event| matches!(event, Event::Escalated { .. })), 1);
    assert_eq!(ended(&strong(0)), Some(Code::ValidationFail), "nobody stronger may be asked");
}

#[test]
fn calls_are_numbered_and_states_told() {
    let mut l = Loop::start(with(|m| m.tools[0].verifier = Some(Verifier::ExitCode(0))));
    l.does(call("read", 1)).answers("seven").verifies(true, false).does(call("write", 1)).answers("x");
    let numbers: Vec<u64> = l
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Dispatched { call, .. } => Some(*call),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [0, 1]);
    let committed = l.count(|event| matches!(event, Event::Committed { call: 0, .. }));
    assert_eq!(committed, 1);
    l.does(Action::Ask { question: "go on?".into() });
    let state = l.events.iter().rev().find_map(|event| match event {
        Event::Suspended { report, .. } => Some(report.last_valid_state.clone()),
        _ => None,
    });
    assert_eq!(state.as_deref(), Some("write (unverified): x"));
}

#[test]
fn what_a_tool_calls_a_failure_is_not_verified() {
    let failed = || Observation::new(Outcome::Returned { exit_code: Some(1), ok: false }, "{}".into());
    for verifier in [Verifier::ResultSchema, Verifier::Checker("c".into())] {
        let mut l = Loop::start(with(|m| m.tools[0].verifier = Some(verifier)));
        l.does(call("read", 1)).observes(failed());
        assert!(l.effects().iter().all(|effect| !matches!(effect, Effect::Verify { .. })));
        assert_eq!(l.count(|event| matches!(event, Event::Repairing { .. })), 1);
    }
    // An exit code is the verifier's to read: some tools say 1 when all is well.
    let mut l = Loop::start(with(|m| m.tools[0].verifier = Some(Verifier::ExitCode(1))));
    l.does(call("read", 1)).observes(failed()).verifies(true, false);
    assert_eq!(l.count(|event| matches!(event, Event::Committed { .. })), 1);
}

#[test]
fn a_cancelled_call_is_booked() {
    let mut l = Loop::start(manifest());
    l.does(call("write", 1));
    l.give(Input::Cancelled);
    let used = |dimension| l.run.view().budget(dimension).used;
    assert_eq!((used(Dimension::ToolCalls), used(Dimension::SideEffects)), (1, 1), "it may well have been done");
    assert_eq!(l.count(|event| matches!(event, Event::Withdrawn { .. })), 0);
}

#[test]
fn each_criterion_hangs_on_its_own_tool() {
    let mut l = Loop::start(with_criteria(&["a", "b"]));
    l.does(call("b", 1)).answers("x").verifies(true, false);
    let met: Vec<String> = l
        .events
        .iter()
        .filter_map(|event| match event {
            Event::CriterionMet { id } => Some(id.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(met, ["b"]);
}

#[test]
fn an_ambiguous_goal_may_fail_closed() {
    let ambiguous = |closed: bool| {
        let conditions = if closed { vec![FailClosed::AmbiguousGoal] } else { vec![] };
        let manifest = filled(&[Slot::Classifier], PolicyMode::Enforce, |m| m.boundary.fail_closed = conditions);
        Loop::judged(manifest, |_| Answered::Undecided(Cause::Trap))
    };
    assert_eq!(ended(&ambiguous(true)), Some(Code::AmbiguousIntent));
    assert_eq!(suspended(&ambiguous(false)), Some(Code::AmbiguousIntent));
}
