//! Two hundred agents of one async program, each with a loop and a run of its own: nobody waits for another's disk or
//! policy.
//!
//! `cargo run --release -p countersign --example many_agents`

use std::path::Path;
use std::time::Instant;

use countersign::engine::EngineOptions;
use countersign::kernel::{Code, Outcome, Status};
use countersign::registry::{Registry, ToolResult};
use countersign::session::{CallDecision, Observed, Proposal};
use countersign::{GovernedRun, Governor, GovernorError};
use serde_json::json;

/// What a deployment writes; `countersign init` writes a commented one.
const DEPLOYMENT: &str = r#"
version = 1

[store]
file = "runs.db"

[tools.look-up]
category = "read-only-lookup"
mutating = false
reversibility = "reversible"
blast-radius = 0
arguments = { type = "object", required = ["page"], properties = { page = { type = "integer" } } }
"#;

/// A governor in a folder, by a file of its own.
///
/// # Errors
/// A folder that cannot be written, or a machine that gives no instances.
pub fn governor(folder: &Path) -> anyhow::Result<Governor> {
    let file = folder.join("countersign.toml");
    std::fs::write(&file, DEPLOYMENT)?;
    Ok(Governor::open(&file, EngineOptions::default())?)
}

/// The agent's own tool, which takes a while like any other.
async fn look_up(page: u64) -> ToolResult {
    tokio::task::yield_now().await;
    ToolResult::new(Outcome::Returned { exit_code: Some(0), ok: true }, format!("page {page}: 12 pumps"))
}

/// So many calls, one after the other; what the agent was told of the last.
///
/// # Errors
/// When a policy, the store or the machine fails.
pub async fn agent(run: GovernedRun, calls: u64) -> Result<(Status, String), GovernorError> {
    let mut told = String::new();
    for page in 0..calls {
        let decision = run.propose(Proposal::new("look-up", json!({"page": page}))).await?;
        let CallDecision::Permitted(permit) = decision else { break };
        // The permit may be held across an await, and handed to another task.
        let result = look_up(page).await;
        if let Observed::Done(seen) = run.observe(permit, result).await? {
            told = seen.text();
        }
    }
    Ok((run.close(Code::Success).await?, told))
}

/// Begins so many runs and lets all of their agents work at once.
///
/// # Errors
/// As [`agent`].
pub async fn many(governor: &Governor, agents: usize, calls: u64) -> anyhow::Result<Vec<(Status, String)>> {
    let mut working = Vec::new();
    for _ in 0..agents {
        let tools = governor.deployment().registry()?;
        let run = governor.begin("reader", None, tools, None).await?;
        working.push(tokio::spawn(agent(run, calls)));
    }
    let mut ended = Vec::new();
    for agent in working {
        ended.push(agent.await??);
    }
    Ok(ended)
}

/// Two hundred agents of fifty calls each.
///
/// # Errors
/// As [`many`].
pub fn main() -> anyhow::Result<()> {
    let (agents, calls) = (200, 50);
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let governor = governor(folder.path())?;
        let begun = Instant::now();
        let ended = many(&governor, agents, calls).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let all = agents as f64 * calls as f64;
        println!("{} runs, {all} calls in {seconds:.2} s: {:.0} a second", ended.len(), all / seconds);
        anyhow::ensure!(ended.iter().all(|(status, _)| *status == Status::Ended(Code::Success)), "a run failed");
        Ok(())
    })
}
