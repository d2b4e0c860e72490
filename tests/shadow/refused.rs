//! A side stream that its trace contradicts is refused whole.

use std::path::Path;

use countersign_audit::shadow::Report;

use super::loops::guarded;
use super::{CAUTIOUS, host_with, side_stream};

/// What a report says of a side stream that was written over.
fn refusal(trace: &Path, text: &str) -> anyhow::Result<String> {
    let said = side_stream(trace);
    std::fs::write(&said, text)?;
    let mut report = Report::default();
    let refused = report.add(&said);
    assert_eq!((report.runs, report.policies.len(), report.disagreements.len()), (0, 0, 0));
    Ok(refused.err().map(|error| error.to_string()).unwrap_or_default())
}

#[test]
fn what_the_trace_does_not_bear_out_is_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let trace = guarded(&host_with(folder.path(), CAUTIOUS)?, folder.path())?;
    let text = std::fs::read_to_string(side_stream(&trace))?;
    let run = text.split("\"run\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let judged = text.lines().find(|line| line.starts_with("{\"judged\"")).unwrap_or_default();
    let lock = text.split("\"lock\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let frame = judged.split("\"frame\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let table = [
        (text.replace(&format!("\"run\":\"{run}\""), "\"run\":\"another\""), "it is of the run another"),
        (text.replace(lock, "sha256:0"), "it is of the lock sha256:0"),
        (text.replacen(&format!("\"frame\":{frame},"), "\"frame\":9999,", 1), "it has no frame 9999"),
        (text.replacen("\"enforced\":\"proceed\"", "\"enforced\":\"deny\"", 1), "it has not `deny` of the slot risk"),
        (text.replacen(judged, &format!("{judged}\n{judged}"), 1), "of the slot risk, as `risk-next` heard"),
    ];
    for (text, part) in table {
        let found = refusal(&trace, &text)?;
        assert!(found.contains("does not tell of") && found.contains(part), "{part}: {found}");
    }
    // As it was it is believed, and without its trace too.
    assert_eq!(believed(&trace, &text)?, (1, 1));
    std::fs::remove_file(&trace)?;
    assert_eq!(believed(&trace, &text)?, (1, 1));
    Ok(())
}

/// Runs and policies of a report.
fn believed(trace: &Path, text: &str) -> anyhow::Result<(u64, usize)> {
    std::fs::write(side_stream(trace), text)?;
    let mut report = Report::default();
    report.add(&side_stream(trace))?;
    Ok((report.runs, report.policies.len()))
}
