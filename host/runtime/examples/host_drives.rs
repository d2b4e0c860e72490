//! A loop that the host drives: the host calls your model and your tools, and nothing is done before
//! it was judged and written down.
//!
//! `cargo run -p countersign --example host_drives`

use std::sync::Arc;
use std::time::Instant;

use countersign::kernel::contract::Tier;
use countersign::kernel::{Code, Input, ModelRequest, Observation, Outcome, Status, Usage, Verification};
use countersign::registry::{Called, Finding, Registry, ToolResult};
use countersign::session::{ModelAnswer, Setup};
use countersign::spec::{Criterion, Goal, Model, Verifier};
use countersign::store::Durability;
use countersign::{Host, Salt, Session, Silent, World, parse_step};

const TOOLS: &str = r#"
[count-pumps]
category = "read-only-lookup"
mutating = false
blast-radius = 0
verify = { result-schema = { type = "object", required = ["pumps"] } }
"#;

/// What the run acts on: a model that knows what to do, and one tool.
struct Shop {
    begun: Instant,
    registry: Registry,
    salt: Salt,
    asked: u32,
    /// The last call and its whole result, for its verifier.
    called: Option<Called>,
}

impl World for Shop {
    fn now(&mut self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Yours calls a model; whatever it answers is parsed, and what cannot be is a violation.
    fn call_model(&mut self, _: Tier, _: &str, _: &ModelRequest, _: u64) -> ModelAnswer {
        self.asked += 1;
        let action = match self.asked {
            1 => r#"{"tool": "count-pumps", "arguments": {}}"#,
            _ => r#"{"finish": "12 pumps", "claims": ["count-pumps"]}"#,
        };
        let answer = format!(
            r#"{{"step": "count", "action": {action}, "reasoning": "that was asked", "status": "ok", "confidence": 0.95}}"#
        );
        let parsed = parse_step(answer.as_bytes(), Vec::new(), &self.registry, &self.salt);
        ModelAnswer { reply: parsed.reply, arguments: parsed.arguments, usage: Usage::default(), request: None }
    }

    fn dispatch(&mut self, tool: &str, arguments: &Arc<str>, _: Option<&str>) -> Observation {
        let result = ToolResult::new(Outcome::Returned { exit_code: Some(0), ok: true }, r#"{"pumps": 12}"#);
        self.called = Some(Called {
            tool: tool.to_owned(),
            arguments: arguments.to_string(),
            text: result.text.clone(),
            outcome: result.outcome,
        });
        self.registry.observation(tool, &result, &self.salt)
    }

    fn verify(&mut self, verifier: &Verifier) -> Verification {
        let finding = match self.called.take() {
            Some(called) => self.registry.look(verifier, &called),
            None => Finding::Problem { detail: "nothing was called".to_owned(), drifted: false },
        };
        finding.verification(verifier, &self.salt)
    }
}

/// The whole of it.
///
/// # Errors
/// When a policy, the store or the machine fails.
pub fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = countersign::open_store(&folder.path().join("runs.db"))?;
    let host = Host::new(countersign::engine::EngineOptions::default(), None)?;
    let registry = Registry::parse("tools", TOOLS)?;
    let mut goal = Goal::new("How many pumps are there?");
    // Success is what was verified, not what a model says.
    goal.criteria =
        vec![Criterion { id: "counted".into(), text: "somebody counted".into(), tool: "count-pumps".into() }];
    let manifest = host.manifest("pumps-1", goal, vec![Model::new(Tier::Cheap, "small")], registry.registered())?;
    let salt = Salt::random()?;
    // Each frame survives a crash of the machine before anything of it is done.
    let setup = Setup { salt: Some(salt), durability: Durability::Synced, ..Setup::new(Registry::default()) };
    let mut session = Session::begin(&host, &store, manifest, setup)?;
    let mut shop = Shop { begun: Instant::now(), registry, salt, asked: 0, called: None };
    session.drive(Input::Started, &mut shop, &mut Silent)?;
    let status = session.leave()?;
    println!("{status} after {} model calls", shop.asked);
    anyhow::ensure!(status == Status::Ended(Code::Success), "{status}");
    Ok(())
}
