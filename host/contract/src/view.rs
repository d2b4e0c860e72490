//! `wit/v0.1/run.wit`: the view of the step loop as questions and answers, the form in which reads
//! are recorded.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{BudgetLine, Dimension, Phase};

/// A question that a policy asks of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Query {
    Goal,
    StepIndex,
    Phase,
    Budget(Dimension),
    RecentSteps(u32),
    Fact(String),
    Boundary,
}

impl Query {
    /// Bytes of the policy's own that count against the cap of 64 KiB a call: a text as it stands in the record, where
    /// one of control characters is six times as long.
    pub fn bytes(&self) -> usize {
        match self {
            Query::Fact(key) => key.chars().map(written).sum(),
            Query::Goal
            | Query::StepIndex
            | Query::Phase
            | Query::Budget(_)
            | Query::RecentSteps(_)
            | Query::Boundary => 0,
        }
    }
}

/// Bytes of a character in JSON.
fn written(character: char) -> usize {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

/// What the host answered; `None` where it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Goal(Option<Arc<str>>),
    StepIndex(Option<u32>),
    Phase(Option<Phase>),
    Budget(Option<BudgetLine>),
    RecentSteps(Option<Vec<StepSummary>>),
    Fact(Option<Arc<str>>),
    Boundary(Option<Boundary>),
}

impl Answer {
    /// Bytes that count against the cap of 64 KiB a call.
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Goal(text) | Answer::Fact(text) => text.as_ref().map_or(1, |text| text.len()),
            Answer::RecentSteps(steps) => steps.as_ref().map_or(1, |steps| steps.len() * 32),
            Answer::Budget(_) => 24,
            Answer::StepIndex(_) | Answer::Phase(_) | Answer::Boundary(_) => 16,
        }
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct StepSummary {
        pub index: u32,
        #[serde(with = "crate::key::maybe")]
        pub call_key as "call-key": Option<u64>,
        #[serde(with = "crate::key::maybe")]
        pub result_key as "result-key": Option<u64>,
        pub failed: bool,
        pub mutating: bool,
    }
}

record! {
    #[derive(Copy, Eq)]
    pub struct Boundary {
        pub blast_radius_limit as "blast-radius-limit": Option<u64>,
        pub tools: u32,
    }
}

/// One read of a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Read {
    pub query: Query,
    pub answer: Answer,
}

/// Whatever can answer a policy's questions: the live run, or the record of an earlier judgement.
pub trait RunView {
    /// The answer, of the variant that belongs to the query. `None` when the question was not
    /// foreseen, as when a replayed policy asks what was never asked.
    fn read(&self, query: &Query) -> Option<Answer>;
}
