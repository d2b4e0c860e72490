//! A scripted run is the same on any machine under any load: its trace, byte for byte, once its id and salt are fixed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use countersign::engine::EngineOptions;
use countersign::{Host, Salt, Silent};
use countersign_scenario::{RunOptions, Scenario};
use countersign_tests::root;

/// A scenario and its trace.
type Named = (String, Vec<u8>);

/// The trace of a run with an id and a salt that are always the same.
fn trace(scenario: &Scenario, host: &Host, folder: &Path, unmet: &mut Vec<String>) -> anyhow::Result<Vec<u8>> {
    let path = folder.join("trace.jsonl");
    let options = RunOptions {
        trace: Some(path.clone()),
        id: Some("a-run".to_owned()),
        salt: Some(Salt([7; 32])),
        ..RunOptions::default()
    };
    let finished = scenario.run(host, options, &mut Silent)?;
    unmet.extend(finished.unmet.into_iter().map(|unmet| format!("{}: {unmet}", scenario.file())));
    let bytes = std::fs::read(&path)?;
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(bytes)
}

/// Runs `work` while each core is kept busy by somebody else.
fn beside_a_busy_loop<T>(work: impl FnOnce() -> T) -> T {
    let cores = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}

fn every_scenario_below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("shared") {
            every_scenario_below(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    Ok(())
}

/// All traces of all scenarios and of their twins, in order of their names.
fn traces(paths: &[PathBuf]) -> anyhow::Result<Vec<Named>> {
    let own = Host::new(EngineOptions::default(), None)?;
    let folder = tempfile::tempdir()?;
    let (mut all, mut unmet) = (Vec::new(), Vec::new());
    for path in paths {
        let named = path.display().to_string();
        let scenario = Scenario::load(path)?;
        let other = scenario.bundle().map(|bundle| Host::new(EngineOptions::default(), Some(&bundle))).transpose()?;
        let host = other.as_ref().unwrap_or(&own);
        all.push((named.clone(), trace(&scenario, host, folder.path(), &mut unmet).with_context(|| named.clone())?));
        if let Some(twin) = scenario.twin() {
            all.push((
                format!("{named}, its twin"),
                trace(twin, host, folder.path(), &mut unmet).with_context(|| named)?,
            ));
        }
    }
    anyhow::ensure!(unmet.is_empty(), "{}", unmet.join("\n"));
    Ok(all)
}

#[test]
fn a_scripted_run_has_the_same_bytes_beside_a_busy_loop() -> anyhow::Result<()> {
    let mut paths = Vec::new();
    every_scenario_below(&root().join("tests/scenarios"), &mut paths)?;
    paths.sort();
    assert!(paths.len() > 150, "{}", paths.len());
    let quiet = traces(&paths)?;
    let busy = beside_a_busy_loop(|| traces(&paths))?;
    assert_eq!(quiet.len(), busy.len());

    let differ = |((name, quiet), (_, busy)): (&Named, &Named)| {
        let at = quiet.iter().zip(busy).position(|(quiet, busy)| quiet != busy);
        let at = at.or_else(|| (quiet.len() != busy.len()).then(|| quiet.len().min(busy.len())))?;
        let around = |bytes: &[u8]| {
            let (from, to) = (at.saturating_sub(120).min(bytes.len()), (at + 60).min(bytes.len()));
            String::from_utf8_lossy(&bytes[from..to]).into_owned()
        };
        Some(format!("{name}, byte {at}:\n  {}\n  {}", around(quiet), around(busy)))
    };
    let different: Vec<String> = quiet.iter().zip(&busy).filter_map(differ).collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}

#[test]
fn a_time_that_is_declared_passes_and_none_that_is_measured() -> anyhow::Result<()> {
    let host = Host::new(EngineOptions::default(), None)?;
    // A command that outlasts its second takes that second; everything else in it takes none.
    let outlasting = root().join("tests/scenarios/outcomes/time-out.toml");
    let finished = Scenario::load(&outlasting)?.run(&host, RunOptions::default(), &mut Silent)?;
    let declared = std::fs::read_to_string(&outlasting)?;
    let time_out = declared.lines().find_map(|line| line.strip_prefix("time-out = "));
    let time_out: u64 = time_out.context("no time-out in it")?.trim().parse()?;
    assert_eq!(finished.run.at(), time_out);
    let gdrive = root().join("tests/scenarios/incidents/gdrive.toml");
    let finished = Scenario::load(&gdrive)?.run(&host, RunOptions::default(), &mut Silent)?;
    assert_eq!(finished.run.at() % 1000, 0, "its script speaks of whole seconds");
    Ok(())
}
