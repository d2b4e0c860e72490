//! Runs that are left under one bundle and taken up when another is current.

use countersign::kernel::{Answered, Cause, Code, Status};
use countersign::session::{CallDecision, Held, Proposal};
use countersign::store::{Durability, Ending, Stored, TraceReader};
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
