use std::path::PathBuf;

use anyhow::Context;
use countersign::bundle::sha256;
use countersign::tools::{Readers, write_atomically};

use crate::component_build;
use crate::style::{Busy, MIND, QUIET, styled};

/// Make policies
#[derive(clap::Subcommand)]
pub enum Command {
    /// Build a policy crate into a component, with no tool but cargo
    ///
    /// The same sources, `Cargo.lock` and compiler give the same bytes, wherever they lie.
    #[command(after_help = "Example:\n  countersign policy build plugins/risk --out plugins/bundle/risk.wasm")]
    Build(Build),
}

#[derive(clap::Args)]
pub struct Build {
    /// Folder of the policy crate
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the component goes [default: NAME.wasm in the current folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where cargo keeps what it builds [default: `policies` in the workspace's target folder]
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Built {
    policy: String,
    slots: Vec<&'static str>,
    file: String,
    bytes: usize,
    digest: String,
    reproducible: bool,
    outside: Vec<String>,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    let Command::Build(build) = command;
    let built = component_build::build(&build.folder, build.target_dir.as_deref())?;
    let out = build.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.wasm", built.package)));
    // What no host would load is not written.
    let engine = super::engine()?;
    let busy = Busy::with("compiling the component as a host does");
    let policy = engine.load(&built.package, &built.component)?;
    drop(busy);
    write_atomically(&out, &built.component, Readers::ByUmask)
        .with_context(|| format!("cannot write `{}`", out.display()))?;
    let report = Built {
        policy: policy.label().to_string(),
        slots: policy.slots().iter().map(|slot| slot.name()).collect(),
        file: out.display().to_string(),
        bytes: built.component.len(),
        digest: sha256(&built.component).to_string(),
        reproducible: built.outside.is_empty(),
        outside: built.outside,
    };
    if build.json {
        super::print_json(&report)?;
    } else {
        let slots = report.slots.join(", ");
        crate::say!("{} ({slots}) → {}, {} bytes", report.policy, report.file, report.bytes);
        crate::say!("{}", styled(QUIET, &report.digest));
    }
    for outside in &report.outside {
        anstream::eprintln!(
            "{} path dependency {outside} lies outside the workspace: its absolute path enters the bytes, so \
             another folder gives another digest",
            styled(MIND, "not reproducible:")
        );
    }
    Ok(crate::exit::OK)
}
