//! Judges recorded runs and says where it would have intervened.
//!
//! The recorded run is folded as recorded: every verdict is recorded, none changes what
//! happened. A recording says nothing of the nature of its tools and of confidence: what a tool is
//! likely to do is guessed from its name, and slots that need more are left out unless they are
//! asked for. Policies in shadow are asked with each frame, none is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::Host;
use countersign::session::{Observer, Session, SessionError};
use countersign::settings::SettingsError;
use countersign_engine::Outcome;
use countersign_kernel::contract::{CONTRACT, Tier, Verdict};
use countersign_kernel::{Answered, Closed, Event as RunEvent, Frame, Input, Run, Slot};
use countersign_models::templates_digest;
use countersign_spec::budget::Limits;
use countersign_spec::{
    Driver, EscalationRules, Goal, HostRules, KERNEL_RULES, Manifest, Mode, Model, Source, TRACE_FORMAT,
};
use countersign_store::memory::MemoryStore;
use countersign_store::trace::{TransferError, beside, export};
use countersign_store::{ShadowError, SharedStore, Side};
use countersign_tools::redact::Salt;
use countersign_tools::{Readers, write_atomically};
use serde::Serialize;

use crate::adaptation::{AdaptationFile, FILE, Triple, Triples, WriteError};
use crate::recording::{
    Adapter, Envelope, Found, Header, NotRead, Problem, Readout, Recording, RecordingError, Recordings, Step,
    UsedTools, Visit, tools,
};
use crate::shadow;

/// Settings of a backtest.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tell policies the step index and the recorded caps.
    pub show_budget: bool,
    /// Write a trace of each run into this folder, and one adaptation log of all.
    pub out: Option<PathBuf>,
    /// Slots to judge.
    pub slots: Vec<Slot>,
}

impl Default for Options {
    fn default() -> Self {
        Options { show_budget: false, out: None, slots: vec![Slot::Classifier, Slot::DoomLoop] }
    }
}

/// What a backtest found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Digest of the bundle's lock.
    pub bundle: String,
    /// The recordings in their order: which form each has, and what was left out.
    pub recordings: Vec<Readout>,
    /// Files that are no recordings that can be read, and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<NotRead>,
    /// Runs judged.
    pub runs: u64,
    /// Steps judged: model calls.
    pub steps: u64,
    /// Calls of policies.
    pub judgements: u64,
    /// Calls of policies that could not decide.
    pub undecided: u64,
    /// One for each recorded outcome, most runs first.
    pub outcomes: Vec<OutcomeRow>,
    /// One for each slot that was judged: how often it would have intervened.
    pub slots: Vec<SlotRow>,
    /// Runs in which it would have intervened, in the order of the recordings: the first time each.
    pub interventions: Vec<Intervention>,
    /// What the policies in shadow would have said; none where the bundle has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<shadow::Report>,
}

/// Runs with the same recorded outcome.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutcomeRow {
    /// In the recorder's words.
    pub outcome: String,
    /// Runs.
    pub runs: u64,
    /// Of these, runs in which a judged slot would have intervened.
    pub tripped: u64,
    /// Steps of the tripped runs.
    pub steps: u64,
    /// Median step of the first intervention, counted from 1; none without one.
    pub first_intervention: Option<u64>,
    /// Steps after the first intervention, over all tripped runs.
    pub steps_after: u64,
    /// Recorded cost of these, in micro-dollars; none where no recording of such a run says what it has cost.
    pub cost_after: Option<u64>,
}

/// How often a slot would have intervened: said more than `notify`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SlotRow {
    /// The slot.
    pub slot: Slot,
    /// Interventions.
    pub interventions: u64,
    /// Runs with one.
    pub runs: u64,
    /// Interventions by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// What was seen the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The run that was counted last.
    #[serde(skip)]
    last: Option<u64>,
}

impl SlotRow {
    fn new(slot: Slot) -> Self {
        SlotRow { slot, interventions: 0, runs: 0, verdicts: BTreeMap::new(), example: None, last: None }
    }
}

/// A run in which it would have intervened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Intervention {
    /// The recording: its file's name, and as much of its path as tells it from the others.
    pub recording: String,
    /// Position in it, from 0.
    pub run: u64,
    /// Which task.
    pub task: String,
    /// Which model.
    pub model: String,
    /// The recorded outcome.
    pub outcome: String,
    /// Step of the intervention, counted from 1.
    pub step: u64,
    /// Steps of the run.
    pub steps: u64,
    /// The slot.
    pub slot: Slot,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, by the contract's name for a trip of the loop detector; else the verdict.
    pub reason: String,
    /// What was seen.
    pub evidence: String,
    /// Recorded cost after it, in micro-dollars; none where the recording does not say it.
    pub cost_after: Option<u64>,
}

/// A backtest that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A preset.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A trace cannot be written.
    #[error(transparent)]
    Store(#[from] WriteError),
    /// A trace cannot be written to its file.
    #[error(transparent)]
    Export(#[from] TransferError),
    /// A run cannot be judged.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What the shadow policies said cannot be read back.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// A folder cannot be made.
    #[error("`{}`: {source}", path.display())]
    Folder {
        /// The file or folder, as it was named.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Judges the runs of recordings. `progress` is told the number of runs judged so far. What of a recording cannot be
/// read is left out and named in the report.
///
/// # Errors
/// A recording that was named alone and has no form that is known, has no run or breaks off as a file; several, of which
/// none can be read.
pub fn backtest(
    host: &Host,
    recordings: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, BacktestError> {
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder).map_err(|source| BacktestError::Folder { path: folder.clone(), source })?;
    }
    let salt = salt_of(options.out.as_deref())?;
    let envelope = Envelope::new()?;
    let mut log = options.out.as_ref().map(|out| AdaptationFile::create(&out.join(FILE))).transpose()?;
    let mut report = Report { bundle: host.bundle().digest().to_string(), ..Report::default() };
    report.slots = Slot::ALL.into_iter().filter(|slot| options.slots.contains(slot)).map(SlotRow::new).collect();
    report.shadow = host.bundle().shadows().next().map(|_| shadow::Report::default());
    let mut recordings = Recordings::of(recordings)?;
    for found in recordings.found.clone() {
        // A run is pinned to its tools before its first step, and only its last step tells the last of them.
        let mut used = UsedTools::default();
        if let Err(error) = Recording::open(&found.path).and_then(|recording| recording.read(&mut used)) {
            recordings.leave_out(&found, error)?;
            continue;
        }
        let mut judging = Judging {
            host,
            options,
            found: &found,
            index: 0,
            used: used.runs,
            salt,
            envelope: &envelope,
            live: None,
            log: &mut log,
            report: &mut report,
            progress,
            failure: None,
        };
        let read = Recording::open(&found.path)?.read(&mut judging);
        if let Some(failure) = judging.failure.take() {
            return Err(failure);
        }
        report.recordings.push(Readout { name: found.name, ..read? });
    }
    report.not_read = recordings.end(report.recordings.len())?;
    log.map_or(Ok(()), AdaptationFile::finish)?;
    for row in &mut report.outcomes {
        let mut steps: Vec<u64> =
            report.interventions.iter().filter(|found| found.outcome == row.outcome).map(|found| found.step).collect();
        steps.sort_unstable();
        row.first_intervention = steps.get(steps.len() / 2).copied();
    }
    report.outcomes.sort_by(|a, b| b.runs.cmp(&a.runs).then_with(|| a.outcome.cmp(&b.outcome)));
    Ok(report)
}

/// The salt of a folder of traces: judging the same recording into the same folder gives the same
/// bytes.
fn salt_of(folder: Option<&Path>) -> Result<Salt, BacktestError> {
    let path = folder.map(|folder| folder.join("salt"));
    let failed = |source| BacktestError::Folder { path: path.clone().unwrap_or_default(), source };
    let known = path.as_ref().and_then(|path| std::fs::read(path).ok());
    if let Some(salt) = known.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()) {
        return Ok(Salt(salt));
    }
    let salt = Salt::random().map_err(failed)?;
    path.as_ref().map_or(Ok(()), |path| write_atomically(path, &salt.0, Readers::Owner)).map_err(failed)?;
    Ok(salt)
}

/// The runs of a recording being judged, one after the other.
struct Judging<'a> {
    host: &'a Host,
    options: &'a Options,
    found: &'a Found,
    /// Position of the run, from 0.
    index: u64,
    /// Tools by run.
    used: Vec<BTreeSet<String>>,
    salt: Salt,
    envelope: &'a Envelope,
    live: Option<Live>,
    /// The adaptation log of the folder; none where no traces are kept.
    log: &'a mut Option<AdaptationFile>,
    report: &'a mut Report,
    progress: &'a mut dyn FnMut(u64),
    /// An error that is not the recording's.
    failure: Option<BacktestError>,
}

struct Live {
    session: Session,
    store: SharedStore,
    /// Name of its trace among those of the recordings.
    name: String,
    triples: Triples,
    adapter: Adapter,
    inputs: Vec<(u64, Input)>,
    first: Option<First>,
    /// How often each slot would have intervened.
    slots: Vec<SlotRow>,
    /// What the adaptation log is told once the run is whole.
    known: Vec<Triple>,
    judgements: u64,
    undecided: u64,
}

impl Live {
    /// Writes the trace into a folder, and takes what was said in shadow into a report.
    fn finish(&mut self, folder: Option<&Path>, shadow: Option<&mut shadow::Report>) -> Result<(), BacktestError> {
        self.session.put_away()?;
        let id = &self.session.run().manifest().run;
        if let Some(folder) = folder {
            let trace = folder.join(&self.name);
            // Judged into this folder once more: its own traces are replaced.
            for old in [trace.clone(), beside(&trace, Side::Log), beside(&trace, Side::Shadow)] {
                match std::fs::remove_file(&old) {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(BacktestError::Folder { path: old, source });
                    }
                    _ => {}
                }
            }
            export(&*self.store, id, &trace)?;
        }
        // It was written here and now: nothing is to be checked.
        shadow.map_or(Ok(()), |report| Ok(report.add_unchecked(&*self.store, id)?))
    }
}

/// The first intervention of a run.
struct First {
    step: u64,
    cost: u64,
    slot: Slot,
    verdict: Verdict,
    reason: String,
    evidence: String,
}

impl Visit for Judging<'_> {
    fn begin(&mut self, header: &Header) -> Result<(), String> {
        let live = self.open(header);
        self.live = Some(self.kept(live)?);
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        let Some(live) = &mut self.live else { return Ok(()) };
        live.adapter.step(step, &mut live.inputs);
        self.judge()
    }

    fn end(&mut self, header: &Header) -> Result<(), String> {
        let Some(live) = &mut self.live else { return Ok(()) };
        live.adapter.end(header.code, &mut live.inputs);
        self.judge()?;
        let Some(mut live) = self.live.take() else { return Ok(()) };
        let finished = live.finish(self.options.out.as_deref(), self.report.shadow.as_mut());
        self.kept(finished)?;
        self.count(header, &live);
        if let Some(log) = &mut *self.log {
            let rest = live.triples.finish();
            let written = live.known.iter().chain(&rest).try_for_each(|triple| log.write(triple));
            self.kept(written.map_err(BacktestError::from))?;
        }
        self.index += 1;
        (self.progress)(self.report.runs);
        Ok(())
    }

    fn abandon(&mut self) {
        self.live = None;
        self.index += 1;
    }
}

impl Judging<'_> {
    /// Keeps an error that the reader of recordings knows nothing of.
    fn kept<T>(&mut self, result: Result<T, BacktestError>) -> Result<T, String> {
        result.map_err(|error| {
            let text = error.to_string();
            self.failure = Some(error);
            text
        })
    }

    fn open(&self, header: &Header) -> Result<Live, BacktestError> {
        let manifest = self.manifest(header);
        let name = format!("{}-{:06}.jsonl", self.found.stem, self.index);
        let store: SharedStore = Arc::new(MemoryStore::new());
        let triples = Triples::new(Arc::new(manifest.clone()));
        let recorded = Session::recorded(self.host, &store, manifest, self.salt, &self.options.slots);
        let session = recorded.map_err(|error| match error {
            SessionError::Manifest(error) => {
                let (file, problem) = (self.found.path.display().to_string(), error.to_string());
                let problem = Problem { file, line: None, run: self.index, element: None, problem };
                RecordingError::Malformed { problem }.into()
            }
            error => BacktestError::from(error),
        })?;
        Ok(Live {
            session,
            store,
            name,
            triples,
            adapter: Adapter::new(self.salt),
            inputs: vec![(0, Input::Started)],
            first: None,
            slots: self.report.slots.iter().map(|row| SlotRow::new(row.slot)).collect(),
            known: Vec::new(),
            judgements: 0,
            undecided: 0,
        })
    }

    fn manifest(&self, header: &Header) -> Manifest {
        let bundle = self.host.bundle();
        let mut entries = bundle.pins();
        for entry in &mut entries {
            // Nobody has said what the run is for: there is nothing to classify.
            let asked = |slot| slot != Slot::Classifier || !header.task.trim().is_empty();
            entry.slots.retain(|pin| self.options.slots.contains(&pin.slot) && asked(pin.slot));
        }
        entries.retain(|entry| !entry.slots.is_empty());
        let tools =
            usize::try_from(self.index).ok().and_then(|index| self.used.get(index)).map(tools).unwrap_or_default();
        Manifest {
            format: TRACE_FORMAT,
            kernel_rules: KERNEL_RULES,
            run: format!("{}-{}", self.found.id, self.index).into(),
            tenant: None,
            agent: "recording".into(),
            started: 0,
            seed: 0,
            mode: Mode::Recorded,
            driver: Driver::Host,
            goal: Goal::new(&header.task),
            boundary: self.envelope.boundary(&tools),
            graph_digest: Arc::clone(&self.envelope.graph_digest),
            graph: Arc::clone(&self.envelope.graph),
            rules: HostRules::default(),
            ceilings: Limits::UNLIMITED,
            plan: Vec::new(),
            memory: Vec::new(),
            specialists: Vec::new(),
            reliability: None,
            past: Vec::new(),
            limits: Limits {
                steps: header.max_iterations.filter(|steps| *steps > 0).unwrap_or(u64::MAX),
                ..Limits::UNLIMITED
            },
            show_budget: self.options.show_budget,
            slot_modes: std::collections::BTreeMap::new(),
            escalation: EscalationRules { failed_attempts: 2, max_escalations: 0, table: Vec::new() },
            models: vec![Model { max_output_tokens: 0, ..Model::new(Tier::Cheap, &header.model) }],
            tools,
            request_overhead: 0,
            prompt_templates: Arc::clone(templates_digest().as_str()),
            lock: Arc::clone(bundle.digest().as_str()),
            contract: CONTRACT.into(),
            engine: Arc::clone(self.host.engine().fingerprint()),
            entries,
            approvers: Vec::new(),
            source: Some(Source {
                recording: self.found.name.clone(),
                index: self.index,
                labels: [
                    ("set", &header.set),
                    ("task", &header.task),
                    ("model", &header.model),
                    ("terminal", &header.outcome),
                ]
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .to_vec(),
            }),
        }
    }

    fn judge(&mut self) -> Result<(), String> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let mut failed = None;
        for (at, input) in std::mem::take(&mut live.inputs) {
            let mut watch = Judged {
                adapter: &live.adapter,
                triples: self.log.is_some().then_some((&mut live.triples, &mut live.known)),
                counted: (0, 0),
                first: None,
                slots: &mut live.slots,
                run: self.report.runs,
            };
            match live.session.take_recorded(at, input, &mut watch) {
                Ok(()) => {}
                Err(SessionError::Input(error)) => return Err(error.to_string()),
                Err(error) => failed = Some(error.into()),
            }
            let Judged { counted, first, .. } = watch;
            live.judgements += counted.0;
            live.undecided += counted.1;
            live.first = live.first.take().or(first);
        }
        failed.map_or(Ok(()), |error| self.kept(Err(error)))
    }

    fn count(&mut self, header: &Header, live: &Live) {
        let report = &mut *self.report;
        report.runs += 1;
        report.steps += live.adapter.steps();
        report.judgements += live.judgements;
        report.undecided += live.undecided;
        for (row, own) in report.slots.iter_mut().zip(&live.slots) {
            row.interventions += own.interventions;
            row.runs += own.runs;
            for (verdict, times) in &own.verdicts {
                *row.verdicts.entry(*verdict).or_default() += times;
            }
            row.example = row.example.take().or_else(|| own.example.clone());
        }
        let at = report.outcomes.iter().position(|row| row.outcome == header.outcome).unwrap_or_else(|| {
            report.outcomes.push(OutcomeRow { outcome: header.outcome.clone(), ..OutcomeRow::default() });
            report.outcomes.len() - 1
        });
        let row = &mut report.outcomes[at];
        row.runs += 1;
        if header.priced {
            row.cost_after.get_or_insert(0);
        }
        let Some(first) = &live.first else { return };
        let (steps, cost) = (live.adapter.steps(), live.adapter.cost());
        row.tripped += 1;
        row.steps += steps;
        row.steps_after += steps - first.step;
        let cost_after = header.priced.then(|| cost.saturating_sub(first.cost));
        if let (Some(sum), Some(cost)) = (&mut row.cost_after, cost_after) {
            *sum = sum.saturating_add(cost);
        }
        report.interventions.push(Intervention {
            recording: self.found.name.clone(),
            run: self.index,
            task: header.task.clone(),
            model: header.model.clone(),
            outcome: header.outcome.clone(),
            step: first.step,
            steps,
            slot: first.slot,
            verdict: first.verdict,
            reason: first.reason.clone(),
            evidence: first.evidence.clone(),
            cost_after,
        });
    }
}

/// Watches a recorded run being judged.
struct Judged<'a> {
    adapter: &'a Adapter,
    /// What the adaptation log is told; none where no traces are kept.
    triples: Option<(&'a mut Triples, &'a mut Vec<Triple>)>,
    /// Judgements, and those that were undecided.
    counted: (u64, u64),
    first: Option<First>,
    slots: &'a mut Vec<SlotRow>,
    run: u64,
}

impl Observer for Judged<'_> {
    fn judged(&mut self, _: &str, outcome: &Outcome, _: Duration) {
        self.counted.0 += 1;
        self.counted.1 += u64::from(outcome.failure.is_some());
    }

    fn frame(&mut self, _: &Run, closed: &Closed) {
        if let Some((triples, known)) = &mut self.triples {
            known.extend(triples.frame(closed));
        }
        for (slot, verdict, reason) in interventions(&closed.frame) {
            if let Some(row) = self.slots.iter_mut().find(|row| row.slot == slot) {
                row.interventions += 1;
                row.runs += u64::from(row.last.replace(self.run) != Some(self.run));
                *row.verdicts.entry(verdict).or_default() += 1;
                row.example.get_or_insert_with(|| reason.to_owned());
            }
            if self.first.is_none() {
                let (step, cost) = (self.adapter.steps(), self.adapter.cost());
                let evidence = reason.to_owned();
                let reason = word(&closed.frame, slot, verdict);
                self.first = Some(First { step, cost, slot, verdict, reason, evidence });
            }
        }
    }
}

/// What slots would have done in a frame, in their order.
fn interventions(frame: &Frame) -> impl Iterator<Item = (Slot, Verdict, &str)> {
    frame.events.iter().filter_map(|event| match event {
        RunEvent::WouldHave { verdict, by, reason } => {
            let slot = Slot::ALL.into_iter().find(|slot| slot.name() == &**by)?;
            Some((slot, *verdict, reason.as_str()))
        }
        _ => None,
    })
}

/// Why, in a word: the reason of a trip, the cause of an answer that could not be given, or the verdict.
fn word(frame: &Frame, slot: Slot, verdict: Verdict) -> String {
    let trip = frame.judgements.iter().find_map(|judgement| match &judgement.answer {
        Answered::DoomLoop(countersign_kernel::contract::doom_loop::Signal::Trip(trip)) if slot == Slot::DoomLoop => {
            Some(trip.reason.to_string())
        }
        Answered::Undecided(cause) => Some(format!("undecided: {}", cause.name())),
        _ => None,
    });
    trip.unwrap_or_else(|| verdict.to_string())
}
