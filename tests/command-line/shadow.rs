//! Policies in shadow, as users meet them: run, report, backtest.

use std::path::Path;

use countersign_tests::{copy_folder, root};

use super::countersign;

const SCENARIO: &str = "tests/scenarios/loop-and-recover.toml";

/// The default bundle with another risk policy in shadow.
fn shadowed(folder: &Path) -> std::io::Result<String> {
    let bundle = folder.join("bundle");
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    copy_folder(&root().join("tests/policies/built"), &bundle)?;
    let path = bundle.join("bundle.toml");
    let mut text = std::fs::read_to_string(&path)?;
    text.push_str("\n[[policy]]\nname = \"risk-next\"\ncomponent = \"cautious-risk.wasm\"\nmode = \"shadow\"\n");
    text.push_str("\n[[policy]]\nname = \"blind\"\ncomponent = \"misbehaving.wasm\"\nslots = [\"doom-loop\"]\n");
    text.push_str("mode = \"shadow\"\nconfiguration.behaviour = \"behave\"\n");
    std::fs::write(&path, text)?;
    let name = bundle.display().to_string();
    countersign(["bundle", "lock", &name]).expect(0, "sha256:");
    Ok(name)
}

#[test]
fn a_run_says_where_to_look_and_the_report_tells() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = shadowed(folder.path())?;
    countersign(["bundle", "show", &bundle]).expect(0, "shadow");
    let store = folder.path().join("runs.db").display().to_string();
    // Nothing is judged beside a trace that vanishes.
    countersign(["run", SCENARIO, "--bundle", &bundle]).expect(0, "not asked: they judge beside a trace that is kept");
    countersign(["shadow", "report", "--store", &store]).expect(0, "was judged beside");
    let run = countersign(["run", SCENARIO, "--bundle", &bundle, "--store", &store]).expect(0, "ended SUCCESS");
    assert!(run.out().contains("risk@0.2.0") && run.out().contains("in shadow"), "{}", run.out());
    assert!(run.out().contains("countersign shadow report"), "{}", run.out());

    let report = countersign(["shadow", "report", "--store", &store]).expect(0, "1 run judged beside, bundle sha256:");
    for part in ["agreement (95 %)", "risk-next", "blind", "risk, risk-next in shadow", "may touch something"] {
        assert!(report.out().contains(part), "{part}:\n{}", report.out());
    }
    // It would have asked about the one call that may touch something, and said no word of four that the
    // default policy lets pass with a note.
    let json: serde_json::Value =
        serde_json::from_str(&countersign(["shadow", "report", "--store", &store, "--json"]).out())?;
    let risk = &json["policies"][0];
    assert_eq!((risk["slot"].as_str(), risk["entry"].as_str()), (Some("risk"), Some("risk-next")));
    assert_eq!((risk["stricter"].as_u64(), risk["looser"].as_u64()), (Some(1), Some(4)));
    let share = risk["agreement"]["share"].as_f64().unwrap_or_default();
    assert!(risk["agreement"]["lower"].as_f64() < Some(share) && Some(share) < risk["agreement"]["upper"].as_f64());
    // The loop detector intervened twice, the blind one never would have.
    assert_eq!(json["policies"][1]["looser"], 2);
    assert_eq!(json["disagreements"].as_array().map(Vec::len), Some(7));
    // A run of the store by the beginning of its id.
    let id = json["disagreements"][0]["run"].as_str().unwrap_or_default().to_owned();
    let one = countersign(["shadow", "report", &id[..6], "--store", &store]).expect(0, "1 run judged beside");
    assert_eq!(one.out(), report.out());
    // Written to files it is told of alike.
    let file = folder.path().join("run.jsonl").display().to_string();
    countersign(["trace", "export", &id, &file, "--store", &store]).expect(0, "");
    let exported = countersign(["shadow", "report", &file]).expect(0, "1 run judged beside");
    assert_eq!(exported.out(), report.out());
    // What was said is no part of the run: without it there is nothing to report, and the run is whole.
    let kept = super::kept::Kept::new(folder.path());
    kept.trace("verify", &id).expect(0, "complete");
    kept.tamper("UPDATE side SET record = CAST(replace(CAST(record AS TEXT), ?1, 'another') AS BLOB) WHERE side = 'shadow'", &[&id])?;
    countersign(["shadow", "report", "--store", &store]).expect(2, "it is of the run another");
    kept.trace("verify", &id).expect(0, "complete");
    Ok(())
}

#[test]
fn a_report_takes_traces_side_streams_and_folders() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = shadowed(folder.path())?;
    let traces = folder.path().join("traces");
    std::fs::create_dir(&traces)?;
    let trace = traces.join("run.jsonl").display().to_string();
    countersign(["run", SCENARIO, "-q", "--bundle", &bundle, "--trace", &trace]).expect(0, "ended SUCCESS");
    for path in [trace.clone(), format!("{trace}.shadow"), traces.display().to_string()] {
        countersign(["shadow", "report", &path]).expect(0, "1 run judged beside");
    }
    // Named twice it counts once.
    countersign(["shadow", "report", &trace, &format!("{trace}.shadow"), &traces.display().to_string()])
        .expect(0, "1 run judged beside");
    // One that cannot be read takes nothing from the others.
    std::fs::write(traces.join("other.jsonl.shadow"), "garbage\n")?;
    let both = countersign(["shadow", "report", &traces.display().to_string()]).expect(0, "1 run judged beside");
    assert!(both.err().contains("left out: `") && both.err().contains("other.jsonl.shadow`, line 1"), "{}", both.err());
    std::fs::remove_file(traces.join("other.jsonl.shadow"))?;
    // Nor is one believed that tells of another run.
    let said = std::fs::read_to_string(format!("{trace}.shadow"))?;
    let id = said.split("\"run\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    std::fs::write(format!("{trace}.shadow"), said.replacen(id, "another", 1))?;
    countersign(["shadow", "report", &trace]).expect(2, "it is of the run another");
    std::fs::write(format!("{trace}.shadow"), said)?;
    // Beside the shadow the trace is like any other.
    countersign(["trace", "verify", &trace]).expect(0, "complete");
    countersign(["trace", "replay", &trace, "--bundle", &bundle]).expect(0, "came out the same");
    countersign(["shadow", "report", &bundle]).expect(0, "was judged beside");
    countersign(["shadow", "report", "no/such/run"]).expect(2, "there is no `no/such/run`");
    std::fs::write(format!("{trace}.shadow"), "garbage\n")?;
    countersign(["shadow", "report", &trace]).expect(2, "run.jsonl.shadow`, line 1");
    Ok(())
}

#[test]
fn a_backtest_tells_of_the_shadow_at_its_end() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = shadowed(folder.path())?;
    let recording = "tests/data/openhands/runs.jsonl.gz";
    let out = folder.path().join("out").display().to_string();
    let run =
        countersign(["backtest", recording, "--bundle", &bundle, "--out", &out]).expect(0, "20 runs judged beside");
    // Recordings say nothing of risk: it is not asked.
    assert!(run.out().contains("in shadow: risk-next (risk) was not asked; choose --slots"), "{}", run.out());
    let later = countersign(["shadow", "report", &out]).expect(0, "20 runs judged beside");
    let from = run.out().find("20 runs judged beside").unwrap_or_default();
    assert!(run.out()[from..].contains("blind") && !run.out()[from..].contains("risk-next"), "{}", run.out());
    assert_eq!(run.out()[from..], later.out());
    // Fifty are shown, and how many more there are.
    if later.out().contains("more disagreements") {
        let all = countersign(["shadow", "report", &out, "--all"]).expect(0, "judged beside");
        assert!(all.out().lines().count() > later.out().lines().count());
    }
    Ok(())
}
