//! One file a command.

pub mod adaptation;
pub mod agents;
pub mod approvals;
pub mod backtest;
pub mod bundle;
pub mod compile;
pub mod eval;
pub mod graph;
pub mod init;
pub mod mcp;
pub mod policy;
mod recordings;
pub mod run;
pub mod runs;
mod savings;
pub mod shadow;
pub mod source;
pub mod trace;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Command};
use countersign::bundle::{Digest, Installed};
use countersign::engine::{Compiler, CompilerProcess, Engine, EngineError, EngineOptions};
use countersign::store::SharedStore;
use countersign::{Host, HostError};

use crate::exit::BadInput;
use crate::style::{MIND, styled};

/// The host with the bundle in a folder, or the one it carries in itself, to judge by. A folder that was edited and not
/// locked again judges nothing: whoever has seen a lock fail, or has not seen it, would be judged by the one before.
pub fn host(bundle: Option<&Path>) -> anyhow::Result<Host> {
    let host = Host::new(engine_options(), bundle)?;
    if let Some((folder, problem)) = edited(&host, bundle) {
        let folder = folder.display();
        let text = format!("{problem}, or take `{folder}/bundle.toml` away to be judged by the lock as it is");
        return Err(BadInput(text).into());
    }
    Ok(host)
}

/// The same, to be looked at: whoever has edited the bundle and not locked it again is told so.
pub fn host_to_look_at(bundle: Option<&Path>) -> anyhow::Result<Host> {
    warned(Host::new(engine_options(), bundle)?, bundle)
}

/// The same, with every component compiled from its own bytes: what proves something trusts no file beside
/// them.
pub fn host_to_prove(bundle: Option<&Path>) -> anyhow::Result<Host> {
    warned(Host::new(EngineOptions { compiler: compiler(), ..EngineOptions::default() }, bundle)?, bundle)
}

fn warned(host: Host, bundle: Option<&Path>) -> anyhow::Result<Host> {
    if let Some((_, problem)) = edited(&host, bundle) {
        warn(&format!("{problem}; its lock judges as it is"));
    }
    Ok(host)
}

/// The folder of a bundle that is not what its lock was made of, and what to do.
fn edited<'a>(host: &Host, bundle: Option<&'a Path>) -> Option<(&'a Path, String)> {
    let folder = bundle?;
    match host.bundle().is_locked(host.engine(), folder) {
        Ok(true) => None,
        Ok(false) => Some((folder, not_locked(folder))),
        Err(error) => Some((folder, format!("{}; {error}", not_locked(folder)))),
    }
}

/// What to say of a bundle that was edited and not locked.
pub fn not_locked(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "`{folder}/bundle.toml` is not what `{folder}/bundle.lock` was made of; run `countersign bundle lock {folder}`"
    )
}

fn warn(text: &str) {
    anstream::eprintln!("{} {text}", styled(MIND, "warning:"));
}

/// Variable that names the folder of compiled components; `off` keeps none.
const CACHE: &str = "COUNTERSIGN_CACHE";
/// Policies that a command has open at once while it looks at them.
const LOOKED_AT: u32 = 256;

/// How this program runs policies: compiled components are kept in the user's folder for such things.
pub fn engine_options() -> EngineOptions {
    let compiled = match std::env::var_os(CACHE) {
        Some(folder) if folder == "off" || folder.is_empty() => None,
        // Below the current folder it could be anybody's, such as part of a checkout.
        Some(folder) if Path::new(&folder).is_relative() => {
            warn(&format!("{CACHE} is not a whole path: nothing compiled is kept or read"));
            None
        }
        Some(folder) => Some(PathBuf::from(folder)),
        None => {
            let of = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            let folder = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")));
            folder.map(|folder| folder.join("countersign"))
        }
    };
    EngineOptions { compiled, compiler: compiler(), ..EngineOptions::default() }
}

/// Components are compiled by this very program, in a process of its own; within this one where the program cannot be
/// found again.
fn compiler() -> Compiler {
    // By its link in `/proc` also after the file was replaced by a newer version.
    let own = Path::new("/proc/self/exe");
    let program = own.exists().then(|| own.to_owned()).or_else(|| std::env::current_exe().ok());
    program.map_or(Compiler::Here, |program| Compiler::Process(CompilerProcess::new(program, [compile::NAME])))
}

/// An engine for commands that look at policies, or ask one after the other: that of a host, with room for fewer
/// instances, so that what does not fit into a host's pool does not load here either.
pub fn engine() -> Result<Engine, EngineError> {
    Engine::new(EngineOptions { pool: Some(LOOKED_AT), ..engine_options() })
}

/// The host with a bundle of a folder of installed ones: the one with this digest, or the current one.
pub fn installed_host(bundles: &Path, digest: Option<&Digest>) -> Result<Host, HostError> {
    let installed = Installed::new(bundles);
    let digest = match digest {
        Some(digest) => digest.clone(),
        None => installed.current()?,
    };
    let engine = Engine::new(engine_options())?;
    let bundle = installed.load(&engine, &digest)?;
    Ok(Host::of(engine, bundle))
}

/// Where runs are kept when nobody says.
pub const STORE: &str = ".countersign/runs.db";

/// The store that a command looks at.
#[derive(clap::Args)]
pub struct Stored {
    /// Store of the runs: a file
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_STORE", default_value = STORE, value_parser = StoreParser)]
    pub store: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Takes the name of a store. A variable that is set to nothing is not set.
#[derive(Debug, Clone)]
pub struct StoreParser;

impl TypedValueParser for StoreParser {
    type Value = PathBuf;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<PathBuf, clap::Error> {
        if value.to_str().is_none() {
            let text = format!("the store `{}`: its name is not UTF-8; give it another one\n", value.display());
            return Err(clap::Error::raw(ErrorKind::InvalidUtf8, text));
        }
        PathBufValueParser::new().parse_ref(command, argument, value)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<PathBuf, clap::Error> {
        match source {
            ValueSource::EnvVariable if value.is_empty() => Ok(PathBuf::from(STORE)),
            _ => self.parse_ref(command, argument, value),
        }
    }
}

impl Stored {
    /// The store, which must be there.
    pub fn open(&self) -> anyhow::Result<SharedStore> {
        match self.open_if_there()? {
            Some(store) => Ok(store),
            None => Err(BadInput(format!("there is no store `{}`", self.store.display())).into()),
        }
    }

    /// The store; none where there is none yet: the first run makes it.
    pub fn open_if_there(&self) -> anyhow::Result<Option<SharedStore>> {
        if !self.store.exists() {
            return Ok(None);
        }
        Ok(Some(open_store(&self.store)?))
    }
}

/// Opens a store, and makes it where there is none.
pub fn open_store(path: &Path) -> anyhow::Result<SharedStore> {
    let folder = path.is_dir();
    ensure!(!folder, BadInput(format!("`{}` is a folder; expected the file of a store", path.display())));
    Ok(countersign::open_store(path)?)
}

/// Prints a value for machines.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    use std::io::Write;
    let text = serde_json::to_string_pretty(value)?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}
