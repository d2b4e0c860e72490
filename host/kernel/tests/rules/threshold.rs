//! What the slots `remediation` and `threshold` make the run do (specification C1–C4).

use countersign_kernel::Alarm;
use countersign_kernel::contract::remediation::{Authority, Remediability, Remedy};
use countersign_kernel::contract::risk::Assessment;
use countersign_kernel::contract::threshold::{self, Decision as Weighed, Ledger, Trigger};
use countersign_spec::Driver;

use super::*;

const SLOTS: [Slot; 3] = [Slot::Risk, Slot::Remediation, Slot::Threshold];

fn weighs(decision: Weighed) -> Answered {
    let (value, risk, cost, irreversibility, authority_gap) = (0.5, 0.1, 0.1, 0.0, 0.0);
    let reason = "weighed".to_owned();
    Answered::Threshold(threshold::Assessment { decision, value, risk, cost, irreversibility, authority_gap, reason })
}

/// Every failure is one that only the user can mend; `weigh` says the rest.
fn judge(weigh: impl Fn(&Ledger) -> Weighed + 'static) -> impl FnMut(&Question) -> Answered + 'static {
    move |question| match question {
        Question::Remediation(_) => Answered::Remediation(Remedy {
            remediability: Remediability::Irremediable(Authority { who: "user".into(), what: "log in".into() }),
            reason: "no access".into(),
        }),
        Question::Threshold(ledger) => weighs(weigh(ledger)),
        _ => Answered::Risk(Assessment { verdict: Verdict::Proceed, score: 0.2, reason: String::new() }),
    }
}

fn gap_stops(ledger: &Ledger) -> Weighed {
    if ledger.gap.is_some() { Weighed::Escalate(Trigger::AuthorityGap) } else { Weighed::Continue }
}

fn agent(m: &mut Manifest) {
    m.driver = Driver::Agent;
    m.escalation.failed_attempts = u32::MAX;
    m.rules.repairs = u32::MAX;
    m.rules.refusals = 0;
}

#[test]
fn a_gap_stops_the_run_and_says_who_can_mend_it() {
    let mut l = Loop::judged(filled(&SLOTS, PolicyMode::Enforce, |_| {}), judge(gap_stops));
    l.does(call("read", 1)).fails();
    assert_eq!(l.status(), Status::Suspended(Code::ReviewRequired));
    let told = l.effects().iter().find_map(|effect| match effect {
        Effect::Suspend { report, .. } => Some((report.authority.endpoint.to_string(), report.reason.clone())),
        _ => None,
    });
    assert_eq!(told, Some(("user".to_owned(), "authority gap: weighed".to_owned())));
    // Whoever resumes it has seen to it: the run tries again, and a tool that works has no gap.
    l.decides(Decision::Resumed).does(call("read", 2)).answers("fine");
    assert_eq!(l.status(), Status::Running);
}

#[test]
fn monitor_mode_only_says_so() {
    let mut l = Loop::judged(filled(&SLOTS, PolicyMode::Monitor, |_| {}), judge(gap_stops));
    l.does(call("read", 1)).fails();
    assert_eq!(l.status(), Status::Running);
    assert_eq!(l.count(|event| matches!(event, Event::GapFound { .. } | Event::Held { .. })), 0);
}

#[test]
fn an_agent_that_was_told_to_stop_makes_no_call_before_it_has_reported() {
    let mut l = Loop::judged(filled(&SLOTS, PolicyMode::Enforce, agent), judge(gap_stops));
    l.proposes(call("read", 1)).fails();
    assert_eq!(l.run.held().and_then(|hold| hold.trigger), Some(Trigger::AuthorityGap));
    assert!(l.effects().iter().any(|effect| matches!(effect, Effect::Report { code: Code::ReviewRequired, .. })));
    let before = l.dispatched();
    for action in [call("read", 2), call("write", 3), call("read", 1)] {
        l.proposes(action);
        assert_eq!(l.blocked().map(|blocked| blocked.0), Some("threshold"));
    }
    // The way out says what is wrong with it.
    let mut short = call("defer_to_human", 5);
    if let Action::Call { invalid, .. } = &mut short {
        *invalid = Some("expected a longer reason".to_owned());
    }
    l.proposes(short);
    assert_eq!(l.blocked().map(|blocked| blocked.0), Some("schema"));
    assert!(l.run.held().is_some());
    assert_eq!(l.dispatched(), before);
    assert_eq!(l.status(), Status::Running, "nobody else is held up");
    // The next task begins with the report.
    l.proposes(Action::Defer { reason: "the user must log in again".into() });
    assert!(l.run.held().is_none());
    l.proposes(call("read", 4));
    assert_eq!(l.dispatched(), before + 1);
}

#[test]
fn a_person_or_an_alarm_lifts_it_too() {
    for lift in 0..2 {
        let mut l = Loop::judged(filled(&SLOTS, PolicyMode::Enforce, agent), judge(gap_stops));
        l.proposes(call("read", 1)).fails();
        if lift == 0 {
            l.decides(Decision::Resumed);
        } else {
            l.proposes(Action::EscalateToArchitect { severity: Alarm::Warning, reason: "nobody can log in".into() });
        }
        assert!(l.run.held().is_none());
        assert_eq!(l.count(|event| matches!(event, Event::HoldLifted { .. })), 1);
    }
    // A decision that answers nothing is none.
    let l = Loop::judged(filled(&SLOTS, PolicyMode::Enforce, agent), judge(gap_stops));
    let resumed = Input::Decided { id: "d".into(), by: "ada".into(), decision: Decision::Resumed, given: None };
    assert!(l.run.expects(&resumed).is_err());
}

#[test]
fn every_action_is_weighed_after_it_and_before_it() {
    let asked = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = std::rc::Rc::clone(&asked);
    let mut l = Loop::judged(
        filled(&SLOTS, PolicyMode::Enforce, |_| {}),
        judge(move |ledger| {
            seen.borrow_mut().push(ledger.clone());
            Weighed::Continue
        }),
    );
    l.at = 500;
    l.does(call("read", 1));
    l.at = 700;
    l.observes(Observation { result_key: Some(Key(7)), ..observed() });
    l.does(call("write", 2)).observes(Observation { result_key: Some(Key(7)), ..observed() });
    let asked = asked.borrow();
    let moments: Vec<Option<&str>> = asked.iter().map(|ledger| ledger.next.as_ref().map(|next| &*next.tool)).collect();
    assert_eq!(moments, [Some("read"), None, Some("write"), None]);
    assert_eq!(asked[0].next.as_ref().and_then(|next| next.risk), Some(0.2), "what the risk slot said");
    let first = asked[1].returns[0];
    assert_eq!((first.at, first.novel, first.changed, first.failed), (700, true, false, false));
    let second = asked[3].returns[1];
    assert_eq!((second.novel, second.changed), (true, true), "the same answer to another question, and a change");
    assert!(asked[0].costs.iter().any(|line| line.dimension == Dimension::Steps && line.used == 1 && line.limit == 20));
    assert!(asked[0].costs.iter().all(|line| line.limit < u64::MAX), "what has no cap costs nothing");
}

fn observed() -> Observation {
    Observation::new(Outcome::Returned { exit_code: Some(0), ok: true }, "text".into())
}

#[test]
fn a_person_is_asked_once_for_all_who_want_it() {
    let asks = |question: &Question| match question {
        Question::Threshold(ledger) if ledger.next.is_some() => weighs(Weighed::Escalate(Trigger::IrreversibleAction)),
        Question::Threshold(_) => weighs(Weighed::Continue),
        _ => Answered::Risk(Assessment { verdict: Verdict::Ask, score: 0.9, reason: "risky".into() }),
    };
    let mut l = Loop::judged(filled(&[Slot::Risk, Slot::Threshold], PolicyMode::Enforce, |_| {}), asks);
    l.does(call("write", 1));
    assert_eq!(l.status(), Status::Suspended(Code::ConfirmRequired));
    let reason = l.run.awaits().map(|approval| approval.reason.clone()).unwrap_or_default();
    assert!(reason.contains("risky") && reason.contains("irreversible action"), "{reason}");
    l.approves();
    assert_eq!((l.status(), l.dispatched()), (Status::Running, 1), "one approval, and the call is made");
}

#[test]
fn an_approved_call_of_an_agent_runs_once_although_another_slot_came_to_ask() {
    // The threshold slot asks from the second time on, or only once a person has approved.
    for joins in [2, 3] {
        let mut weighed = 0;
        let asks = move |question: &Question| match question {
            Question::Threshold(ledger) if ledger.next.as_ref().is_some_and(|next| next.mutating) => {
                weighed += 1;
                let stops = weighed >= joins;
                weighs(if stops { Weighed::Escalate(Trigger::IrreversibleAction) } else { Weighed::Continue })
            }
            Question::Threshold(_) => weighs(Weighed::Continue),
            _ => Answered::Risk(Assessment { verdict: Verdict::Proceed, score: 0.9, reason: String::new() }),
        };
        let change = |m: &mut Manifest| {
            agent(m);
            m.tools[1].approval = Some(ApprovalRule::Always);
            m.tools[1].idempotent = true;
        };
        let mut l = Loop::judged(filled(&[Slot::Risk, Slot::Threshold], PolicyMode::Enforce, change), asks);
        l.proposes(call("write", 1)).proposes(call("write", 1));
        let shown = l.run.parked().next().cloned();
        let Some(approval) = shown else { panic!("nobody is asked") };
        assert_eq!(approval.asked_by.contains(&"p".into()), joins == 2, "{:?}", approval.asked_by);
        assert_eq!(approval.reason.contains("irreversible action"), joins == 2, "{}", approval.reason);
        let reported = l.effects().iter().any(|effect| matches!(effect, Effect::Report { .. }));
        assert_eq!(reported, joins == 2, "people are told of one more who asks, and only of that");
        l.decides(Decision::Approved { fingerprint: approval.fingerprint });
        l.proposes(call("write", 1));
        assert_eq!(l.dispatched(), 1, "one approval, and the call is made: {:?}", l.blocked());
        l.answers("written").proposes(call("write", 1));
        assert_eq!(l.dispatched(), 1, "an approval is for one call");
        assert_eq!(l.count(|event| matches!(event, Event::ApprovalJoined { .. })), 1);
        assert_eq!(l.count(|event| matches!(event, Event::ApprovalRequested { .. })), 2);
    }
}

#[test]
fn nothing_left_to_find_out_ends_a_run_whose_criteria_are_met() {
    let collapses = |ledger: &Ledger| {
        let late = ledger.next.is_none() && ledger.actions > 1;
        if late { Weighed::Escalate(Trigger::ConfidenceCollapse) } else { Weighed::Continue }
    };
    let criterion = |m: &mut Manifest| {
        m.tools[0].verifier = Some(Verifier::ExitCode(0));
        m.goal.criteria = vec![Criterion { id: "c".into(), text: "c".into(), tool: "read".into() }];
        m.rules.stop_when_complete = false;
        m.tools[1].side_effect = SideEffectClass::ReadOnly;
    };
    let mut l = Loop::judged(filled(&SLOTS, PolicyMode::Enforce, criterion), judge(collapses));
    l.does(call("read", 1)).answers("it").verifies(true, false);
    assert_eq!(l.status(), Status::Running);
    l.does(call("write", 2)).answers("more");
    assert_eq!(l.status(), Status::Ended(Code::Success));
    // Where something is still open a person looks.
    let mut open = Loop::judged(filled(&SLOTS, PolicyMode::Enforce, |_| {}), judge(collapses));
    open.does(call("read", 1)).answers("it").does(call("read", 2)).answers("it");
    assert_eq!(open.status(), Status::Suspended(Code::ReviewRequired));
}
