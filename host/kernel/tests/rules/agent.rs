//! Runs whose loop an agent owns: what waits for a person waits by itself.

use std::sync::Arc;

use countersign_kernel::told::Notice;
use countersign_kernel::{Approval, CallDecision, Covers, Frame, StandingApproval};
use countersign_spec::Driver;

use super::*;

/// An agent's run, driven by hand.
struct Agent {
    run: Run,
    at: u64,
    events: Vec<Event>,
    effects: Vec<Effect>,
    frames: Vec<Frame>,
    decision: Option<CallDecision>,
}

impl Agent {
    fn start(change: impl FnOnce(&mut Manifest)) -> Self {
        let mut manifest = manifest();
        manifest.driver = Driver::Agent;
        manifest.escalation.failed_attempts = u32::MAX;
        manifest.rules.repairs = u32::MAX;
        manifest.rules.refusals = 0;
        // A change that nobody can undo: a person approves it by its kind.
        manifest.tools[1].reversibility = Reversibility::Irreversible;
        manifest.tools[1].approval = Some(ApprovalRule::Destructive);
        manifest.tools[1].idempotent = true;
        change(&mut manifest);
        let run = Run::open(Arc::new(manifest)).unwrap_or_else(|error| panic!("{error}"));
        let mut agent = Agent { run, at: 0, events: vec![], effects: vec![], frames: vec![], decision: None };
        agent.give(Input::Started);
        agent
    }

    fn give(&mut self, input: Input) {
        self.at += 10;
        if let Err(error) = self.run.accept(self.at, input) {
            panic!("{error}");
        }
        let closed = self.run.close().unwrap_or_else(|error| panic!("{error}"));
        self.events.clone_from(&closed.frame.events);
        self.effects = closed.effects;
        self.decision = closed.decision;
        self.frames.push(closed.frame);
    }

    /// Proposes a call; whether it may be made.
    fn propose(&mut self, action: Action) -> bool {
        let call = self.run.awaited().unwrap_or_else(|| panic!("{:?}", self.run.status()));
        let reply = Reply::Step(countersign_kernel::StepReply {
            step: "s".into(),
            action,
            reasoning: "".into(),
            status: countersign_kernel::StepStatus::Ok,
            confidence: None,
            signals: vec![],
            bytes: 0,
            unwrapped: vec![],
        });
        self.give(Input::Replied { call, reply, usage: countersign_kernel::Usage::default(), request: None });
        self.effects.iter().any(|effect| matches!(effect, Effect::Dispatch { .. }))
    }

    /// What came of the permitted call.
    fn observe(&mut self, ok: bool) {
        let call = self.effects.iter().find_map(|effect| match effect {
            Effect::Dispatch { call, .. } => Some(*call),
            _ => None,
        });
        let outcome = Outcome::Returned { exit_code: Some(i32::from(!ok)), ok };
        let observation = Observation::new(outcome, "text".into());
        self.give(Input::Observed { call: call.unwrap_or_else(|| panic!("nothing was permitted")), observation });
    }

    fn decide(&mut self, id: &str, decision: Decision) {
        self.give(Input::Decided { id: id.into(), by: "Ada".into(), decision, given: None });
    }

    fn parked(&self) -> Vec<Approval> {
        self.run.parked().cloned().collect()
    }

    fn notice(&self) -> Option<Notice> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Await { notice, .. } => notice.clone(),
            _ => None,
        })
    }

    fn blocked(&self) -> String {
        let blocked = self.events.iter().find_map(|event| match event {
            Event::Blocked { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        blocked.unwrap_or_default()
    }
}

#[test]
fn a_call_that_waits_for_a_person_holds_nobody_up() {
    let mut agent = Agent::start(|_| {});
    assert!(!agent.propose(call("write", 1)));
    assert!(agent.effects.iter().any(|effect| matches!(effect, Effect::Report { code: Code::ConfirmRequired, .. })));
    assert_eq!((agent.run.status(), agent.parked().len()), (Status::Running, 1));
    // Other calls go on, and the same one asks once.
    assert!(agent.propose(call("read", 1)));
    agent.observe(true);
    assert!(!agent.propose(call("write", 1)));
    assert_eq!(agent.parked().len(), 1);
    // Other arguments are another call.
    assert!(!agent.propose(call("write", 2)));
    assert_eq!(agent.parked().len(), 2);
    let fingerprint = agent.parked()[0].fingerprint.clone();
    agent.decide("1", Decision::Approved { fingerprint });
    assert_eq!(agent.parked().len(), 1);
    assert!(!agent.propose(call("write", 3)), "approved was another one");
    assert!(agent.propose(call("write", 1)));
    agent.observe(true);
    assert!(!agent.propose(call("write", 1)), "an approval is spent once");

    // The same inputs give the same frames.
    let mut again = Run::open(Arc::clone(agent.run.manifest())).unwrap_or_else(|error| panic!("{error}"));
    for frame in &agent.frames {
        again.fold(frame).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(again.parked().count(), agent.parked().len());
}

#[test]
fn what_a_person_refuses_stays_refused() {
    let mut agent = Agent::start(|_| {});
    agent.propose(call("write", 1));
    let fingerprint = Some(agent.parked()[0].fingerprint.clone());
    agent.decide("1", Decision::Rejected { fingerprint, instead: Some("write a draft".into()) });
    assert!(!agent.propose(call("write", 1)));
    assert_eq!(agent.blocked(), "a person refused it: write a draft");
    assert!(agent.parked().is_empty());
}

#[test]
fn decisions_that_nothing_waits_for_are_not_taken() {
    let mut agent = Agent::start(|_| {});
    agent.propose(call("write", 1));
    let fingerprint = agent.parked()[0].fingerprint.clone();
    let of = |decision| Input::Decided { id: "1".into(), by: "Ada".into(), decision, given: None };
    assert!(agent.run.expects(&of(Decision::Approved { fingerprint: "x".into() })).is_err());
    assert!(agent.run.expects(&of(Decision::Resumed)).is_err());
    assert!(agent.run.expects(&of(Decision::Approved { fingerprint: fingerprint.clone() })).is_ok());
    agent.decide("1", Decision::Approved { fingerprint: fingerprint.clone() });
    // Once is enough, and the same entry of the inbox counts once.
    assert!(agent.run.expects(&of(Decision::Approved { fingerprint })).is_err());
}

#[test]
fn nobody_decides_in_time() {
    let mut agent = Agent::start(|m| {
        m.rules.approval_expiry = 100;
        m.rules.approval_reasks = 1;
    });
    agent.propose(call("write", 1));
    let first = agent.parked()[0].fingerprint.clone();
    agent.at += 200;
    assert!(!agent.propose(call("write", 1)));
    let second = agent.parked()[0].fingerprint.clone();
    assert_ne!(first, second, "asked again, by another fingerprint");
    agent.at += 200;
    assert!(!agent.propose(call("write", 1)));
    assert_eq!(agent.blocked(), "nobody decided in time");
    assert!(agent.parked().is_empty());
}

#[test]
fn the_same_call_fails_three_times_and_is_not_made_again() {
    for (most, tries) in [(3, 3), (0, 6)] {
        let mut agent = Agent::start(|m| m.rules.failing_calls = most);
        for number in 1..=tries {
            assert!(agent.propose(call("read", 1)), "call {number}");
            agent.observe(false);
            assert_eq!(agent.notice().is_some(), most > 0 && number == most);
        }
        assert_eq!(agent.propose(call("read", 1)), most == 0);
        if most == 0 {
            continue;
        }
        assert_eq!(agent.blocked(), "the same call failed 3 times in a row");
        // Something else may be done; once it has succeeded the call may be tried again.
        assert!(agent.propose(call("read", 2)));
        agent.observe(true);
        assert!(agent.propose(call("read", 1)));
    }
}

#[test]
fn a_call_that_fails_until_something_is_up_is_waiting_and_no_loop() {
    for (pause, expected) in [(0, 3), (1_000, 3), (60_000, 12)] {
        let mut agent = Agent::start(|_| {});
        let made = (0..12)
            .take_while(|_| {
                agent.at += pause;
                let made = agent.propose(call("read", 1));
                if made {
                    agent.observe(false);
                }
                made
            })
            .count();
        assert_eq!(made, expected, "with {pause} ms between two tries");
    }
}

#[test]
fn the_agent_hands_a_task_over_and_takes_the_next() {
    let mut agent = Agent::start(|_| {});
    assert!(!agent.propose(Action::Defer { reason: "this needs somebody with the keys".into() }));
    assert!(agent.effects.iter().any(|effect| matches!(effect, Effect::Report { .. })));
    assert_eq!(agent.run.status(), Status::Running);
    assert!(agent.propose(call("read", 1)));
}

#[test]
fn an_agent_that_is_gone_ends_its_run_and_a_lost_host_does_not() {
    let mut agent = Agent::start(|_| {});
    assert!(agent.run.lost().is_none(), "the agent may still be there");
    assert!(agent.propose(call("read", 1)));
    assert!(matches!(agent.run.lost(), Some(Input::Observed { .. })));
    agent.observe(true);
    agent.give(Input::Closed { code: Code::Success });
    assert_eq!(agent.run.status(), Status::Ended(Code::Success));
}

/// An agent that proposes all calls of a turn before the first result, as most do.
impl Agent {
    fn permitted(&mut self, action: Action) -> u64 {
        assert!(self.propose(action), "{:?}", self.decision);
        match self.decision {
            Some(CallDecision::Permitted { call }) => call,
            ref other => panic!("{other:?}"),
        }
    }

    fn refused(&mut self, action: Action) -> String {
        assert!(!self.propose(action));
        match &self.decision {
            Some(CallDecision::Refused { reason, .. }) => reason.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn returns(&mut self, call: u64, ok: bool) {
        let outcome = Outcome::Returned { exit_code: Some(i32::from(!ok)), ok };
        self.give(Input::Observed { call, observation: Observation::new(outcome, "text".into()) });
    }

    fn refolds(&self) {
        let mut again = Run::open(Arc::clone(self.run.manifest())).unwrap_or_else(|error| panic!("{error}"));
        for frame in &self.frames {
            again.fold(frame).unwrap_or_else(|error| panic!("frame {}: {error}", frame.frame));
        }
        assert_eq!((again.status(), again.awaited()), (self.run.status(), self.run.awaited()));
    }
}

#[test]
fn several_calls_are_under_way_and_come_back_in_any_order() {
    let mut agent = Agent::start(|_| {});
    let calls: Vec<u64> = (1..=4).map(|key| agent.permitted(call("read", key))).collect();
    assert_eq!(calls, [0, 1, 2, 3]);
    for at in [2, 0, 3, 1] {
        assert!(agent.run.awaited().is_some(), "one more may be proposed all the while");
        agent.returns(calls[at], true);
        let again = Input::Observed { call: calls[at], observation: Observation::new(ok(), "text".into()) };
        assert!(agent.run.expects(&again).is_err(), "a call comes back once");
    }
    assert!(agent.run.lost().is_none());
    agent.refolds();
}

#[test]
fn what_is_under_way_counts_for_what_is_proposed_next() {
    // The very same change is not made twice at once.
    let mut agent = Agent::start(|m| {
        m.tools[1].approval = Some(ApprovalRule::Never);
        m.tools[1].idempotent = false;
    });
    let first = agent.permitted(call("write", 1));
    assert_eq!(agent.refused(call("write", 1)), "`write` is doing exactly this now");
    agent.permitted(call("write", 2));
    agent.returns(first, true);
    assert_eq!(agent.refused(call("write", 1)), "`write` has done exactly this already");

    // Caps of a tool and repetition count calls that have not come back.
    let mut capped = Agent::start(|m| m.tools[0].limits.calls = Some(2));
    capped.permitted(call("read", 1));
    capped.permitted(call("read", 2));
    assert!(capped.refused(call("read", 3)).contains("that is all it may be"));
    let mut repeated = Agent::start(|m| m.rules.repeated_calls = 2);
    repeated.permitted(call("read", 1));
    repeated.permitted(call("read", 1));
    assert!(repeated.refused(call("read", 1)).contains("2 times in a row"));

    // So does the budget: nothing more is offered before a call comes back.
    let mut short = Agent::start(|m| m.limits.steps = 2);
    let one = short.permitted(call("read", 1));
    let two = short.permitted(call("read", 2));
    assert_eq!((short.run.awaited(), short.run.status()), (None, Status::Running));
    short.returns(two, true);
    assert_eq!(short.run.status(), Status::Running, "what is under way comes back first");
    short.returns(one, true);
    assert_eq!(short.run.status(), Status::Ended(Code::BudgetExhausted));
    short.refolds();
}

#[test]
fn more_calls_than_a_run_can_hold_wait_for_one_to_come_back() {
    let mut agent = Agent::start(|m| {
        m.limits = countersign_spec::budget::Limits::UNLIMITED;
        m.ceilings = countersign_spec::budget::Limits::UNLIMITED;
    });
    let mut open = Vec::new();
    while agent.run.awaited().is_some() {
        open.push(agent.permitted(call("read", open.len() as u64 + 1)));
    }
    assert_eq!(open.len(), 64);
    agent.returns(open[7], true);
    assert!(agent.run.awaited().is_some());
    // A host that is lost says of each what there is to say.
    let mut told = 0;
    while let Some(lost) = agent.run.lost() {
        agent.give(lost);
        told += 1;
    }
    assert_eq!(told, 63);
    agent.refolds();
}

#[test]
fn a_call_comes_back_while_a_person_is_waited_for_and_after_a_switch() {
    let mut agent = Agent::start(|m| m.goal.criteria.clear());
    let first = agent.permitted(call("read", 1));
    let second = agent.permitted(call("read", 2));
    agent.give(Input::Halted { switch: "all".into(), reason: "stop".into(), in_between: false });
    assert!(matches!(agent.run.status(), Status::Suspended(_)));
    let withdrawn = agent.events.iter().any(|event| matches!(event, Event::Withdrawn { call } if *call == second));
    assert!(withdrawn, "what was about to begin does not: {:?}", agent.events);
    agent.returns(first, true);
    assert!(matches!(agent.run.status(), Status::Suspended(_)), "what comes back wakes nobody");
    agent.decide("1", Decision::Resumed);
    assert_eq!(agent.run.status(), Status::Running);
    agent.permitted(call("read", 3));
    agent.give(Input::Closed { code: Code::Success });
    assert_eq!(agent.run.status(), Status::Ended(Code::Success));
    agent.refolds();
}

#[test]
fn the_decision_on_a_proposal_is_handed_out_and_not_looked_for_in_events() {
    let mut agent = Agent::start(|_| {});
    agent.propose(call("write", 1));
    let Some(CallDecision::Pending(approval)) = &agent.decision else { panic!("{:?}", agent.decision) };
    assert_eq!(Some(&**approval), agent.run.parked().next());
    agent.propose(Action::Defer { reason: "this needs somebody with the keys".into() });
    assert_eq!(agent.decision, Some(CallDecision::Noted));
    agent.refused(call("nothing", 1));
    agent.give(Input::Cancelled);
    assert_eq!(agent.decision, None, "it holds no proposal");
}

#[test]
fn an_approval_in_time_reaches_an_agent_that_calls_late() {
    for (given, heard, repeated, made) in [
        // It waits from 10 to 110.
        (Some(100), 500, 10, false),
        (Some(100), 150, 10, true),
        (Some(110), 200, 10, true),
        (Some(111), 200, 10, false),
        (None, 100, 80, true),
        (None, 200, 10, false),
        // Used too late.
        (Some(100), 150, 100, false),
    ] {
        let mut agent = Agent::start(|m| m.rules.approval_expiry = 100);
        assert!(!agent.propose(call("write", 1)));
        let asked = agent.at;
        let fingerprint = agent.parked()[0].fingerprint.clone();
        let of = |time: u64| asked - 10 + time;
        agent.at = of(heard) - 10;
        let decision = Decision::Approved { fingerprint };
        let given = given.map(of);
        agent.give(Input::Decided { id: "i".into(), by: "Ada".into(), decision, given });
        agent.at += repeated - 10;
        assert_eq!(agent.propose(call("write", 1)), made, "given {given:?} heard {heard} repeated {repeated}");
    }
}

/// An agent whose `write` has a definition, and a rule for the first call that it waits with.
fn with_rule(change: impl FnOnce(&mut Manifest), until: Option<u64>) -> (Agent, StandingApproval) {
    let mut agent = Agent::start(|m| {
        m.tools[1].definition = "d".into();
        m.tools[1].idempotent = false;
        change(m);
    });
    assert!(!agent.propose(call("write", 1)));
    let approval = agent.parked()[0].clone();
    let rule = StandingApproval::same(&approval, until).unwrap_or_else(|error| panic!("{error}"));
    let (fingerprint, standing) = (approval.fingerprint, Box::new(rule.clone()));
    agent.decide("1", Decision::ApprovedFor { fingerprint, standing });
    (agent, rule)
}

fn applied(agent: &Agent) -> bool {
    agent.events.iter().any(|event| matches!(event, Event::StandingApplied { .. }))
}

#[test]
fn a_rule_answers_for_the_calls_it_covers_until_it_is_withdrawn() {
    let (mut agent, rule) = with_rule(|_| {}, None);
    assert!(agent.parked().is_empty(), "the rule is the answer");
    assert!(
        agent.propose(call("write", 1)) && !applied(&agent),
        "that very call was approved, whatever the rule covers"
    );
    agent.observe(true);
    for _ in 0..3 {
        assert!(agent.propose(call("write", 1)) && applied(&agent), "also as a repetition of what is done");
        agent.observe(true);
    }
    assert!(!agent.propose(call("write", 2)), "another call");
    assert_eq!(agent.run.standing().map(|standing| &*standing.id).collect::<Vec<_>>(), [&*rule.id]);
    agent.decide("2", Decision::Withdrawn { standing: rule.id.clone() });
    assert!(agent.events.iter().any(|event| matches!(event, Event::StandingWithdrawn { .. })));
    assert!(!agent.propose(call("write", 1)));
    assert_eq!(agent.run.standing().count(), 0);
    // The same inputs give the same frames.
    let mut again = Run::open(Arc::clone(agent.run.manifest())).unwrap_or_else(|error| panic!("{error}"));
    agent.frames.iter().for_each(|frame| drop(again.fold(frame).unwrap_or_else(|error| panic!("{error}"))));
}

#[test]
fn a_rule_runs_out_by_the_time_on_record() {
    let (mut agent, _) = with_rule(|m| m.started = 1_000, Some(1_100));
    assert!(agent.propose(call("write", 1)));
    agent.observe(true);
    agent.at = 200;
    assert!(!agent.propose(call("write", 1)), "1,210 is after 1,100");
    assert_eq!(agent.run.standing().count(), 0);
}

#[test]
fn no_rule_answers_whether_what_nobody_knows_of_may_be_made_again() {
    let (mut agent, _) = with_rule(|_| {}, None);
    assert!(agent.propose(call("write", 1)));
    let made = agent.effects.iter().find_map(|effect| match effect {
        Effect::Dispatch { call, .. } => Some(*call),
        _ => None,
    });
    let observation = Observation::new(Outcome::TimedOut, "no answer".into());
    agent.give(Input::Observed { call: made.unwrap_or_default(), observation });
    assert!(!agent.propose(call("write", 1)) && !applied(&agent));
    assert!(agent.blocked().contains("may have done exactly this"), "{}", agent.blocked());
}

#[test]
fn a_rule_is_of_what_was_approved_and_no_more() {
    let mut agent = Agent::start(|m| m.tools[1].definition = "d".into());
    agent.propose(call("write", 1));
    let approval = agent.parked()[0].clone();
    let rule = StandingApproval::same(&approval, None).unwrap_or_else(|error| panic!("{error}"));
    let given = |change: fn(&mut StandingApproval)| {
        let (fingerprint, mut standing) = (approval.fingerprint.clone(), Box::new(rule.clone()));
        change(&mut standing);
        Input::Decided {
            id: "1".into(),
            by: "Ada".into(),
            decision: Decision::ApprovedFor { fingerprint, standing },
            given: None,
        }
    };
    assert!(agent.run.expects(&given(|_| {})).is_ok());
    for change in [
        (|rule| rule.tool = "read".into()) as fn(&mut StandingApproval),
        |rule| rule.definition = "e".into(),
        |rule| rule.id = "another".into(),
        |rule| rule.covers = Covers::Same { arguments: "{}".into() },
    ] {
        assert!(agent.run.expects(&given(change)).is_err());
    }
    // A rule of another run is taken once, and only while it holds; and there is an end to how many hold.
    let other = |number: usize, until| {
        let id = format!("rule-{number}").as_str().into();
        let standing = Box::new(StandingApproval { id, until: Some(until), ..rule.clone() });
        Decision::Standing { standing }
    };
    let input = |id: &str, decision| Input::Decided { id: id.into(), by: "Ada".into(), decision, given: None };
    assert!(agent.run.expects(&input("x", other(0, 1))).is_err(), "it has run out");
    for number in 0..64 {
        agent.decide(&format!("r-{number}"), other(number, u64::MAX));
    }
    assert!(agent.run.expects(&input("x", other(3, u64::MAX))).is_err(), "it has that");
    assert!(agent.run.expects(&input("x", other(64, u64::MAX))).is_err(), "it has no room");
    assert!(agent.run.expects(&input("x", Decision::Withdrawn { standing: "none".into() })).is_err());
    assert!(agent.propose(call("write", 1)));
}

/// A rule never answers for what nobody knows of; whoever approves that very call with a rule has answered it, once.
#[test]
fn an_approval_with_a_rule_is_worth_that_very_call_whoever_asks() {
    let lost = |agent: &mut Agent| {
        let made = agent.effects.iter().find_map(|effect| match effect {
            Effect::Dispatch { call, .. } => Some(*call),
            _ => None,
        });
        let observation = Observation::new(Outcome::TimedOut, "no answer".into());
        agent.give(Input::Observed { call: made.unwrap_or_default(), observation });
    };
    let (mut agent, _) = with_rule(|_| {}, None);
    assert!(agent.propose(call("write", 1)));
    lost(&mut agent);
    for (entry, until) in [("2", None), ("3", Some(u64::MAX))] {
        assert!(!agent.propose(call("write", 1)), "it may have been done");
        let approval = agent.parked()[0].clone();
        let standing = StandingApproval::same(&approval, until).unwrap_or_else(|error| panic!("{error}"));
        let (fingerprint, standing) = (approval.fingerprint, Box::new(standing));
        agent.decide(entry, Decision::ApprovedFor { fingerprint, standing });
        assert!(agent.propose(call("write", 1)), "a person has said so, knowing of it: {}", agent.blocked());
        lost(&mut agent);
    }
    // What is withdrawn before it is used is worth nothing.
    assert!(!agent.propose(call("write", 1)));
    let approval = agent.parked()[0].clone();
    let standing = StandingApproval::same(&approval, None).unwrap_or_else(|error| panic!("{error}"));
    let id = standing.id.clone();
    agent.decide("4", Decision::ApprovedFor { fingerprint: approval.fingerprint, standing: Box::new(standing) });
    agent.decide("5", Decision::Withdrawn { standing: id });
    assert!(!agent.propose(call("write", 1)));
    agent.refolds();
}

/// What is under way when an operator halts the run was made: whatever allowed it is used up, and what became of it counts.
#[test]
fn a_halt_between_two_calls_holds_back_none_that_is_under_way() {
    for rule in ["once", "same", "preauthorised"] {
        for comes_back in [true, false] {
            let mut agent = Agent::start(|m| {
                m.goal.criteria.clear();
                m.tools[1].definition = "d".into();
                m.tools[1].idempotent = false;
                if rule == "preauthorised" {
                    m.boundary.preauthorised = vec!["write".into()];
                }
            });
            if rule != "preauthorised" {
                agent.propose(call("write", 1));
                let approval = agent.parked()[0].clone();
                let fingerprint = approval.fingerprint.clone();
                agent.decide(
                    "1",
                    match rule {
                        "once" => Decision::Approved { fingerprint },
                        _ => {
                            let standing = StandingApproval::same(&approval, None).unwrap_or_else(|e| panic!("{e}"));
                            Decision::ApprovedFor { fingerprint, standing: Box::new(standing) }
                        }
                    },
                );
            }
            let made = agent.permitted(call("write", 1));
            agent.give(Input::Halted { switch: "all".into(), reason: "fire".into(), in_between: true });
            assert!(matches!(agent.run.status(), Status::Suspended(_)));
            let never_left = |event: &Event| matches!(event, Event::Withdrawn { .. } | Event::ApprovalReturned { .. });
            assert!(!agent.events.iter().any(never_left), "{rule}: {:?}", agent.events);
            if comes_back {
                agent.returns(made, true);
                agent.decide("2", Decision::Resumed);
            } else {
                // Whoever takes the run up after its host was lost says what there is to say.
                let lost = agent.run.lost().unwrap_or_else(|| panic!("{rule}: it is under way"));
                agent.give(lost);
                agent.decide("2", Decision::Resumed);
                let again = agent.propose(call("write", 1));
                assert!(!again, "{rule}: nobody knows whether it was done");
                assert!(agent.blocked().contains("may have done exactly this"), "{rule}: {}", agent.blocked());
            }
            if rule == "once" {
                assert!(!agent.propose(call("write", 1)), "one approval, one call");
            }
            agent.refolds();
        }
    }
}

/// What a kill switch holds back was not done: the approval is worth as much as before.
#[test]
fn an_approval_is_not_used_up_by_a_call_that_was_held_back() {
    let mut agent = Agent::start(|_| {});
    agent.propose(call("write", 1));
    let fingerprint = agent.parked()[0].fingerprint.clone();
    agent.decide("1", Decision::Approved { fingerprint });
    assert!(agent.propose(call("write", 1)));
    agent.give(Input::Halted { switch: "tool `write`".into(), reason: "looking".into(), in_between: false });
    assert!(agent.events.iter().any(|event| matches!(event, Event::ApprovalReturned { .. })), "{:?}", agent.events);
    agent.decide("2", Decision::Resumed);
    assert!(agent.propose(call("write", 1)));
    agent.observe(true);
    assert!(!agent.propose(call("write", 1)), "it is used by now");
}
