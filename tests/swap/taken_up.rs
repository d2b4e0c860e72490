//! Runs that are left under one bundle and taken up when another is current.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::kernel::contract::Dimension;
use countersign::kernel::{Answered, Cause, Code, Decision, Input, Status};
use countersign::session::{CallDecision, Clock, Held, Proposal, Setup};
use countersign::store::{Durability, Ending, Entry, Offer, Stored, TraceReader};
use countersign::{Operations, Session, SessionError};
use serde_json::json;

use super::{Place, Said, audit, read_order};

#[test]
fn a_run_goes_on_with_its_own_bundle_in_the_next_process() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut run = place.begin(&place.live()?.host(), "left")?;
    assert!(matches!(read_order(&mut run, 1)?, Said::Made));
    run.leave()?;
    place.installed.make_current(&place.cautious)?;

    let next = place.live()?;
    assert_eq!(*next.host().bundle().digest(), place.cautious);
    // The current bundle is not its own, and would have asked.
    let refused = place.take_up(&next.host(), "left", Operations::none()).unwrap_err();
    assert!(matches!(refused, SessionError::Bundle { .. }), "{refused}");
    let own = next.host_for(place.lenient.as_str())?.unwrap();
    let mut run = place.take_up(&own, "left", Operations::none())?;
    assert!(matches!(read_order(&mut run, 2)?, Said::Made));
    let mut new = place.begin(&next.host(), "new")?;
    assert!(matches!(read_order(&mut new, 2)?, Said::Waits(_)));
    run.close(Code::Success)?;
    new.close(Code::ConfirmRequired)?;
    assert_eq!(audit(&next, &place, "left")?, place.lenient);
    assert_eq!(audit(&next, &place, "new")?, place.cautious);
    Ok(())
}

#[test]
fn a_manifest_of_one_bundle_is_not_begun_with_another() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let manifest = live.host().governed_manifest("mixed", "look up orders", &super::registry())?;
    place.installed.make_current(&place.cautious)?;
    live.refresh();
    let setup = super::setup(Operations::none());
    let refused = Session::begin(&live.host(), &place.store, manifest, setup).unwrap_err();
    assert!(matches!(refused, SessionError::Bundle { .. }), "{refused}");
    assert!(place.store.read("mixed").is_err(), "nothing is kept of it");
    Ok(())
}

/// A setup whose clock is set by hand.
fn by_hand(now: &Arc<AtomicU64>) -> Setup {
    Setup { clock: Clock::Manual(Arc::clone(now)), ..super::setup(Operations::none()) }
}

#[test]
fn the_time_that_a_host_lies_dead_is_no_running_time() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let host = live.host();
    for (what, engine) in [("the same engine", None), ("another engine", Some("of another release"))] {
        let name = what.replace(' ', "-");
        let now = Arc::new(AtomicU64::new(0));
        let mut manifest = host.governed_manifest(&name, "look up orders", &super::registry())?;
        manifest.limits.running_time = 60_000;
        if let Some(engine) = engine {
            manifest.engine = engine.into();
        }
        let mut run = Session::begin(&host, &place.store, manifest, by_hand(&now))?;
        now.store(1_000, Ordering::Relaxed);
        // It is lost while a call is under way.
        let CallDecision::Permitted(permit) = run.propose(Proposal::new("read-order", json!({"id": 1})))? else {
            anyhow::bail!("reads pass")
        };
        std::mem::forget(permit);
        drop(run);
        // Twice, the second time a week later.
        for (later, id) in [(3_600_000, 2), (7 * 86_400_000, 3)] {
            now.store(later, Ordering::Relaxed);
            let held = Held::open(&place.store, &name, Durability::Written)?;
            let mut run = held.resume(&host, by_hand(&now))?;
            assert!(matches!(read_order(&mut run, id)?, Said::Made), "{what}");
            let used = run.run().view().budget(Dimension::RunningTime).used;
            assert_eq!((run.status(), used), (Status::Running, 1_000), "{what}");
            run.leave()?;
        }
        let held = Held::open(&place.store, &name, Durability::Written)?;
        let taken_up = held.past().frames.iter().filter_map(|frame| match &frame.input {
            Input::TakenUp { engine } => Some(engine.is_some()),
            _ => None,
        });
        // Which engine judges is said once.
        assert_eq!(taken_up.collect::<Vec<_>>(), [engine.is_some(), false], "{what}");
        held.resume(&host, by_hand(&now))?.close(Code::Success)?;
        assert_eq!(audit(&live, &place, &name)?, place.lenient);
    }
    Ok(())
}

#[test]
fn what_a_person_decided_in_time_is_not_late_because_the_agent_is() -> anyhow::Result<()> {
    let place = Place::new()?;
    place.installed.make_current(&place.cautious)?;
    let live = place.live()?;
    let host = live.host();
    // Asked at 0, open until 1000; when it was written, when the agent comes back, what becomes of the call.
    for (number, (written, heard, made)) in
        [(900, 1_500, true), (1_000, 1_001, true), (1_001, 1_500, false), (900, 2_500, false), (9_999, 1_500, false)]
            .into_iter()
            .enumerate()
    {
        let name = format!("late-{number}");
        let now = Arc::new(AtomicU64::new(0));
        let mut manifest = host.governed_manifest(&name, "look up orders", &super::registry())?;
        manifest.rules.approval_expiry = 1_000;
        let started = manifest.started;
        let mut run = Session::begin(&host, &place.store, manifest, by_hand(&now))?;
        let Said::Waits(approval) = read_order(&mut run, 1)? else { anyhow::bail!("its policy asks") };
        let wants = Offer::Decide(Decision::Approved { fingerprint: approval.fingerprint });
        let entry = Entry { version: 1, id: "a".to_owned(), by: "Ada".to_owned(), at: started + written, wants };
        place.store.offer(&name, &entry)?;
        now.store(heard, Ordering::Relaxed);
        run.take_inbox()?;
        let said = read_order(&mut run, 1)?;
        assert_eq!(matches!(said, Said::Made), made, "written {written}, heard {heard}: {said:?}");
        run.close(Code::Success)?;
        assert_eq!(audit(&live, &place, &name)?, place.cautious);
    }
    Ok(())
}

/// No other policy answers in place of one that is gone, and the run does not stay open for good.
#[test]
fn a_run_whose_bundle_is_gone_is_ended_undecided() -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut run = place.begin(&place.live()?.host(), "orphan")?;
    assert!(matches!(read_order(&mut run, 1)?, Said::Made));
    // The host is lost while a call is under way.
    let CallDecision::Permitted(permit) = run.propose(Proposal::new("read-order", json!({"id": 2})))? else {
        panic!("reads pass")
    };
    std::mem::forget(permit);
    drop(run);
    place.installed.make_current(&place.cautious)?;
    std::fs::remove_dir_all(place.installed.path(&place.lenient))?;

    let next = place.live()?;
    assert!(next.host_for(place.lenient.as_str())?.is_none());
    let held = Held::open(&place.store, "orphan", Durability::Written)?;
    let known = held.past().frames.len() as u64;
    let status = held.abandon(|_| Code::ReviewRequired)?;
    assert_eq!(status, Status::Ended(Code::ReviewRequired));
    let file = std::fs::File::open(place.trace("orphan")?)?;
    let mut reader = TraceReader::new("orphan", std::io::BufReader::new(file));
    let mut last = Vec::new();
    while let Some(stored) = reader.read()? {
        if let Stored::Frame(frame) = stored
            && frame.frame > known
        {
            last.extend(frame.judgements);
        }
    }
    assert_eq!(reader.ending(), Some(Ending::Complete));
    assert!(!last.is_empty(), "the doom-loop slot is asked about what came of the call");
    let undecided = |answer: &Answered| matches!(answer, Answered::Undecided(Cause::Environment));
    assert!(last.iter().all(|judgement| undecided(&judgement.answer)), "{last:?}");
    Ok(())
}
