//! From shadow to enforced: one edit of `bundle.toml` and a lock.

use countersign::Host;
use countersign::kernel::contract::Verdict;
use countersign::kernel::{Code, Event, Slot, Status};

use super::loops::driven;
use super::{CAUTIOUS, bundle_with, frames, options, relock, report, side_stream};

/// Every verdict of a slot, with its frame.
fn verdicts(trace: &std::path::Path) -> anyhow::Result<Vec<(u64, Verdict)>> {
    let found = frames(trace)?.into_iter().flat_map(|frame| {
        frame.events.into_iter().filter_map(move |event| match event {
            Event::Verdict { slot: Slot::Risk, verdict, .. } => Some((frame.frame, verdict)),
            _ => None,
        })
    });
    Ok(found.collect())
}

#[test]
fn a_shadow_policy_is_promoted_and_its_verdicts_are_those_that_were_foreseen() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = bundle_with(folder.path(), CAUTIOUS)?;
    let (trace, before) = driven(&Host::new(options(), Some(&bundle))?, folder.path())?;
    assert!(matches!(before, Status::Ended(_)), "{before}");
    assert!(verdicts(&trace)?.iter().all(|(_, verdict)| *verdict < Verdict::Ask));
    let foreseen = report(&trace)?.disagreements;

    // The old entry goes, the new one is enforced.
    let text = std::fs::read_to_string(bundle.join("bundle.toml"))?;
    let start = text.find("[[policy]]\nname = \"risk\"\n").unwrap_or(text.len());
    let end = text[start + 1..].find("[[policy]]").map_or(text.len(), |at| start + 1 + at);
    let text = format!("{}{}", &text[..start], &text[end..]).replace("mode = \"shadow\"", "mode = \"enforce\"");
    assert!(!text.contains("name = \"risk\"") && text.contains("name = \"risk-next\""));
    relock(&bundle, &text)?;

    let after = folder.path().join("after");
    std::fs::create_dir(&after)?;
    let (trace, status) = driven(&Host::new(options(), Some(&bundle))?, &after)?;
    assert_eq!(status, Status::Suspended(Code::ConfirmRequired));
    // The first question about which it had asked in shadow stops the run now, at the same frame.
    let stopped = verdicts(&trace)?.into_iter().find(|(_, verdict)| *verdict >= Verdict::Ask);
    let first = foreseen.iter().find(|one| one.shadow >= Verdict::Ask);
    assert!(first.is_some());
    assert_eq!(stopped, first.map(|one| (one.frame, one.shadow)));
    assert!(!side_stream(&trace).exists());
    Ok(())
}
