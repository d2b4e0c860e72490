//! A policy under test: one of the default bundle, or a changed one in its place.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use countersign::Host;
use countersign::bundle::Entry;
use countersign::engine::{EngineOptions, Limits, Policy, Session};
use countersign::kernel::Slot;
use serde_json::Value;

/// A policy in one of its slots, with the configuration and the limits that the bundle gives it.
#[derive(Debug, Clone)]
pub struct Subject {
    entry: Entry,
    slot: Slot,
    policy: Policy,
}

/// A host with the default bundle, the same one for all tests of a process: compiling it takes a second.
///
/// # Errors
/// What the machine cannot give.
pub fn host() -> anyhow::Result<Host> {
    static HOST: Mutex<Option<Host>> = Mutex::new(None);
    let mut host = HOST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(host) = &*host {
        return Ok(host.clone());
    }
    Ok(host.insert(Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?).clone())
}

impl Subject {
    /// Every policy of the host's bundle in each of its slots, in the order of the bundle.
    pub fn all(host: &Host) -> Vec<Subject> {
        let entries = host.bundle().lock().entry.iter().zip(host.bundle().policies());
        entries
            .flat_map(|(entry, policy)| {
                let of = |slot| Subject { entry: entry.clone(), slot, policy: policy.clone() };
                entry.slot.iter().map(|served| of(served.slot)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The policy of that name.
    ///
    /// # Errors
    /// When the bundle has none.
    pub fn named(host: &Host, name: &str) -> anyhow::Result<Subject> {
        let found = Subject::all(host).into_iter().find(|subject| subject.name() == name);
        found.with_context(|| format!("the default bundle has no entry `{name}`"))
    }

    /// Another policy in its place.
    pub fn replaced(&self, policy: Policy) -> Subject {
        Subject { policy, ..self.clone() }
    }

    /// Name of its entry, and of its folder below `plugins`.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Its entry in the bundle.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The slot that it is asked in.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its limits.
    pub fn limits(&self) -> Limits {
        self.entry.limits.into()
    }

    /// No call depends on an earlier one, it says.
    pub fn stateless(&self) -> bool {
        self.policy.descriptor().stateless
    }

    /// A fresh instance with the bundle's configuration.
    ///
    /// # Errors
    /// When it cannot be configured.
    pub fn open(&self) -> anyhow::Result<Session> {
        Ok(self.policy.open(Arc::from(self.entry.configuration.as_str()), self.limits())?)
    }

    /// A fresh instance with another configuration.
    ///
    /// # Errors
    /// When it does not take it.
    pub fn open_with(&self, configuration: &Value) -> anyhow::Result<Session> {
        self.policy.check_configuration(configuration)?;
        Ok(self.policy.open(configuration.to_string().into(), self.limits())?)
    }
}
