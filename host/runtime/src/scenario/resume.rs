//! Taking a suspended run up again: its recorded inputs are folded, no policy is called and no tool
//! runs, and the next thing that happens is what a person has put into its inbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use countersign_kernel::{Effect, Manifest, Run, Status};
use countersign_store::{Durability, FileStore, RunFolder, Runs};

use super::servers::{Place, RunTools};
use super::world::{ScenarioWorld, Surroundings};
use super::{RunError, Scenario, ScenarioError, Watching, expect, salt_beside, workspace};
use crate::adaptation;
use crate::host::Host;
use crate::models::Registry;
use crate::redact::Salt;
use crate::session::{Observer, Session, SessionError, Setup, Taken};
use crate::settings::read_merged;

/// How a run stands after it was taken up.
#[derive(Debug)]
pub struct Resumed {
    /// Where it stands.
    pub status: Status,
    /// The fold.
    pub run: Run,
    /// Entries of the inbox that became frames, by id.
    pub taken: Vec<String>,
    /// Entries that the run did not expect, and why.
    pub refused: Vec<(String, String)>,
}

/// Takes a run up again, as far as its inbox leads. Without an entry it stays as it is, unless what
/// it waits for has run out, or whoever drove it was lost on the way.
///
/// # Errors
/// A run that cannot be taken up: another process has it, or the scenario or bundle is another.
pub fn resume(
    runs: &Runs,
    folder: &RunFolder,
    host: impl FnOnce(Option<PathBuf>) -> Result<Host, RunError>,
    cancel: Option<Arc<AtomicBool>>,
    observer: &mut dyn Observer,
) -> Result<Resumed, RunError> {
    let unable = |problem: &str| RunError::NotResumable { run: folder.id.clone(), problem: problem.to_owned() };
    let scenario = stored(folder)?;
    let models = Some(folder.path().join(super::MODELS)).filter(|path| path.exists());
    let models = models.map(|path| Registry::load(&path)).transpose()?;
    let host = host(scenario.bundle())?;
    let salt = std::fs::read(salt_beside(&folder.trace())).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let salt = Salt(salt.ok_or_else(|| unable("its salt is gone: what it was told cannot be made unknown again"))?);
    let (store, manifest, frames) = FileStore::resume(&folder.trace(), Durability::Synced)?;
    let (manifest, store) = (Arc::new(manifest), Box::new(store));
    let models = models.as_ref();
    let done = take_up(&scenario, models, &host, runs, folder, salt, cancel, &manifest, frames, store, observer);
    if done.is_err() {
        let _ = adaptation::write_beside(&folder.trace());
    }
    done
}

#[expect(clippy::too_many_arguments, reason = "the parts of one run, put together in one place")]
fn take_up(
    scenario: &Scenario,
    models: Option<&Registry>,
    host: &Host,
    runs: &Runs,
    folder: &RunFolder,
    salt: Salt,
    cancel: Option<Arc<AtomicBool>>,
    manifest: &Arc<Manifest>,
    frames: Vec<countersign_kernel::Frame>,
    store: Box<FileStore>,
    observer: &mut dyn Observer,
) -> Result<Resumed, RunError> {
    let unable = |problem: String| RunError::NotResumable { run: folder.id.clone(), problem };
    if *manifest.lock != **host.bundle().digest().as_str() {
        return Err(unable(format!("it is pinned to the bundle {}; name that with --bundle", manifest.lock)));
    }
    if *manifest.run != *folder.id {
        return Err(unable(format!("its trace is that of run `{}`: a copy is not taken up", manifest.run)));
    }
    let workspace = workspace::Workspace::again(folder.path().join("workspace"));
    // As they were accepted when the run began: nothing is accepted on the way.
    let pins = scenario.pins();
    let place = Place { folder: &scenario.folder, workspace: workspace.path(), pins: &pins };
    let (tools, _) = RunTools::of(&scenario.spec, &place, None).map_err(|source| scenario.mcp(source))?;
    same_scenario(scenario, models, &tools, host, manifest).map_err(unable)?;
    if manifest.engine != *host.engine().fingerprint() {
        return Err(unable("it was judged by another engine; its policies could not be rebuilt".to_owned()));
    }
    let surroundings = Surroundings {
        workspace,
        operator: runs.folder().to_path_buf(),
        salt,
        cancel,
        models: scenario.client(models)?,
        before: 0,
    };
    let mut world = ScenarioWorld::new(&scenario.spec, &tools, manifest, surroundings);
    let operations = scenario.operations(runs.folder())?;
    let setup = Setup { operations, ..Setup::new(crate::registry::Registry::default(), store, salt) };
    let caught_up = &mut |effect: &Effect, exact: &str| world.catch_up(effect, exact);
    let taken = Session::take_up(host, Manifest::clone(manifest), &frames, setup, caught_up);
    let mut session = taken.map_err(|error| match error {
        SessionError::Fold(_) => unable(error.to_string()),
        error => error.into(),
    })?;
    // Its own time goes on with that of people.
    world.set_before(session.now());
    let mut watching = Watching {
        inner: observer,
        matching: expect::Matching::new(&super::Expectations::default(), &std::collections::BTreeMap::new()),
    };
    let driven = session.drive_inbox(&folder.inbox(), &mut world, &mut watching);
    // Whatever came of it, the trace gets its name back: nothing was appended that is not whole.
    let status = session.put_away()?;
    let Taken { taken, refused } = driven.map_err(|error| match error {
        SessionError::Inbox(_) => unable(error.to_string()),
        error => error.into(),
    })?;
    adaptation::write_beside(&folder.trace())?;
    Ok(Resumed { status, run: session.into_run(), taken, refused })
}

/// What a person approved was an action of these tools: the stored scenario must still be the one that
/// the run was begun with.
fn same_scenario(
    scenario: &Scenario,
    models: Option<&Registry>,
    tools: &RunTools<'_>,
    host: &Host,
    manifest: &Manifest,
) -> Result<(), String> {
    let pinned = super::spec::Pinned {
        file: scenario.file(),
        models,
        id: &manifest.run,
        seed: manifest.seed,
        started: manifest.started,
        memory: &[],
        tools: &tools.specs,
    };
    let mut now = scenario.spec.manifest(host, &scenario.folder, &pinned).map_err(|error| error.to_string())?;
    now.memory.clone_from(&manifest.memory);
    if now == *manifest {
        return Ok(());
    }
    // Its servers may have other tools by now, and fewer.
    let same = |then: &countersign_kernel::Tool| {
        now.tools.iter().any(|now| now.name == then.name && now.definition == then.definition)
    };
    Err(match manifest.tools.iter().find(|then| !same(then)) {
        Some(tool) => format!("tool `{}` is no longer what the run began with", tool.name),
        None => "its stored scenario is no longer what the run began with".to_owned(),
    })
}

/// The scenario as the run was begun with it.
fn stored(folder: &RunFolder) -> Result<Scenario, RunError> {
    let unable = |problem: String| RunError::NotResumable { run: folder.id.clone(), problem };
    let path = folder.path().join("scenario.toml");
    let merged = read_merged(&path)?;
    let base = std::fs::read_to_string(folder.path().join("folder")).map_err(|error| unable(error.to_string()))?;
    let base = Path::new(base.trim()).to_path_buf();
    Scenario::from_table(path.display().to_string(), merged.table, None, base)
        .map_err(|error: ScenarioError| unable(error.to_string()))
}
