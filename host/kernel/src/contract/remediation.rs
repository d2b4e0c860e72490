//! `wit/v0.1/remediation.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{FailureClass, ToolCategory, Verdict};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FailedCall {
    pub tool: Arc<str>,
    pub category: Option<ToolCategory>,
    pub class: FailureClass,
    pub error: Arc<str>,
    pub same_call: u32,
    pub same_tool: u32,
    pub worked_before: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Authority {
    pub who: String,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remediability {
    Retryable,
    SelfRemediable,
    Irremediable(Authority),
}

impl Remediability {
    /// Least to most restrictive.
    pub fn rank(&self) -> u8 {
        match self {
            Remediability::Retryable => 0,
            Remediability::SelfRemediable => 1,
            Remediability::Irremediable(_) => 2,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Remedy {
    pub remediability: Remediability,
    pub reason: String,
}

/// Most bytes of whom and of what.
const WHO: usize = 64;
const WHAT: usize = 256;

impl Remedy {
    /// What the host does, as the slot documents it.
    pub fn verdict(&self) -> Verdict {
        match self.remediability {
            Remediability::Retryable | Remediability::SelfRemediable => Verdict::Proceed,
            Remediability::Irremediable(_) => Verdict::Notify,
        }
    }

    /// Whether the contract allows it.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self) -> Result<(), Violation> {
        if let Remediability::Irremediable(authority) = &self.remediability {
            if authority.who.is_empty() || authority.who.len() > WHO {
                return Err(violation::other("remediability.who", "1 to 64 bytes"));
            }
            if authority.what.len() > WHAT {
                return Err(violation::other("remediability.what", "at most 256 bytes"));
            }
        }
        violation::text("reason", &self.reason)
    }
}
