//! What the rules for commands say of `shell-command-risk-dcg`: commands labelled allow and deny.
//! Nothing is run.
//!
//! `COUNTERSIGN_COMMANDS=FILE cargo run -p countersign-guard --example commands`

use std::collections::BTreeMap;
use std::io::Read;

use countersign_guard::Patterns;
use countersign_sdk::Policy;
use countersign_sdk::guard::{Direction, FindingKind, Guard, Transit};
use countersign_sdk::testing::TestRun;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(file) = std::env::var_os("COUNTERSIGN_COMMANDS") else {
        println!("skipped: COUNTERSIGN_COMMANDS does not name commands.jsonl.gz of shell-command-risk-dcg");
        return Ok(());
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file)?).read_to_string(&mut text)?;
    let mut policy = Patterns::configure(serde_json::from_value(json!({}))?).map_err(|error| error.message)?;
    let mut counts: BTreeMap<(String, String), [u32; 3]> = BTreeMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line)?;
        let Some(command) = record["command"].as_str() else { continue };
        let text = format!("shell {}", json!({ "command": command }));
        let transit =
            Transit { direction: Direction::Call, tool: Some("shell".to_owned()), bytes: text.len() as u64, text };
        let inspection = policy.inspect(transit, &TestRun::default());
        let of = |kind: FindingKind| inspection.findings.iter().any(|finding| finding.kind == kind);
        let group = record["file"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
        let label = record["expected"].as_str().unwrap_or_default();
        let count = counts.entry((label.to_owned(), group.to_owned())).or_default();
        count[0] += 1;
        count[1] += u32::from(of(FindingKind::Authorisation));
        count[2] += u32::from(of(FindingKind::Secret));
        if !inspection.findings.is_empty() {
            println!("{label:5} {group:16} {} in {command:?}", inspection.reason);
        }
    }
    for ((label, group), [all, authorisation, secret]) in counts {
        println!("{label:5} {group:22} {all:4} commands, {authorisation} with authorisation, {secret} with a secret");
    }
    Ok(())
}
