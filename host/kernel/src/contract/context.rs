//! `wit/v0.1/context.wit`.

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::violation::{self, Violation};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    Goal,
    Notice,
    Guidance,
    Plan,
    Kept,
    Scratchpad,
    Memory,
    Exchange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tenure {
    Pinned,
    Working,
    Passing,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Item {
    pub kind: ItemKind,
    pub tokens: u32,
    pub tenure: Tenure,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pressure {
    pub used: u64,
    pub window: u64,
    pub boundary: bool,
    pub asked: bool,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    BudgetReduction,
    Snip,
    Microcompact,
    Collapse,
    FullCompaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    Keep,
    Layer(Layer),
    Branch,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Relief {
    pub strategy: Strategy,
    pub reason: String,
}

impl Relief {
    /// What the host does, as the slot documents it.
    pub fn verdict(&self) -> Verdict {
        match self.strategy {
            Strategy::Keep => Verdict::Proceed,
            Strategy::Layer(_) | Strategy::Branch => Verdict::Log,
        }
    }

    /// Whether the contract allows it.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self) -> Result<(), Violation> {
        violation::text("reason", &self.reason)
    }
}
