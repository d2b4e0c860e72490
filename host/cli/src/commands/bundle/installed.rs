//! Bundles installed on this machine: which one new runs take, and which policies none may use.

use std::path::PathBuf;

use countersign::bundle::{Bundle, Digest, Installed, Standing};
use countersign::operate::{restore, revoke};

use crate::commands;
use crate::exit::{self, BadInput};
use crate::style::{BAD, GOOD, MIND, QUIET, STRONG, line, styled, table};

#[derive(clap::Args)]
pub struct Use {
    /// Folder of a bundle with its `bundle.lock`; or digest of an installed one, or the beginning of it
    bundle: String,
    #[command(flatten)]
    store: Store,
}

#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    store: Store,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct Revoke {
    /// Digest of the policy's component, as `bundle show` has it; its beginning will do with --bundles
    digest: String,
    /// The kill-switch file that `[operator]` names under `switches`
    #[arg(long, value_name = "FILE")]
    switches: PathBuf,
    /// Why: told to whoever is refused or stopped by it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Folder of installed bundles, to find the digest by its beginning
    #[arg(long, value_name = "DIR")]
    bundles: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Restore {
    /// Digest of the policy's component; its beginning will do with --bundles
    digest: String,
    /// The kill-switch file that `[operator]` names under `switches`
    #[arg(long, value_name = "FILE")]
    switches: PathBuf,
    /// Folder of installed bundles, to find the digest by its beginning
    #[arg(long, value_name = "DIR")]
    bundles: Option<PathBuf>,
}

/// The folder that a command looks at.
#[derive(clap::Args)]
pub struct Store {
    /// Folder of installed bundles
    #[arg(long, value_name = "DIR")]
    bundles: PathBuf,
}

impl Store {
    fn installed(&self) -> Installed {
        Installed::new(&self.bundles)
    }
}

pub fn take(arguments: &Use) -> anyhow::Result<u8> {
    let installed = arguments.store.installed();
    let engine = commands::engine()?;
    let folder = PathBuf::from(&arguments.bundle);
    // What does not load is never current: no host need find that out.
    let bundle = match folder.is_dir() {
        true => {
            // Its author means what `bundle.toml` says, which no run would be judged by.
            if !Bundle::load(&engine, &folder)?.is_locked(&engine, &folder)? {
                return Err(BadInput(super::super::not_locked(&folder)).into());
            }
            installed.install(&engine, &folder)?
        }
        false if arguments.bundle.contains(['/', '\\', '.']) => {
            return Err(BadInput(format!("`{}`: there is no such folder", arguments.bundle)).into());
        }
        false => installed.load(&engine, &installed.find(&arguments.bundle)?)?,
    };
    let digest = bundle.digest().clone();
    let before = installed.make_current(&digest)?;
    crate::say!("{} {} {digest}", styled(GOOD, "current"), line(&bundle.lock().name, 100));
    match before {
        Some(before) if before != digest => {
            crate::say!("{} {before}; `countersign bundle rollback` goes back to it", styled(QUIET, "before "));
        }
        _ => {}
    }
    Ok(exit::OK)
}

pub fn rollback(arguments: &Store) -> anyhow::Result<u8> {
    let engine = commands::engine()?;
    let (from, to) = arguments.installed().rollback(&engine)?;
    crate::say!("{} {to}", styled(GOOD, "current"));
    crate::say!("{} {from}; it stays installed", styled(QUIET, "left   "));
    Ok(exit::OK)
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed {
    digest: String,
    standing: Standing,
    name: Option<String>,
    policies: Vec<String>,
    /// Why no run can take it.
    problem: Option<String>,
}

pub fn list(arguments: &List) -> anyhow::Result<u8> {
    let bundles = arguments.store.installed().list()?;
    let bundles: Vec<Listed> = bundles
        .into_iter()
        .map(|bundle| {
            let (lock, problem) = match bundle.lock {
                Ok(lock) => (Some(lock), None),
                Err(error) => (None, Some(error.to_string())),
            };
            let policies = lock.iter().flat_map(|lock| &lock.entry).map(|entry| entry.policy.clone()).collect();
            let (digest, standing) = (bundle.digest.to_string(), bundle.standing);
            Listed { digest, standing, name: lock.map(|lock| lock.name), policies, problem }
        })
        .collect();
    if arguments.json {
        super::super::print_json(&bundles)?;
        return Ok(exit::OK);
    }
    let mut rows = vec![["", "digest", "name", "policies"].map(str::to_owned).to_vec()];
    for bundle in &bundles {
        let standing = match bundle.standing {
            Standing::Current => "current".to_owned(),
            Standing::Previous(steps) => format!("{steps} back"),
            Standing::Installed => String::new(),
        };
        let name = bundle.name.clone().unwrap_or_else(|| "?".to_owned());
        let what = bundle.problem.clone().unwrap_or_else(|| bundle.policies.join(", "));
        rows.push(vec![standing, bundle.digest[..19].to_owned(), name, line(&what, 110)]);
    }
    for (index, text) in table(&rows, &[]).into_iter().enumerate() {
        match bundles.get(index.wrapping_sub(1)) {
            None => crate::say!("{}", styled(QUIET, text)),
            Some(bundle) if bundle.problem.is_some() => crate::say!("{}", styled(BAD, text)),
            Some(bundle) if bundle.standing == Standing::Current => crate::say!("{}", styled(STRONG, text)),
            Some(_) => crate::say!("{text}"),
        }
    }
    Ok(exit::OK)
}

pub fn switch_off(arguments: &Revoke) -> anyhow::Result<u8> {
    let digest = component(&arguments.digest, arguments.bundles.as_ref())?;
    let (word, file) = match revoke(&arguments.switches, digest.as_str(), &arguments.reason)? {
        true => (styled(BAD, "revoked"), &arguments.switches),
        false => (styled(MIND, "was revoked before"), &arguments.switches),
    };
    crate::say!("{word} {digest} in `{}`", file.display());
    crate::say!(
        "{}",
        styled(QUIET, "new runs with it are refused; open ones wait for a person from their next call on")
    );
    if let Some(folder) = &arguments.bundles {
        let bundles = Installed::new(folder).list()?;
        let uses = |lock: &countersign::bundle::Lock| {
            lock.entry.iter().any(|entry| entry.component_digest == **digest.as_str())
        };
        let current = bundles.iter().find(|bundle| bundle.standing == Standing::Current);
        if current.is_some_and(|bundle| bundle.lock.as_ref().is_ok_and(uses)) {
            let go = format!("countersign bundle rollback --bundles {}", folder.display());
            crate::say!("{} the current bundle uses it, so nothing new runs: {go}", styled(MIND, "mind:"));
        }
    }
    Ok(exit::OK)
}

pub fn switch_on(arguments: &Restore) -> anyhow::Result<u8> {
    let digest = component(&arguments.digest, arguments.bundles.as_ref())?;
    let word = match restore(&arguments.switches, digest.as_str())? {
        true => styled(GOOD, "restored"),
        false => styled(MIND, "was not revoked"),
    };
    crate::say!("{word} {digest} in `{}`", arguments.switches.display());
    crate::say!("{} countersign runs go-on RUN, for each run that it has suspended", styled(QUIET, "go on:"));
    Ok(exit::OK)
}

/// A component by its digest, or by the beginning of it among installed ones.
fn component(text: &str, bundles: Option<&PathBuf>) -> anyhow::Result<Digest> {
    let whole = Digest::parse(&text.to_ascii_lowercase());
    let Some(folder) = bundles else {
        let problem =
            || format!("`{text}`: expected `sha256:` and 64 digits, or --bundles to find it by its beginning");
        return Ok(whole.ok_or_else(|| BadInput(problem()))?);
    };
    let installed = Installed::new(folder);
    match whole {
        // A policy may have to be revoked that is not installed here any more, or not yet.
        Some(digest) if !installed.contains(&digest) => Ok(digest),
        Some(digest) => Err(BadInput(format!(
            "{digest} is a bundle, and policies are revoked one by one; `countersign bundle show {} --bundles {}` \
             has their digests",
            digest.short(),
            folder.display()
        ))
        .into()),
        None => Ok(installed.find_component(&text.to_ascii_lowercase())?),
    }
}

/// An installed bundle: the current one, or the one with this digest or beginning of it.
pub fn find(bundles: &std::path::Path, digest: Option<&str>) -> anyhow::Result<Bundle> {
    let installed = Installed::new(bundles);
    let digest = match digest {
        Some(text) => installed.find(text)?,
        None => installed.current()?,
    };
    let engine = commands::engine()?;
    Ok(installed.load(&engine, &digest)?)
}
