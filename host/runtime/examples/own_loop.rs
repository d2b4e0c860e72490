//! An agent that owns its loop: each call is proposed, and made only with a permit.
//!
//! `cargo run -p countersign --example own_loop`

use std::sync::Arc;

use anyhow::Context;
use countersign::engine::EngineOptions;
use countersign::kernel::{Code, Decision, Outcome, Status};
use countersign::registry::{Registry, ToolResult};
use countersign::session::{CallDecision, Observed, Proposal, Setup};
use countersign::store::{SharedStore, memory::MemoryStore};
use countersign::{Host, Session};
use serde_json::{Value, json};

/// What the host must know of the agent's tools. What is left out is unknown, and unknown is strict.
const TOOLS: &str = r#"
[read-order]
category = "read-only-lookup"
reversibility = "reversible"
blast-radius = 0
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

/// One call: proposed, made where it may be, and observed. A model is told this text and nothing else.
fn attempt(session: &mut Session, tool: &str, order: Value) -> anyhow::Result<String> {
    let decision = session.propose(Proposal::new(tool, json!({"id": order})))?;
    let CallDecision::Permitted(permit) = decision else { return Ok(decision.told().unwrap_or_default()) };
    let result = call(permit.tool(), permit.arguments());
    Ok(match session.observe(permit, result)? {
        Observed::Done(seen) => seen.text(),
        Observed::ReadBack(reading) => {
            let read = call(reading.tool(), reading.arguments());
            session.read_back(reading, &read)?.text()
        }
    })
}

/// What the agent does. One host is enough for a process, and one store for all its runs.
///
/// # Errors
/// When a policy, the store or the machine fails.
pub fn run(host: &Host, store: &SharedStore, told: &mut dyn FnMut(String)) -> anyhow::Result<Status> {
    let registry = Registry::parse("tools", TOOLS)?;
    let manifest = host.governed_manifest("order-4711", "cancel what was not shipped", &registry)?;
    let mut session = Session::begin(host, store, manifest, Setup::new(registry))?;
    // Irreversible, and nobody knows how sure the agent is: a person is asked, the loop goes on.
    for (tool, order) in [("read-order", json!(4711)), ("cancel-order", json!(4711)), ("read-order", json!("4711"))] {
        told(attempt(&mut session, tool, order)?);
    }
    let fingerprint = session.parked().next().map(|approval| Arc::clone(&approval.fingerprint));
    session.decide("a-1", "Ada", Decision::Approved { fingerprint: fingerprint.context("nothing waits")? })?;
    // The approval is for that call, once.
    for order in [4712, 4711, 4711] {
        told(attempt(&mut session, "cancel-order", json!(order))?);
    }
    Ok(session.close(Code::Success)?)
}

/// With a store in memory; `countersign::open_store` gives one in a file.
///
/// # Errors
/// As [`run`].
pub fn main() -> anyhow::Result<()> {
    let store: SharedStore = Arc::new(MemoryStore::new());
    run(&Host::new(EngineOptions::default(), None)?, &store, &mut |text| println!("{text}")).map(drop)
}
