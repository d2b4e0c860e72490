//! Recorded runs as JSON, to be changed and written again.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The committed runs.
pub fn sample() -> PathBuf {
    crate::root().join("tests/data/openhands/runs.jsonl.gz")
}

/// The 541 development runs, where they are beside the project.
pub fn development() -> Option<PathBuf> {
    let path = crate::root().join("../shared/data/openhands-openagentsafety/trajectories.jsonl.gz");
    path.exists().then_some(path)
}

/// Reads runs.
///
/// # Errors
/// When the file is no recording.
pub fn read(path: &Path) -> anyhow::Result<Vec<Value>> {
    let lines = BufReader::new(GzDecoder::new(std::fs::File::open(path)?)).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// Writes runs.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, runs: &[Value]) -> anyhow::Result<()> {
    let mut out = GzEncoder::new(std::fs::File::create(path)?, Compression::fast());
    for run in runs {
        writeln!(out, "{run}")?;
    }
    out.finish()?;
    Ok(())
}

/// The events of a run.
pub fn events(run: &mut Value) -> &mut Vec<Value> {
    match run.get_mut("events") {
        Some(Value::Array(events)) => events,
        _ => panic!("a run has events"),
    }
}

/// Whether an event is a call of the agent.
pub fn is_call(event: &Value) -> bool {
    event["k"] == "action" && event["src"] == "agent" && event["type"] != "message" && event["type"] != "finish"
}

/// Writes an event's hashes anew from its arguments.
pub fn rehash(event: &mut Value) {
    let mut arguments = event["args"].as_object().cloned().unwrap_or_default();
    event["args_sha1"] = hash(&arguments).into();
    arguments.remove("thought");
    event["args_nothought_sha1"] = hash(&arguments).into();
}

/// Any hash of a canonical form will do: only equality counts.
fn hash(arguments: &Map<String, Value>) -> String {
    let text = countersign::canonical(&Value::Object(arguments.clone()));
    countersign::kernel::contract::hex(&Sha256::digest(text.as_bytes())[..8])
}

/// A call and its observation, to be put between others.
pub fn exchange(id: u64, kind: &str, arguments: Value, content: &str, exit_code: Option<i64>) -> [Value; 2] {
    let mut action = serde_json::json!({
        "id": id, "src": "agent", "t": 0.0, "k": "action", "type": kind, "args": arguments, "fn": kind,
    });
    rehash(&mut action);
    let observation = serde_json::json!({
        "id": id + 1, "src": "agent", "t": 0.0, "k": "obs", "type": kind, "cause": id, "content": content,
        "len": content.chars().count(), "exit_code": exit_code, "success": exit_code.map(|code| code == 0),
    });
    [action, observation]
}
