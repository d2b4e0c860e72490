//! An agent that owns its loop: each call is proposed, and made only with a permit.
//!
//! `cargo run -p countersign --example own_loop`

use countersign::guard::{Clock, GuardedRun, Proposal, Ruling, Seen, Setup};
use countersign::kernel::{Code, Decision, Outcome, Status};
use countersign::registry::{Registry, ToolResult};
use countersign::replay::replay;
use countersign::store::{Durability, FileStore};
use countersign::{Host, Operations, Salt};
use serde_json::{Value, json};

/// What the host must know of the agent's tools. What is left out is unknown, and unknown is strict.
const TOOLS: &str = r#"
[read-order]
category = "read-only-lookup"
mutating = false
arguments = { type = "object", required = ["id"], properties = { id = { type = "integer" } } }

[cancel-order]
category = "database"
reversibility = "irreversible"
blast-radius = 1
arguments = { type = "object", required = ["id"], properties = { id = { type = "integer" } } }
"#;

/// The agent's own tools.
fn call(tool: &str, arguments: &str) -> ToolResult {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
    let text = match tool {
        "read-order" => format!("order {}: 12 pumps, not shipped", arguments["id"]),
        "cancel-order" => format!("order {} is cancelled", arguments["id"]),
        _ => return ToolResult::new(Outcome::Rejected, "there is no such tool"),
    };
    ToolResult::new(Outcome::Returned { exit_code: Some(0), ok: true }, text)
}

/// Proposes a call, makes it if it may be made, and says what became of it.
fn attempt(run: &mut GuardedRun, tool: &str, arguments: Value) -> anyhow::Result<String> {
    Ok(match run.propose(Proposal::new(tool, arguments))? {
        Ruling::Permitted(permit) => {
            let result = call(permit.tool(), permit.arguments());
            match permit.observe(&result)? {
                Seen::Done(_) => format!("made: {}", result.text),
                // None of the tools above declares a reading that verifies it.
                Seen::ReadBack(_) => "made, and to be read back".to_owned(),
            }
        }
        Ruling::Parked(approval) => format!("waits for a person: {}", approval.fingerprint),
        Ruling::Refused(refusal) => format!("refused: {}", refusal.reason),
        Ruling::Noted(text) => text,
        Ruling::Stopped(stop) => format!("stopped with {}: {}", stop.code, stop.reason),
    })
}

/// The whole of it.
///
/// # Errors
/// When a policy, the store or the machine fails.
pub fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace.jsonl");

    // One host for a process; a clone is two reference counts.
    let host = Host::new(countersign::engine::EngineOptions::default(), None)?;
    let registry = Registry::parse("tools", TOOLS)?;
    let manifest = host.governed_manifest("order-4711", "cancel what was not shipped", &registry)?;
    let store = Box::new(FileStore::create(&trace, &manifest, Durability::Written)?);
    let setup = Setup { registry, store, operations: Operations::none(), salt: Salt::random()?, clock: Clock::Machine };
    let mut run = GuardedRun::begin(&host, manifest, setup)?;

    println!("{}", attempt(&mut run, "read-order", json!({"id": 4711}))?);
    // Irreversible, and nobody knows how sure the agent is: a person is asked, the loop goes on.
    println!("{}", attempt(&mut run, "cancel-order", json!({"id": 4711}))?);
    println!("{}", attempt(&mut run, "read-order", json!({"id": "4711"}))?);

    let fingerprint = run.parked().next().map(|approval| approval.fingerprint.clone());
    let fingerprint = fingerprint.ok_or_else(|| anyhow::anyhow!("nothing waits"))?;
    run.decide("a-1", "Ada", Decision::Approved { fingerprint })?;
    // The approval is for that call, once.
    println!("{}", attempt(&mut run, "cancel-order", json!({"id": 4712}))?);
    println!("{}", attempt(&mut run, "cancel-order", json!({"id": 4711}))?);
    println!("{}", attempt(&mut run, "cancel-order", json!({"id": 4711}))?);

    let status = run.close(Code::Success)?;
    anyhow::ensure!(status == Status::Ended(Code::Success), "{status}");
    // What was recommended, what was decided, what came of it: thresholds are recalibrated from that.
    countersign::adaptation::write_beside(&trace)?;
    // Whoever audits it executes every verdict again.
    let open = || std::fs::File::open(&trace).map(std::io::BufReader::new);
    let replayed = replay(&host, "trace.jsonl", &open)?;
    anyhow::ensure!(replayed.difference.is_none(), "a verdict came out otherwise");
    println!("{} frames, {} verdicts executed again, all the same", replayed.frames, replayed.judged);
    Ok(())
}
