//! A policy is revoked by its digest.

use std::path::{Path, PathBuf};

use countersign::bundle::Digest;
use countersign::kernel::{Code, Decision, Status};
use countersign::operate::{restore, revoke};
use countersign::settings::OperatorSpec;
use countersign::{LiveHost, Operations, SessionError};

use super::{Place, Said, audit, read_allowed, read_order};

fn operations(place: &Place, switches: &Path) -> Operations {
    let spec = OperatorSpec { switches: Some(switches.to_owned()), ..OperatorSpec::default() };
    Operations::new(&spec, &place.store, place.folder.path()).unwrap()
}

/// Digest of the risk policy of a bundle: the other policies are in both.
fn risk(live: &LiveHost, bundle: &Digest) -> String {
    let host = live.host_for(bundle.as_str()).unwrap().unwrap();
    let entry = host.bundle().lock().entry.iter().find(|entry| entry.name == "risk").cloned();
    entry.unwrap().component_digest
}

#[test]
fn runs_that_use_a_revoked_policy_stop_and_others_go_on() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let switches: PathBuf = place.folder.path().join("switches.toml");
    std::fs::write(&switches, "")?;
    let (lenient, cautious) =
        (live.host(), live.host_for(place.cautious.as_str())?.ok_or_else(|| anyhow::anyhow!("not installed"))?);
    let mut stopped = place.begin_under(&lenient, "stopped", operations(&place, &switches))?;
    let mut other = place.begin_under(&cautious, "other", operations(&place, &switches))?;
    let left = place.begin_under(&lenient, "left", operations(&place, &switches))?;
    read_allowed(&mut stopped, 1)?;
    read_allowed(&mut other, 1)?;
    left.leave()?;

    let digest = risk(&live, &place.lenient);
    revoke(&switches, &digest, "lets mail through")?;
    // The revoked policy is not even asked.
    let frames = stopped.run().frames();
    for _ in 0..2 {
        let Said::Stopped(stop) = read_order(&mut stopped, 2)? else { panic!("it goes on") };
        assert_eq!((stop.code, stop.ended), (Code::ReviewRequired, false));
        assert!(stop.reason.contains(&digest) && stop.reason.contains("lets mail through"), "{}", stop.reason);
    }
    assert_eq!(stopped.run().status(), Status::Suspended(Code::ReviewRequired));
    assert_eq!(stopped.run().frames(), frames + 1);
    read_allowed(&mut other, 2)?;
    let refused = place.begin_under(&lenient, "refused", operations(&place, &switches)).unwrap_err();
    assert!(matches!(&refused, SessionError::NotDispatched(why) if why.reason.contains(&digest)), "{refused}");
    let refused = place.take_up(&lenient, "left", operations(&place, &switches)).unwrap_err();
    assert!(matches!(refused, SessionError::NotDispatched(_)), "{refused}");
    place.begin_under(&cautious, "new", operations(&place, &switches))?.close(Code::Success)?;

    restore(&switches, &digest)?;
    // It does not go on by itself: a person has looked.
    assert!(matches!(read_order(&mut stopped, 2)?, Said::Stopped(_)));
    stopped.decide("a-1", "Ada", Decision::Resumed)?;
    read_allowed(&mut stopped, 2)?;
    let mut left = place.take_up(&lenient, "left", operations(&place, &switches))?;
    read_allowed(&mut left, 1)?;
    for (run, name, bundle) in
        [(stopped, "stopped", &place.lenient), (other, "other", &place.cautious), (left, "left", &place.lenient)]
    {
        run.close(Code::Success)?;
        assert_eq!(audit(&live, &place, name)?, *bundle, "{name}");
    }
    Ok(())
}
