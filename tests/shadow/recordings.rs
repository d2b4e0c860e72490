//! A backtest asks shadow policies with each frame, and compares at its end.

use countersign::Host;
use countersign::kernel::Slot;
use countersign_audit::backtest::{Options, Report, backtest};
use countersign_tests::recordings::sample;

use super::{CAUTIOUS, entry, host_with, misbehaving};

fn judged(host: &Host, options: &Options) -> anyhow::Result<Report> {
    Ok(backtest(host, &[sample()], options, &mut |_| {})?)
}

#[test]
fn recorded_runs_are_judged_alike_with_and_without_a_shadow() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // One that never sees a loop, and one of a slot of which recordings hold nothing.
    let more = format!("{CAUTIOUS}{}", misbehaving("doom-loop", "behave", "shadow"));
    let options = Options { slots: vec![Slot::DoomLoop], ..Options::default() };
    let with = judged(&host_with(&folder.path().join("with"), &more)?, &options)?;
    let without = judged(&host_with(&folder.path().join("without"), "")?, &options)?;
    assert!(without.shadow.is_none());
    let shadow = with.shadow.clone().ok_or_else(|| anyhow::anyhow!("no report of the shadow"))?;
    let alike = Report { shadow: None, bundle: without.bundle.clone(), ..with.clone() };
    assert_eq!(serde_json::to_string(&alike)?, serde_json::to_string(&without)?);

    assert_eq!((shadow.runs, shadow.not_whole, shadow.policies.len()), (with.runs, 0, 1));
    let compared = entry(&shadow, "behave");
    assert_eq!((compared.slot, compared.dropped, compared.undecided), (Slot::DoomLoop, 0, 0));
    assert_eq!(compared.judged, compared.agreed + compared.looser);
    assert!(compared.looser as usize >= with.interventions.len());
    assert_eq!(shadow.disagreements.len() as u64, compared.looser);
    for found in &with.interventions {
        let run = format!("{}-{}", found.recording, found.run);
        let foreseen = shadow.disagreements.iter().find(|one| *one.run == *run);
        assert!(foreseen.is_some_and(|one| one.enforced.is_some()), "{run}");
    }
    Ok(())
}

#[test]
fn a_slot_that_is_not_judged_has_no_shadow_either() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options { slots: vec![Slot::Classifier], ..Options::default() };
    let report = judged(&host_with(folder.path(), &misbehaving("doom-loop", "behave", "shadow"))?, &options)?;
    let shadow = report.shadow.ok_or_else(|| anyhow::anyhow!("no report of the shadow"))?;
    assert_eq!((shadow.runs, shadow.policies.len()), (0, 0));
    Ok(())
}
