//! `wit/v0.1/dispatch.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::violation::{self, Violation};

/// Somebody who could do a sub-task; in a manifest, somebody whom the run may choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Specialist {
    pub name: Arc<str>,
    pub description: Arc<str>,
    pub reliability: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SubTask {
    pub does: Arc<str>,
    pub independent: bool,
    pub parallel: u32,
    pub chain_length: u32,
    pub chain_reliability: f64,
    pub own_reliability: f64,
    pub specialists: Vec<Specialist>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assignment {
    Inline,
    Specialist(String),
    FanOut(String),
    HandOver,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Assigned {
    pub assignment: Assignment,
    pub reason: String,
}

impl Assigned {
    /// What the host does, as the slot documents it.
    pub fn verdict(&self) -> Verdict {
        match self.assignment {
            Assignment::HandOver => Verdict::Ask,
            _ => Verdict::Proceed,
        }
    }

    /// Whether the contract allows it as an answer to this question.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self, asked: &SubTask) -> Result<(), Violation> {
        if let Assignment::Specialist(name) | Assignment::FanOut(name) = &self.assignment
            && !asked.specialists.iter().any(|specialist| *specialist.name == **name)
        {
            return Err(violation::other("assignment", "one of the specialists offered"));
        }
        violation::text("reason", &self.reason)
    }
}
