//! Slot `estimator`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use serde::{Deserialize, Serialize};

use super::{Dimension, Violation};

/// How far the run is and what it has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Progress {
    pub done: u32,
    pub total: u32,
    pub spent: Vec<Spent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Spent {
    pub dimension: Dimension,
    pub used: u64,
    pub left: u64,
}

/// What the rest will cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Estimate {
    pub intervals: Vec<Interval>,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Interval {
    pub dimension: Dimension,
    pub lower: u64,
    pub upper: u64,
}

/// Most bytes of a reason.
const REASON: usize = 1024;

impl Estimate {
    pub fn check(&self) -> Result<(), Violation> {
        let wrong = |field: String, expected: &str| Violation { field, expected: expected.to_owned(), bits: None };
        if self.reason.len() > REASON {
            return Err(wrong("reason".to_owned(), "at most 1024 bytes"));
        }
        for (index, interval) in self.intervals.iter().enumerate() {
            if interval.lower > interval.upper {
                return Err(wrong(format!("intervals[{index}]"), "lower at most upper"));
            }
            if self.intervals[..index].iter().any(|other| other.dimension == interval.dimension) {
                return Err(wrong(format!("intervals[{index}].dimension"), "each dimension at most once"));
            }
        }
        Ok(())
    }
}
