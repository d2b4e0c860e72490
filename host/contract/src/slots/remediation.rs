//! `wit/v0.1/remediation.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::violation::{self, Violation};
use crate::{FailureClass, ToolCategory, Verdict};

record! {
    pub struct FailedCall {
        pub tool: Arc<str>,
        pub category: Option<ToolCategory>,
        pub class: FailureClass,
        pub error: Arc<str>,
        pub same_call as "same-call": u32,
        pub same_tool as "same-tool": u32,
        pub worked_before as "worked-before": bool,
    }
}

record! {
    pub struct Authority {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub who: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub what: String,
    }
}

variant! {
    pub enum Remediability {
        Retryable = "retryable",
        SelfRemediable = "self-remediable",
        Irremediable(Authority) = "irremediable",
    }
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

record! {
    pub struct Remedy {
        pub remediability: Remediability,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

/// Most bytes of whom and of what.
const WHO: usize = 64;
const WHAT: usize = 256;

impl crate::Answer for Remedy {
    type Question = FailedCall;

    fn check(&self, _: &FailedCall) -> Result<(), Violation> {
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

    fn verdict(&self) -> Verdict {
        match self.remediability {
            Remediability::Retryable | Remediability::SelfRemediable => Verdict::Proceed,
            Remediability::Irremediable(_) => Verdict::Notify,
        }
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        let nobody = || Authority { who: String::new(), what: String::new() };
        let remediability = match self.remediability {
            Remediability::Irremediable(_) => Remediability::Irremediable(nobody()),
            ref other => other.clone(),
        };
        Remedy { remediability, reason: String::new() }
    }
}
