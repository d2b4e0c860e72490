mod installed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use countersign::bundle::findings::{Finding, findings};
use countersign::bundle::{Bundle, Lock, lock, write_default_bundle};
use countersign::tools::{Readers, write_atomically};

use crate::style::{Busy, GOOD, MIND, QUIET, STRONG, cell, line, styled, table};

/// Pin policies together
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write the bundle that this program carries into a folder, ready to be edited
    #[command(after_help = "Example:\n  countersign bundle init my-bundle")]
    Init(Init),
    /// Write `bundle.lock` from `bundle.toml` and the components beside it
    ///
    /// Then says what there is to know of the bundle: entries that are nowhere stricter than others or overlap, cases that
    /// one cannot decide, what policies remark about their configurations. Findings are no errors.
    #[command(after_help = "Example:\n  countersign bundle lock plugins/bundle")]
    Lock(LockArguments),
    /// Show what a bundle holds
    #[command(after_help = "Example:\n  countersign bundle show plugins/bundle\n  \
                            countersign bundle show 4f1c --bundles bundles")]
    Show(Show),
    /// Install a bundle and let new runs take it; open runs keep theirs
    ///
    /// A host that runs takes it with its next run, or at once when it is sent a hang-up (SIGHUP).
    #[command(after_help = "Example:\n  countersign bundle use my-bundle --bundles bundles")]
    Use(installed::Use),
    /// Let new runs take the bundle before this one
    #[command(after_help = "Example:\n  countersign bundle rollback --bundles bundles")]
    Rollback(installed::Store),
    /// List the installed bundles: the current one, those before it, and the others
    #[command(after_help = "Example:\n  countersign bundle list --bundles bundles")]
    List(installed::List),
    /// Switch a policy off at once: new runs with it are refused, open ones wait for a person
    #[command(
        after_help = "Example:\n  countersign bundle revoke 8e5f1c02 --bundles bundles --switches switches.toml \
                            --reason 'lets mail through'"
    )]
    Revoke(installed::Revoke),
    /// Switch a revoked policy on again
    #[command(
        after_help = "Example:\n  countersign bundle restore 8e5f1c02 --bundles bundles --switches switches.toml"
    )]
    Restore(installed::Restore),
}

#[derive(clap::Args)]
pub struct Init {
    /// An empty folder, or one that is not there yet
    folder: PathBuf,
}

#[derive(clap::Args)]
pub struct LockArguments {
    /// Folder with `bundle.toml`
    folder: PathBuf,
    /// Write nothing; exit with 3 when the lock is not what it would be
    #[arg(long)]
    check: bool,
    /// Print digest and findings as JSON
    #[arg(long, conflicts_with = "check")]
    json: bool,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Locked {
    lock: String,
    digest: String,
    findings: Vec<Finding>,
}

#[derive(clap::Args)]
pub struct Show {
    /// Folder with `bundle.lock` [default: the bundle that this program carries in itself]; with --bundles
    /// the digest of an installed one, or its beginning [default: the current one]
    bundle: Option<PathBuf>,
    /// Folder of installed bundles
    #[arg(long, value_name = "DIR")]
    bundles: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Init(arguments) => init(&arguments.folder),
        Command::Lock(arguments) => lock_folder(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Use(arguments) => installed::take(arguments),
        Command::Rollback(arguments) => installed::rollback(arguments),
        Command::List(arguments) => installed::list(arguments),
        Command::Revoke(arguments) => installed::switch_off(arguments),
        Command::Restore(arguments) => installed::switch_on(arguments),
    }
}

fn init(folder: &Path) -> anyhow::Result<u8> {
    write_default_bundle(folder)?;
    let folder = folder.display();
    crate::say!("{} `{folder}/bundle.toml`, its lock, and the components beside it", styled(GOOD, "written"));
    let tell = |what: &str, text: String| crate::say!("  {} {text}", styled(QUIET, format!("{what:<6}")));
    tell("edit", format!("{folder}/bundle.toml"));
    tell("lock", format!("countersign bundle lock {folder}"));
    tell("use", format!("`[bundle] folder = \"{folder}\"` in countersign.toml, or --bundle {folder}"));
    Ok(crate::exit::OK)
}

fn lock_folder(arguments: &LockArguments) -> anyhow::Result<u8> {
    let engine = super::engine()?;
    let busy = Busy::with("compiling the bundle's policies");
    let text = lock(&engine, &arguments.folder)?.to_text();
    drop(busy);
    let path = arguments.folder.join("bundle.lock");
    let digest = Lock::digest_of(&text);
    if arguments.check {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if found != text {
            crate::say!("`{}` is not up to date; run `countersign bundle lock`", path.display());
            return Ok(crate::exit::DIFFERS);
        }
        crate::say!("{} `{}` {digest}", styled(GOOD, "up to date"), path.display());
        return Ok(crate::exit::OK);
    }
    // A host reads it before it is written: what none would load takes no good lock's place.
    let found = findings(&Bundle::load_as(&engine, &arguments.folder, &text)?)?;
    write_atomically(&path, text.as_bytes(), Readers::ByUmask)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    if arguments.json {
        let (lock, digest) = (path.display().to_string(), digest.to_string());
        super::print_json(&Locked { lock, digest, findings: found })?;
        return Ok(crate::exit::OK);
    }
    crate::say!("{} {digest}", path.display());
    let cells = |finding: &Finding| {
        vec![finding.kind().replace('-', " "), finding.place().to_owned(), cell(&finding.to_string(), 300)]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    for (finding, text) in found.iter().zip(table(&rows, &[])) {
        let style = if finding.is_informational() { QUIET } else { MIND };
        crate::say!("  {}", styled(style, text));
    }
    Ok(crate::exit::OK)
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown<'a> {
    digest: String,
    lock: &'a Lock,
}

fn show(arguments: &Show) -> anyhow::Result<u8> {
    let bundle = match &arguments.bundles {
        Some(folder) => Arc::new(installed::find(folder, arguments.bundle.as_deref().and_then(Path::to_str))?),
        None => Arc::clone(super::host_to_look_at(arguments.bundle.as_deref())?.bundle()),
    };
    let (lock, digest) = (bundle.lock(), bundle.digest());
    if arguments.json {
        super::print_json(&Shown { digest: digest.to_string(), lock })?;
        return Ok(crate::exit::OK);
    }
    crate::say!("{} {}", styled(STRONG, line(&lock.name, 100)), styled(QUIET, digest));
    crate::say!("{}\n", lock.contract);
    let mut rows = vec![["entry", "policy", "slots", "mode", "undecided", "digest"].map(str::to_owned).to_vec()];
    for entry in &lock.entry {
        rows.push(vec![
            entry.name.clone(),
            entry.policy.clone(),
            entry.slot.iter().map(|slot| slot.slot.name()).collect::<Vec<_>>().join(", "),
            entry.slot.first().map_or_else(String::new, |slot| slot.mode.name().to_owned()),
            entry.slot.first().map_or_else(String::new, |slot| slot.failure_verdict.to_string()),
            entry.component_digest[..19].to_owned(),
        ]);
    }
    for (index, text) in table(&rows, &[]).into_iter().enumerate() {
        crate::say!("{}", if index == 0 { styled(QUIET, text) } else { text });
    }
    for out in bundle.left_out() {
        crate::say!("{} {}, in shadow: {}", styled(MIND, "left out:"), out.entry, out.why);
    }
    Ok(crate::exit::OK)
}
