//! Bundles are swapped while runs go on: new runs take the new one, open runs keep theirs, and each trace
//! shows by whom it was judged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod load;
mod revoked;
mod store;
mod taken_up;

use std::io::BufReader;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use countersign::bundle::{Digest, Installed};
use countersign::engine::{Engine, EngineOptions};
use countersign::kernel::{Approval, Decision, Outcome};
use countersign::registry::{Registry, ToolResult};
use countersign::session::{CallDecision, Held, Observed, Proposal, Setup, Stop};
use countersign::store::{Durability, Ending, SharedStore, Stored, TraceReader};
use countersign::{Host, LiveHost, Operations, Session, SessionError, export};
use countersign_audit::replay::replay;
use serde_json::json;

/// The lenient bundle lets it through; the cautious one asks about all that touches anything.
const TOOLS: &str = r#"
[read-order]
category = "read-only-lookup"
mutating = false
reversibility = "reversible"
blast-radius = 1
arguments = { type = "object", required = ["id"], properties = { id = { type = "integer" } } }
"#;

/// A folder with two installed bundles, of which the lenient one is current, and a store of runs.
struct Place {
    folder: tempfile::TempDir,
    store: SharedStore,
    installed: Installed,
    lenient: Digest,
    cautious: Digest,
}

impl Place {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let engine = engine()?;
        let installed = Installed::new(folder.path().join("bundles"));
        let (lenient, cautious) = (folder.path().join("lenient"), folder.path().join("cautious"));
        countersign_tests::bundles::lenient(&lenient)?;
        countersign_tests::bundles::cautious(&cautious)?;
        let lenient = installed.install(&engine, &lenient)?.digest().clone();
        let cautious = installed.install(&engine, &cautious)?.digest().clone();
        installed.make_current(&lenient)?;
        let store = countersign::open_store(&folder.path().join("runs.db"))?;
        Ok(Place { folder, store, installed, lenient, cautious })
    }

    /// What a process has that follows these bundles.
    fn live(&self) -> anyhow::Result<LiveHost> {
        Ok(LiveHost::installed(EngineOptions::default(), self.installed.clone())?)
    }

    /// The trace of a run as it is by now.
    fn trace(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(format!("{name}.jsonl"));
        export(&*self.store, name, &path).with_context(|| format!("{name}: the run is lost"))?;
        Ok(path)
    }

    fn begin(&self, host: &Host, name: &str) -> anyhow::Result<Session> {
        Ok(self.begin_under(host, name, Operations::none())?)
    }

    fn begin_under(&self, host: &Host, name: &str, operations: Operations) -> Result<Session, SessionError> {
        let manifest = host.governed_manifest(name, "look up orders", &registry()).unwrap();
        Session::begin(host, &self.store, manifest, setup(operations))
    }

    /// Takes a run up again with what a host finds of it.
    fn take_up(&self, host: &Host, name: &str, operations: Operations) -> Result<Session, SessionError> {
        Held::open(&self.store, name, Durability::Written)?.resume(host, setup(operations))
    }
}

fn engine() -> anyhow::Result<Engine> {
    Ok(Engine::new(EngineOptions { pool: None, ..EngineOptions::default() })?)
}

fn registry() -> Registry {
    Registry::parse("tools", TOOLS).unwrap()
}

fn setup(operations: Operations) -> Setup {
    Setup { operations, ..Setup::new(registry()) }
}

/// What is answered to a call of `read-order`, which is made where it may be.
#[derive(Debug)]
enum Said {
    Made,
    Waits(Box<Approval>),
    Stopped(Stop),
}

fn read_order(run: &mut Session, id: u64) -> anyhow::Result<Said> {
    Ok(match run.propose(Proposal::new("read-order", json!({"id": id})))? {
        CallDecision::Permitted(permit) => {
            let text = format!("order {id}: 12 pumps, not shipped");
            let result = ToolResult::new(Outcome::Returned { exit_code: Some(0), ok: true }, text);
            match run.observe(permit, result)? {
                Observed::Done(_) => Said::Made,
                Observed::ReadBack(_) => anyhow::bail!("order {id} is to be read back"),
            }
        }
        CallDecision::Parked(approval) => Said::Waits(approval),
        CallDecision::Stopped(stop) => Said::Stopped(stop),
        other => anyhow::bail!("order {id}: {other:?}"),
    })
}

/// Reads an order, as a person allows where the run's own policy asks.
fn read_allowed(run: &mut Session, id: u64) -> anyhow::Result<()> {
    let mut said = read_order(run, id)?;
    if let Said::Waits(approval) = said {
        run.decide(&format!("a-{id}"), "Ada", Decision::Approved { fingerprint: approval.fingerprint })?;
        said = read_order(run, id)?;
    }
    ensure!(matches!(said, Said::Made), "order {id}: {said:?}");
    Ok(())
}

/// What the trace of a finished run shows by itself: it is whole, each judgement is by the policy that the bundle has
/// there which its manifest pins, and that bundle, asked again, answers the very same. That bundle.
fn audit(live: &LiveHost, place: &Place, name: &str) -> anyhow::Result<Digest> {
    let trace = place.trace(name)?;
    let open = || std::fs::File::open(&trace).map(BufReader::new);
    let mut reader = TraceReader::new(name, open()?);
    let Some(Stored::Manifest(manifest)) = reader.read()? else { anyhow::bail!("{name}: no manifest") };
    let host = live.host_for(&manifest.lock)?.with_context(|| format!("{name}: an unknown bundle"))?;
    let mut judged = 0;
    while let Some(stored) = reader.read()? {
        let Stored::Frame(frame) = stored else { continue };
        for judgement in &frame.judgements {
            let entries = &host.bundle().lock().entry;
            let entry = entries.iter().find(|entry| *entry.name == *judgement.entry).context("an unknown entry")?;
            let pin =
                manifest.entries.iter().find(|pin| pin.name == judgement.entry).context("an entry without a pin")?;
            ensure!(*entry.component_digest == *pin.component, "{name}: frame {}: another policy", frame.frame);
            judged += 1;
        }
    }
    ensure!(reader.ending() == Some(Ending::Complete), "{name}: the run was not ended");
    let replayed = replay(&host, name, &open)?;
    ensure!(replayed.same_bundle && replayed.difference.is_none(), "{name}: {:?}", replayed.difference);
    ensure!(judged > 0 && replayed.judged + replayed.skipped == judged, "{name}: {judged} judgements");
    Ok(host.bundle().digest().clone())
}
