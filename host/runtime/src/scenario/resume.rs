//! Taking a suspended run up again: its recorded inputs are folded, no policy is called and no tool
//! runs, and the next thing that happens is what a person has put into its inbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use countersign_kernel::{Decision, Input, Run, Status};
use countersign_store::{Diagnostics, Durability, EntryError, FileStore, Offer, RunFolder, Runs};

use super::servers::{Place, RunTools};
use super::world::{ScenarioWorld, Surroundings};
use super::{RunError, Scenario, ScenarioError, Watching, expect, salt_beside, utc_now, workspace};
use crate::adaptation;
use crate::drive::{Observer, drive};
use crate::host::Host;
use crate::models::Registry;
use crate::redact::Salt;
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
    let (mut store, manifest, frames) = FileStore::resume(&folder.trace(), Durability::Synced)?;
    let manifest = Arc::new(manifest);
    let models = models.as_ref();
    let done = take_up(&scenario, models, &host, runs, folder, salt, cancel, &manifest, frames, &mut store, observer);
    if done.is_err() {
        // Nothing was appended that is not whole: the trace gets its name back.
        let _ = countersign_store::Store::finish(&mut store);
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
    manifest: &Arc<countersign_kernel::Manifest>,
    frames: Vec<countersign_kernel::Frame>,
    store: &mut FileStore,
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
    let mut run = Run::open(Arc::clone(manifest))
        .map_err(|source| RunError::Manifest { file: folder.trace().display().to_string(), source })?;
    let surroundings = Surroundings {
        workspace,
        operator: runs.folder().to_path_buf(),
        salt,
        cancel,
        models: scenario.client(models)?,
        before: 0,
    };
    let mut world = ScenarioWorld::new(&scenario.spec, &tools, manifest, surroundings);
    let mut effects = Vec::new();
    for frame in &frames {
        effects.iter().for_each(|effect| world.catch_up(effect));
        effects = run.fold(frame).map_err(|error| unable(format!("its trace does not fold: {error}")))?;
    }
    // What the last frame asked for was not answered where the driver was lost.
    if run.lost().is_none() {
        effects.iter().for_each(|effect| world.catch_up(effect));
    }
    // Its own time goes on with that of people.
    world.set_before(utc_now().saturating_sub(manifest.started).max(run.at()));
    let mut operations = scenario.operations(runs.folder())?;
    // A paused agent does nothing more, approved or not.
    operations.dispatch(manifest, utc_now())?;
    let mut judges = host.open(&run)?;
    judges.take_up();
    let inbox = folder.inbox();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    let entry_error = |error: EntryError| unable(error.to_string());
    while !matches!(run.status(), Status::Ended(_)) {
        let now = crate::drive::World::now(&mut world);
        let expired = run.awaits().is_some_and(|approval| now > approval.expires);
        let waiting = inbox.by_caution().map_err(entry_error)?.into_iter().next();
        // A run that is under way takes no decisions, but it can be cancelled.
        let waiting = waiting.filter(|entry| run.lost().is_none() || entry.wants == Offer::Cancel);
        let (id, input) = match (waiting, expired) {
            (Some(entry), _) => {
                let (id, by) = (entry.id.as_str().into(), entry.by.as_str().into());
                let input = match entry.wants {
                    Offer::Decide(decision) => Input::Decided { id, by, decision },
                    Offer::Cancel => Input::Cancelled,
                };
                (Some(entry.id), input)
            }
            (None, true) => {
                let id = format!("expiry-{}", run.frames()).as_str().into();
                (None, Input::Decided { id, by: "clock".into(), decision: Decision::Expired })
            }
            // Whoever drove it was lost: that is an input like any other, and nothing is done again.
            (None, false) => match run.lost() {
                Some(input) => (None, input),
                None => break,
            },
        };
        if let Err(error) = run.expects(&input) {
            // It stays in the record of the inbox; the run never saw it.
            if let Some(id) = id {
                inbox.take(&id).map_err(entry_error)?;
                refused.push((id, error.to_string()));
                continue;
            }
            break;
        }
        let mut watching = Watching {
            inner: observer,
            diagnostics: Diagnostics::beside(&folder.trace()),
            frame: run.frames(),
            matching: expect::Matching::new(&super::Expectations::default(), &std::collections::BTreeMap::new()),
        };
        drive_on(&mut run, input, &mut judges, store, &mut world, &mut operations, &mut watching)?;
        if let Some(id) = id {
            inbox.take(&id).map_err(entry_error)?;
            taken.push(id);
        }
    }
    countersign_store::Store::finish(store).map_err(RunError::Store)?;
    adaptation::write_beside(&folder.trace())?;
    Ok(Resumed { status: run.status(), run, taken, refused })
}

/// What a person approved was an action of these tools: the stored scenario must still be the one that
/// the run was begun with.
fn same_scenario(
    scenario: &Scenario,
    models: Option<&Registry>,
    tools: &RunTools<'_>,
    host: &Host,
    manifest: &countersign_kernel::Manifest,
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

/// Drives on, and leaves the trace open for what may follow.
fn drive_on(
    run: &mut Run,
    input: Input,
    judges: &mut crate::host::Judges,
    store: &mut FileStore,
    world: &mut ScenarioWorld<'_>,
    operations: &mut crate::operations::Operations,
    observer: &mut dyn Observer,
) -> Result<(), RunError> {
    let mut open = StillOpen(store);
    drive(run, input, judges, &mut open, world, operations, observer)?;
    Ok(())
}

/// A store that is finished by whoever owns it.
struct StillOpen<'a>(&'a mut FileStore);

impl countersign_store::Store for StillOpen<'_> {
    fn append(&mut self, frame: &countersign_kernel::Frame) -> Result<(), countersign_store::StoreError> {
        self.0.append(frame)
    }

    fn finish(&mut self) -> Result<(), countersign_store::StoreError> {
        Ok(())
    }

    fn read_back(&mut self) -> Option<PathBuf> {
        self.0.read_back()
    }

    fn path(&self) -> Option<&Path> {
        self.0.path()
    }
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
