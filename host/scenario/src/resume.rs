//! Taking a suspended run up again: its recorded inputs are folded, no policy is called and no tool
//! runs, and the next thing that happens is what a person has put into its inbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use countersign::Host;
use countersign::deployment::Deployment;
use countersign::session::{Decided, Held, Observer, SessionError, Setup};
use countersign::settings::read_merged;
use countersign_kernel::{Effect, Run, Status};
use countersign_mcp::pins_beside;
use countersign_models::Registry;
use countersign_spec::{Manifest, Tool};
use countersign_store::{Durability, Offer};

use super::kept::{Keep, KeptTask};
use super::servers::{Place, RunTools};
use super::world::{ScenarioWorld, Surroundings};
use super::{RunError, Scenario, ScenarioError, Watching, expect, machine, workspace};

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
    keep: &Keep,
    run: &str,
    host: impl FnOnce(Option<PathBuf>) -> Result<Host, RunError>,
    cancel: Option<Arc<AtomicBool>>,
    observer: &mut dyn Observer,
) -> Result<Resumed, RunError> {
    let unable = |problem: String| RunError::NotResumable { run: run.to_owned(), problem };
    let held = Held::open(&keep.store, run, Durability::Synced).map_err(SessionError::from)?;
    let manifest = held.past().manifest.clone();
    let task = Task::of(keep, run)?;
    let Task { scenario, models, pins, .. } = &task;
    let folder = keep.workspace(run);
    // Its end needs no folder, and nothing to be as it was.
    let ends = is_cancelled(keep, run)?;
    if !folder.is_dir() && !ends {
        return Err(unable(format!(
            "the folder `{}`, which its tools work in, is gone; put it back, or end the run with `countersign runs cancel \
             {run}`",
            folder.display()
        )));
    }
    let host = host(scenario.bundle())?;
    if *manifest.lock != **host.bundle().digest().as_str() {
        return Err(unable(format!("it is pinned to the bundle {}; name that with --bundle", manifest.lock)));
    }
    let workspace = workspace::Workspace::again(folder);
    // As they were accepted when the run began: nothing is accepted on the way.
    let place = Place { folder: &scenario.folder, workspace: workspace.path(), pins };
    let (tools, _) = RunTools::of(&scenario.spec, &place, None).map_err(|source| scenario.mcp(source))?;
    if !ends {
        same_scenario(scenario, models.as_ref(), &tools, &host, &manifest).map_err(unable)?;
    }
    let surroundings = Surroundings {
        workspace,
        operator: keep.files.clone(),
        salt: held.salt(),
        cancel,
        models: scenario.client(models.as_ref())?,
        before: 0,
    };
    let mut world = ScenarioWorld::new(&scenario.spec, &tools, &manifest, surroundings);
    let operations = scenario.operations(&keep.files, &keep.store)?;
    let setup = Setup { operations, ..Setup::new(countersign_tools::registry::Registry::new(&tools.specs)) };
    let caught_up = &mut |effect: &Effect, exact: &str| world.catch_up(effect, exact);
    let mut session = held.resume_with(&host, setup, caught_up).map_err(|error| match error {
        SessionError::Fold(_) => unable(error.to_string()),
        error => error.into(),
    })?;
    // Its own time goes on with that of people.
    world.set_before(session.now());
    let mut watching = Watching {
        inner: observer,
        matching: expect::Matching::new(&super::Expectations::default(), &std::collections::BTreeMap::new()),
    };
    let driven = session.drive_inbox(&mut world, &mut watching);
    // Whatever came of it, the run is given back: what was appended is whole.
    let put_away = session.put_away();
    let Decided { taken, refused } = driven?;
    let status = put_away?;
    Ok(Resumed { status, run: session.into_run(), taken, refused })
}

/// Whether a person wants it to end.
fn is_cancelled(keep: &Keep, run: &str) -> Result<bool, SessionError> {
    Ok(keep.store.waiting(run)?.iter().any(|entry| entry.wants == Offer::Cancel))
}

/// The task of a run as it was begun with it.
struct Task {
    scenario: Scenario,
    models: Option<Registry>,
    /// Where the tools of its servers are pinned.
    pins: PathBuf,
    /// Its files while they are read.
    _folder: tempfile::TempDir,
}

impl Task {
    fn of(keep: &Keep, run: &str) -> Result<Self, RunError> {
        let unable = |problem: String| RunError::NotResumable { run: run.to_owned(), problem };
        let KeptTask { scenario, folder, models, pins } = KeptTask::get(&keep.store, run)?;
        let files = tempfile::tempdir().map_err(machine("cannot make a folder for the run's task"))?;
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).map_err(machine("cannot write the run's task")).map(|()| path)
        };
        let path = write("scenario.toml", &scenario)?;
        if let Some(pins) = pins {
            std::fs::write(pins_beside(&path), pins).map_err(machine("cannot write the run's pinned tools"))?;
        }
        let models = models.map(|text| write("countersign.toml", &text)).transpose()?;
        let models = match models {
            Some(path) => Deployment::load(&path)?.models().cloned(),
            None => None,
        };
        // These files are here for a moment only: what is wrong with one is told of the run.
        let models = models.map(|models| models.named(format!("countersign.toml of run {run}")));
        let table = read_merged(&path)?.table;
        let scenario = Scenario::from_table(format!("scenario of run {run}"), table, None, folder)
            .map_err(|error: ScenarioError| unable(error.to_string()))?;
        Ok(Task { scenario, models, pins: pins_beside(&path), _folder: files })
    }
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
    let mut changed = now.unlike(manifest);
    // Another engine goes on, and the record says from where on it judges.
    changed.retain(|key| *key != "engine");
    if changed.is_empty() {
        return Ok(());
    }
    // Its servers may have other tools by now, and fewer.
    let same = |then: &Tool| now.tools.iter().any(|now| now.name == then.name && now.definition == then.definition);
    Err(match manifest.tools.iter().find(|then| !same(then)) {
        Some(tool) => format!("tool `{}` is no longer what the run began with", tool.name),
        // Words for models are the program's own: the scenario is what it was.
        None if changed == ["prompt-templates"] => format!(
            "this release has other words for models than the one that began it; take it up with that one, or end it with \
             `countersign runs cancel {}`",
            manifest.run
        ),
        None => format!(
            "it began with other settings than it would have now ({}); take it up with the release that began it, or end it \
             with `countersign runs cancel {}`",
            changed.join(", "),
            manifest.run
        ),
    })
}
