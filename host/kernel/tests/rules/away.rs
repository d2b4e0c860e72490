//! What passes while nobody drives a run: time that is no running time, and decisions that were given meanwhile.

use super::*;

/// It is taken up, by the engine that judged before.
const AGAIN: Input = Input::TakenUp { engine: None };
/// A minute, which is all the running time there is.
const CAP: u64 = 60_000;
/// For how long nobody was there.
const AWAY: u64 = 7 * 24 * 3_600_000;

fn capped(change: impl FnOnce(&mut Manifest)) -> Manifest {
    with(|m| {
        m.limits.running_time = CAP;
        m.tools[0].verifier = Some(Verifier::ExitCode(0));
        change(m);
    })
}

/// Where a run may stand when its host is lost, and how it comes there.
type Standing = (&'static str, fn(&mut Loop));

const STANDINGS: [Standing; 4] = [
    ("a model is asked", |_| {}),
    ("a tool is called", |l| {
        l.does(call("read", 1));
    }),
    ("a result is looked at", |l| {
        l.does(call("read", 1)).answers("x");
    }),
    ("the second call is made", |l| {
        l.does(call("read", 1)).answers("x").verifies(true, false).does(call("read", 2));
    }),
];

#[test]
fn a_host_that_lies_dead_uses_no_running_time() {
    for (what, comes) in STANDINGS {
        for taken_up in [true, false] {
            let mut l = Loop::start(capped(|_| {}));
            l.at = 500;
            comes(&mut l);
            l.at += AWAY;
            let lost = l.run.lost();
            if taken_up {
                let frames = l.events.len();
                l.give(AGAIN);
                assert_eq!((l.events.len(), l.effects().len(), l.run.lost()), (frames, 0, lost.clone()), "{what}");
            }
            l.at += 100;
            l.give(lost.unwrap_or_else(|| panic!("{what}: nothing is under way")));
            let used = l.run.view().budget(Dimension::RunningTime).used;
            match taken_up {
                true => assert!(ended(&l) != Some(Code::Timeout) && used < CAP, "{what}: {used} {:?}", l.status()),
                false => assert_eq!((ended(&l), used > AWAY), (Some(Code::Timeout), true), "{what}"),
            }
        }
    }
}

#[test]
fn its_own_time_counts_before_and_after() {
    let mut l = Loop::start(capped(|_| {}));
    l.at = CAP - 100;
    l.does(call("read", 1));
    l.at += AWAY;
    l.give(AGAIN);
    l.at += 101;
    let lost = l.run.lost().unwrap_or_else(|| panic!("a tool is called"));
    l.give(lost);
    assert_eq!(ended(&l), Some(Code::Timeout));
}

#[test]
fn whoever_waits_for_a_person_or_is_over_is_not_taken_up() {
    let mut waits = Loop::start(asking());
    waits.does(call("write", 1));
    assert!(waits.run.expects(&AGAIN).is_err());
    // That another engine judges from now on is on record all the same.
    waits.give(Input::TakenUp { engine: Some("another".into()) });
    assert_eq!(suspended(&waits), Some(Code::ConfirmRequired));
    waits.approves().give(AGAIN);
    waits.give(Input::Cancelled);
    assert!(waits.run.expects(&AGAIN).is_err());
}

#[test]
fn a_run_is_taken_up_a_bounded_number_of_times_in_a_row() {
    let mut l = Loop::start(capped(|_| {}));
    let times = (0..1000).take_while(|_| l.run.expects(&AGAIN).map(|()| l.give(AGAIN)).is_ok()).count();
    assert_eq!(times, 64);
    let lost = l.run.lost().unwrap_or_else(|| panic!("a model is asked"));
    l.give(lost);
    assert!(l.run.expects(&AGAIN).is_ok(), "something has happened");
}

/// An approval that waits from time 0 to 100, decided at `given` and heard of at `heard`; whether the call is made then.
fn heard(given: Option<u64>, heard: u64, decision: fn(Arc<str>) -> Decision) -> (Loop, bool) {
    let mut l = Loop::start(with(|m| {
        m.tools[1].approval = Some(ApprovalRule::Always);
        m.rules.approval_expiry = 100;
    }));
    l.does(call("write", 1));
    let fingerprint = l.run.awaits().map(|approval| Arc::clone(&approval.fingerprint)).unwrap_or_default();
    l.at = heard;
    l.give(Input::Decided { id: "i".into(), by: "ada".into(), decision: decision(fingerprint), given });
    let made = l.dispatched() == 1;
    (l, made)
}

#[test]
fn what_was_given_in_time_is_heard_late_and_counts() {
    for (given, heard_at, counts) in [
        (None, 100, true),
        (None, 101, false),
        (Some(99), 101, true),
        (Some(100), 150, true),
        (Some(0), 100, true),
        (Some(101), 150, false),
        // Nobody decides later than the run hears of it.
        (Some(500), 100, true),
        (Some(500), 101, false),
        // What was approved is worth as much time as there was to approve it.
        (Some(90), 190, true),
        (Some(90), 191, false),
    ] {
        let (l, made) = heard(given, heard_at, |fingerprint| Decision::Approved { fingerprint });
        assert_eq!(made, counts, "given at {given:?}, heard at {heard_at}: {:?}", l.status());
        assert!(made || suspended(&l) == Some(Code::ConfirmRequired), "it is asked anew");
    }
    // A refusal in time is one, and not a silence.
    let refuse = |fingerprint| Decision::Rejected { fingerprint: Some(fingerprint), instead: None };
    assert_eq!(ended(&heard(Some(50), 1000, refuse).0), Some(Code::PermissionDenied));
    assert_eq!(suspended(&heard(None, 1000, refuse).0), Some(Code::ConfirmRequired));
}
