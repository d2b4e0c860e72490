//! A call with a secret in its arguments: judged and recorded with a mark, made with the secret, whoever drives the run
//! and whichever process makes the call.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use countersign::engine::EngineOptions;
use countersign::kernel::contract::Tier;
use countersign::kernel::{
    Code, Decision, Frame, Input, ModelRequest, Observation, Outcome, Report, Status, Usage, Verification,
};
use countersign::registry::{Registry, ToolResult};
use countersign::session::{CallDecision, Held, ModelAnswer, Observed, Past, Proposal, Setup};
use countersign::spec::{Criterion, Goal, Model, Verifier};
use countersign::store::{Durability, Entry, Offer, SharedStore};
use countersign::{Host, Salt, Session, Silent, World, parse_step};
use serde_json::json;

/// Of the exact form that its issuer gives it.
const SECRET: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

const TOOLS: &str = r#"
[push]
category = "infrastructure"
reversibility = "irreversible"
blast-radius = 1
verify = { exit-code = 0 }
"#;

/// Somebody's program: a model that pushes once and is done, and a tool that tells what it was given.
struct Program {
    registry: Registry,
    salt: Salt,
    asked: u32,
    given: Vec<String>,
}

impl Program {
    fn new(salt: Salt) -> anyhow::Result<Self> {
        Ok(Program { registry: Registry::parse("tools", TOOLS)?, salt, asked: 0, given: Vec::new() })
    }
}

impl World for Program {
    fn now(&mut self) -> u64 {
        0
    }

    fn call_model(&mut self, _: Tier, _: &str, _: &ModelRequest, _: u64) -> ModelAnswer {
        self.asked += 1;
        let action = match self.asked {
            1 => json!({"tool": "push", "arguments": {"token": SECRET, "to": "main"}}),
            _ => json!({"finish": "pushed", "claims": ["push"]}),
        };
        let answer =
            json!({"step": "push", "action": action, "reasoning": "asked for", "status": "ok", "confidence": 0.95});
        let parsed = parse_step(answer.to_string().as_bytes(), Vec::new(), &self.registry, &self.salt);
        ModelAnswer { reply: parsed.reply, arguments: parsed.arguments, usage: Usage::default(), request: None }
    }

    fn dispatch(&mut self, _: &str, arguments: &Arc<str>, _: Option<&str>) -> Observation {
        self.given.push(arguments.to_string());
        Observation::new(Outcome::Returned { exit_code: Some(0), ok: true }, "pushed".into())
    }

    fn verify(&mut self, verifier: &Verifier) -> Verification {
        Verification { verifier: verifier.clone(), holds: true, detail: String::new(), drifted: false }
    }

    fn person(&mut self, _: Code, _: &Report) -> Option<Input> {
        None
    }
}

fn host() -> anyhow::Result<Host> {
    Ok(Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?)
}

fn setup(keep_secrets: bool, salt: Option<Salt>) -> anyhow::Result<Setup> {
    Ok(Setup { keep_secrets, salt, ..Setup::new(Registry::parse("tools", TOOLS)?) })
}

fn approve(store: &SharedStore, run: &str, fingerprint: Arc<str>) -> anyhow::Result<()> {
    let wants = Offer::Decide(Decision::Approved { fingerprint });
    let entry = Entry { version: 1, id: "approve-1".into(), by: "ada".into(), at: 1, wants };
    assert!(store.offer(run, &entry)?);
    Ok(())
}

/// Nothing that is recorded, listed or shown has the secret.
fn is_nowhere(store: &SharedStore, run: &str) -> anyhow::Result<Vec<Frame>> {
    let past = Past::read(store, run)?;
    let text = serde_json::to_string(&past.manifest)? + &serde_json::to_string(&past.frames)?;
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("[redacted:api-key:"), "{text}");
    Ok(past.frames)
}

/// A run that the host drives until it waits for the approval of its push, and is left; its fingerprint.
fn begun(host: &Host, store: &SharedStore, keep_secrets: bool) -> anyhow::Result<Arc<str>> {
    let (registry, salt) = (Registry::parse("tools", TOOLS)?, Salt([5; 32]));
    let mut goal = Goal::new("Push what is there to the main branch.");
    goal.criteria = vec![Criterion { id: "pushed".into(), text: "it is there".into(), tool: "push".into() }];
    let manifest = host.manifest("driven", goal, vec![Model::new(Tier::Cheap, "small")], registry.registered())?;
    let mut session = Session::begin(host, store, manifest, setup(keep_secrets, Some(salt))?)?;
    let mut program = Program::new(salt)?;
    let status = session.drive(Input::Started, &mut program, &mut Silent)?;
    assert_eq!((status, program.given.len()), (Status::Suspended(Code::ConfirmRequired), 0));
    let fingerprint = session.run().awaits().map(|approval| Arc::clone(&approval.fingerprint));
    session.leave()?;
    fingerprint.context("nothing waits")
}

#[test]
fn a_process_that_takes_a_run_up_makes_the_approved_call_with_its_secret() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (host, file) = (host()?, folder.path().join("runs.db"));
    let fingerprint = begun(&host, &countersign::open_store(&file)?, true)?;

    let store = countersign::open_store(&file)?;
    approve(&store, "driven", fingerprint)?;
    let mut session = Held::open(&store, "driven", Durability::Synced)?.resume(&host, setup(true, None)?)?;
    let mut program = Program::new(Salt([5; 32]))?;
    // The model is not asked again for what it has answered.
    program.asked = 1;
    let decided = session.drive_inbox(&mut program, &mut Silent)?;
    assert_eq!(decided.taken, ["approve-1"]);
    assert_eq!(program.given, [format!(r#"{{"to":"main","token":"{SECRET}"}}"#)]);
    session.leave()?;
    is_nowhere(&store, "driven")?;
    Ok(())
}

#[test]
fn where_no_secret_is_kept_the_call_is_refused_and_says_why() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (host, file) = (host()?, folder.path().join("runs.db"));
    let fingerprint = begun(&host, &countersign::open_store(&file)?, false)?;
    assert!(!holds(&folder.path().join("runs.db"), SECRET)?, "it was not to be kept");

    let store = countersign::open_store(&file)?;
    approve(&store, "driven", fingerprint)?;
    let mut session = Held::open(&store, "driven", Durability::Synced)?.resume(&host, setup(false, None)?)?;
    let mut program = Program::new(Salt([5; 32]))?;
    program.asked = 1;
    session.drive_inbox(&mut program, &mut Silent)?;
    assert!(program.given.is_empty(), "a mark was given to a tool: {:?}", program.given);
    session.leave()?;
    let told = is_nowhere(&store, "driven")?.into_iter().any(|frame| match frame.input {
        Input::Observed { observation, .. } => observation.text.contains("gone with the process"),
        _ => false,
    });
    assert!(told);
    Ok(())
}

#[test]
fn an_agents_call_is_made_with_its_secret_and_only_the_mark_is_shown() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (host, store) = (host()?, countersign::open_store(&folder.path().join("runs.db"))?);
    let registry = Registry::parse("tools", TOOLS)?;
    let manifest = host.governed_manifest("agent", "push", &registry)?;
    let mut session = Session::begin(&host, &store, manifest, setup(true, None)?)?;
    let push = || Proposal::new("push", json!({"token": SECRET, "to": "main"}));
    let CallDecision::Parked(approval) = session.propose(push())? else { anyhow::bail!("a push asks") };
    assert!(!approval.arguments.contains(SECRET) && approval.arguments.contains("[redacted:api-key:"));
    session.leave()?;

    approve(&store, "agent", approval.fingerprint)?;
    let mut session = Held::open(&store, "agent", Durability::Written)?.resume(&host, setup(true, None)?)?;
    session.take_inbox()?;
    let CallDecision::Permitted(permit) = session.propose(push())? else { anyhow::bail!("it was approved") };
    assert!(permit.arguments().contains(SECRET));
    // What the tool says of it is shown without it, too.
    let said = ToolResult::new(Outcome::Returned { exit_code: Some(0), ok: true }, format!("pushed with {SECRET}"));
    let Observed::Done(seen) = session.observe(permit, said)? else { anyhow::bail!("nothing reads back") };
    assert!(!seen.text().contains(SECRET) && seen.text().starts_with("pushed with ["), "{}", seen.text());
    session.close(Code::Success)?;
    is_nowhere(&store, "agent")?;
    Ok(())
}

/// Whether the store's files hold these bytes anywhere.
fn holds(file: &Path, text: &str) -> anyhow::Result<bool> {
    let folder = file.parent().context("no folder")?;
    for entry in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(entry?.path())?;
        if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}
