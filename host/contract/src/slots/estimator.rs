//! `wit/v0.1/estimator.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use crate::violation::{self, Violation};
use crate::{Dimension, Verdict};

record! {
    /// How far the run is and what it has used.
    #[derive(Eq)]
    pub struct Progress {
        pub done: u32,
        pub total: u32,
        pub spent: Vec<Spent>,
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct Spent {
        pub dimension: Dimension,
        pub used: u64,
        pub left: u64,
    }
}

record! {
    /// What the rest will cost.
    #[derive(Eq)]
    pub struct Forecast {
        pub intervals: Vec<Interval>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct Interval {
        pub dimension: Dimension,
        pub lower: u64,
        pub upper: u64,
    }
}

impl crate::Answer for Forecast {
    type Question = Progress;

    fn check(&self, _: &Progress) -> Result<(), Violation> {
        for (index, interval) in self.intervals.iter().enumerate() {
            if interval.lower > interval.upper {
                return Err(violation::other(&format!("intervals[{index}]"), "lower at most upper"));
            }
            if self.intervals[..index].iter().any(|other| other.dimension == interval.dimension) {
                return Err(violation::other(&format!("intervals[{index}].dimension"), "each dimension at most once"));
            }
        }
        violation::text("reason", &self.reason)
    }

    fn verdict(&self) -> Verdict {
        // The host compares the interval with what is left.
        Verdict::Proceed
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Forecast { reason: String::new(), ..self.clone() }
    }
}
