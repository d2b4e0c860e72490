//! False alarms: what recorded runs that went well would have met behind the gateway.
//!
//! Each call of such a run is proposed, and what the recording has of it is handed in as its result, by the very path
//! that a call takes behind the gateway: the run's boundary and budgets, the host's rules, every policy of the bundle,
//! approvals and redaction. What waits for a person is approved, as it would have been: the run went well. What is
//! refused is not made; the recorded run goes on all the same.

mod judged;
mod report;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use countersign::Host;
use countersign::deployment::Deployment;
use countersign::session::SessionError;
use countersign::settings::SettingsError;
use countersign_store::SharedStore;
use countersign_store::memory::MemoryStore;

use crate::recording::{Header, Readout, Recording, RecordingError, Recordings, Step, UsedTools, Visit, Went};
use judged::Judged;
use report::Counts;

pub use report::{Example, Figures, Met, Reason, Report};

/// What the servers of recorded tools are taken to have said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Told {
    /// Nothing: such tools may do anything.
    #[default]
    Nothing,
    /// That those only read whose names say so.
    Reads,
}

/// Settings of a measurement.
#[derive(Debug, Clone)]
pub struct Options {
    /// What holds for the runs, and what the operator says of tools.
    pub deployment: Deployment,
    /// What servers are taken to have said.
    pub told: Told,
    /// Judge runs that did not go well too. Those that were attacked are left out all the same.
    pub every_outcome: bool,
}

/// A measurement that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AlarmsError {
    /// A preset.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A run cannot be judged.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What is said of a tool makes no sense.
    #[error("{problem}")]
    Tools {
        /// The key, and what was expected.
        problem: String,
    },
}

/// Judges the runs of recordings that went well. `progress` is told the number of runs judged so far.
///
/// # Errors
/// A recording that was named alone and has no form that is known, has no run or breaks off as a file; several, of which
/// none can be read.
pub fn alarms(
    host: &Host,
    recordings: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, AlarmsError> {
    let mut report = Report { bundle: host.bundle().digest().to_string(), ..Report::default() };
    let mut counts = Counts::default();
    let mut recordings = Recordings::of(recordings)?;
    for found in recordings.found.clone() {
        let mut used = UsedTools::default();
        if let Err(error) = Recording::open(&found.path).and_then(|recording| recording.read(&mut used)) {
            recordings.leave_out(&found, error)?;
            continue;
        }
        let before = std::mem::take(&mut counts.figures);
        let mut measuring = Measuring {
            host,
            options,
            recording: found.name.clone(),
            labelled: used.went.iter().flatten().any(|went| *went != Went::Unsaid),
            used,
            index: 0,
            live: None,
            counts: &mut counts,
            judged: before.runs,
            progress,
            failure: None,
        };
        let read = Recording::open(&found.path)?.read(&mut measuring);
        if let Some(failure) = measuring.failure.take() {
            return Err(failure);
        }
        report.recordings.push(Readout { name: found.name, ..read? });
        let own = std::mem::replace(&mut counts.figures, before);
        counts.figures.add(&own);
        report.by_recording.push(own);
    }
    report.not_read = recordings.end(report.recordings.len())?;
    report.all = counts.figures.clone();
    report.reasons = counts.reasons();
    Ok(report)
}

/// The runs of a recording, one after the other.
struct Measuring<'a> {
    host: &'a Host,
    options: &'a Options,
    recording: String,
    used: UsedTools,
    /// It says of some runs how they went.
    labelled: bool,
    index: usize,
    live: Option<Judged>,
    counts: &'a mut Counts,
    /// Runs of the recordings before this one.
    judged: u64,
    progress: &'a mut dyn FnMut(u64),
    failure: Option<AlarmsError>,
}

impl Visit for Measuring<'_> {
    fn begin(&mut self, _: &Header) -> Result<(), String> {
        let went = self.used.went.get(self.index).copied().flatten();
        let figures = &mut self.counts.figures;
        let judged = match went {
            Some(Went::Well) => true,
            Some(Went::Unsaid) if !self.labelled => {
                figures.unsaid += 1;
                true
            }
            Some(Went::Unsaid) if self.options.every_outcome => true,
            Some(Went::Unsaid) => {
                figures.unlabelled += 1;
                false
            }
            Some(Went::Badly) if self.options.every_outcome => true,
            Some(Went::Badly) => {
                figures.went_badly += 1;
                false
            }
            Some(Went::Attacked) => {
                figures.attacked += 1;
                false
            }
            // It cannot be read to its end, and is named where it is left out.
            None => false,
        };
        self.live = None;
        if judged {
            figures.runs += 1;
            let live = self.open();
            self.live = Some(self.kept(live)?);
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        // Behind the gateway nobody hears what the agent says and is told.
        let (Some(live), Step::Call(call, returned)) = (&mut self.live, step) else { return Ok(()) };
        let arguments = serde_json::Value::Object(call.arguments.clone()).to_string();
        let example = Example::new(&self.recording, self.index as u64, 0, &call.tool, &arguments);
        let judged = live.call(&call, returned.as_ref(), example, self.counts);
        self.kept(judged.map_err(AlarmsError::from))
    }

    fn end(&mut self, _: &Header) -> Result<(), String> {
        if let Some(live) = self.live.take() {
            live.end(self.counts);
            (self.progress)(self.judged + self.counts.figures.runs);
        }
        self.index += 1;
        Ok(())
    }

    fn abandon(&mut self) {
        self.live = None;
        self.index += 1;
    }
}

impl Measuring<'_> {
    fn kept<T>(&mut self, result: Result<T, AlarmsError>) -> Result<T, String> {
        result.map_err(|error| {
            let text = error.to_string();
            self.failure = Some(error);
            text
        })
    }

    fn open(&self) -> Result<Judged, AlarmsError> {
        let deployment = &self.options.deployment;
        let none = std::collections::BTreeSet::new();
        let used = self.used.runs.get(self.index).unwrap_or(&none);
        let registry = tools::registry(used, self.options.told, deployment.tools())?;
        let agent = deployment.only_agent();
        let mut manifest = deployment.manifest(self.host, agent, &format!("recorded-{}", self.index), &registry)?;
        manifest.seed = 0;
        manifest.started = 0;
        let store: SharedStore = Arc::new(MemoryStore::new());
        Ok(Judged::begin(self.host, &store, manifest, registry)?)
    }
}
