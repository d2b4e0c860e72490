//! What runs leave for later runs, in the store that they are in: one register for each thing that is remembered, so
//! that two runs which end at the same time lose nothing of each other.

use countersign_spec::state::Memory;
use countersign_store::{RegisterName, SharedStore};

use super::state::{self, StateError};

/// The registers of memories lie below this name.
const REGISTERS: &str = "memories";
/// Stands for a run without tenant: no tenant has an empty name, and a name cannot be empty.
const NO_TENANT: &str = "without-tenant";
/// Stands before the name of a tenant, so that none is taken for there being none.
const TENANT: &str = "tenant";

/// What is remembered for one agent of one tenant. Another tenant's is never seen.
#[derive(Debug, Clone)]
pub struct Memories {
    store: SharedStore,
    owner: Vec<String>,
}

impl Memories {
    /// Those of an agent; nothing is read yet.
    pub fn of(store: SharedStore, tenant: Option<&str>, agent: &str) -> Self {
        let mut owner = vec![REGISTERS.to_owned()];
        match tenant {
            Some(tenant) => owner.extend([TENANT.to_owned(), tenant.to_owned()]),
            None => owner.push(NO_TENANT.to_owned()),
        }
        owner.push(agent.to_owned());
        Memories { store, owner }
    }

    /// Keeps something; what was kept under its name before is replaced.
    ///
    /// # Errors
    /// When its register cannot be read or written.
    pub fn remember(&self, memory: &Memory) -> Result<(), StateError> {
        state::change(&*self.store, &self.name(Some(&memory.key))?, |kept: &mut Option<Memory>| {
            *kept = Some(memory.clone());
        })
    }

    /// Everything that is kept, by name.
    ///
    /// # Errors
    /// When a register cannot be read: a run that is told half of what there is would not know.
    pub fn recall(&self) -> Result<Vec<Memory>, StateError> {
        let kept = state::below::<Option<Memory>>(&*self.store, &self.name(None)?)?;
        Ok(kept.into_iter().filter_map(|(_, memory)| memory).collect())
    }

    /// Forgets something.
    ///
    /// # Errors
    /// When its register cannot be read or written.
    pub fn forget(&self, key: &str) -> Result<(), StateError> {
        state::change(&*self.store, &self.name(Some(key))?, |kept: &mut Option<Memory>| *kept = None)
    }

    fn name(&self, key: Option<&str>) -> Result<RegisterName, StateError> {
        let parts: Vec<&str> = self.owner.iter().map(String::as_str).chain(key).collect();
        Ok(RegisterName::of(&parts)?)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::sync::Arc;

    use countersign_store::sqlite::SqliteStore;

    use super::*;

    fn memory(key: &str, text: &str) -> Memory {
        Memory { key: key.into(), text: text.into(), run: "r".into(), sources: vec![1], written: None, tenure: None }
    }

    #[test]
    fn what_a_run_leaves_is_there_for_the_next_one_of_the_same_agent_and_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let open = |tenant, agent| {
            let store = SqliteStore::open(&folder.path().join("runs.db")).unwrap();
            Memories::of(Arc::new(store), tenant, agent)
        };
        let first = open(Some("acme"), "clerk");
        first.remember(&memory("port", "8080")).unwrap();
        first.remember(&memory("a/b c", "x")).unwrap();
        let again = open(Some("acme"), "clerk");
        again.remember(&memory("port", "9090")).unwrap();
        let texts = |memories: &Memories| -> Vec<String> {
            memories.recall().unwrap().iter().map(|memory| format!("{}={}", memory.key, memory.text)).collect()
        };
        assert_eq!(texts(&first), ["a/b c=x", "port=9090"]);
        for other in [open(None, "clerk"), open(Some("other"), "clerk"), open(Some("acme"), "other")] {
            assert!(other.recall().unwrap().is_empty());
        }
        again.forget("port").unwrap();
        assert_eq!(texts(&first), ["a/b c=x"]);
    }

    #[test]
    fn damage_bars_what_reads_it() {
        let store: SharedStore = Arc::new(countersign_store::memory::MemoryStore::new());
        let memories = Memories::of(Arc::clone(&store), None, "clerk");
        memories.remember(&memory("a", "x")).unwrap();
        let name = RegisterName::new("memories/without-tenant/clerk/b").unwrap();
        store.compare_and_set(&name, None, b"{").unwrap();
        assert!(memories.recall().is_err());
        assert!(memories.remember(&memory("b", "y")).is_err());
        assert_eq!(store.register(&name).unwrap().unwrap().value, b"{");
    }
}
