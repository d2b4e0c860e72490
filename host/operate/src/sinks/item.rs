//! What sinks carry: one item for people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of an item's form that this release writes.
pub const ITEM_VERSION: u32 = 1;

/// Something a person has to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Item {
    /// Form of the item, [`ITEM_VERSION`].
    pub version: u32,
    /// Unique; the key under which a receiver drops what arrives twice.
    pub id: String,
    /// What is wanted.
    pub kind: ItemKind,
    /// Run it is about.
    pub run: String,
    /// Agent it is about.
    pub agent: String,
    /// Tenant the run belongs to.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Who receives authority to decide, such as `operator`, `architect`, `triage` (specification D16).
    pub authority: String,
    /// Where it is to be shown, such as `triage`, `coordination`, `ops-lead` (specification E2).
    #[serde(default)]
    pub channels: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Why, in words for a person.
    pub reason: String,
    /// Anything else a person needs. Secrets are expected to be redacted already.
    #[serde(default)]
    pub details: Value,
    /// When it arose, UTC milliseconds, given by the host.
    pub at: u64,
    /// Who took it up; none while nobody has.
    #[serde(default)]
    pub accepted_by: Option<String>,
}

/// What an item wants of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// A decision about one action, before it runs.
    Ask,
    /// A task the agent could not complete goes back to triage (specification E2).
    Defer,
    /// Something larger than the task (specification E2).
    Escalate,
    /// A look at what has happened; it may wait (specification D20).
    Review,
    /// An approval nobody gave in time. The action stays blocked (specification D20).
    Expired,
    /// A cycle that ended without result (specification E3).
    Incomplete,
    /// An agent that gets no more work for now (specification E4).
    Paused,
    /// A tenant's or the app's bucket is exhausted (specification B13).
    Exhausted,
    /// Somebody has taken up what an earlier item of the run asked for.
    Accepted,
}

impl ItemKind {
    /// Every kind.
    pub const ALL: [ItemKind; 9] = [
        ItemKind::Ask,
        ItemKind::Defer,
        ItemKind::Escalate,
        ItemKind::Review,
        ItemKind::Expired,
        ItemKind::Incomplete,
        ItemKind::Paused,
        ItemKind::Exhausted,
        ItemKind::Accepted,
    ];
}

/// How bad it is, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// May wait.
    Low,
    /// Today.
    Moderate,
    /// Soon.
    High,
    /// Now.
    Critical,
}
