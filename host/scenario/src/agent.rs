//! A scenario by an agent that owns its loop: the replies of its weakest model are the agent's
//! proposals, whatever it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use countersign::session::{
    CallDecision, Clock, Observed, Observer, Past, Proposal, Session, SessionError, Setup, Silent, World,
};
use countersign::{Host, random_id};
use countersign_kernel::{Action, Code, Reply, Run, Status};
use countersign_mcp::Accept;
use countersign_spec::{Driver, Manifest};
use countersign_store::memory::MemoryStore;
use countersign_store::{Durability, SharedStore};
use countersign_tools::redact::Salt;
use countersign_tools::registry::Registry;

use super::expect::{self, Matching};
use super::servers::{self, RunTools};
use super::world::{ScenarioWorld, Surroundings};
use super::{Finished, RunError, Scenario, machine, origin, spec, workspace};

/// What an agent was told in place of a call's result, or beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The tool.
    pub tool: String,
    /// The call was made.
    pub made: bool,
    /// The words.
    pub text: String,
}

impl Scenario {
    /// Runs it by an agent that owns its loop, up to its last scripted reply.
    ///
    /// # Errors
    /// When it could not be run; a run that ends badly is no error.
    pub fn run_by_agent(&self, host: &Host) -> Result<(Finished, Vec<Told>), RunError> {
        self.run_by_agent_watched(host, &mut Silent)
    }

    /// The same; `observer` sees the frames once all of them are there.
    ///
    /// # Errors
    /// As [`Scenario::run_by_agent`].
    pub fn run_by_agent_watched(
        &self,
        host: &Host,
        observer: &mut dyn Observer,
    ) -> Result<(Finished, Vec<Told>), RunError> {
        let salt = Salt::random().map_err(machine("cannot get random bytes for the run's salt"))?;
        let id = random_id().map_err(machine("cannot get random bytes for an id"))?;
        let origin = origin::Origin::of(&self.spec, false);
        let origin = origin.map_err(machine("cannot get random bytes for the run's seed"))?;
        let scratch = tempfile::tempdir().map_err(machine("cannot make the operator's folder"))?;
        let workspace =
            workspace::Workspace::create(&self.spec.files).map_err(machine("cannot make the working folder"))?;
        let pins = self.pins();
        let place = servers::Place { folder: &self.folder, workspace: workspace.path(), pins: &pins };
        let (tools, _) =
            RunTools::of(&self.spec, &place, Some(&Accept::default())).map_err(|source| self.mcp(source))?;
        let pinned = spec::Pinned {
            file: &self.file,
            models: None,
            id: &id,
            seed: origin.seed,
            started: origin.started,
            memory: &[],
            tools: &tools.specs,
        };
        let manifest = driven_by_agent(self.spec.manifest(host, &self.folder, &pinned)?);
        let operator = scratch.path().join("operator");
        std::fs::create_dir_all(&operator).map_err(machine("cannot make the operator's folder"))?;
        let store: SharedStore = Arc::new(MemoryStore::new());
        let operations = self.operations(&operator, &store)?;
        let cancel = Arc::new(AtomicBool::new(false));
        let surroundings =
            Surroundings { workspace, operator: operator.clone(), salt, cancel: Some(cancel), models: None, before: 0 };
        let pinned = manifest.clone();
        let mut world = ScenarioWorld::new(&self.spec, &tools, &pinned, surroundings);
        let now = Arc::new(AtomicU64::new(0));
        let setup = Setup {
            operations,
            salt: Some(salt),
            clock: Clock::Manual(Arc::clone(&now)),
            durability: Durability::Buffered,
            shadow: false,
            ..Setup::new(Registry::new(&tools.specs))
        };
        let session = self.begun(Session::begin(host, &store, manifest, setup))?;
        let (told, status) = act(session, &mut world, &now)?;
        // What was recorded is what counts.
        let (run, matching) = self.read_back(&store, &id, observer)?;
        let held = matching.held;
        let mut unmet = matching.unmet(&expect::Expectations { status: None, ..self.spec.expect.clone() }, status);
        let left = expect::Left { workspace: world.workspace().path(), operator: &operator, store: &*store };
        unmet.extend(expect::unmet_after(&self.spec.expect, &run, &left));
        unmet.extend(world.complaints().iter().cloned());
        let evidence = expect::evidence(&self.spec.expect, &run, &left);
        Ok((Finished { status, id, run, unmet, held, evidence, figures: Vec::new() }, told))
    }

    fn read_back(
        &self,
        store: &SharedStore,
        id: &str,
        observer: &mut dyn Observer,
    ) -> Result<(Run, Matching), RunError> {
        let past = Past::read(store, id).map_err(SessionError::from)?;
        let mut run = Run::open(Arc::new(past.manifest))
            .map_err(|source| RunError::Manifest { file: self.file.clone(), source })?;
        let mut matching = Matching::new(&self.spec.expect, &self.spec.shows);
        for frame in &past.frames {
            let closed = run
                .fold(frame)
                .map_err(|error| RunError::NotResumable { run: self.file.clone(), problem: error.to_string() })?;
            matching.frame(frame);
            observer.frame(&run, &closed);
        }
        Ok((run, matching))
    }
}

/// The same run, but that an agent owns the loop: see [`Host::governed_manifest`].
fn driven_by_agent(mut manifest: Manifest) -> Manifest {
    manifest.driver = Driver::Agent;
    manifest.escalation.failed_attempts = u32::MAX;
    manifest.escalation.max_escalations = 0;
    manifest.rules.repairs = u32::MAX;
    manifest.rules.refusals = 0;
    manifest.rules.retry.attempts = 0;
    for entry in &mut manifest.entries {
        entry.slots.retain(|pin| countersign::session::slots().any(|slot| slot == pin.slot));
    }
    manifest.entries.retain(|entry| !entry.slots.is_empty());
    manifest
}

/// Proposes what the script says, one call after the other.
fn act(
    mut session: Session,
    world: &mut ScenarioWorld<'_>,
    now: &Arc<AtomicU64>,
) -> Result<(Vec<Told>, Status), SessionError> {
    let mut all: Vec<Told> = Vec::new();
    let mut code = Code::Success;
    loop {
        let text = all.last().map_or_else(String::new, |told| told.text.clone());
        let Some(said) = world.agent_says(&text) else { break };
        now.store(world.now(), Ordering::Relaxed);
        let Reply::Step(step) = said.reply else { continue };
        match step.action {
            Action::Call { tool, .. } => {
                let value = serde_json::from_str(said.arguments.as_deref().unwrap_or("{}")).unwrap_or_default();
                let mut proposal = Proposal::new(tool.to_string(), value).signals(step.signals);
                if let Some(confidence) = step.confidence {
                    proposal = proposal.confidence(confidence);
                }
                let (made, text) = propose(&mut session, proposal, world, now)?;
                all.push(Told { tool: tool.to_string(), made, text });
            }
            Action::Defer { reason } => {
                let value = serde_json::json!({"reason": *reason});
                let _ = session.propose(Proposal::new("defer_to_human", value))?;
            }
            Action::Finish { summary, claims } => {
                let standing = session.finish(&summary, claims)?;
                if standing.stop.is_some() {
                    break;
                }
            }
            _ => {}
        }
        if world.cancelled() && !matches!(session.status(), Status::Ended(_)) {
            session.cancel()?;
        }
        if matches!(session.status(), Status::Ended(_)) {
            break;
        }
    }
    if session.run().held().is_some() {
        code = Code::ReviewRequired;
    }
    let status = session.close(code)?;
    Ok((all, status))
}

/// One call: what the agent is told of it, and whether it was made.
fn propose(
    session: &mut Session,
    proposal: Proposal,
    world: &mut ScenarioWorld<'_>,
    now: &Arc<AtomicU64>,
) -> Result<(bool, String), SessionError> {
    let decision = session.propose(proposal)?;
    let CallDecision::Permitted(permit) = decision else { return Ok((false, decision.told().unwrap_or_default())) };
    let result = world.call_for_agent(permit.tool(), permit.arguments());
    now.store(world.now(), Ordering::Relaxed);
    let seen = match session.observe(permit, result)? {
        Observed::Done(seen) => seen,
        Observed::ReadBack(reading) => {
            let read = world.call_for_agent(reading.tool(), reading.arguments());
            now.store(world.now(), Ordering::Relaxed);
            session.read_back(reading, &read)?
        }
    };
    Ok((true, seen.text()))
}
