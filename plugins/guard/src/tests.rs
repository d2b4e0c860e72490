//! What `cases.toml` says, natively, and the laws.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod calls;
mod configuration;
mod laws;
mod texts;

use countersign_sdk::Policy;
use countersign_sdk::guard::{FindingKind, Guard, Inspection, Passage, Passing, Severity};
use countersign_sdk::testing::TestRun;
use serde_json::{Value, json};

use crate::Patterns;

fn policy(configuration: Value) -> Patterns {
    Patterns::configure(serde_json::from_value(configuration).unwrap()).unwrap()
}

fn inspect(policy: &mut Patterns, passage: Passage, text: &str) -> Inspection {
    let passing = Passing { passage, tool: None, text: text.to_owned(), bytes: text.len() as u64 };
    policy.inspect(passing, &TestRun::default())
}

/// Texts and severities of what is found.
fn found(passage: Passage, text: &str) -> Vec<(FindingKind, Severity, String)> {
    let inspection = inspect(&mut policy(json!({})), passage, text);
    let part = |start: u32, end: u32| text[start as usize..end as usize].to_owned();
    inspection.findings.iter().map(|found| (found.kind, found.severity, part(found.start, found.end))).collect()
}

/// The worst finding of that kind.
fn worst(passage: Passage, text: &str, kind: FindingKind) -> Option<Severity> {
    found(passage, text).iter().filter(|(found, ..)| *found == kind).map(|(_, severity, _)| *severity).max()
}
