//! Two loops of which nothing is left to the machine, its clock included: one that the host drives,
//! one that an agent owns.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::guard::{Clock, GuardedRun, Proposal, Ruling, Setup};
use countersign::kernel::contract::Tier;
use countersign::kernel::{
    Code, Goal, Input, Manifest, Model, ModelRequest, Observation, Outcome, Reply, Run, Status, Usage, Verification,
    Verifier,
};
use countersign::registry::{Registry, ToolResult};
use countersign::store::{Durability, FileStore};
use countersign::{Host, Operations, Salt, Silent, World, drive, parse_step};
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

    fn call_model(&mut self, _: Tier, _: &str, _: &ModelRequest, _: u64) -> (Reply, Usage) {
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
        (parsed.reply, Usage::default())
    }

    fn dispatch(&mut self, tool: &str, _: &Arc<str>, _: Option<&str>) -> Observation {
        self.called += 1;
        self.registry.observation(tool, &result(tool, self.called), &salt())
    }

    fn verify(&mut self, verifier: &Verifier) -> Verification {
        Verification { verifier: verifier.clone(), holds: true, detail: String::new(), drifted: false }
    }
}

/// A run that the host drives, its trace, and how it stands.
pub fn driven(host: &Host, folder: &Path) -> anyhow::Result<(PathBuf, Status)> {
    let trace = folder.join("driven.jsonl");
    let registry = registry()?;
    let models = vec![Model::new(Tier::Cheap, "small")];
    let manifest = host.manifest("driven", Goal::new("look around"), models, registry.registered())?;
    let mut store = FileStore::create(&trace, &manifest, Durability::Written)?;
    let mut run = Run::open(Arc::new(manifest))?;
    let mut judges = host.open(&run)?;
    let mut world = Script { registry, now: 0, said: 0, called: 0 };
    let mut none = Operations::none();
    let status = drive(&mut run, Input::Started, &mut judges, &mut store, &mut world, &mut none, &mut Silent)?;
    Ok((trace, status))
}

/// A run whose loop an agent owns.
pub struct Agent {
    pub run: GuardedRun,
    now: Arc<AtomicU64>,
}

/// As a guarded run is pinned, with nothing of it random.
pub fn manifest(host: &Host) -> anyhow::Result<Manifest> {
    let mut manifest = host.governed_manifest("guarded", "look around", &registry()?)?;
    (manifest.seed, manifest.started) = (7, 0);
    Ok(manifest)
}

pub fn setup(store: FileStore, now: &Arc<AtomicU64>) -> anyhow::Result<Setup> {
    let (registry, operations, clock) = (registry()?, Operations::none(), Clock::Manual(Arc::clone(now)));
    Ok(Setup { registry, store: Box::new(store), operations, salt: salt(), clock })
}

impl Agent {
    pub fn begin(host: &Host, trace: &Path) -> anyhow::Result<Self> {
        Agent::begin_under(host, trace, Operations::none())
    }

    /// Begins a run with an operator above it.
    pub fn begin_under(host: &Host, trace: &Path, operations: Operations) -> anyhow::Result<Self> {
        let manifest = manifest(host)?;
        let now = Arc::new(AtomicU64::new(0));
        let store = FileStore::create(trace, &manifest, Durability::Written)?;
        let setup = Setup { operations, ..setup(store, &now)? };
        let run = GuardedRun::begin(host, manifest, setup)?;
        Ok(Agent { run, now })
    }

    /// Takes the run up again, as another process would.
    pub fn resume(host: &Host, trace: &Path) -> anyhow::Result<Self> {
        let (store, manifest, frames) = FileStore::resume(trace, Durability::Written)?;
        let now = Arc::new(AtomicU64::new(frames.last().map_or(0, |frame| frame.at)));
        let run = GuardedRun::resume(host, manifest, &frames, setup(store, &now)?)?;
        Ok(Agent { run, now })
    }

    /// Proposes a call and makes it, if it may be made.
    pub fn attempt(&mut self, tool: &str, arguments: Value) -> anyhow::Result<bool> {
        let now = self.now.fetch_add(10, Ordering::Relaxed);
        match self.run.propose(Proposal::new(tool, arguments).confidence(0.95))? {
            Ruling::Permitted(permit) => {
                let _ = permit.observe(&result(tool, now))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// A run whose loop an agent owns, from its begin to its end.
pub fn guarded(host: &Host, folder: &Path) -> anyhow::Result<PathBuf> {
    let trace = folder.join("guarded.jsonl");
    let mut agent = Agent::begin(host, &trace)?;
    for (tool, page) in CALLS {
        agent.attempt(tool, json!({"page": page}))?;
    }
    agent.run.close(Code::Success)?;
    Ok(trace)
}
