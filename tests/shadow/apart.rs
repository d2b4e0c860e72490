//! Whatever a policy in shadow says, costs or breaks: the run is the same to the byte.

use std::path::Path;

use countersign::Host;
use countersign::engine::EngineOptions;
use countersign::kernel::contract::Verdict;
use countersign::kernel::{Answered, Judgement, Slot};
use countersign::spec::Manifest;
use countersign::store::{ShadowReader, ShadowRecord, Stored, TraceReader};
use countersign_audit::shadow::Report;
use serde_json::json;

use super::loops::{Agent, driven, driven_in, exported, guarded, store};
use super::{CAUTIOUS, entry, frames, host_with, misbehaving, report, side_stream};

/// Ways to fail, and the class of each.
const MISDEEDS: [(&str, &str); 4] = [
    ("panic", "trap"),
    ("loop_forever", "out-of-fuel"),
    ("not_a_number", "contract-violation"),
    ("huge_answer", "malformed-answer"),
];

fn text(trace: &Path) -> anyhow::Result<Vec<String>> {
    frames(trace)?.iter().map(|frame| Ok(serde_json::to_string(frame)?)).collect()
}

fn manifest(trace: &Path) -> anyhow::Result<Manifest> {
    let file = std::io::BufReader::new(std::fs::File::open(trace)?);
    match TraceReader::new("trace", file).read()? {
        Some(Stored::Manifest(manifest)) => Ok(manifest),
        _ => anyhow::bail!("no manifest"),
    }
}

/// The same bundle without entries in shadow.
fn plain(folder: &Path) -> anyhow::Result<Host> {
    host_with(&folder.join("plain"), "")
}

#[test]
fn a_run_with_policies_in_shadow_is_the_run_without_them() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let misdeeds: String = MISDEEDS.map(|(misdeed, _)| misbehaving("risk", misdeed, "shadow")).concat();
    let shadowed = host_with(&folder.path().join("shadowed"), &format!("{CAUTIOUS}{misdeeds}"))?;
    let plain = plain(folder.path())?;
    let here = |name: &str| -> anyhow::Result<_> {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    };
    let (a, b) = (here("a")?, here("b")?);
    let runs = [(driven(&plain, &a)?.0, driven(&shadowed, &b)?.0), (guarded(&plain, &a)?, guarded(&shadowed, &b)?)];
    for (without, with) in &runs {
        assert!(text(without)?.len() > 10);
        assert_eq!(text(without)?, text(with)?, "{}", with.display());
        // The lock tells them apart, and nothing else: no entry of the run is one in shadow.
        let (without, with) = (manifest(without)?, manifest(with)?);
        assert_ne!(without.lock, with.lock);
        assert_eq!(Manifest { lock: without.lock.clone(), ..with }, without);
    }
    for (without, with) in &runs {
        assert!(!side_stream(without).exists());
        let found = report(with)?;
        let asked = judgements(with)?;
        assert!(asked >= 6, "{asked}");
        assert_eq!(found.policies.len(), 1 + MISDEEDS.len());
        assert_eq!(found.not_whole, 0);
        for compared in &found.policies {
            assert_eq!((compared.judged, compared.dropped), (asked, 0), "{}", compared.entry);
        }
        for (misdeed, _) in MISDEEDS {
            let compared = entry(&found, &misdeed.replace('_', "-"));
            // The failure verdict stands for what it did not say.
            assert_eq!(compared.undecided, asked, "{misdeed}");
            assert!(compared.stricter > 0, "{misdeed}");
        }
        assert_eq!(causes(with)?, MISDEEDS.map(|(misdeed, cause)| (misdeed.replace('_', "-"), cause.to_owned())));
    }
    Ok(())
}

/// Questions of the slot `risk` that the run's policies were asked.
fn judgements(trace: &Path) -> anyhow::Result<u64> {
    let risk = |judgement: &&Judgement| judgement.slot == Slot::Risk;
    Ok(frames(trace)?.iter().map(|frame| frame.judgements.iter().filter(risk).count() as u64).sum())
}

/// The first failure of each entry.
fn causes(trace: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut reader = ShadowReader::open(&side_stream(trace))?;
    let mut found: Vec<(String, String)> = Vec::new();
    while let Some(record) = reader.read()? {
        if let ShadowRecord::Judged(judged) = record
            && let Answered::Undecided(cause) = &judged.answer
            && !found.iter().any(|(entry, _)| *entry == *judged.entry)
        {
            assert!(judged.failure.is_some_and(|failure| failure.starts_with("misbehaving@")));
            found.push((judged.entry.to_string(), cause.name().to_owned()));
        }
    }
    Ok(found)
}

#[test]
fn every_question_is_compared_with_what_counted() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (trace, _) = driven(&host_with(folder.path(), CAUTIOUS)?, folder.path())?;
    let found = report(&trace)?;
    let compared = entry(&found, "risk-next");
    assert_eq!(&*compared.policy, "risk@0.2.0");
    // Four reads that it lets pass as well, two notes about which it would have asked.
    assert_eq!((compared.judged, compared.agreed, compared.stricter, compared.looser), (6, 4, 2, 0));
    assert_eq!(compared.agreement.map(|share| share.to_string()).as_deref(), Some("66.7 % (30.0 to 90.3)"));
    let trace = frames(&trace)?;
    assert_eq!(found.disagreements.len(), 2);
    for one in &found.disagreements {
        assert_eq!((one.slot, one.shadow, &*one.reason), (Slot::Risk, Verdict::Ask, "may touch something"));
        let frame = trace.iter().find(|frame| frame.frame == one.frame);
        let judged = frame.and_then(|frame| frame.judgements.iter().find(|judged| judged.slot == Slot::Risk));
        assert_eq!(judged.and_then(|judged| judged.answer.verdict()), one.enforced);
    }
    Ok(())
}

#[test]
fn a_policy_in_a_slot_that_is_empty_is_compared_with_going_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = super::bundle_with(folder.path(), "")?;
    super::relock(&bundle, &format!("version = 1\nname = \"alone\"\n{CAUTIOUS}"))?;
    let host = Host::new(super::options(), Some(&bundle))?;
    let (trace, _) = driven(&host, folder.path())?;
    assert!(frames(&trace)?.iter().all(|frame| frame.judgements.is_empty()));
    let found = report(&trace)?;
    assert_eq!(entry(&found, "risk-next").stricter, 2);
    assert!(found.disagreements.iter().all(|one| one.enforced.is_none() && one.shadow == Verdict::Ask));
    Ok(())
}

#[test]
fn where_the_side_stream_cannot_be_written_the_run_goes_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = host_with(folder.path(), CAUTIOUS)?;
    let (whole, _) = driven(&host, folder.path())?;
    let other = folder.path().join("other");
    std::fs::create_dir(&other)?;
    let file = folder.path().join("runs.db");
    let store = countersign::open_store(&file)?;
    let database = rusqlite::Connection::open(&file)?;
    database.execute_batch(
        "CREATE TRIGGER in_the_way BEFORE INSERT ON side WHEN NEW.side = 'shadow'
         BEGIN SELECT RAISE(ABORT, 'no shadow here'); END;",
    )?;
    let (trace, status) = driven_in(&store, &host, &other)?;
    assert_eq!(text(&trace)?, text(&whole)?);
    assert!(matches!(status, countersign::kernel::Status::Ended(_)), "{status}");
    assert!(side_stream(&whole).exists() && !side_stream(&trace).exists());
    Ok(())
}

#[test]
fn what_the_policies_cannot_keep_up_with_is_counted() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // Each of them burns all its fuel before it fails.
    let slow: String = ["loop_forever", "read_too_much", "behave"].map(|b| misbehaving("risk", b, "shadow")).concat();
    let host = host_with(folder.path(), &slow)?;
    let store = store();
    let mut agent = Agent::begin(&host, &store)?;
    for page in 0..400 {
        agent.attempt("look", json!({"page": page}))?;
    }
    drop(agent);
    // Never closed: its trace is still open, its shadow is whole.
    let trace = exported(&store, folder.path())?;
    let found = report(&trace)?;
    let asked = judgements(&trace)?;
    assert!(asked > 64, "{asked}");
    for compared in &found.policies {
        assert_eq!(compared.judged + compared.dropped, asked, "{}", compared.entry);
    }
    Ok(())
}

#[test]
fn without_an_entry_in_shadow_there_is_no_side_stream() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?;
    let store = store();
    let (trace, _) = driven_in(&store, &host, folder.path())?;
    assert!(!side_stream(&trace).exists());
    let mut report = Report::default();
    report.add_run(&*store, "driven")?;
    assert_eq!(report.runs, 0);
    Ok(())
}

#[test]
fn what_lies_where_a_run_is_exported_to_is_not_written_over() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = host_with(folder.path(), CAUTIOUS)?;
    for name in ["driven.jsonl", "driven.jsonl.shadow"] {
        let place = folder.path().join(name.replace('.', "-"));
        std::fs::create_dir(&place)?;
        let old = place.join(name);
        std::fs::write(&old, "of another run\n")?;
        let error = driven(&host, &place).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(name) && error.contains("exists"), "{error}");
        assert_eq!(std::fs::read_to_string(&old)?, "of another run\n");
    }
    Ok(())
}
