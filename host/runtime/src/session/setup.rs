use std::path::PathBuf;
use std::sync::Arc;

use countersign_kernel::Slot;
use countersign_kernel::contract::{Asked, Tier};
use countersign_spec::{Boundary, Driver, Goal, Manifest, Model};
use countersign_store::Durability;
use countersign_tools::redact::Salt;
use countersign_tools::registry::Registry;

use super::{Clock, Observer, Silent};
use crate::host::Host;
use crate::operations::Operations;
use crate::settings::{SettingsError, sealed};

/// The slots that can be heard where the agent owns the loop.
pub fn slots() -> impl Iterator<Item = Slot> {
    Slot::ALL.into_iter().filter(|slot| slot.asked() == Asked::Everywhere)
}

/// What a session is made of, beside the manifest of its run and the store that it is kept in.
pub struct Setup {
    /// The tools of the run; the manifest's registry is [`Registry::registered`] of it.
    pub registry: Registry,
    /// What stands above it: [`Operations::none`] for nothing.
    pub operations: Operations,
    /// What digests of payloads and secrets are salted with; random by default. A run that is taken up keeps its own.
    pub salt: Option<Salt>,
    /// Tells it the time; the machine's clock by default.
    pub clock: Clock,
    /// Watches it: frames, and each policy with the time that it took. Nobody by default.
    pub observer: Box<dyn Observer + Send>,
    /// How much a frame survives once it is appended. By default [`Durability::Written`], which is synced before each
    /// call that changes something.
    pub durability: Durability,
    /// On whose behalf the run is, where a store is asked for it by that; none by default.
    pub principal: Option<Arc<str>>,
    /// Keep the exact arguments of calls that hold a secret in the store while the run lives, so that another process
    /// can make the call after an approval. By default yes; without it such a call is refused after the run is taken up.
    pub keep_secrets: bool,
    /// A file that the trace is written to as well, while the run runs; it must not be there yet. None by default.
    pub trace: Option<PathBuf>,
    /// Ask the bundle's policies in shadow too. By default yes.
    pub shadow: bool,
}

impl Setup {
    /// With the machine's clock, watched by nobody, and nothing above it.
    pub fn new(registry: Registry) -> Self {
        Setup {
            registry,
            operations: Operations::none(),
            salt: None,
            clock: Clock::Machine,
            observer: Box::new(Silent),
            durability: Durability::Written,
            principal: None,
            keep_secrets: true,
            trace: None,
            shadow: true,
        }
    }
}

impl Host {
    /// What a run is pinned to whose loop an agent owns, with defaults: every tool of the registry,
    /// every guard, no caps, begun now. Repairs and retries are the agent's own business; a call that
    /// fails again and again is the doom-loop slot's. Change what you need before
    /// [`Session::begin`](super::Session::begin).
    ///
    /// # Errors
    /// None, unless this program was built with broken presets or the machine gives no random bytes.
    pub fn governed_manifest(&self, run: &str, goal: &str, registry: &Registry) -> Result<Manifest, SettingsError> {
        let agent = Model { max_output_tokens: 0, ..Model::new(Tier::Cheap, "agent") };
        let mut manifest = self.manifest(run, Goal::new(goal), vec![agent], registry.registered())?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| {
            SettingsError::invalid("the run's seed", "random bytes", format!("the machine gives none: {error}"))
        })?;
        manifest.seed = u64::from_le_bytes(seed);
        manifest.started = countersign_operate::utc_now();
        manifest.driver = Driver::Agent;
        // What the agent did is its own to remember.
        manifest.boundary = sealed(Boundary { exchanges: 0, ..manifest.boundary });
        manifest.show_budget = false;
        manifest.escalation.failed_attempts = u32::MAX;
        manifest.escalation.max_escalations = 0;
        manifest.rules.repairs = u32::MAX;
        manifest.rules.refusals = 0;
        manifest.rules.retry.attempts = 0;
        for entry in &mut manifest.entries {
            entry.slots.retain(|pin| pin.slot.asked() == Asked::Everywhere);
        }
        manifest.entries.retain(|entry| !entry.slots.is_empty());
        manifest.prompt_templates = Arc::from("");
        Ok(manifest)
    }
}
