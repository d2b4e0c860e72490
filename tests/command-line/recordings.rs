//! Recordings of every form, judged by `backtest`, and false alarms counted by `eval alarms`.

use std::path::Path;

use serde_json::Value;

use super::countersign;

/// Samples, and how the command calls their forms.
const FORMS: [(&str, &str, u64); 13] = [
    ("openhands-events.json", "OpenHands events", 1),
    ("openhands-events", "OpenHands events", 1),
    ("openhands-output.jsonl", "OpenHands events", 2),
    ("openhands-sdk.jsonl", "OpenHands SDK events", 1),
    ("claude-code.jsonl", "a Claude Code session", 1),
    ("claude-code-stream.jsonl", "a Claude Code session", 1),
    ("codex.jsonl", "a Codex session", 1),
    ("codex-early.jsonl", "a Codex session", 1),
    ("atif.json", "an ATIF trajectory", 1),
    ("chat.json", "chat messages", 1),
    ("chat-lines.jsonl", "chat messages", 1),
    ("chat-runs.jsonl", "chat messages", 3),
    ("steps.jsonl", "steps of thought and action", 2),
];

fn json(arguments: &[&str]) -> Value {
    let run = countersign(arguments).expect(0, "{");
    serde_json::from_str(&run.out()).unwrap_or_else(|error| panic!("{error}: {}", run.out()))
}

#[test]
fn every_form_is_judged_and_named() {
    for (name, form, runs) in FORMS {
        let path = format!("tests/data/formats/{name}");
        countersign(["backtest", &path]).expect(0, form);
        let report = json(&["backtest", &path, "--json"]);
        let read = &report["recordings"][0];
        assert_eq!(
            (&read["form"], &read["runs"], &report["runs"]),
            (&form.into(), &runs.into(), &runs.into()),
            "{name}"
        );
        assert!(read["problems"].is_null(), "{name}: {read}");
    }
}

#[test]
fn the_slots_that_are_asked_for_are_counted_each() {
    let path = "tests/data/openhands/runs.jsonl.gz";
    let report = json(&["backtest", path, "--slots", "risk", "--json"]);
    let slots = report["slots"].as_array().cloned().unwrap_or_default();
    assert_eq!(slots.len(), 1, "{slots:?}");
    let (times, runs) = (slots[0]["interventions"].as_u64(), slots[0]["runs"].as_u64());
    assert!(times > Some(100) && runs > Some(10), "nobody knows what those tools do: {slots:?}");
    let tripped: u64 =
        report["outcomes"].as_array().into_iter().flatten().filter_map(|row| row["tripped"].as_u64()).sum();
    assert_eq!(Some(tripped), runs);
    let listed = report["interventions"].as_array().cloned().unwrap_or_default();
    assert!(listed.iter().all(|found| found["slot"] == "risk"), "{listed:?}");
    let verdicts: u64 = slots[0]["verdicts"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    assert_eq!(Some(verdicts), times);
    // The default slots say the same of loops as ever, and each slot has its row.
    let report = json(&["backtest", path, "--json"]);
    let of = |slot: &str| {
        let rows = report["slots"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["slot"] == slot).map(|row| row["runs"].clone())
    };
    assert_eq!((of("doom-loop"), of("classifier"), of("risk")), (Some(13.into()), Some(0.into()), None));
}

/// What the command advises exists.
#[test]
fn every_option_that_is_advised_is_one() {
    let help = countersign(["backtest", "--help"]).expect(0, "--slots").out();
    let path = "tests/data/openhands/runs.jsonl.gz";
    for slots in ["risk", "classifier,doom-loop", "guard,risk,threshold"] {
        let said = countersign(["backtest", path, "--slots", slots]).expect(0, "judgements").out();
        for option in said.split_whitespace().filter(|word| word.starts_with("--")) {
            let option: String = option.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(help.contains(&option), "`{option}` is advised and does not exist");
        }
    }
}

#[test]
fn false_alarms_are_counted_by_slot_and_reason() {
    let path = "tests/data/openhands/runs.jsonl.gz";
    let report = json(&["eval", "alarms", path, "--json"]);
    let figure = |report: &Value, key: &str| report["all"][key].as_u64().unwrap_or(u64::MAX);
    // 8 of the 20 committed runs have finished.
    assert_eq!((figure(&report, "runs"), figure(&report, "went-badly")), (8, 12));
    let held = figure(&report, "held");
    assert!(held > 0 && held <= figure(&report, "calls"), "{report}");
    let reasons = report["reasons"].as_array().cloned().unwrap_or_default();
    let by = |by: &str| reasons.iter().filter(|one| one["met"] == "held" && one["by"] == by).count();
    assert!(by("category") == 1 && by("risk") >= 1, "{reasons:?}");
    for reason in &reasons {
        let example = &reason["example"];
        assert!(example["recording"] == "runs.jsonl.gz" && example["tool"].is_string(), "{reason}");
        assert!(reason["times"].as_u64() >= reason["runs"].as_u64(), "{reason}");
    }
    // What their names say, and what an operator says, counts.
    let reads = json(&["eval", "alarms", path, "--reads", "--json"]);
    assert!(figure(&reads, "held") <= held);
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = folder.path().join("countersign.toml");
    let tool = |name: &str| format!("[tools.{name}]\nside-effect = 'read-only'\n");
    let tools = ["execute_bash", "str_replace_editor", "browser", "think", "execute_ipython_cell", "web_read", "chat"]
        .map(tool);
    let written = std::fs::write(&config, format!("version = 1\n{}", tools.concat()));
    written.unwrap_or_else(|error| panic!("{error}"));
    let declared = json(&["eval", "alarms", path, "--config", &config.display().to_string(), "--json"]);
    // What is declared is no longer asked about for want of a declaration.
    let asked = declared["reasons"].as_array().cloned().unwrap_or_default();
    assert!(asked.iter().all(|one| one["by"] != "category" && one["by"] != "risk"), "{asked:?}");
    assert!(figure(&declared, "held") < held, "{declared}");
    // Everything that is judged is judged once more with the same result.
    assert_eq!(report, json(&["eval", "alarms", path, "--json"]));
}

#[test]
fn what_is_withheld_of_a_result_is_counted_by_who_withholds_it() -> anyhow::Result<()> {
    let call = |id: &str, path: &str| {
        serde_json::json!({"id": id, "type": "function",
            "function": {"name": "read_file", "arguments": format!("{{\"path\":\"{path}\"}}")}})
    };
    let result = |id: &str, text: &str| serde_json::json!({"role": "tool", "tool_call_id": id, "content": text});
    let key = ["ghp_", "a8Kd93Lmq0Zx7Rt5Vb2Nc6Yw1Ej4Hu8SfGpT"].concat();
    let messages = serde_json::json!([
        {"role": "user", "content": "Who wrote this?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call("1", "a"), call("2", "b"), call("3", "c")]},
        result("1", "written by kim.sample@mill-and-sons.com"),
        result("2", &format!("token = {key}")),
        result("3", "nothing to see"),
        {"role": "assistant", "content": "Kim did."},
    ]);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("chat.json");
    std::fs::write(&path, messages.to_string())?;
    let report = json(&["eval", "alarms", &path.display().to_string(), "--every-outcome", "--json"]);
    assert_eq!(report["all"]["withheld"], 2, "{report}");
    let reasons = report["reasons"].as_array().cloned().unwrap_or_default();
    let by = reasons.iter().filter(|one| one["met"] == "withheld").map(|one| one["by"].as_str().unwrap_or_default());
    let mut by: Vec<&str> = by.collect();
    by.sort_unstable();
    assert_eq!(by, ["guard", "host"], "{reasons:?}");
    Ok(())
}

#[test]
fn alarms_of_a_folder_leave_out_what_did_not_go_well() {
    let report = json(&["eval", "alarms", "tests/data/formats", "--json"]);
    let all = &report["all"];
    // 17 runs: 3 did not go well, 1 was attacked.
    assert_eq!((&all["went-badly"], &all["attacked"]), (&3.into(), &1.into()), "{all}");
    assert_eq!(report["recordings"].as_array().map(Vec::len), Some(FORMS.len()));
    let every = json(&["eval", "alarms", "tests/data/formats", "--every-outcome", "--json"]);
    assert_eq!((&every["all"]["went-badly"], &every["all"]["attacked"]), (&0.into(), &1.into()));
    countersign(["eval", "alarms", "tests/data/formats"]).expect(0, "left out: 3 runs that did not go well");
    countersign(["eval", "alarms", "tests/scenarios/incidents"]).expect(2, "no recording in it");
    countersign(["eval", "alarms", "no/such"]).expect(2, "`no/such`");
}

/// A chat of an agent that calls a tool, with as many calls.
fn chat(calls: usize) -> String {
    let mut messages = vec![serde_json::json!({"role": "user", "content": "Look at the files."})];
    for call in 0..calls {
        let function = serde_json::json!({"name": "touch", "arguments": "{}"});
        let called = serde_json::json!({"id": call.to_string(), "type": "function", "function": function});
        messages.push(serde_json::json!({"role": "assistant", "content": "", "tool_calls": [called]}));
        messages.push(serde_json::json!({"role": "tool", "tool_call_id": call.to_string(), "content": "the same"}));
    }
    serde_json::Value::from(messages).to_string()
}

fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> anyhow::Result<String> {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
    std::fs::write(&path, bytes)?;
    Ok(path.display().to_string())
}

#[test]
fn recordings_of_one_name_are_told_apart() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let names = ["a/output.json", "b/output.json", "b/output.jsonl", "c d/x.json", "c-d/x.json", "b/Output.json"];
    let mut paths = Vec::new();
    for name in names {
        paths.push(written(folder.path(), name, chat(12))?);
    }
    // The same file once more is a recording of its own.
    paths.push(paths[0].clone());
    let out = folder.path().join("out");
    let arguments = |of: &[&str]| of.iter().map(|one| (*one).to_owned()).chain(paths.clone()).collect::<Vec<_>>();
    let arguments = arguments(&["backtest", "--json", "--out", &out.display().to_string()]);
    let report = json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(report["runs"], 7, "{report}");
    let mut traces = Vec::new();
    for entry in std::fs::read_dir(&out)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        traces.extend(name.ends_with("-000000.jsonl").then_some(name));
    }
    assert_eq!(traces.len(), 7, "{traces:?}");
    let log = std::fs::read_to_string(out.join("adaptation.jsonl"))?;
    let lines = log.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    let runs: std::collections::BTreeSet<&str> = lines.iter().filter_map(|line| line["run"].as_str()).collect();
    assert_eq!(runs.len(), 7, "{runs:?}");
    let found = report["interventions"].as_array().cloned().unwrap_or_default();
    let names: std::collections::BTreeSet<&str> = found.iter().filter_map(|one| one["recording"].as_str()).collect();
    assert_eq!(names.len(), 7, "{found:?}");
    assert!(names.contains("a/output.json") && names.contains("output.jsonl"), "{names:?}");
    countersign(["backtest", &paths[0], &paths[1]]).expect(0, "a/output.json run 0");
    // Each run is counted where false alarms are, and has a row of its own.
    let report = json(&["eval", "alarms", &paths[0], &paths[1], "--json"]);
    let asked = report["reasons"].as_array().into_iter().flatten().find(|one| one["by"] == "category").cloned();
    assert_eq!(asked.map(|one| one["runs"].clone()), Some(2.into()), "{report}");
    countersign(["eval", "alarms", &paths[0], &paths[1]]).expect(0, "b/output.json");
    Ok(())
}

#[test]
fn a_file_that_is_no_recording_is_left_out_and_the_others_are_judged() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = written(folder.path(), "all/good.json", chat(3))?;
    let zipped = std::fs::read(countersign_tests::root().join("tests/data/openhands/runs.jsonl.gz"))?;
    let odd: [(&str, Vec<u8>, &str); 8] = [
        ("all/empty.jsonl", Vec::new(), "is empty"),
        ("all/lines.jsonl", b"\n\n\n".to_vec(), "is empty"),
        ("all/summary.jsonl", b"{\"type\":\"summary\",\"summary\":\"x\"}\n".to_vec(), "an object with `type`"),
        ("all/index.json", b"{\"version\": 1}".to_vec(), "an object with `version`"),
        ("README.md", b"# Runs\n".to_vec(), "no JSON"),
        ("all/binary.jsonl", vec![0x7f, 0, 1, 2], "is no text"),
        ("all/cut.jsonl.gz", zipped[..zipped.len() / 2].to_vec(), "cut.jsonl.gz"),
        ("all/none.jsonl.gz", Vec::new(), "is empty"),
    ];
    let mut paths = vec![good.clone()];
    for (name, bytes, why) in &odd {
        let path = written(folder.path(), name, bytes)?;
        // Alone it is refused.
        countersign(["backtest", &path]).expect(2, why);
        countersign(["eval", "alarms", &path]).expect(2, &path);
        paths.push(path);
    }
    #[cfg(unix)]
    {
        let link = folder.path().join("all/dangling.jsonl");
        std::os::unix::fs::symlink("nowhere", &link)?;
        paths.push(link.display().to_string());
        std::os::unix::fs::symlink(".", folder.path().join("all/round"))?;
    }
    let run = countersign(["backtest"].into_iter().chain(paths.iter().map(String::as_str))).expect(0, "left out:");
    for path in &paths[1..] {
        assert!(run.err().contains(&format!("left out: `{path}`: ")), "{path}: {}", run.err());
    }
    let all = folder.path().join("all").display().to_string();
    for command in [vec!["backtest"], vec!["eval", "alarms"]] {
        let report = json(&[command, vec![&all, "--json"]].concat());
        assert_eq!(report["recordings"].as_array().map(Vec::len), Some(1), "{report}");
        assert_eq!(report["recordings"][0]["name"], "good.json");
        assert_eq!(report["not-read"].as_array().map(Vec::len), Some(if cfg!(unix) { 8 } else { 7 }), "{report}");
    }
    // Where nothing is left, that is an error which names them.
    let none = countersign(["backtest", &paths[1], &paths[4]]).expect(2, "none of these can be read");
    assert!(none.err().contains("empty.jsonl") && none.err().contains("index.json"), "{}", none.err());
    Ok(())
}

#[test]
fn conversations_of_openhands_are_their_events() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let root = countersign_tests::root();
    let copy = |to: &str| -> anyhow::Result<()> {
        for entry in std::fs::read_dir(root.join("tests/data/formats/openhands-events"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            written(folder.path(), &format!("{to}/{name}"), std::fs::read(&path)?)?;
        }
        Ok(())
    };
    for (id, beside) in [("one", "base_state.json"), ("two", "metadata.json"), ("plain/run", "notes.json")] {
        copy(&format!("{id}/events"))?;
        written(folder.path(), &format!("{id}/{beside}"), "{\"id\": \"x\"}")?;
        written(folder.path(), &format!("{id}/event_cache/0-25.json"), "[{\"id\": 0, \"action\": \"run\"}]")?;
    }
    let all = folder.path().display().to_string();
    for command in [vec!["backtest"], vec!["eval", "alarms"]] {
        let report = json(&[command.clone(), vec![&all, "--json"]].concat());
        let read = report["recordings"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = read.iter().filter_map(|read| read["name"].as_str()).collect();
        assert_eq!(names, ["one", "run", "two"], "{report}");
        let one = folder.path().join("one").display().to_string();
        assert_eq!(json(&[command, vec![&one, "--json"]].concat())["recordings"][0]["runs"], 1);
    }
    Ok(())
}

#[test]
fn calls_in_blocks_of_chat_messages_are_read_and_lines_of_another_form_are_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let blocks = |blocks: Value, role: &str| serde_json::json!({"role": role, "content": blocks});
    let used =
        |id: &str| serde_json::json!({"type": "tool_use", "id": id, "name": "run", "input": {"command": "make"}});
    let result = |id: &str| {
        serde_json::json!({"type": "tool_result", "tool_use_id": id, "is_error": true,
        "content": [{"type": "text", "text": "no rule to make it"}]})
    };
    let mut messages = vec![serde_json::json!({"role": "user", "content": "Build it."})];
    for turn in 0..12 {
        let (a, b) = (format!("{turn}a"), format!("{turn}b"));
        let text = serde_json::json!({"type": "text", "text": "I build it."});
        messages.push(blocks(serde_json::json!([text, used(&a), used(&b)]), "assistant"));
        messages.push(blocks(serde_json::json!([result(&a), result(&b)]), "user"));
    }
    let list = written(folder.path(), "list.json", Value::from(messages.clone()).to_string())?;
    let lines: Vec<String> = messages.iter().map(Value::to_string).collect();
    let lines = written(folder.path(), "lines.jsonl", lines.join("\n"))?;
    let below = serde_json::json!({"model": "m", "messages": messages}).to_string();
    let below = written(folder.path(), "below.json", below)?;
    for path in [&list, &lines, &below] {
        let report = json(&["backtest", path, "--slots", "doom-loop", "--json"]);
        assert_eq!(report["steps"], 24, "{report}");
        assert_eq!(report["interventions"][0]["slot"], "doom-loop", "{report}");
        assert_eq!(report["recordings"][0]["stray-results"], 0, "{report}");
        let all = json(&["eval", "alarms", path, "--json"])["all"].clone();
        let figure = |key: &str| all[key].as_u64().unwrap_or(0);
        assert_eq!(figure("calls") + figure("not-reached"), 24, "{all}");
    }
    // A session with a line of each other kind in its middle.
    let root = countersign_tests::root();
    let session = std::fs::read_to_string(root.join("tests/data/formats/claude-code.jsonl"))?;
    let half = session.match_indices('\n').nth(5).map_or(0, |(at, _)| at + 1);
    for (name, form) in [("codex.jsonl", "a Codex session"), ("openhands-sdk.jsonl", "OpenHands SDK events")] {
        let other = std::fs::read_to_string(root.join("tests/data/formats").join(name))?;
        let line = other.lines().nth(2).unwrap_or_default();
        let path = written(folder.path(), "mixed.jsonl", format!("{}{line}\n{}", &session[..half], &session[half..]))?;
        let said = countersign(["backtest", &path]).expect(0, "mixed.jsonl`, line 7, run 0");
        assert!(said.err().contains(form) || said.err().contains("expected"), "{}", said.err());
    }
    Ok(())
}

#[test]
fn what_a_recording_says_of_its_end_and_its_cost_counts() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stream =
        std::fs::read_to_string(countersign_tests::root().join("tests/data/formats/claude-code-stream.jsonl"))?;
    let kept: Vec<&str> = stream.lines().filter(|line| !line.contains("\"type\":\"result\"")).collect();
    let table = [
        (r#"{"type":"result","subtype":"success","is_error":false}"#, 0, "not said"),
        (r#"{"type":"result","subtype":"success","is_error":true}"#, 1, "error"),
        (r#"{"type":"result","subtype":"error_max_turns","is_error":false}"#, 1, "error_max_turns"),
        (r#"{"type":"result","subtype":"error_during_execution"}"#, 1, "error_during_execution"),
    ];
    for (line, badly, outcome) in table {
        let path = written(folder.path(), "stream.jsonl", format!("{}\n{line}\n", kept.join("\n")))?;
        assert_eq!(json(&["eval", "alarms", &path, "--json"])["all"]["went-badly"], badly, "{line}");
        let report = json(&["backtest", &path, "--json"]);
        assert_eq!(report["outcomes"][0]["outcome"], outcome, "{line}");
        assert!(report["outcomes"][0]["cost-after"].is_null(), "{report}");
    }
    // No cost is said to be nothing where nobody has said it; no goal is called vague where there is none.
    let looped = written(folder.path(), "chat.json", chat(12))?;
    let report = json(&["backtest", &looped, "--json"]);
    assert!(report["interventions"][0]["cost-after"].is_null(), "{report}");
    countersign(["backtest", &looped]).expect(0, "–");
    let report = json(&["backtest", "tests/data/openhands/runs.jsonl.gz", "--json"]);
    assert!(report["interventions"][0]["cost-after"].is_u64(), "{report}");
    let mut messages: Value = serde_json::from_str(&chat(2))?;
    messages.as_array_mut().map(|messages| messages.remove(0));
    let path = written(folder.path(), "aimless.json", messages.to_string())?;
    assert_eq!(json(&["backtest", &path, "--slots", "classifier", "--json"])["judgements"], 0);
    Ok(())
}

/// The development halves beside the repository: how often runs that went well are stopped.
#[test]
fn runs_that_went_well_are_seldom_stopped() {
    let data = countersign_tests::root().join("../shared/data");
    // Set, file, percent of runs that may be stopped.
    let sets = [
        ("openhands-openagentsafety", "trajectories.jsonl.gz", 1.0),
        ("tau-bench-airline", "gpt-4o-airline.jsonl.gz", 1.0),
        ("hotpotqa-react", "trajectories.jsonl.gz", 1.0),
        ("swe-trajectories-sola", "trajectories.jsonl.gz", 1.0),
    ];
    for (set, file, most) in sets {
        let path = data.join(set).join(file);
        if !Path::new(&path).exists() {
            println!("SKIPPED: {set} is not here");
            continue;
        }
        let report = json(&["eval", "alarms", &path.display().to_string(), "--json"]);
        let figure = |key: &str| report["all"][key].as_f64().unwrap_or(f64::NAN);
        let share = figure("stopped") * 100.0 / figure("runs");
        assert!(share <= most, "{set}: {share:.1} % of runs that went well are stopped");
    }
}
