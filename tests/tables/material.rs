//! What was asked in runs: of recordings, of scenarios, of scenarios by an agent, through the gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use countersign::kernel::contract::Dimension;
use countersign::kernel::contract::view::{Answer, Query, RunView};
use countersign::kernel::{Closed, Judgement, Question, Run, Slot};
use countersign::store::{Stored, TraceReader};
use countersign::{Host, Observer};
use countersign_audit::backtest::{Options, backtest};
use countersign_scenario::{RunOptions, Scenario};
use countersign_tests::recordings;
use countersign_tests::root;

use super::gateway;

/// One run: its judgements in order with what they answer, and what its view said after each frame.
#[derive(Debug, Default)]
pub struct Watched {
    pub judgements: Vec<(Arc<Question>, Judgement)>,
    /// Frames, and by reading those in which it said something.
    pub frames: u64,
    pub said: BTreeMap<&'static str, u64>,
}

impl Observer for Watched {
    fn frame(&mut self, run: &Run, closed: &Closed) {
        self.judgements.extend(closed.questions.iter().cloned().zip(closed.frame.judgements.iter().cloned()));
        self.frames += 1;
        let mut queries = queries(run);
        queries.retain(|query| run.view().read(query).as_ref().is_some_and(says));
        // Once a frame, however many facts there are.
        for reading in queries.iter().map(reading).collect::<BTreeSet<_>>() {
            *self.said.entry(reading).or_default() += 1;
        }
    }
}

/// Every question that a policy may ask of a run.
fn queries(run: &Run) -> Vec<Query> {
    let facts = run.manifest().tools.iter().map(|tool| Query::Fact(tool.name.to_string()));
    let fixed = [
        Query::Goal,
        Query::StepIndex,
        Query::Phase,
        Query::Budget(Dimension::Steps),
        Query::Budget(Dimension::ToolCalls),
        Query::RecentSteps(32),
        Query::Boundary,
    ];
    fixed.into_iter().chain(facts).collect()
}

/// The reading that a question belongs to, as the contract names it.
pub fn reading(query: &Query) -> &'static str {
    match query {
        Query::Goal => "goal",
        Query::StepIndex => "step-index",
        Query::Phase => "current-phase",
        Query::Budget(_) => "budget",
        Query::RecentSteps(_) => "recent-steps",
        Query::Fact(_) => "fact",
        Query::Boundary => "boundary",
    }
}

fn says(answer: &Answer) -> bool {
    match answer {
        Answer::Goal(text) | Answer::Fact(text) => text.as_ref().is_some_and(|text| !text.is_empty()),
        Answer::StepIndex(index) => index.is_some(),
        Answer::Phase(phase) => phase.is_some(),
        Answer::Budget(line) => line.is_some(),
        Answer::RecentSteps(steps) => steps.as_ref().is_some_and(|steps| !steps.is_empty()),
        Answer::Boundary(boundary) => boundary.is_some(),
    }
}

/// Runs, by who drives them.
pub struct Material {
    /// Recorded runs, judged in every slot.
    pub recorded: Vec<Watched>,
    /// Scenarios, driven by the host.
    pub loops: Vec<Watched>,
    /// Scenarios by an agent that owns its loop.
    pub own_loops: Vec<Watched>,
    /// An agent behind the gateway.
    pub gateway: Vec<Watched>,
}

impl Material {
    pub fn gather(host: &Host) -> Result<Self> {
        let scenarios = scenarios()?;
        let by_agent: Vec<PathBuf> =
            scenarios.iter().filter(|(_, by_agent)| *by_agent).map(|(path, _)| path.clone()).collect();
        let paths: Vec<PathBuf> = scenarios.into_iter().map(|(path, _)| path).collect();
        Ok(Material {
            recorded: recorded(host)?,
            loops: each(&paths, |scenario, watched| {
                scenario.run(host, RunOptions::default(), watched).map(drop).map_err(Into::into)
            })?,
            own_loops: each(&by_agent, |scenario, watched| {
                scenario.run_by_agent_watched(host, watched).map(drop).map_err(Into::into)
            })?,
            gateway: vec![gateway::session()?],
        })
    }

    /// Everything but the recordings.
    pub fn live(&self) -> impl Iterator<Item = &Watched> {
        self.loops.iter().chain(&self.own_loops).chain(&self.gateway)
    }

    /// Everything.
    pub fn all(&self) -> impl Iterator<Item = &Watched> {
        self.recorded.iter().chain(self.live())
    }
}

/// The scenarios that run with the default bundle, in order, and whether an agent can run them.
fn scenarios() -> Result<Vec<(PathBuf, bool)>> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "shared") {
                below(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut paths = Vec::new();
    below(&root().join("tests/scenarios"), &mut paths)?;
    paths.sort();
    let mut scenarios = Vec::new();
    for path in paths {
        let scenario = Scenario::load(&path)?;
        if scenario.bundle().is_none() {
            scenarios.push((path, scenario.by_agent()));
        }
    }
    Ok(scenarios)
}

/// Runs scenarios beside each other; what was seen of them, in their order.
fn each(paths: &[PathBuf], run: impl Fn(&Scenario, &mut Watched) -> Result<()> + Sync) -> Result<Vec<Watched>> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut seen = Vec::new();
        while let Some((index, path)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            paths.get(index).map(|path| (index, path))
        } {
            let mut watched = Watched::default();
            let ran = Scenario::load(path).map_err(Into::into).and_then(|scenario| run(&scenario, &mut watched));
            seen.push((index, ran.with_context(|| path.display().to_string()).map(|()| watched)));
        }
        seen
    };
    let mut seen = std::thread::scope(|scope| -> Result<Vec<_>> {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut seen = Vec::new();
        for thread in threads {
            let Ok(of_thread) = thread.join() else { bail!("a scenario panicked") };
            seen.extend(of_thread);
        }
        Ok(seen)
    })?;
    seen.sort_by_key(|(index, _)| *index);
    seen.into_iter().map(|(_, watched)| watched).collect()
}

/// The committed recordings, judged in every slot that they hold something for.
fn recorded(host: &Host) -> Result<Vec<Watched>> {
    let folder = tempfile::tempdir()?;
    let options = Options { out: Some(folder.path().to_owned()), slots: Slot::ALL.to_vec(), ..Options::default() };
    backtest(host, &[recordings::sample()], &options, &mut |_| {})?;
    let mut traces: Vec<PathBuf> = std::fs::read_dir(folder.path())?.flatten().map(|entry| entry.path()).collect();
    traces.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    // What was made of them lies beside them.
    traces.retain(|path| path.file_name().is_some_and(|name| name != "adaptation.jsonl"));
    traces.sort();
    traces.iter().map(|path| watch(path)).collect()
}

/// Reads a trace back.
pub fn watch(path: &Path) -> Result<Watched> {
    let mut reader = TraceReader::new(path.display().to_string(), BufReader::new(std::fs::File::open(path)?));
    let Some(Stored::Manifest(manifest)) = reader.read()? else { bail!("`{}` has no manifest", path.display()) };
    let mut run = Run::open(Arc::new(manifest))?;
    let mut watched = Watched::default();
    while let Some(stored) = reader.read()? {
        let Stored::Frame(frame) = stored else { continue };
        let closed = run.fold(&frame)?;
        watched.frame(&run, &closed);
    }
    Ok(watched)
}
