//! Two loops of which nothing is left to the machine, its clock included: one that the host drives,
//! one that an agent owns.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::kernel::contract::Tier;
use countersign::kernel::{Code, Input, ModelRequest, Observation, Outcome, Status, Usage, Verification};
use countersign::registry::{Registry, ToolResult};
use countersign::session::{CallDecision, Clock, Held, ModelAnswer, Proposal, Setup};
use countersign::spec::{Goal, Manifest, Model, Verifier};
use countersign::store::{Durability, SharedStore, memory::MemoryStore};
use countersign::{Host, Operations, Salt, Session, Silent, World, export, parse_step};
use serde_json::{Value, json};

const TOOLS: &str = r#"
[look]
category = "read-only-lookup"
reversibility = "reversible"
mutating = false
blast-radius = 0

[note]
category = "file-system"
reversibility = "reversible"
blast-radius = 1
"#;

/// What the agent does: reads touch nothing, notes may touch something.
pub const CALLS: [(&str, u32); 6] = [("look", 1), ("note", 1), ("look", 2), ("look", 3), ("note", 2), ("look", 4)];

pub fn registry() -> anyhow::Result<Registry> {
    Ok(Registry::parse("tools", TOOLS)?)
}

fn salt() -> Salt {
    Salt([7; 32])
}

fn result(tool: &str, n: u64) -> ToolResult {
    ToolResult::new(Outcome::Returned { exit_code: Some(0), ok: true }, format!("{tool} says {n}"))
}

struct Script {
    registry: Registry,
    now: u64,
    said: usize,
    called: u64,
}

impl World for Script {
    fn now(&mut self) -> u64 {
        self.now += 10;
        self.now
    }

    fn call_model(&mut self, _: Tier, _: &str, _: &ModelRequest, _: u64) -> ModelAnswer {
        let action = match CALLS.get(self.said) {
            Some((tool, page)) => json!({"tool": tool, "arguments": {"page": page}}),
            None => json!({"finish": "done", "claims": []}),
        };
        self.said += 1;
        let step = format!("step {}", self.said);
        let answer = json!({
            "step": step, "action": action, "reasoning": "next", "status": "ok", "confidence": 0.95,
        });
        let parsed = parse_step(answer.to_string().as_bytes(), Vec::new(), &self.registry, &salt());
        ModelAnswer { reply: parsed.reply, arguments: parsed.arguments, usage: Usage::default(), request: None }
    }

    fn dispatch(&mut self, tool: &str, _: &Arc<str>, _: Option<&str>) -> Observation {
        self.called += 1;
        self.registry.observation(tool, &result(tool, self.called), &salt())
    }

    fn verify(&mut self, verifier: &Verifier) -> Verification {
        Verification { verifier: verifier.clone(), holds: true, detail: String::new(), drifted: false }
    }
}

pub fn store() -> SharedStore {
    Arc::new(MemoryStore::new())
}

/// A run that the host drives, its trace, and how it stands.
pub fn driven(host: &Host, folder: &Path) -> anyhow::Result<(PathBuf, Status)> {
    driven_in(&store(), host, folder)
}

/// The same in a store.
pub fn driven_in(store: &SharedStore, host: &Host, folder: &Path) -> anyhow::Result<(PathBuf, Status)> {
    let trace = folder.join("driven.jsonl");
    let registry = registry()?;
    let models = vec![Model::new(Tier::Cheap, "small")];
    let manifest = host.manifest("driven", Goal::new("look around"), models, registry.registered())?;
    let setup = Setup { salt: Some(salt()), ..Setup::new(Registry::default()) };
    let mut session = Session::begin(host, store, manifest, setup)?;
    let mut world = Script { registry, now: 0, said: 0, called: 0 };
    session.drive(Input::Started, &mut world, &mut Silent)?;
    let status = session.leave()?;
    export(&**store, "driven", &trace)?;
    Ok((trace, status))
}

/// A run whose loop an agent owns.
pub struct Agent {
    pub session: Session,
    now: Arc<AtomicU64>,
}

/// Its id.
const RUN: &str = "guarded";

/// As a guarded run is pinned, with nothing of it random.
pub fn manifest(host: &Host) -> anyhow::Result<Manifest> {
    let mut manifest = host.governed_manifest(RUN, "look around", &registry()?)?;
    (manifest.seed, manifest.started) = (7, 0);
    Ok(manifest)
}

fn setup(now: &Arc<AtomicU64>) -> anyhow::Result<Setup> {
    Ok(Setup { salt: Some(salt()), clock: Clock::Manual(Arc::clone(now)), ..Setup::new(registry()?) })
}

impl Agent {
    pub fn begin(host: &Host, store: &SharedStore) -> anyhow::Result<Self> {
        Agent::begin_under(host, store, Operations::none())
    }

    /// Begins a run with an operator above it.
    pub fn begin_under(host: &Host, store: &SharedStore, operations: Operations) -> anyhow::Result<Self> {
        let now = Arc::new(AtomicU64::new(0));
        let setup = Setup { operations, ..setup(&now)? };
        let session = Session::begin(host, store, manifest(host)?, setup)?;
        Ok(Agent { session, now })
    }

    /// Takes the run up again, as another process would.
    pub fn resume(host: &Host, store: &SharedStore) -> anyhow::Result<Self> {
        let held = Held::open(store, RUN, Durability::Written)?;
        let now = Arc::new(AtomicU64::new(held.past().last()));
        let session = held.resume(host, setup(&now)?)?;
        Ok(Agent { session, now })
    }

    /// Proposes a call and makes it, if it may be made.
    pub fn attempt(&mut self, tool: &str, arguments: Value) -> anyhow::Result<bool> {
        let now = self.now.fetch_add(10, Ordering::Relaxed);
        match self.session.propose(Proposal::new(tool, arguments).confidence(0.95))? {
            CallDecision::Permitted(permit) => {
                let _ = self.session.observe(permit, result(tool, now))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Ends the run.
    pub fn close(self) -> anyhow::Result<Status> {
        Ok(self.session.close(Code::Success)?)
    }
}

/// The agent's run as files.
pub fn exported(store: &SharedStore, folder: &Path) -> anyhow::Result<PathBuf> {
    let trace = folder.join("guarded.jsonl");
    export(&**store, RUN, &trace)?;
    Ok(trace)
}

/// A run whose loop an agent owns, from its begin to its end.
pub fn guarded(host: &Host, folder: &Path) -> anyhow::Result<PathBuf> {
    let store = store();
    let mut agent = Agent::begin(host, &store)?;
    for (tool, page) in CALLS {
        agent.attempt(tool, json!({"page": page}))?;
    }
    agent.close()?;
    exported(&store, folder)
}
