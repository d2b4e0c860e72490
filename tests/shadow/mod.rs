//! Policies in shadow: asked beside a run that never knows of them, compared with what counted, and
//! put in their place by one edit of the bundle.

mod apart;
mod bundle;
mod loops;
mod promotion;
mod recordings;
mod refused;
mod revoked;
mod taken_up;

use std::path::{Path, PathBuf};

use countersign::Host;
use countersign::bundle::lock;
use countersign::engine::{Engine, EngineOptions};
use countersign::kernel::Frame;
use countersign::store::{Side, Stored, TraceReader};
use countersign_audit::shadow::{Compared, Report};
use countersign_tests::{copy_folder, root};

fn options() -> EngineOptions {
    EngineOptions { pool: None, ..EngineOptions::default() }
}

/// A risk policy that asks about whatever may touch something.
const CAUTIOUS: &str = r#"
[[policy]]
name = "risk-next"
component = "cautious-risk.wasm"
mode = "shadow"
"#;

/// A policy that misbehaves in a slot.
fn misbehaving(slot: &str, behaviour: &str, mode: &str) -> String {
    format!(
        "\n[[policy]]\nname = \"{}\"\ncomponent = \"misbehaving.wasm\"\nmode = \"{mode}\"\nslots = [\"{slot}\"]\n\
         configuration.behaviour = \"{behaviour}\"\n",
        behaviour.replace('_', "-")
    )
}

/// A bundle of the default policies of three slots and of these entries, with the components of tests
/// beside them.
/// Without `confidence` the risk policy would note that nobody knows how sure the agent is.
fn bundle_with(folder: &Path, more: &str) -> anyhow::Result<PathBuf> {
    let bundle = folder.join("bundle");
    copy_folder(&root().join("plugins/bundle"), &bundle)?;
    copy_folder(&root().join("tests/policies/built"), &bundle)?;
    let text = std::fs::read_to_string(bundle.join("bundle.toml"))?;
    let wanted = |entry: &&str| {
        ["confidence", "risk", "doom-loop"].iter().any(|name| entry.starts_with(&format!("\nname = \"{name}\"\n")))
    };
    let entries: String = text.split("[[policy]]").filter(wanted).map(|entry| format!("[[policy]]{entry}")).collect();
    relock(&bundle, &format!("version = 1\nname = \"tried\"\n\n{entries}{more}"))?;
    Ok(bundle)
}

/// `bundle.toml` as it is to be, and `countersign bundle lock`.
fn relock(bundle: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(bundle.join("bundle.toml"), text)?;
    let engine = Engine::new(options())?;
    std::fs::write(bundle.join("bundle.lock"), lock(&engine, bundle)?.to_text())?;
    Ok(())
}

/// A host with such a bundle.
fn host_with(folder: &Path, more: &str) -> anyhow::Result<Host> {
    Ok(Host::new(options(), Some(&bundle_with(folder, more)?))?)
}

/// The frames of a trace after its manifest.
fn frames(trace: &Path) -> anyhow::Result<Vec<Frame>> {
    let file = std::io::BufReader::new(std::fs::File::open(trace)?);
    let mut reader = TraceReader::new(trace.display().to_string(), file);
    let mut frames = Vec::new();
    while let Some(stored) = reader.read()? {
        if let Stored::Frame(frame) = stored {
            frames.push(frame);
        }
    }
    Ok(frames)
}

/// What was said in shadow, beside a trace.
fn side_stream(trace: &Path) -> PathBuf {
    countersign::beside(trace, Side::Shadow)
}

/// What was said beside a run.
fn report(trace: &Path) -> anyhow::Result<Report> {
    let mut report = Report::default();
    report.add(&side_stream(trace))?;
    Ok(report)
}

/// An entry of a report.
#[track_caller]
fn entry<'a>(report: &'a Report, name: &str) -> &'a Compared {
    match report.policies.iter().find(|compared| *compared.entry == *name) {
        Some(compared) => compared,
        None => panic!("no `{name}` in {:?}", report.policies),
    }
}
