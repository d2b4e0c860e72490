use countersign_kernel::contract::Compliance;
use countersign_spec::Mode;
use serde::Deserialize;

use crate::settings::SettingsError;

/// On whose behalf calls are made: a run is kept for each agent, and health by its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AgentSection {
    /// The tenant whose buckets pay; none by default.
    pub tenant: Option<String>,
    /// What the agent is for, in words; policies see it.
    pub goal: String,
    /// Strictest tag of what the agent touches. From `pii` on every change asks a person. Default `none`.
    pub compliance: Compliance,
    /// Block, or with `monitor` only record what would have been blocked. Default `enforce`.
    pub mode: Mode,
    /// Milliseconds without a call after which a run is over. Default 30 minutes.
    pub idle_end: u64,
    /// Ask the person at the client where the client can; otherwise calls wait for `countersign runs approve`. Default
    /// true.
    pub ask_client: bool,
    /// Milliseconds that the person at the client has. Then the call waits for `countersign runs approve`. Default 5
    /// minutes.
    pub ask_time_out: u64,
}

impl Default for AgentSection {
    fn default() -> Self {
        AgentSection {
            tenant: None,
            goal: "calls of an agent".to_owned(),
            compliance: Compliance::None,
            mode: Mode::Enforce,
            idle_end: 30 * 60_000,
            ask_client: true,
            ask_time_out: 5 * 60_000,
        }
    }
}

impl AgentSection {
    /// Whether an agent of this name can be one.
    ///
    /// # Errors
    /// The key that is wrong, and what was expected.
    pub(super) fn check(&self, file: &str, name: &str) -> Result<(), SettingsError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let problem = "expected 1 to 64 letters, digits, `-`, `_`, `.` and `@` as a name";
            return Err(SettingsError::invalid(file, &format!("agents.{name}"), problem));
        }
        if self.mode == Mode::Recorded {
            let problem = "expected `enforce` or `monitor`";
            return Err(SettingsError::invalid(file, &format!("agents.{name}.mode"), problem));
        }
        for (key, value) in [("idle-end", self.idle_end), ("ask-time-out", self.ask_time_out)] {
            if value == 0 {
                let problem = "expected at least 1 millisecond";
                return Err(SettingsError::invalid(file, &format!("agents.{name}.{key}"), problem));
            }
        }
        Ok(())
    }
}
