//! A run's inbox: what other processes want of it. They offer, the owner of the run takes; an entry
//! counts once, however often it is offered.

use countersign_kernel::Decision;
use serde::{Deserialize, Serialize};

/// Longest id of an entry.
pub const LONGEST_ID: usize = 64;
/// Most bytes of an entry.
pub const LARGEST_ENTRY: usize = 1 << 20;

/// Something that another process wants of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Version of this form: 1.
    pub version: u32,
    /// The same id is the same entry.
    pub id: String,
    /// Who.
    pub by: String,
    /// When, UTC milliseconds.
    pub at: u64,
    /// What.
    pub wants: Offer,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// A decision.
    Decide(Decision),
    /// A decision with the signature of whoever decides.
    Signed {
        /// The decision.
        decision: Decision,
        /// The public key, as `ed25519:` and 64 hexadecimal digits.
        key: String,
        /// The signature over the entry, as 128 hexadecimal digits.
        signature: String,
    },
    /// The end.
    Cancel,
}

/// Puts whoever holds the run back first: where people disagree, they are heard before the others.
pub fn by_caution(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| match &entry.wants {
        Offer::Cancel => 0,
        Offer::Decide(decision) | Offer::Signed { decision, .. } => match decision.plain() {
            Decision::Rejected { .. } | Decision::Withdrawn { .. } => 1,
            _ => 2,
        },
    });
}

/// Whether an entry can have this id.
pub(crate) fn plain(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
