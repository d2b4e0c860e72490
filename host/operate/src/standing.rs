//! Rules of approval that outlive a run: one register each, below the agent that they were given to. A run that was given
//! one writes it here, later runs of the agent take it from here, and whoever withdraws one marks it.

use countersign_kernel::StandingApproval;
use countersign_store::{RegisterName, SharedStore};
use serde::{Deserialize, Serialize};

use super::state::{self, StateError};

/// The registers of rules lie below this name.
const REGISTERS: &str = "approvals";

/// A rule as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptApproval {
    /// What it covers, and until when.
    pub standing: StandingApproval,
    /// Who gave it.
    pub by: String,
    /// The run that it was given in.
    pub run: String,
    /// The agent that it was given to.
    pub agent: String,
    /// The tenant of that run: it holds for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// When, UTC milliseconds.
    pub at: u64,
    /// The entry that gave it, as its approver signed it; none where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// Who withdrew it; none while nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
}

/// The rules of a store that outlive runs.
#[derive(Debug, Clone)]
pub struct KeptApprovals {
    store: SharedStore,
}

impl KeptApprovals {
    /// Those of a store; nothing is read yet.
    pub fn new(store: SharedStore) -> Self {
        KeptApprovals { store }
    }

    /// Keeps a rule for later runs of its agent.
    ///
    /// # Errors
    /// When its register cannot be written.
    pub fn keep(&self, kept: &KeptApproval) -> Result<(), StateError> {
        let name = RegisterName::of(&[REGISTERS, &kept.agent, &kept.standing.id])?;
        state::change(&*self.store, &name, |value: &mut Option<KeptApproval>| {
            // Whoever was faster to withdraw it is not overruled.
            if value.as_ref().is_none_or(|value| value.withdrawn_by.is_none()) {
                *value = Some(kept.clone());
            }
        })
    }

    /// Those of an agent and a tenant, withdrawn ones among them, that have not run out at a moment (UTC milliseconds).
    ///
    /// # Errors
    /// When a register cannot be read: whoever does not know what was withdrawn does not go on.
    pub fn of(&self, agent: &str, tenant: Option<&str>, now: u64) -> Result<Vec<KeptApproval>, StateError> {
        let mut found = self.below(&[REGISTERS, agent])?;
        found.retain(|kept| kept.tenant.as_deref() == tenant && !kept.standing.is_over(now));
        Ok(found)
    }

    /// All that have not run out at a moment (UTC milliseconds) and that nobody has withdrawn.
    ///
    /// # Errors
    /// When a register cannot be read.
    pub fn all(&self, now: u64) -> Result<Vec<KeptApproval>, StateError> {
        let mut found = self.below(&[REGISTERS])?;
        found.retain(|kept| kept.withdrawn_by.is_none() && !kept.standing.is_over(now));
        Ok(found)
    }

    fn below(&self, parts: &[&str]) -> Result<Vec<KeptApproval>, StateError> {
        let found = state::below::<Option<KeptApproval>>(&*self.store, &RegisterName::of(parts)?)?;
        Ok(found.into_iter().filter_map(|(_, kept)| kept).collect())
    }

    /// Withdraws a rule: runs that have it lose it with their next call. False where it was withdrawn before, or is not
    /// there.
    ///
    /// # Errors
    /// When its register cannot be read or written.
    pub fn withdraw(&self, agent: &str, id: &str, by: &str) -> Result<bool, StateError> {
        let name = RegisterName::of(&[REGISTERS, agent, id])?;
        state::change(&*self.store, &name, |value: &mut Option<KeptApproval>| match value {
            Some(kept) if kept.withdrawn_by.is_none() => {
                kept.withdrawn_by = Some(by.to_owned());
                true
            }
            _ => false,
        })
    }
}
