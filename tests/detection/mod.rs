//! The loop detector on recorded runs: what it must catch, what it must leave alone, and what must
//! make no difference. "Stuck" is OpenHands' own label.

use std::path::{Path, PathBuf};

use countersign::Host;
use countersign::engine::EngineOptions;
use countersign_audit::backtest::{Options, Report, backtest};
use countersign_tests::recordings::{development, events, exchange, is_call, read, rehash, sample, write};
use serde_json::{Value, json};

fn judged(path: &Path, options: &Options) -> anyhow::Result<Report> {
    let host = Host::new(EngineOptions::default(), None)?;
    // Policies run on 64 MiB of stack.
    let path = path.to_owned();
    let options = options.clone();
    let work = std::thread::Builder::new()
        .stack_size(80 << 20)
        .spawn(move || backtest(&host, &[path], &options, &mut |_| {}))?;
    match work.join() {
        Ok(report) => Ok(report?),
        Err(_) => anyhow::bail!("the backtest panicked"),
    }
}

/// Runs tripped, by their position, and the step.
fn trips(report: &Report) -> Vec<(u64, u64)> {
    report.interventions.iter().map(|found| (found.run, found.step)).collect()
}

fn count(report: &Report, outcome: &str) -> (u64, u64) {
    report.outcomes.iter().find(|row| row.outcome == outcome).map_or((0, 0), |row| (row.runs, row.tripped))
}

/// Judges the runs after a change to each of them; the runs and the path must outlive the report.
fn after(change: impl Fn(&mut Value)) -> anyhow::Result<(Report, Report)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("changed.jsonl.gz");
    let mut runs = read(&source())?;
    let before = judged(&source(), &Options::default())?;
    runs.iter_mut().for_each(change);
    write(&path, &runs)?;
    Ok((before, judged(&path, &Options::default())?))
}

/// All development runs where they are, the committed ones elsewhere.
fn source() -> PathBuf {
    development().unwrap_or_else(sample)
}

#[test]
fn the_committed_runs() -> anyhow::Result<()> {
    let report = judged(&sample(), &Options::default())?;
    assert_eq!(report.runs, 20);
    assert_eq!(count(&report, "STUCK_IN_LOOP"), (7, 7));
    assert_eq!(count(&report, "FINISHED"), (8, 3));
    assert_eq!(report.undecided, 0);
    for found in &report.interventions {
        // OpenHands cut a stuck run when its own detector fired: at its last step.
        assert!(found.step <= found.steps, "{found:?}");
        assert!(!found.evidence.is_empty());
    }
    Ok(())
}

#[test]
fn the_development_runs() -> anyhow::Result<()> {
    let Some(path) = development() else {
        println!("SKIPPED: the development runs are not here");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let report = judged(&path, &Options { out: Some(folder.path().to_owned()), ..Options::default() })?;
    assert_eq!(report.runs, 541);
    assert_eq!(count(&report, "STUCK_IN_LOOP"), (7, 7));
    let (finished, tripped) = count(&report, "FINISHED");
    assert!(finished == 475 && tripped <= 3, "{tripped} of {finished} finished runs tripped");
    Ok(())
}

#[test]
fn a_shown_budget_changes_nothing_but_what_the_cap_says() -> anyhow::Result<()> {
    let hidden = judged(&sample(), &Options::default())?;
    let shown = judged(&sample(), &Options { show_budget: true, ..Options::default() })?;
    for trip in trips(&hidden) {
        assert!(shown.interventions.iter().any(|found| found.run == trip.0 && found.step <= trip.1));
    }
    Ok(())
}

#[test]
fn the_order_of_argument_keys_does_not_matter() -> anyhow::Result<()> {
    let (before, after) = after(|run| {
        for event in events(run).iter_mut().filter(|event| is_call(event)) {
            let Some(arguments) = event["args"].as_object() else { continue };
            // Written backwards as text, since a map would sort them again.
            let reversed: Vec<String> =
                arguments.iter().rev().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
            let text = format!("{{{}}}", reversed.join(","));
            if let Ok(arguments) = serde_json::from_str::<Value>(&text) {
                event["args"] = arguments;
            }
            rehash(event);
        }
    })?;
    assert_eq!(trips(&before), trips(&after));
    Ok(())
}

#[test]
fn times_and_identifiers_in_results_do_not_matter() -> anyhow::Result<()> {
    let (before, after) = after(|run| {
        let mut n = 0_u64;
        for event in events(run).iter_mut().filter(|event| event["k"] == "obs" && event["type"] != "recall") {
            n += 1;
            let (minute, second) = (n / 60 % 60, n % 60);
            let stamp = format!(
                "[2026-11-21T10:{minute:02}:{second:02}Z request 6ba7b810-9dad-11d1-80b4-{n:012x} pid {}] ",
                10_000 + n * 7
            );
            let content = event["content"].as_str().unwrap_or_default();
            if content.is_empty() {
                // Nothing said is nothing that could carry a time.
                continue;
            }
            let content = if content.starts_with("ERROR:") {
                content.replacen("ERROR:", &format!("ERROR: {stamp}"), 1)
            } else {
                format!("{stamp}{content}")
            };
            let length = event["len"].as_u64().unwrap_or(0) + stamp.chars().count() as u64;
            event["content"] = content.into();
            event["len"] = length.into();
        }
    })?;
    assert_eq!(trips(&before), trips(&after));
    Ok(())
}

#[test]
fn polls_in_between_do_not_matter() -> anyhow::Result<()> {
    let (before, after) = after(|run| {
        let events = events(run);
        let mut with_polls = Vec::new();
        let mut id = 1_000_000;
        for event in std::mem::take(events) {
            let call = is_call(&event);
            if call {
                for (command, content) in
                    [("sleep 5", ""), ("ps aux | grep server", "server 4711"), ("", "still running")]
                {
                    with_polls.extend(exchange(id, "run", json!({"command": command}), content, Some(0)));
                    id += 2;
                }
            }
            with_polls.push(event);
        }
        *events = with_polls;
    })?;
    let runs = |report: &Report| trips(report).into_iter().map(|(run, _)| run).collect::<Vec<_>>();
    assert_eq!(runs(&before), runs(&after));
    Ok(())
}

#[test]
fn running_the_tests_again_after_each_edit_does_not_matter() -> anyhow::Result<()> {
    let (before, after) = after(|run| {
        let events = events(run);
        let mut id = 1_000_000;
        // Eight rounds of work before anything else happens: each edit differs, the tests do not.
        let mut work = Vec::new();
        for round in 0..8 {
            let edit = json!({"path": "/workspace/a.py", "command": "str_replace", "old_str": "x", "new_str": format!("x{round}")});
            work.extend(exchange(id, "edit", edit, "The file has been edited.", None));
            work.extend(exchange(id + 2, "run", json!({"command": "pytest -q"}), "1 failed, 3 passed", Some(1)));
            id += 4;
        }
        let at = events.iter().position(is_call).unwrap_or(events.len());
        events.splice(at..at, work);
    })?;
    let runs = |report: &Report| trips(report).into_iter().map(|(run, _)| run).collect::<Vec<_>>();
    assert_eq!(runs(&before), runs(&after));
    Ok(())
}
