//! What an operator sets above every run: ceilings, buckets, switches, sinks, health.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_operate::{BucketsSpec, HealthRules, SinkSpec, check_key};
use countersign_spec::Approver;
use serde::Deserialize;

use super::{BudgetCaps, SettingsError, read_toml};

/// An operator's file. Every part may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OperatorSpec {
    /// Caps that no run and no release goes beyond.
    pub ceilings: BudgetCaps,
    /// Buckets of the application and its tenants.
    pub buckets: BucketsSpec,
    /// Where items for people go. Paths are relative to the folder that the store lies in.
    pub sinks: Vec<SinkSpec>,
    /// File of the kill switches, relative to the file that names it. It must be there: keys `all`,
    /// `tenants`, `tools`, `policies` (digests) and `reason`.
    pub switches: Option<PathBuf>,
    /// When an agent is paused.
    pub health: HealthRules,
    /// Who may decide what lets something happen, by name; whoever can write to the store where there are none.
    pub approvers: BTreeMap<String, ApproverSpec>,
}

/// Somebody who may decide what lets something happen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApproverSpec {
    /// Their public key, as `countersign approvals key` prints it.
    #[serde(deserialize_with = "checked_key")]
    pub key: String,
}

fn checked_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let key = String::deserialize(deserializer)?;
    check_key(&key).map_err(serde::de::Error::custom)?;
    Ok(key)
}

impl OperatorSpec {
    /// The approvers, as runs name them.
    pub fn approvers(&self) -> Vec<Approver> {
        let one = |(name, approver): (&String, &ApproverSpec)| Approver {
            name: name.as_str().into(),
            key: approver.key.as_str().into(),
        };
        self.approvers.iter().map(one).collect()
    }

    /// Reads an operator's file.
    ///
    /// # Errors
    /// What is wrong with it, by line or key.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let mut spec: OperatorSpec = read_toml(path)?;
        if let (Some(switches), Some(folder)) = (&mut spec.switches, path.parent()) {
            *switches = folder.join(&*switches);
        }
        Ok(spec)
    }
}
