//! Scripted people: who decides when a run is suspended, and what operators do meanwhile.

use std::collections::BTreeMap;

use countersign_kernel::Code;
use countersign_kernel::contract::Dimension;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PersonSpec {
    /// Only when the run is suspended with this code.
    pub when: Option<Code>,
    pub does: Does,
    #[serde(default = "somebody")]
    pub by: String,
    /// Words: an answer, or with `reject` what to do instead.
    pub text: Option<String>,
    /// With `release`.
    #[serde(default)]
    pub extra: BTreeMap<Dimension, u64>,
    /// Milliseconds until then, on the scenario's clock.
    #[serde(default)]
    pub after: u64,
    /// By default once.
    #[serde(default = "once")]
    pub times: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    Approve,
    Reject,
    Answer,
    Accept,
    Release,
    Resume,
    /// Lets the time run out.
    Nothing,
    /// Cannot be reached.
    Unavailable,
    Cancel,
}

/// An operator's act, once so many tool calls were made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SwitchSpec {
    /// Tool calls before it.
    pub after_calls: u32,
    /// Switches this tool off.
    pub tool: Option<String>,
    /// Switches everything off, or on again.
    pub all: Option<bool>,
    /// Stops the run as its user.
    #[serde(default)]
    pub cancel: bool,
}

fn somebody() -> String {
    "reviewer".to_owned()
}

fn once() -> u32 {
    1
}

impl PersonSpec {
    pub fn check(&self) -> Result<(), String> {
        match self.does {
            Does::Answer if self.text.is_none() => Err("expected `text`".to_owned()),
            Does::Release if self.extra.is_empty() => Err("expected `extra`".to_owned()),
            _ => Ok(()),
        }
    }
}
