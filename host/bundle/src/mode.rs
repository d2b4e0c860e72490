use countersign_spec::PolicyMode;
use serde::{Deserialize, Serialize};

/// What becomes of an entry's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryMode {
    /// Its verdicts count.
    Enforce,
    /// Its verdicts are recorded in the run's frames and block nothing.
    Monitor,
    /// It is asked beside the run: no frame, no budget and no verdict knows of it.
    Shadow,
}

impl EntryMode {
    /// What a run is told of it. None in shadow: a run cannot be pinned to what it must not know.
    pub fn of_run(self) -> Option<PolicyMode> {
        match self {
            EntryMode::Enforce => Some(PolicyMode::Enforce),
            EntryMode::Monitor => Some(PolicyMode::Monitor),
            EntryMode::Shadow => None,
        }
    }

    /// As bundles name it.
    pub fn name(self) -> &'static str {
        match self {
            EntryMode::Enforce => "enforce",
            EntryMode::Monitor => "monitor",
            EntryMode::Shadow => "shadow",
        }
    }
}
