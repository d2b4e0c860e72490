//! What `cases.toml` says, natively, and the laws.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod calls;
mod configuration;
mod laws;
mod texts;

use countersign_sdk::Policy;
use countersign_sdk::guard::{Direction, FindingKind, Guard, Inspection, Severity, Transit};
use countersign_sdk::testing::TestRun;
use serde_json::{Value, json};

use crate::Patterns;

fn policy(configuration: Value) -> Patterns {
    Patterns::configure(serde_json::from_value(configuration).unwrap()).unwrap()
}

fn inspect(policy: &mut Patterns, direction: Direction, text: &str) -> Inspection {
    let transit = Transit { direction, tool: None, text: text.to_owned(), bytes: text.len() as u64 };
    policy.inspect(transit, &TestRun::default())
}

/// Texts and severities of what is found.
fn found(direction: Direction, text: &str) -> Vec<(FindingKind, Severity, String)> {
    let inspection = inspect(&mut policy(json!({})), direction, text);
    let part = |start: u32, end: u32| text[start as usize..end as usize].to_owned();
    inspection.findings.iter().map(|found| (found.kind, found.severity, part(found.start, found.end))).collect()
}

/// The worst finding of that kind.
fn worst(direction: Direction, text: &str, kind: FindingKind) -> Option<Severity> {
    found(direction, text).iter().filter(|(found, ..)| *found == kind).map(|(_, severity, _)| *severity).max()
}
