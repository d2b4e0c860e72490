//! What is served, and what came of it.

use std::path::Path;
use std::sync::Arc;

use countersign::deployment::AgentSection;
use countersign::operate::{SinkError, SinkQueue};
use countersign::registry::Registry;
use countersign::settings::SettingsError;
use countersign::spec::{Manifest, Mode};
use countersign::{Deployment, Host, Operations};

/// What a gateway did until its client was gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The run at its end, which the next process takes up.
    pub run: Option<String>,
    /// Calls that were proposed.
    pub calls: u64,
    /// Calls that were not forwarded.
    pub held: u64,
    /// What monitor mode would have stopped: the call, who, why.
    pub would_have: Vec<String>,
}

/// What is served: one agent of a deployment.
pub(crate) struct Served {
    pub deployment: Deployment,
    pub name: String,
    pub agent: AgentSection,
    /// Where items for people go, from all runs of this process.
    pub sinks: Option<Arc<SinkQueue>>,
    monitor: bool,
}

impl Served {
    pub fn load(file: &Path, agent: Option<&str>, monitor: bool) -> Result<Self, SettingsError> {
        let deployment = Deployment::load(file)?;
        let wrong = |problem: &str| SettingsError::Invalid {
            file: file.display().to_string(),
            problem: format!("key `servers`: {problem}"),
        };
        if deployment.servers().is_empty() {
            return Err(wrong("expected at least one server, such as `[servers.files]`"));
        }
        let name = agent.unwrap_or(deployment.only_agent()).to_owned();
        // An agent that the file does not name would have no tenant, no goal and a health of its own.
        let names: Vec<&str> = deployment.agents().collect();
        if !names.is_empty() && !names.contains(&&*name) {
            let names = names.join("`, `");
            let problem = format!("key `agents`: there is no `{name}`; it names `{names}`: say which with `--agent`");
            return Err(SettingsError::Invalid { file: file.display().to_string(), problem });
        }
        let agent = deployment.agent(&name);
        Ok(Served { deployment, name, agent, sinks: None, monitor })
    }

    /// Starts the sinks: what is wrong with one is said now, and not when somebody is to be told something.
    pub fn tell(&mut self) -> Result<(), SinkError> {
        self.sinks = Operations::sinks(self.deployment.operator(), self.deployment.store().folder())?;
        Ok(())
    }

    /// What a run of the agent is pinned to.
    pub fn manifest(&self, host: &Host, run: &str, registry: &Registry) -> Result<Manifest, SettingsError> {
        let mut manifest = self.deployment.manifest(host, &self.name, run, registry)?;
        if self.monitor {
            manifest.mode = Mode::Monitor;
        }
        Ok(manifest)
    }
}
