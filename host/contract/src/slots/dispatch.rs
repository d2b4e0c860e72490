//! `wit/v0.1/dispatch.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::Verdict;
use crate::violation::{self, Violation};

record! {
    /// Somebody who could do a sub-task; in a manifest, somebody whom the run may choose.
    pub struct Specialist {
        pub name: Arc<str>,
        pub description: Arc<str>,
        pub reliability: f64,
    }
}

record! {
    pub struct SubTask {
        pub does: Arc<str>,
        pub independent: bool,
        pub parallel: u32,
        pub chain_length as "chain-length": u32,
        pub chain_reliability as "chain-reliability": f64,
        pub own_reliability as "own-reliability": f64,
        pub specialists: Vec<Specialist>,
    }
}

variant! {
    pub enum Assignment {
        Inline = "inline",
        Specialist(String) = "specialist",
        FanOut(String) = "fan-out",
        HandOver = "hand-over",
    }
}

record! {
    pub struct Assigned {
        pub assignment: Assignment,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl crate::Answer for Assigned {
    type Question = SubTask;

    fn check(&self, asked: &SubTask) -> Result<(), Violation> {
        if let Assignment::Specialist(name) | Assignment::FanOut(name) = &self.assignment
            && !asked.specialists.iter().any(|specialist| *specialist.name == **name)
        {
            return Err(violation::other("assignment", "one of the specialists offered"));
        }
        violation::text("reason", &self.reason)
    }

    fn verdict(&self) -> Verdict {
        match self.assignment {
            Assignment::HandOver => Verdict::Ask,
            _ => Verdict::Proceed,
        }
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Assigned { reason: String::new(), ..self.clone() }
    }
}
