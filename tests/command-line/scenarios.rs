//! Every scenario that ships goes as it says.

use countersign_tests::root;

use super::countersign;

#[test]
fn every_scenario_goes_as_expected() {
    let run = countersign(["run", "tests/scenarios"]);
    let out = run.out();
    assert_eq!(run.code(), 0, "{out}{}", run.err());
    assert!(out.contains("scenarios went as expected"), "{out}");
}

#[test]
fn a_single_scenario_tells_its_steps_and_its_exit_code_how_it_went() {
    let run = countersign(["run", "tests/scenarios/loop-and-recover.toml"]).expect(0, "ended SUCCESS");
    let out = run.out();
    for part in [
        "wants       search",
        "risk        proceed   reversible, low blast radius",
        "doom-loop   replan    the same call gave the same result 4 times in a row",
        "escalate    cheap → strong",
        "advice of the stronger model",
        "criterion   check-passes is verified",
        "tokens, the full history has",
    ] {
        assert!(out.contains(part), "expected `{part}` in:\n{out}");
    }
    countersign(["run", "tests/scenarios/irreversible-at-low-confidence.toml"]).expect(10, "approve?    drop-table");
    countersign(["run", "tests/scenarios/policy-traps.toml"]).expect(10, "misbehaving@0.1.0: risk.judge: panicked at");
    countersign(["run", "tests/scenarios/policy-runs-dry.toml"]).expect(10, "I shall never come to an end");
    countersign(["run", "tests/scenarios/outcomes/budget-exhausted.toml"]).expect(11, "ended BUDGET_EXHAUSTED");
}

#[test]
fn what_is_not_as_expected_is_said() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = std::fs::read_to_string(root().join("tests/scenarios/confused.toml"))?;
    let path = folder.path().join("s.toml");
    std::fs::write(&path, text.replace("code = \"SUCCESS\"", "code = \"IMPOSSIBLE\""))?;
    countersign(["run", &path.display().to_string()]).expect(3, "expected IMPOSSIBLE, it is ended SUCCESS");
    // A script that lacks a reply is a fault of the script, and says so.
    std::fs::write(&path, text.replace("no time is given\"]", "another question\"]"))?;
    countersign(["run", &path.display().to_string()]).expect(3, "no reply of the strong model fits this request");
    Ok(())
}
