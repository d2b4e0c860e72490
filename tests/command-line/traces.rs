//! Traces: a changed byte is found and its frame named, a missing end is said, a replay comes out
//! the same, and no secret is in them.

use std::path::Path;

use anyhow::Context;
use countersign::spec::graph::LoopPhase;
use countersign::store::{encode_frame, encode_manifest};
use serde_json::{Value, json};

use super::{countersign, trace};

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_trace_verifies_replays_and_can_be_read() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = text(&trace(folder.path()));
    countersign(["trace", "verify", &path]).expect(0, "complete, 25 frames, ended SUCCESS");
    countersign(["trace", "replay", &path]).expect(0, "98 judgements by the bundle that judged it came out the same");
    countersign(["trace", "show", &path]).expect(0, "verdict doom-loop escalate");
    let shown = countersign(["trace", "show", &path]).expect(0, "authority gap 0.").out();
    for line in shown.lines().filter(|line| line.contains("· verdict ")) {
        assert!(!line.trim_end().ends_with(':') && !line.contains("[]"), "{line}");
    }
    countersign(["trace", "show", &path, "--frame", "2"]).expect(0, "\"reversibility\":\"reversible\"");
    // Evidence is not written over.
    let scenario = "tests/scenarios/confused.toml";
    countersign(["run", scenario, "--trace", &path]).expect(2, "a trace is not written over");
    // Nothing half-made is left behind.
    let names: Vec<String> = std::fs::read_dir(folder.path())?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| !name.ends_with(".open")), "{names:?}");
    Ok(())
}

#[test]
fn every_phase_of_a_run_is_shown_beside_its_moves() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = text(&folder.path().join("phases.jsonl"));
    countersign(["run", "tests/scenarios/behaviours/d3-every-phase.toml", "--trace", &path]).expect(0, "SUCCESS");
    let shown = countersign(["trace", "show", &path]).expect(0, "18 of 18").out();
    let named = |line: &&str| line.trim_start().starts_with("phase ");
    let phases: Vec<&str> = shown.lines().filter(named).collect();
    for (at, phase) in LoopPhase::ALL.iter().enumerate() {
        let name = format!("{} {phase}", at + 1);
        assert!(phases.iter().any(|line| line.contains(&name)), "{name} is not shown:\n{shown}");
    }
    // A run that never asked anybody says so.
    let path = text(&trace(folder.path()));
    countersign(["trace", "show", &path]).expect(0, "not come to");
    // And what each model was told can be held against what was sent.
    countersign(["trace", "show", &path, "--frame", "2"]).expect(0, "request     sha256:");
    Ok(())
}

#[test]
fn one_changed_byte_is_found_and_its_frame_named() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read(trace(folder.path()))?;
    let path = folder.path().join("changed.jsonl");
    let last = good.len() - 1;
    for at in (0..good.len()).step_by(good.len() / 60).chain([last, last - 1, last - 5]) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes)?;
        let frame = good[..at].iter().filter(|byte| **byte == b'\n').count();
        countersign(["trace", "verify", &text(&path)]).expect(3, &format!("frame {frame} "));
    }
    Ok(())
}

#[test]
fn frames_cannot_be_dropped_swapped_or_added() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read_to_string(trace(folder.path()))?;
    let lines: Vec<&str> = good.lines().collect();
    let path = folder.path().join("changed.jsonl");
    let mut dropped = lines.clone();
    dropped.remove(5);
    let mut swapped = lines.clone();
    swapped.swap(6, 7);
    let mut added = lines.clone();
    added.push(lines[3]);
    for (lines, part) in [(dropped, "frame 5 "), (swapped, "frame 6 "), (added, "something follows the terminal frame")]
    {
        std::fs::write(&path, lines.join("\n") + "\n")?;
        countersign(["trace", "verify", &text(&path)]).expect(3, part);
    }
    Ok(())
}

/// A trace whose lines were changed by somebody who knows how they are sealed.
fn resealed(path: &Path, change: impl Fn(usize, &mut Value)) -> anyhow::Result<String> {
    let good = std::fs::read_to_string(path)?;
    let (mut line, mut prev, mut all) = (Vec::new(), String::new(), String::new());
    for (number, text) in good.lines().enumerate() {
        let mut stored: Value = serde_json::from_str(text)?;
        change(number, &mut stored);
        prev = if number == 0 {
            encode_manifest(&mut line, &serde_json::from_value(stored["manifest"].take())?)
        } else {
            let map = stored.as_object_mut().context("a frame")?;
            map.retain(|key, _| key != "seal" && key != "prev");
            encode_frame(&mut line, &prev, &serde_json::from_value(stored)?)
        };
        all.push_str(std::str::from_utf8(&line)?);
        all.push('\n');
    }
    let out = path.with_extension("resealed.jsonl");
    std::fs::write(&out, all)?;
    Ok(text(&out))
}

#[test]
fn what_was_sealed_anew_shows_where_it_does_not_follow() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = trace(folder.path());
    // Nothing changed is the same trace.
    let same = resealed(&good, |_, _| {})?;
    assert_eq!(std::fs::read_to_string(&same)?, std::fs::read_to_string(&good)?);
    // A component that the lock does not have: whoever replays by that lock would prove nothing.
    let foreign = resealed(&good, |number, stored| {
        if number == 0 {
            let other = format!("sha256:{}", "0".repeat(64));
            stored["manifest"]["entries"][0]["component"] = json!(other);
        }
    })?;
    countersign(["trace", "replay", &foreign])
        .expect(3, "as the component of `sensitivity`, the lock that it is pinned to");
    // An answer: its frame is named, also where a later one is looked at, with what the file does hold.
    let edited = resealed(&good, |number, stored| {
        if number == 2 {
            stored["judgements"][0]["answer"]["confidence"]["score"] = json!(0.11);
        }
    })?;
    countersign(["trace", "verify", &edited]).expect(3, "frame 2");
    let shown =
        countersign(["trace", "show", &edited, "--frame", "4"]).expect(0, "since frame 2 does not follow").out();
    assert!(shown.contains("reads: ") && shown.contains("answer: ") && !shown.contains("question: "), "{shown}");
    // Of several traces the good ones are verified, whatever the others are.
    let run = countersign(["trace", "verify", &edited, &text(&good)]).expect(3, "frame 2");
    assert!(run.out().contains(&format!("verified {}", text(&good))), "{}", run.out());
    Ok(())
}

#[test]
fn a_missing_end_is_open_and_not_tampering() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read_to_string(trace(folder.path()))?;
    let lines: Vec<&str> = good.lines().collect();
    let path = folder.path().join("open.jsonl");
    std::fs::write(&path, lines[..7].join("\n") + "\n")?;
    let name = text(&path);
    let (plain, open) = (["trace", "verify", &name], ["trace", "verify", "--open", &name]);
    // Whoever takes an exit code for proof is not told that what may be missing is there.
    countersign(plain).expect(3, "open, 7 frames, end not provable").expect(3, "--open takes that");
    countersign(open).expect(0, "open, 7 frames, end not provable");
    countersign(["trace", "verify", &name, &text(&folder.path().join("trace.jsonl"))]).expect(3, "complete");
    std::fs::write(&path, lines[..7].join("\n") + "\n" + &lines[7][..100])?;
    countersign(plain).expect(3, "open, 7 frames and a half-written one");
    countersign(open).expect(0, "open, 7 frames and a half-written one");
    countersign(["trace", "replay", &text(&path)]).expect(0, "came out the same");
    Ok(())
}

#[test]
fn a_policy_that_failed_replays_as_it_failed() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = text(&folder.path().join("trapped.jsonl"));
    countersign(["run", "tests/scenarios/policy-traps.toml", "-q", "--trace", &path]).expect(10, "CONFIRM_REQUIRED");
    countersign(["trace", "replay", &path, "--bundle", "tests/bundles/trapping"]).expect(0, "came out the same");
    // Its words stand beside the trace, not in it.
    countersign(["trace", "show", &path]).expect(0, "makes no sense to me");
    let trace = std::fs::read_to_string(&path)?;
    assert!(!trace.contains("makes no sense"));
    Ok(())
}

#[test]
fn secrets_reach_the_tool_and_not_the_trace() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("secret.jsonl");
    countersign(["run", "tests/scenarios/outcomes/secrets.toml", "-q", "--trace", &text(&path)]).expect(0, "SUCCESS");
    let trace = std::fs::read_to_string(&path)?;
    assert!(trace.contains("[redacted:"), "{trace}");
    for secret in ["hunter2-and-more", "AKIAIOSFODNN7QXAMPLE"] {
        assert!(!trace.contains(secret), "{secret} is in the trace");
    }
    Ok(())
}

#[test]
fn every_trace_of_a_backtest_verifies_and_replays() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let out = text(folder.path());
    countersign(["backtest", "tests/data/openhands/runs.jsonl.gz", "--out", &out]).expect(0, "STUCK_IN_LOOP");
    let files = std::fs::read_dir(folder.path())?.flatten().map(|entry| entry.path());
    let mut traces: Vec<String> =
        files.filter(|path| super::adaptation::is_trace(path)).map(|path| text(&path)).collect();
    traces.sort();
    assert_eq!(traces.len(), 20);
    let all = |command: &str| countersign(["trace", command].into_iter().map(str::to_owned).chain(traces.clone()));
    let verified = all("verify").expect(0, "verified");
    assert_eq!(verified.out().matches("complete").count(), 20);
    let replayed = all("replay").expect(0, "replayed");
    assert_eq!(replayed.out().matches("came out the same").count(), 20);
    // The same recording into the same folder gives the same bytes.
    let first = std::fs::read(&traces[0])?;
    countersign(["backtest", "tests/data/openhands/runs.jsonl.gz", "--out", &out]).expect(0, "STUCK_IN_LOOP");
    assert_eq!(std::fs::read(&traces[0])?, first);
    Ok(())
}

#[test]
fn what_a_file_is_and_what_to_do_is_said() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = std::fs::read(trace(folder.path()))?;
    let zipped = {
        use std::io::Write;
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(&good)?;
        zip.finish()?
    };
    let lines = String::from_utf8_lossy(&good).into_owned();
    let table = [
        (lines.replace('\n', "\r\n").into_bytes(), 3, "remove the carriage returns"),
        ([b"\xef\xbb\xbf", &*good].concat(), 2, "byte order mark"),
        (zipped, 2, "unpack it first"),
        (lines.trim_end().as_bytes().to_vec(), 3, "put it back at the end of the file"),
    ];
    let path = folder.path().join("other.jsonl");
    for (bytes, code, expected) in table {
        std::fs::write(&path, bytes)?;
        for command in ["verify", "replay", "show"] {
            countersign(["trace", command, &text(&path)]).expect(code, expected);
        }
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_a_store_that_is_not_there_is_named() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let pipe = text(&folder.path().join("pipe"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status()?.success());
    let none = text(&folder.path().join("none.db"));
    for command in ["verify", "replay", "show", "adaptation", "import"] {
        // Nobody writes into it: to wait would be to wait for good.
        countersign(["trace", command, &pipe, "--store", &none]).expect(2, "is a pipe or a device");
    }
    for command in ["verify", "replay", "show", "adaptation"] {
        countersign(["trace", command, "3f2a", "--store", &none])
            .expect(2, "`3f2a` is no file, and there is no store")
            .expect(2, "none.db");
    }
    countersign(["trace", "export", "3f2a", &text(&folder.path().join("out")), "--store", &none]).expect(2, "none.db");
    countersign(["trace", "verify", &text(folder.path()), "--store", &none]).expect(2, "is a folder");
    assert!(!folder.path().join("none.db").exists());
    Ok(())
}
