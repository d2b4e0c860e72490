//! Approvals, and what else people decide.

use countersign_kernel::told::Notice;

use super::*;

/// What the host itself asks a person about.
#[test]
fn approvals_by_kind_and_by_ceiling() {
    type Change = fn(&mut countersign_spec::Tool);
    let asks: [(&str, Change, bool, bool); 13] = [
        // What, how the tool is, whether it asks, whether it still asks when preauthorised.
        ("a reading", |t| t.side_effect = SideEffectClass::ReadOnly, false, false),
        ("a sandboxed change", |_| {}, false, false),
        ("a reversible change of a file", |t| t.category = ToolCategory::FileSystem, false, false),
        (
            "an irreversible change of a file",
            |t| {
                t.category = ToolCategory::FileSystem;
                t.reversibility = Reversibility::Irreversible;
            },
            true,
            false,
        ),
        (
            "a wide change of files",
            |t| {
                t.category = ToolCategory::FileSystem;
                t.blast_radius = Some(11);
            },
            true,
            false,
        ),
        ("a change in a database", |t| t.category = ToolCategory::Database, true, false),
        ("a change of infrastructure", |t| t.category = ToolCategory::Infrastructure, true, false),
        ("what its tool says asks always", |t| t.approval = Some(ApprovalRule::Always), true, false),
        ("a payment", |t| t.category = ToolCategory::Payment, true, true),
        ("what moves money", |t| t.side_effect = SideEffectClass::Financial, true, true),
        ("a message", |t| t.side_effect = SideEffectClass::Communication, true, true),
        ("what is tagged", |t| t.compliance = Compliance::Pii, true, true),
        (
            "a message that its tool says need not ask",
            |t| {
                t.side_effect = SideEffectClass::Communication;
                t.approval = Some(ApprovalRule::Never);
            },
            true,
            true,
        ),
    ];
    for (what, change, expected, by_ceiling) in asks {
        for preauthorised in [false, true] {
            let mut asked = Loop::start(with(|m| {
                change(&mut m.tools[1]);
                m.boundary.blast_radius_limit = Some(10);
                m.boundary.preauthorised = if preauthorised { vec!["write".into()] } else { vec![] };
            }));
            asked.does(call("write", 1));
            let wanted = if preauthorised { by_ceiling } else { expected };
            assert_eq!(
                suspended(&asked) == Some(Code::ConfirmRequired),
                wanted,
                "{what}, preauthorised {preauthorised}"
            );
            assert_eq!(asked.dispatched(), usize::from(!wanted), "{what}");
        }
    }
    // What the boundary lists asks, whatever it is.
    let mut listed = Loop::start(with(|m| m.boundary.asks = vec!["read".into()]));
    listed.does(call("read", 1));
    assert_eq!(suspended(&listed), Some(Code::ConfirmRequired));
}

#[test]
fn an_approval_is_for_one_call_once() {
    let mut approved = Loop::start(asking());
    approved.does(call("write", 1)).approves();
    assert_eq!(approved.dispatched(), 1);
    assert_eq!(approved.count(|event| matches!(event, Event::ApprovalSpent { .. })), 1);
    // Single use: another call asks again, and so does the very same one, were it not a duplicate.
    approved.answers("x").does(call("write", 2));
    assert_eq!((approved.dispatched(), suspended(&approved)), (1, Some(Code::ConfirmRequired)));
    // Only the fingerprint that is shown is taken.
    let refused = approved.run.expects(&Input::Decided {
        id: "x".into(),
        by: "eve".into(),
        decision: Decision::Approved { fingerprint: "another".into() },
        given: None,
    });
    assert!(refused.is_err());
    // An entry of the inbox counts once.
    approved.approves().answers("x").does(call("write", 3));
    let again = Input::Decided { id: "d1".into(), by: "ada".into(), decision: Decision::Resumed, given: None };
    assert!(approved.run.expects(&again).is_err());
}

#[test]
fn expired_rejected_and_unavailable_are_three_things() {
    // Expired: asked again under another fingerprint, then the end.
    let mut expired = Loop::start(asking());
    expired.does(call("write", 1));
    let first = expired.run.awaits().map(|approval| Arc::clone(&approval.fingerprint));
    expired.decides(Decision::Expired);
    let second = expired.run.awaits().map(|approval| Arc::clone(&approval.fingerprint));
    assert!(suspended(&expired).is_some() && second.is_some() && first != second);
    expired.decides(Decision::Expired);
    assert_eq!((ended(&expired), expired.dispatched()), (Some(Code::ConfirmRequired), 0));
    // What comes too late has not come.
    let mut late = Loop::start(asking());
    late.does(call("write", 1));
    late.at += late.run.manifest().rules.approval_expiry + 1;
    late.approves();
    assert_eq!(late.dispatched(), 0);
    assert_eq!(late.count(|event| matches!(event, Event::ApprovalExpired { asked_again: true, .. })), 1);
    let mut in_time = Loop::start(asking());
    in_time.does(call("write", 1));
    in_time.at += in_time.run.manifest().rules.approval_expiry;
    in_time.approves();
    assert_eq!(in_time.dispatched(), 1);
    // Rejected: the end, or another way.
    let mut rejected = Loop::start(asking());
    rejected.does(call("write", 1)).decides(Decision::Rejected { fingerprint: None, instead: None });
    assert_eq!((ended(&rejected), rejected.dispatched()), (Some(Code::PermissionDenied), 0));
    let mut otherwise = Loop::start(asking());
    otherwise.does(call("write", 1)).decides(Decision::Rejected { fingerprint: None, instead: Some("read".into()) });
    let told = otherwise.effects().iter().any(|effect| match effect {
        Effect::CallModel { request, .. } => {
            request.notice == Some(Notice::Rejected { tool: Some("write".into()), instead: "read".into() })
        }
        _ => false,
    });
    assert!(told && otherwise.status() == Status::Running && otherwise.dispatched() == 0);
    let mut unavailable = Loop::start(asking());
    unavailable.does(call("write", 1)).decides(Decision::Unavailable);
    assert_eq!(ended(&unavailable), Some(Code::ConfirmRequired));
    assert_eq!(unavailable.count(|event| matches!(event, Event::ApprovalUnavailable)), 1);
    // A boundary may want the end at once.
    for decision in [Decision::Expired, Decision::Rejected { fingerprint: None, instead: None }] {
        let mut closed = Loop::start(with(|m| {
            m.tools[1].approval = Some(ApprovalRule::Always);
            m.boundary.fail_closed = vec![FailClosed::MissingApproval];
            m.rules.approval_reasks = 0;
        }));
        closed.does(call("write", 1)).decides(decision);
        assert_eq!(closed.count(|event| matches!(event, Event::FailedClosed { .. })), 1);
    }
}

#[test]
fn a_person_takes_what_there_is() {
    let mut accepted = Loop::start(with_criteria(&["a", "b"]));
    accepted.does(call("a", 1)).answers("x").verifies(true, false);
    accepted.does(Action::Defer { reason: "a person must look".into() }).decides(Decision::Accepted);
    assert_eq!(ended(&accepted), Some(Code::PartialSuccess));
    let mut whole = Loop::start(manifest());
    whole.does(Action::Defer { reason: "a person must look".into() }).decides(Decision::Accepted);
    assert_eq!(ended(&whole), Some(Code::PartialSuccess), "nothing was verified");
}

#[test]
fn an_approval_answers_whoever_asks_by_then_and_overrules_no_denial() {
    use countersign_kernel::contract::risk::Assessment;
    // The policy proceeds when the ceiling asks, and objects once a person has approved.
    for (later, dispatched, status, joined) in [
        (Verdict::Proceed, 1, Status::Running, 0),
        (Verdict::Ask, 1, Status::Running, 1),
        (Verdict::Deny, 0, Status::Running, 0),
        (Verdict::Terminate, 0, Status::Ended(Code::UnsafeDetection), 0),
    ] {
        let mut times = 0;
        let judge = move |_: &Question| {
            times += 1;
            let verdict = if times == 1 { Verdict::Proceed } else { later };
            Answered::Risk(Assessment { verdict, score: 0.5, reason: "r".into() })
        };
        let payment = |m: &mut Manifest| m.tools[1].category = ToolCategory::Payment;
        let mut judged = Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, payment), judge);
        judged.does(call("write", 1)).approves();
        assert_eq!((judged.dispatched(), judged.status()), (dispatched, status), "{later}");
        let named = |event: &Event| matches!(event, Event::ApprovalJoined { by, .. } if *by == [Arc::from("p")]);
        assert_eq!(judged.count(named), joined, "{later}");
        let told = |event: &Event| matches!(event, Event::Notified { text } if text.contains("p asked too: r"));
        assert_eq!(judged.count(told), joined, "{later}");
    }
}

#[test]
fn reviewers_have_so_much_room() {
    use countersign_kernel::contract::risk::Assessment;
    let notify = |_: &Question| Answered::Risk(Assessment { verdict: Verdict::Notify, score: 0.5, reason: "r".into() });
    let mut full =
        Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, |m| m.rules.review_capacity = Some(2)), notify);
    for number in 0..4 {
        full.does(call("read", number)).answers("x");
    }
    let told = full.count(|event| matches!(event, Event::Notified { .. }));
    let later = full.count(|event| matches!(event, Event::ReviewDeferred { .. }));
    assert_eq!((told, later), (2, 2));
}

#[test]
fn an_approval_is_spent_by_that_very_call_alone() {
    use countersign_kernel::contract::risk::Assessment;
    // Asked, approved, and then the policy wants another plan: the approval is still there.
    let begin = || {
        let mut times = 0;
        let judge = move |_: &Question| {
            times += 1;
            let verdict = if times == 2 { Verdict::Replan } else { Verdict::Ask };
            Answered::Risk(Assessment { verdict, score: 0.5, reason: "r".into() })
        };
        let mut l = Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, |m| add(m, writing("other"))), judge);
        l.does(call("write", 1)).approves();
        assert_eq!((l.dispatched(), l.status()), (0, Status::Running));
        l
    };
    let mut same = begin();
    same.does(call("write", 1));
    assert_eq!(same.dispatched(), 1, "a repeat of that very call spends it");
    for another in [call("write", 2), call("other", 1)] {
        let mut changed = begin();
        changed.does(another);
        assert_eq!((changed.dispatched(), suspended(&changed)), (0, Some(Code::ConfirmRequired)));
    }
    let Action::Call { tool, arguments, key, invalid, missing, touches, .. } = call("write", 1) else { return };
    let payload = Some("another secret".into());
    let mut secret = begin();
    secret.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
    assert_eq!(secret.dispatched(), 0, "the same words around another secret");
    let mut late = begin();
    late.at += late.run.manifest().rules.approval_expiry + 1;
    late.does(call("write", 1));
    assert_eq!(late.dispatched(), 0, "it has run out meanwhile");
}

#[test]
fn fingerprints_differ_by_run_and_by_time() {
    let fingerprint = |change: Setting| {
        let mut l = Loop::start(with(|m| {
            *m = asking();
            change(m);
        }));
        l.does(call("write", 1));
        l.run.awaits().map(|approval| approval.fingerprint.to_string()).unwrap_or_default()
    };
    let all = [
        fingerprint(|_| {}),
        fingerprint(|m| m.run = "another".into()),
        fingerprint(|m| m.seed = 8),
        fingerprint(|m| m.tools[1].definition = "another".into()),
    ];
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!((distinct.len(), all[0].len()), (4, 32));
    assert_eq!(all[0], fingerprint(|_| {}), "and follow from them");
}

#[test]
fn which_decisions_answer_which_question() {
    let fingerprint: Arc<str> = "another".into();
    let decisions = [
        ("approved", Decision::Approved { fingerprint: Arc::clone(&fingerprint) }),
        ("rejected", Decision::Rejected { fingerprint: None, instead: None }),
        ("rejected another", Decision::Rejected { fingerprint: Some(fingerprint), instead: None }),
        ("expired", Decision::Expired),
        ("unavailable", Decision::Unavailable),
        ("answered", Decision::Answered { text: "x".into() }),
        ("accepted", Decision::Accepted),
        ("released", Decision::Released { extra: [(Dimension::Steps, 1)].into() }),
        ("released nothing", Decision::Released { extra: BTreeMap::new() }),
        ("resumed", Decision::Resumed),
    ];
    let mut approval = Loop::start(asking());
    approval.does(call("write", 1));
    let mut review = Loop::start(manifest());
    review.does(Action::Defer { reason: "a person must look".into() });
    let mut bucket = Loop::start(manifest());
    bucket.give(Input::Refused { bucket: "app".into(), dimension: "cost".into(), demand: 1, left: 0 });
    let missing = |l: &mut Loop| {
        let Action::Call { tool, arguments, key, payload, touches, .. } = call("read", 1) else { return };
        let action = Action::Call {
            tool,
            arguments,
            key,
            invalid: Some("no".into()),
            missing: vec!["x".into()],
            payload,
            touches,
        };
        l.says("look", action.clone()).says("look", action);
    };
    let mut user = Loop::start(manifest());
    missing(&mut user);
    let expected: [(&str, &Loop, &[&str]); 4] = [
        ("an approval", &approval, &["rejected", "expired", "unavailable", "released"]),
        (
            "a review",
            &review,
            &["rejected", "rejected another", "expired", "unavailable", "answered", "accepted", "released", "resumed"],
        ),
        (
            "an empty bucket",
            &bucket,
            &["rejected", "rejected another", "expired", "unavailable", "answered", "accepted", "resumed"],
        ),
        (
            "a question to the user",
            &user,
            &["rejected", "rejected another", "expired", "unavailable", "answered", "released", "resumed"],
        ),
    ];
    for (what, l, wanted) in expected {
        for (name, decision) in &decisions {
            let input = Input::Decided {
                id: name.to_string().into(),
                by: "ada".into(),
                decision: decision.clone(),
                given: None,
            };
            assert_eq!(l.run.expects(&input).is_ok(), wanted.contains(name), "{name} to {what}");
        }
    }
    // What each does to a question of the user's.
    for (decision, status) in [
        (Decision::Expired, Status::Ended(Code::MissingInfo)),
        (Decision::Unavailable, Status::Ended(Code::MissingInfo)),
        (Decision::Rejected { fingerprint: None, instead: None }, Status::Ended(Code::MissingInfo)),
        (Decision::Rejected { fingerprint: None, instead: Some("x".into()) }, Status::Running),
        (Decision::Resumed, Status::Running),
        (Decision::Released { extra: [(Dimension::Steps, 1)].into() }, Status::Running),
    ] {
        let mut user = Loop::start(manifest());
        missing(&mut user);
        user.decides(decision);
        assert_eq!(user.status(), status);
    }
}

#[test]
fn a_plan_that_a_person_does_not_like_is_made_anew() {
    let approved = || {
        with(|m| {
            m.boundary.autonomy = 5;
            m.boundary.plans = PlanRule::Approved;
        })
    };
    let mut l = Loop::start(approved());
    l.does(plan(vec![step("a", "read", &[])]));
    l.decides(Decision::Rejected { fingerprint: None, instead: Some("look twice".into()) });
    let wants = l.effects().iter().any(|effect| match effect {
        Effect::CallModel { request, .. } => {
            let twice = Notice::Rejected { tool: None, instead: "look twice".into() };
            request.purpose == Purpose::Plan && request.notice == Some(twice)
        }
        _ => false,
    });
    assert!(wants, "the words reach the model");
    l.does(plan(vec![step("b", "read", &[])]));
    assert_eq!(suspended(&l), Some(Code::ConfirmRequired), "the new one waits too");
    l.approves();
    // And so does any later one.
    l.does(plan(vec![step("c", "write", &[])]));
    assert_eq!(suspended(&l), Some(Code::ConfirmRequired));
    let mut ended_by = Loop::start(approved());
    ended_by.does(plan(vec![step("a", "read", &[])]));
    ended_by.decides(Decision::Rejected { fingerprint: None, instead: None });
    assert_eq!(ended(&ended_by), Some(Code::PermissionDenied));
}

#[test]
fn what_a_person_took_back_is_not_spent() {
    use countersign_kernel::contract::risk::Assessment;
    // Approved; the policy wants another plan, then asks about something else, which is rejected.
    let mut times = 0;
    let judge = move |_: &Question| {
        times += 1;
        let verdict = if times == 2 { Verdict::Replan } else { Verdict::Ask };
        Answered::Risk(Assessment { verdict, score: 0.5, reason: "r".into() })
    };
    let mut l = Loop::judged(filled(&[Slot::Risk], PolicyMode::Enforce, |_| {}), judge);
    l.does(call("write", 1)).approves();
    l.does(call("write", 2)).decides(Decision::Rejected { fingerprint: None, instead: Some("nothing more".into()) });
    l.does(call("write", 1));
    assert_eq!((l.dispatched(), suspended(&l)), (0, Some(Code::ConfirmRequired)));
}

#[test]
fn an_approval_of_one_thing_is_not_one_of_another() {
    let begin = || {
        let mut manifest = with_criteria(&["a", "b"]);
        manifest.boundary.asks = vec!["memory".into()];
        manifest.tools[1].approval = Some(ApprovalRule::Always);
        manifest.rules.memory_after_verification = false;
        manifest.rules.memory_sources = false;
        let mut l = Loop::start(manifest);
        l.does(Action::Write { state: StateKind::Memory, key: "k".into(), text: "t".into(), sources: vec![] });
        l
    };
    let written = |l: &Loop| l.count(|event| matches!(event, Event::MemoryWritten { .. }));
    let mut approved = begin();
    approved.approves();
    assert_eq!(written(&approved), 1);
    // Something else is decided first: the memory waits no longer.
    let others = [
        Decision::Released { extra: [(Dimension::Steps, 1)].into() },
        Decision::Rejected { fingerprint: None, instead: Some("no".into()) },
    ];
    for other in others {
        let mut l = begin();
        l.decides(other).does(call("write", 1)).approves();
        assert_eq!((written(&l), l.dispatched()), (0, 1));
    }
}

#[test]
fn nothing_is_called_before_the_plan_that_is_asked_for() {
    // A plan that does not fit the budget, a release, and a model that would rather act.
    let mut manifest = with(|m| {
        m.boundary.autonomy = 5;
        m.boundary.plans = PlanRule::Approved;
        m.limits.output_tokens = 10;
        let mut graph = (*m.graph).clone();
        for edge in &mut graph.interrupts {
            if edge.on == countersign_spec::graph::Exit::OverBudget {
                edge.to = "escalate".into();
            }
        }
        m.graph = Arc::new(graph);
    });
    manifest.ceilings.output_tokens = 100_000;
    let mut l = Loop::start(manifest);
    l.decides(Decision::Released { extra: [(Dimension::OutputTokens, 10_000)].into() });
    l.does(call("write", 1));
    assert_eq!(
        (l.dispatched(), l.blocked().map(|(stage, response, _)| (stage, response))),
        (0, Some(("plan", "repair")))
    );
    l.does(plan(vec![step("a", "write", &[])]));
    let shown = l.run.awaits().map(|approval| approval.arguments.to_string());
    assert_eq!(shown.as_deref(), Some("next a: a (write)"), "and the tool is shown with it");
    l.approves().does(call("write", 1));
    assert_eq!(l.dispatched(), 1);
}

#[test]
fn ceilings_look_at_category_and_goal_too() {
    let asks = |change: Setting| {
        let mut l = Loop::start(with(|m| {
            m.boundary.preauthorised = vec!["write".into(), "read".into()];
            change(m);
        }));
        l.does(call("write", 1));
        suspended(&l) == Some(Code::ConfirmRequired)
    };
    assert!(asks(|m| m.tools[1].category = ToolCategory::Communication));
    assert!(asks(|m| m.goal.compliance = Compliance::Regulated));
    assert!(!asks(|_| {}));
    let mut reading = Loop::start(with(|m| m.goal.compliance = Compliance::Regulated));
    reading.does(call("read", 1));
    assert_eq!(reading.dispatched(), 1, "a reading changes nothing; its own tag would ask");
    let mut regulated = Loop::start(with(|m| {
        m.goal.compliance = Compliance::Regulated;
        m.boundary.fail_closed = vec![FailClosed::RegulatedData];
    }));
    regulated.does(call("read", 1));
    assert_eq!(ended(&regulated), Some(Code::UnsafeDetection));
}

#[test]
fn arguments_may_say_more_than_the_registry_and_never_less() {
    let asks = |records: u64| {
        let mut l = Loop::start(with(|m| {
            m.tools[1].category = ToolCategory::FileSystem;
            m.tools[1].blast_radius = Some(50);
            m.boundary.blast_radius_limit = Some(60);
        }));
        let Action::Call { tool, arguments, key, invalid, missing, payload, .. } = call("write", 1) else {
            return false;
        };
        let touches = Touched { records: Some(records), ..Touched::default() };
        l.does(Action::Call { tool, arguments, key, invalid, missing, payload, touches });
        if l.dispatched() == 1 {
            l.answers("x");
            assert_eq!(l.run.view().budget(Dimension::RecordsTouched).used, records.max(50));
        }
        suspended(&l).is_some()
    };
    assert_eq!([asks(1), asks(55), asks(61)], [false, false, true]);
}

#[test]
fn what_waits_says_of_which_kind_it_is() {
    let state = |change: Setting| {
        let mut l = Loop::start(with(change));
        l.does(call("write", 1));
        l.events.iter().find_map(|event| match event {
            Event::Suspended { report, .. } => Some(report.authority.state),
            _ => None,
        })
    };
    assert_eq!(
        state(|m| m.tools[1].side_effect = SideEffectClass::Communication),
        Some(RiskState::ExternalCommunication)
    );
    assert_eq!(state(|m| m.tools[1].side_effect = SideEffectClass::Financial), Some(RiskState::FinancialCommitment));
    assert_eq!(state(|m| m.tools[1].approval = Some(ApprovalRule::Always)), Some(RiskState::HighImpactMutation));
}

#[test]
fn a_lost_driver_is_told_to_the_run() {
    let lost = |l: &mut Loop| {
        if let Some(input) = l.run.lost() {
            l.give(input);
        }
    };
    // A change that may have been made is not made again; what only reads is.
    let mut changed = Loop::start(manifest());
    changed.does(call("write", 1));
    lost(&mut changed);
    changed.does(call("write", 1));
    assert_eq!(changed.dispatched(), 1);
    let mut read = Loop::start(manifest());
    read.does(call("read", 1));
    lost(&mut read);
    assert_eq!(read.dispatched(), 2);
    // A model is asked again, a verification has not held.
    let mut asked = Loop::start(manifest());
    lost(&mut asked);
    assert_eq!(asked.status(), Status::Running);
    let mut verifying = Loop::start(with(|m| m.tools[0].verifier = Some(Verifier::ResultSchema)));
    verifying.does(call("read", 1)).answers("x");
    lost(&mut verifying);
    assert_eq!(verifying.count(|event| matches!(event, Event::VerificationFailed { .. })), 1);
    // Whoever waits for a person waits on.
    let mut waiting = Loop::start(asking());
    waiting.does(call("write", 1));
    assert!(waiting.run.lost().is_none());
}
