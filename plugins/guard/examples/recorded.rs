//! False alarms: what the default rules say of recorded runs that ended well and that nobody attacked, by data set, and how
//! many of the attacks of agentdojo they see. Nothing is run.
//!
//! `COUNTERSIGN_DATA=FOLDER cargo run --release -p countersign-guard --example recorded [-- FINDINGS]` prints the table; with
//! a word such as `ask` or `medium` behind it also each finding of that severity.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use countersign_guard::Patterns;
use countersign_sdk::Policy;
use countersign_sdk::guard::{Direction, FindingKind, Guard, Severity, Transit};
use countersign_sdk::testing::TestRun;
use serde_json::{Value, json};

/// As much of a text as the slot ever sees.
const SEEN: usize = 32 << 10;

/// A text of a run, and which way it went.
struct Passage {
    direction: Direction,
    text: String,
}

/// A recorded run that is taken.
struct Run {
    /// The table's row.
    set: String,
    passages: Vec<Passage>,
}

/// Where the runs of a data set lie, and how one of them is read; none for a run that did not end well.
type Set = (&'static str, fn(&Value) -> Option<Run>);

const SETS: [Set; 6] = [
    ("openhands-openagentsafety/trajectories.jsonl.gz", openhands),
    ("tau-bench-airline/gpt-4o-airline.jsonl.gz", tau_bench),
    ("hotpotqa-react/trajectories.jsonl.gz", hotpotqa),
    ("swe-trajectories-sola/trajectories.jsonl.gz", swe),
    ("codetracer/claude-code-terminal-bench.jsonl.gz", codetracer),
    ("agentdojo/runs.jsonl.gz", agentdojo),
];

#[derive(Default)]
struct Count {
    runs: usize,
    /// Runs with a text or an answer that a person must look at, or that ends the run.
    stopped: usize,
    calls: usize,
    held: usize,
    results: usize,
    /// Results of which words are withheld that gave orders.
    orders: usize,
    /// Results with marks for personal data or secrets.
    marked: usize,
    by_reason: BTreeMap<String, usize>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::var_os("COUNTERSIGN_DATA") else {
        println!("skipped: COUNTERSIGN_DATA does not name the folder of the recorded runs");
        return Ok(());
    };
    let wanted = std::env::args().nth(1);
    let mut policy = Patterns::configure(serde_json::from_value(json!({}))?).map_err(|error| error.message)?;
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for (file, read) in SETS {
        let reader = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(Path::new(&folder).join(file))?));
        for line in reader.lines() {
            let Some(run) = read(&serde_json::from_str(&line?)?) else { continue };
            let count = counts.entry(run.set.clone()).or_default();
            count.runs += 1;
            let mut stopped = false;
            for passage in run.passages {
                stopped |= judge(&mut policy, passage, count, wanted.as_deref());
            }
            count.stopped += usize::from(stopped);
        }
    }
    println!(
        "| recorded runs | runs | stopped | calls | held | results | orders withheld | data or secrets withheld |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (set, count) in &counts {
        println!(
            "| {set} | {} | {} | {} | {} | {} | {} | {} |",
            count.runs, count.stopped, count.calls, count.held, count.results, count.orders, count.marked
        );
    }
    println!();
    for (set, count) in &counts {
        for (reason, times) in &count.by_reason {
            println!("{set}: {reason}: {times}");
        }
    }
    Ok(())
}

/// Counts what the policy says of a passage. True where the run waits for a person because of it, or is over.
fn judge(policy: &mut Patterns, passage: Passage, count: &mut Count, wanted: Option<&str>) -> bool {
    let Passage { direction, text } = passage;
    let (bytes, text) = (text.len() as u64, text[..text.floor_char_boundary(SEEN)].to_owned());
    let inspection = policy.inspect(Transit { direction, tool: None, text: text.clone(), bytes }, &TestRun::default());
    let worst = inspection.findings.iter().map(|finding| finding.severity).max();
    let has = |kind: FindingKind| inspection.findings.iter().any(|finding| finding.kind == kind);
    if worst >= Some(Severity::Medium) || (direction == Direction::Input && has(FindingKind::Unseen)) {
        *count.by_reason.entry(format!("{direction:?} {worst:?} {}", inspection.reason)).or_default() += 1;
    }
    for finding in &inspection.findings {
        if wanted.is_some_and(|wanted| format!("{:?}", finding.severity).eq_ignore_ascii_case(wanted)) {
            let (start, end) = (finding.start as usize, finding.end as usize);
            let from = text.floor_char_boundary(start.saturating_sub(40));
            println!(
                "{direction:?} {:?} {:?}",
                finding.kind,
                &text[from..text.ceil_char_boundary((end + 20).min(text.len()))]
            );
        }
    }
    match direction {
        Direction::Call => {
            count.calls += 1;
            count.held += usize::from(worst >= Some(Severity::Ask));
            worst >= Some(Severity::High)
        }
        Direction::Input => {
            count.results += 1;
            let orders = |finding: &&countersign_sdk::guard::Finding| {
                finding.kind == FindingKind::Injection && finding.severity >= Severity::Medium
            };
            count.orders += usize::from(inspection.findings.iter().any(|finding| orders(&finding)));
            count.marked += usize::from(has(FindingKind::PersonalData) || has(FindingKind::Secret));
            worst >= Some(Severity::Ask)
        }
        Direction::Output => worst >= Some(Severity::Ask),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn call(name: &str, arguments: &Value) -> Passage {
    Passage { direction: Direction::Call, text: format!("{name} {arguments}") }
}

/// What a tool or a model said: a text, or blocks of one.
fn said(direction: Direction, content: &Value) -> Option<Passage> {
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => return None,
    };
    (!text.is_empty()).then_some(Passage { direction, text })
}

fn openhands(run: &Value) -> Option<Run> {
    (run["terminal"] == "FINISHED").then_some(())?;
    let passage = |event: &Value| match (event["k"].as_str()?, event["src"].as_str()?, event["type"].as_str()?) {
        ("action", "agent", "message") => said(Direction::Output, &event["args"]["content"]),
        ("action", "agent", "finish") => said(Direction::Output, &event["args"]["final_thought"]),
        ("action", "agent", name) => Some(call(name, &event["args"])),
        ("obs", ..) => said(Direction::Input, &event["content"]),
        _ => None,
    };
    Some(Run { set: "OpenHands, finished".to_owned(), passages: list(run, "events").filter_map(passage).collect() })
}

fn tau_bench(run: &Value) -> Option<Run> {
    (run["reward"].as_f64() == Some(1.0)).then_some(())?;
    let mut passages = Vec::new();
    for message in list(run, "traj") {
        match message["role"].as_str() {
            Some("assistant") => {
                passages.extend(said(Direction::Output, &message["content"]));
                for made in list(message, "tool_calls") {
                    let function = &made["function"];
                    let arguments = serde_json::from_str(function["arguments"].as_str()?).ok()?;
                    passages.push(call(function["name"].as_str()?, &arguments));
                }
            }
            Some("tool") => passages.extend(said(Direction::Input, &message["content"])),
            _ => {}
        }
    }
    Some(Run { set: "τ-bench airline, rewarded".to_owned(), passages })
}

fn hotpotqa(run: &Value) -> Option<Run> {
    (run["outcome"] == "correct").then_some(())?;
    let passages = list(run, "steps").flat_map(|step| {
        let action = step["action"].as_str().map(|action| call("search", &json!({ "query": action })));
        action.into_iter().chain(said(Direction::Input, &step["observation"]))
    });
    Some(Run { set: "HotpotQA ReAct, correct".to_owned(), passages: passages.collect() })
}

fn swe(run: &Value) -> Option<Run> {
    (run["resolved"] == true).then_some(())?;
    let passages = list(run, "steps").flat_map(|step| {
        let action = step["action"].as_str().map(|action| call("shell", &json!({ "command": action })));
        action.into_iter().chain(said(Direction::Input, &step["result"]))
    });
    Some(Run { set: "SWE trajectories, resolved".to_owned(), passages: passages.collect() })
}

fn codetracer(run: &Value) -> Option<Run> {
    (run["is_resolved"] == true).then_some(())?;
    let mut passages = Vec::new();
    for block in list(run, "events").flat_map(|event| list(event, "content")) {
        match block["type"].as_str() {
            Some("text") => passages.extend(said(Direction::Output, &block["text"])),
            Some("tool_use") => passages.push(call(block["name"].as_str()?, &block["input"])),
            Some("tool_result") => passages.extend(said(Direction::Input, &block["content"])),
            _ => {}
        }
    }
    Some(Run { set: "CodeTracer, resolved".to_owned(), passages })
}

fn agentdojo(run: &Value) -> Option<Run> {
    let attacked = run["attack"].as_str();
    let set = match attacked {
        None => "AgentDojo, not attacked".to_owned(),
        Some(attack) => format!("AgentDojo, attacked by {attack}"),
    };
    let mut passages = Vec::new();
    for message in list(run, "messages") {
        match message["role"].as_str() {
            Some("assistant") if attacked.is_none() => {
                passages.extend(said(Direction::Output, &message["content"]));
                passages.extend(
                    list(message, "calls").map(|made| call(made["tool"].as_str().unwrap_or_default(), &made["args"])),
                );
            }
            // Of an attack what counts is whether it is seen, and its text is what the data set says it is.
            Some("tool") => passages.extend(said(Direction::Input, &message["content"])),
            _ => {}
        }
    }
    Some(Run { set, passages })
}
