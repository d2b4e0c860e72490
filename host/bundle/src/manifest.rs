//! `bundle.toml`, written by hand.

use countersign_contract::{Slot, Verdict};
use serde::Deserialize;

use crate::error::BundleError;
use crate::mode::EntryMode;

/// What a person writes. Everything but `policy` has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BundleManifest {
    /// Version of this format: 1.
    pub version: u32,
    /// Name of the bundle.
    pub name: String,
    /// One table for each entry, in the order in which a slot's policies are called.
    #[serde(default)]
    pub policy: Vec<PolicyTable>,
}

/// `[[policy]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyTable {
    /// Name of the entry, unique in the bundle.
    pub name: String,
    /// The component's file, beside this one.
    pub component: String,
    /// Slots it serves; by default all that it fills.
    pub slots: Option<Vec<Slot>>,
    /// What becomes of its answers; default `enforce`.
    #[serde(default = "enforce")]
    pub mode: EntryMode,
    /// What applies when it cannot decide; default `ask`.
    #[serde(default = "ask")]
    pub failure_verdict: Verdict,
    /// Fuel of one call; default 4,000,000.
    pub fuel_per_call: Option<u64>,
    /// Bytes of memory; default 16 MiB.
    pub memory_bytes: Option<u64>,
    /// Bytes of one answer's texts; default 16 KiB.
    pub answer_bytes: Option<u64>,
    /// Fuel of rebuilding it after a trap; default 400,000,000.
    pub rebuild_fuel: Option<u64>,
    /// The policy's own.
    #[serde(default)]
    pub configuration: toml::Table,
}

fn enforce() -> EntryMode {
    EntryMode::Enforce
}

fn ask() -> Verdict {
    Verdict::Ask
}

/// Most bytes of the name of an entry: it stands in tables and in every frame.
const LONGEST_NAME: usize = 64;

impl PolicyTable {
    /// What the types do not say of it: a value that means nothing, or what it cannot mean.
    pub(crate) fn check(&self) -> Result<(), String> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.chars().all(plain) {
            let name = self.name.escape_default();
            return Err(format!(
                "key `name`: expected 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, `-`, `_`, `.`, found `{name}`"
            ));
        }
        if let Some(slots) = &self.slots {
            if slots.is_empty() {
                return Err(
                    "key `slots`: is empty, so nobody would ask it; leave the key out for all that it fills".to_owned()
                );
            }
            if let Some(twice) = (1..slots.len()).find(|at| slots[..*at].contains(&slots[*at])) {
                return Err(format!("key `slots`: `{}` stands twice", slots[twice]));
            }
        }
        check_values("configuration", &toml::Value::Table(self.configuration.clone()))
    }
}

/// A configuration is handed over as JSON, which has no such numbers and no dates.
fn check_values(key: &str, value: &toml::Value) -> Result<(), String> {
    match value {
        toml::Value::Float(number) if !number.is_finite() => {
            Err(format!("key `{key}`: expected a finite number, found {number}"))
        }
        toml::Value::Datetime(date) => Err(format!("key `{key}`: is a date, {date}; write a text, in quotes")),
        toml::Value::Array(values) => {
            values.iter().enumerate().try_for_each(|(at, value)| check_values(&format!("{key}[{at}]"), value))
        }
        toml::Value::Table(table) => {
            table.iter().try_for_each(|(name, value)| check_values(&format!("{key}.{name}"), value))
        }
        _ => Ok(()),
    }
}

impl BundleManifest {
    /// Parses it. `file` names it in errors.
    ///
    /// # Errors
    /// The line and what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, BundleError> {
        let invalid = |problem: String| BundleError::Invalid { file: file.to_owned(), problem };
        let manifest: BundleManifest = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if manifest.version != 1 {
            return Err(invalid(format!("key `version`: expected 1, found {}", manifest.version)));
        }
        Ok(manifest)
    }
}
