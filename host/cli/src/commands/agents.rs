use std::sync::Arc;

use countersign::operate::{HealthRules, HealthTracker};
use countersign::store::SharedStore;
use countersign::store::memory::MemoryStore;
use countersign::utc_now;

use super::Stored;
use crate::exit;
use crate::style::{QUIET, number, styled, table};

/// Look at the health of agents, pause them, and let them work again
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the agents of a store and whether runs are dispatched to them
    #[command(after_help = "Example:\n  countersign agents list --store runs.db")]
    List(Stored),
    /// Pause an agent until an administrator resumes it
    #[command(after_help = "Example:\n  countersign agents pause coder --reason 'new credentials' --store runs.db")]
    Pause(Pause),
    /// Lift an administrator's pause
    #[command(after_help = "Example:\n  countersign agents resume coder --store runs.db")]
    Resume(Resume),
}

#[derive(clap::Args)]
pub struct Pause {
    /// The agent
    agent: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who pauses it
    #[arg(long, value_name = "NAME", default_value = "operator", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    by: String,
    #[command(flatten)]
    stored: Stored,
}

#[derive(clap::Args)]
pub struct Resume {
    /// The agent
    agent: String,
    /// Lift a pause for its health too
    #[arg(long)]
    clear_health: bool,
    #[command(flatten)]
    stored: Stored,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        // To look at a store makes none.
        Command::List(stored) => match stored.open_if_there()? {
            Some(store) => list(stored, &tracker(store)),
            None => list(stored, &tracker(Arc::new(MemoryStore::new()))),
        },
        // An agent can be paused before there is any run.
        Command::Pause(pause) => {
            let tracker = tracker(super::open_store(&pause.stored.store)?);
            tracker.pause(&pause.agent, &pause.by, &pause.reason, utc_now())?;
            list(&pause.stored, &tracker)
        }
        Command::Resume(resume) => {
            let tracker = tracker(resume.stored.open()?);
            tracker.resume(&resume.agent, resume.clear_health)?;
            list(&resume.stored, &tracker)
        }
    }
}

/// The health of the agents of a store.
fn tracker(store: SharedStore) -> HealthTracker {
    HealthTracker::new(store, HealthRules::default())
}

fn list(stored: &Stored, tracker: &HealthTracker) -> anyhow::Result<u8> {
    let agents = tracker.agents()?;
    if stored.json {
        super::print_json(&agents)?;
        return Ok(exit::OK);
    }
    let headings = ["agent", "dispatched", "errors", "incomplete", "deferrals", "escalations", "why not"];
    let mut cells = vec![headings.map(str::to_owned).to_vec()];
    for (name, health) in &agents {
        let refused = health.refuses(utc_now());
        cells.push(vec![
            name.clone(),
            if refused.is_none() { "yes".to_owned() } else { "no".to_owned() },
            number(health.consecutive_errors.into()),
            number(health.incomplete_cycles),
            number(health.deferrals),
            number(health.escalations.warning + health.escalations.critical),
            refused.map_or_else(String::new, |refused| refused.to_string()),
        ]);
    }
    for (index, text) in table(&cells, &[2, 3, 4, 5]).into_iter().enumerate() {
        match index {
            0 => crate::say!("{}", styled(QUIET, text)),
            _ => crate::say!("{text}"),
        }
    }
    Ok(exit::OK)
}
