use std::sync::Arc;

use countersign_kernel::contract::{Asked, Tier};
use countersign_kernel::{Boundary, Driver, Goal, Manifest, Model, Slot};
use countersign_store::Store;

use super::Clock;
use crate::host::Host;
use crate::operations::Operations;
use crate::redact::Salt;
use crate::registry::Registry;
use crate::settings::{SettingsError, sealed};

/// The slots that can be heard where the agent owns the loop.
pub(crate) fn slots() -> impl Iterator<Item = Slot> {
    Slot::ALL.into_iter().filter(|slot| slot.asked() == Asked::Everywhere)
}

/// What a guarded run is made of, beside its manifest.
pub struct Setup {
    /// The tools that may be proposed; the manifest's registry is [`Registry::registered`] of it.
    pub registry: Registry,
    /// Where its trace goes.
    pub store: Box<dyn Store + Send>,
    /// What stands above it: [`Operations::none`] for nothing.
    pub operations: Operations,
    /// What digests of payloads and secrets are salted with. Kept beside the trace, never in it.
    pub salt: Salt,
    /// What tells it the time; the machine's clock by default.
    pub clock: Clock,
}

impl Host {
    /// What a run is pinned to whose loop an agent owns, with defaults: every tool of the registry,
    /// every guard, no caps, begun now. Repairs and retries are the agent's own business; a call that
    /// fails again and again is the doom-loop slot's. Change what you need before
    /// [`GuardedRun::begin`](super::GuardedRun::begin).
    ///
    /// # Errors
    /// None, unless this program was built with broken presets or the machine gives no random bytes.
    pub fn guarded_manifest(&self, run: &str, goal: &str, registry: &Registry) -> Result<Manifest, SettingsError> {
        let agent = Model { max_output_tokens: 0, ..Model::new(Tier::Cheap, "agent") };
        let mut manifest = self.manifest(run, Goal::new(goal), vec![agent], registry.registered())?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| {
            SettingsError::invalid("the run's seed", "random bytes", format!("the machine gives none: {error}"))
        })?;
        manifest.seed = u64::from_le_bytes(seed);
        manifest.started = crate::scenario::utc_now();
        manifest.driver = Driver::Agent;
        // What the agent did is its own to remember.
        manifest.boundary = sealed(Boundary { exchanges: 0, ..manifest.boundary });
        manifest.show_budget = false;
        manifest.escalation.failed_attempts = u32::MAX;
        manifest.escalation.max_escalations = 0;
        manifest.guards.repairs = u32::MAX;
        manifest.guards.refusals = 0;
        manifest.guards.retry.attempts = 0;
        for entry in &mut manifest.entries {
            entry.slots.retain(|pin| pin.slot.asked() == Asked::Everywhere);
        }
        manifest.entries.retain(|entry| !entry.slots.is_empty());
        manifest.prompt_templates = Arc::from("");
        Ok(manifest)
    }
}
