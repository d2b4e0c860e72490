//! Whether a side stream tells of the trace that it lies beside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::{Event, Frame, Slot};
use countersign_spec::Manifest;
use countersign_store::{ChainReader, RunStore, ShadowError, ShadowRecord, Stored, TraceReader};

/// What a slot is said to have answered; none where it is empty.
type Counted = (Slot, Option<Verdict>);

/// What a side stream says of its trace.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Ids of runs, each with the digest of its lock.
    runs: BTreeSet<(Arc<str>, Arc<str>)>,
    /// By frame: to which entry it was told what counted.
    frames: BTreeMap<u64, Vec<(Arc<str>, Counted)>>,
}

impl Claims {
    pub fn hear(&mut self, record: &ShadowRecord) {
        match record {
            ShadowRecord::Began(began) => {
                self.runs.insert((Arc::clone(&began.run), Arc::clone(&began.lock)));
            }
            ShadowRecord::Judged(judged) => {
                let claim = (Arc::clone(&judged.entry), (judged.slot, judged.enforced));
                self.frames.entry(judged.frame).or_default().push(claim);
            }
            ShadowRecord::Ended(_) => {}
        }
    }

    /// Compares with the record of the run in its store.
    pub fn check_run(mut self, store: &dyn RunStore, run: &str) -> Result<(), ShadowError> {
        let refused = |problem: String| ShadowError::OfAnother {
            file: format!("what was said in shadow of {run}"),
            trace: run.to_owned(),
            problem,
        };
        let reader = store.read(run).map_err(|error| refused(error.to_string()))?;
        let (mut chain, mut done) = (ChainReader::new(run), Ok(()));
        let read = reader.read_from(0, &mut |line| {
            done = chain.take(line).map_err(|error| error.to_string()).and_then(|stored| match stored {
                Stored::Manifest(manifest) => self.begun(&manifest),
                Stored::Frame(frame) => self.took_place(&frame),
            });
            if done.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        read.map_err(|error| refused(error.to_string()))?;
        done.map_err(refused)?;
        // What is said of a frame that is being appended may be there before it.
        match self.frames.first_key_value() {
            Some((frame, _)) if chain.is_complete() => Err(refused(format!("it has no frame {frame}"))),
            _ => Ok(()),
        }
    }

    /// Compares with the trace. A side stream alone is believed.
    pub fn check(mut self, side_stream: &Path) -> Result<(), ShadowError> {
        let Some(Beside { trace, open }) = beside(side_stream) else { return Ok(()) };
        let refused = |problem: String| ShadowError::OfAnother {
            file: side_stream.display().to_string(),
            trace: trace.display().to_string(),
            problem,
        };
        let file = File::open(&trace).map_err(|error| refused(error.to_string()))?;
        let mut reader = TraceReader::new(trace.display().to_string(), BufReader::new(file));
        while let Some(stored) = reader.read().map_err(|error| refused(error.to_string()))? {
            match stored {
                Stored::Manifest(manifest) => self.begun(&manifest).map_err(refused)?,
                Stored::Frame(frame) => self.took_place(&frame).map_err(refused)?,
            }
        }
        match self.frames.first_key_value() {
            // What a trace that is still being written holds may not all have reached the file.
            Some((frame, _)) if !open || *frame < reader.frames() => Err(refused(format!("it has no frame {frame}"))),
            _ => Ok(()),
        }
    }

    fn begun(&self, manifest: &Manifest) -> Result<(), String> {
        for (run, lock) in &self.runs {
            if *run != manifest.run {
                return Err(format!("it is of the run {run}, the trace of {}", manifest.run));
            }
            if *lock != manifest.lock {
                return Err(format!("it is of the lock {lock}, the trace of {}", manifest.lock));
            }
        }
        Ok(())
    }

    /// Each entry can have heard as often what counted as the frame says it.
    fn took_place(&mut self, frame: &Frame) -> Result<(), String> {
        let Some(claims) = self.frames.remove(&frame.frame) else { return Ok(()) };
        let counted: Vec<Counted> = frame.events.iter().filter_map(counted).collect();
        for (at, claim) in claims.iter().enumerate() {
            let before = claims[..at].iter().filter(|other| *other == claim).count();
            let (entry, (slot, verdict)) = claim;
            if counted.iter().filter(|said| **said == claim.1).count() <= before {
                let said = verdict.map_or_else(|| "nobody".to_owned(), |verdict| format!("`{verdict}`"));
                return Err(format!(
                    "in frame {} it has not {said} of the slot {slot}, as `{entry}` heard",
                    frame.frame
                ));
            }
        }
        Ok(())
    }
}

fn counted(event: &Event) -> Option<Counted> {
    match event {
        Event::Verdict { slot, verdict, .. } => Some((*slot, Some(*verdict))),
        Event::NotJudged { slot } => Some((*slot, None)),
        _ => None,
    }
}

/// A trace beside a side stream.
struct Beside {
    trace: PathBuf,
    /// It is still being written, or was when its process was lost.
    open: bool,
}

fn beside(side_stream: &Path) -> Option<Beside> {
    let trace = side_stream.with_extension("");
    if trace.is_file() {
        return Some(Beside { trace, open: false });
    }
    let mut name = trace.into_os_string();
    name.push(".open");
    Some(Beside { trace: name.into(), open: true }).filter(|beside| beside.trace.is_file())
}
