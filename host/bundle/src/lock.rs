//! `bundle.lock`, written by machine: complete, so that no default of a host reaches a verdict.

use countersign_contract::{CONTRACT, Join, Slot, Verdict};
use countersign_engine::Limits;
use serde::{Deserialize, Serialize};

use crate::error::BundleError;
use crate::mode::EntryMode;
use countersign_contract::{Digest, sha256};

/// Everything that can reach a verdict or a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lock {
    /// Version of this format: 1.
    pub version: u32,
    /// Name of the bundle.
    pub name: String,
    /// Version of the contract.
    pub contract: String,
    /// Features that a host must know to honour this lock; a host that does not refuses it.
    pub must_understand: Vec<String>,
    /// In the order in which a slot's policies are called.
    pub entry: Vec<Entry>,
}

/// One policy in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Name of the entry.
    pub name: String,
    /// The policy's own name and version.
    pub policy: String,
    /// The component's file, beside the lock.
    pub component: String,
    /// Digest of the component as its author shipped it.
    pub component_digest: String,
    /// Canonical JSON.
    pub configuration: String,
    /// Digest of the configuration.
    pub configuration_digest: String,
    /// Limits of its instance.
    pub limits: EntryLimits,
    /// Slots it serves.
    pub slot: Vec<SlotEntry>,
}

impl Entry {
    /// Whether it is asked beside the run, which never knows of it.
    pub fn is_shadow(&self) -> bool {
        self.slot.iter().any(|slot| slot.mode == EntryMode::Shadow)
    }
}

/// Limits of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EntryLimits {
    /// Fuel of one call.
    pub fuel_per_call: u64,
    /// Bytes over all memories and tables.
    pub memory_bytes: u64,
    /// Bytes of one answer's texts.
    pub answer_bytes: u64,
    /// Fuel of feeding its history to an instance that is rebuilt after a failure.
    pub rebuild_fuel: u64,
}

impl From<EntryLimits> for Limits {
    fn from(limits: EntryLimits) -> Self {
        Limits {
            fuel_per_call: limits.fuel_per_call,
            memory_bytes: limits.memory_bytes,
            answer_bytes: limits.answer_bytes,
            rebuild_fuel: limits.rebuild_fuel,
        }
    }
}

/// An entry in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SlotEntry {
    /// The slot.
    pub slot: Slot,
    /// What becomes of its answers. An entry is in shadow in every slot or in none.
    pub mode: EntryMode,
    /// What applies when it cannot decide.
    pub failure_verdict: Verdict,
}

/// Features of locks that this host knows.
const UNDERSTOOD: [&str; 0] = [];

impl Lock {
    /// Parses and checks it. `file` names it in errors.
    ///
    /// # Errors
    /// The line or key, and what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, BundleError> {
        let invalid = |problem: String| BundleError::Invalid { file: file.to_owned(), problem };
        let lock: Lock = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if lock.version != 1 {
            return Err(invalid(format!("key `version`: expected 1, found {}", lock.version)));
        }
        if lock.contract != CONTRACT {
            return Err(invalid(format!("key `contract`: expected `{CONTRACT}`, found `{}`", lock.contract)));
        }
        if let Some(unknown) = lock.must_understand.iter().find(|name| !UNDERSTOOD.contains(&name.as_str())) {
            return Err(invalid(format!("key `must-understand`: this host does not know `{unknown}`")));
        }
        for entry in &lock.entry {
            let invalid = |problem: String| invalid(format!("entry `{}`: {problem}", entry.name));
            if lock.entry.iter().filter(|other| other.name == entry.name).count() > 1 {
                return Err(invalid("stands twice".to_owned()));
            }
            if entry.component.contains(['/', '\\']) || entry.component.starts_with('.') {
                return Err(invalid(format!(
                    "key `component`: expected a file beside the lock, found `{}`",
                    entry.component
                )));
            }
            if entry.is_shadow() && entry.slot.iter().any(|slot| slot.mode != EntryMode::Shadow) {
                // One entry is one instance: it cannot be of the run and beside it.
                return Err(invalid("key `mode`: expected `shadow` in every slot or in none".to_owned()));
            }
            let found = sha256(entry.configuration.as_bytes());
            if **found.as_str() != entry.configuration_digest {
                return Err(invalid(format!(
                    "key `configuration-digest`: expected {found}, found {}",
                    entry.configuration_digest
                )));
            }
        }
        lock.check_joins().map_err(invalid)?;
        Ok(lock)
    }

    /// A slot whose answers do not join, such as `classifier`, has at most one entry that enforces.
    ///
    /// # Errors
    /// The slot, the entries and what to do.
    pub(crate) fn check_joins(&self) -> Result<(), String> {
        for slot in Slot::ALL.into_iter().filter(|slot| slot.join() == Join::One) {
            let enforces = |entry: &&Entry| {
                entry.slot.iter().any(|served| served.slot == slot && served.mode == EntryMode::Enforce)
            };
            let names: Vec<String> =
                self.entry.iter().filter(enforces).map(|entry| format!("`{}`", entry.name)).collect();
            if names.len() > 1 {
                return Err(format!(
                    "slot `{slot}`: {} enforce, and one policy answers it; keep one, and give the others \
                     `mode = \"monitor\"` or `\"shadow\"`",
                    names.join(" and ")
                ));
            }
        }
        Ok(())
    }

    /// As it is written.
    pub fn to_text(&self) -> String {
        let body = toml::to_string(self).unwrap_or_default();
        format!("# Written by `countersign bundle lock`. The host reads this file and no other.\n{body}")
    }

    /// Digest of the lock's text.
    pub fn digest_of(text: &str) -> Digest {
        sha256(text.as_bytes())
    }
}
