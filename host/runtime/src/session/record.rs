//! The durable record of a run: the chain of its frames, the log they go to, and the streams beside it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use countersign_kernel::{Frame, Run, Status};
use countersign_spec::Manifest;
use countersign_store::trace::also_to_file;
use countersign_store::{
    Attributes, Chain, ChainReader, Diagnostic, Durability, FrameMark, Holder, NewRun, RunLog, RunReader, SharedStore,
    Side, SideLog, StorageError, Stored, TraceError,
};
use countersign_tools::redact::Salt;

use super::{SessionError, Stop, TakeUpError};

/// Where the frames of one run go.
#[derive(Debug)]
pub(crate) struct Record {
    log: Box<dyn RunLog>,
    chain: Chain,
    /// What policies log; opened with the first line.
    diagnostics: Option<Box<dyn SideLog>>,
    /// The side stream cannot be written; the run goes on without it.
    no_diagnostics: bool,
}

/// What was recorded of a run.
#[derive(Debug)]
pub struct Past {
    /// What the run is pinned to.
    pub manifest: Manifest,
    /// Its frames behind the manifest.
    pub frames: Vec<Frame>,
}

impl Past {
    /// Reads a run beside whoever writes it.
    ///
    /// # Errors
    /// A run that is not there, or whose record is not what was written.
    pub fn read(store: &SharedStore, run: &str) -> Result<Self, TakeUpError> {
        let reader = store.read(run)?;
        let (manifest, frames) = read(&*reader, run, &mut ChainReader::new(run))?;
        Ok(Past { manifest, frames })
    }

    /// The fold of it.
    ///
    /// # Errors
    /// A record that does not fold.
    pub fn fold(&self) -> Result<Run, SessionError> {
        let mut run = Run::open(Arc::new(self.manifest.clone()))?;
        for frame in &self.frames {
            run.fold(frame).map_err(|error| SessionError::Fold(error.to_string()))?;
        }
        Ok(run)
    }

    /// Why it stands still; none where it never did.
    pub fn stop(&self) -> Option<Stop> {
        self.frames.iter().flat_map(|frame| &frame.events).rev().find_map(Stop::of)
    }

    /// Whether nothing can follow.
    pub fn is_over(&self) -> bool {
        self.frames.last().is_some_and(Frame::is_terminal)
    }

    /// UTC milliseconds of its last frame.
    pub fn last(&self) -> u64 {
        self.manifest.started.saturating_add(self.frames.last().map_or(0, |frame| frame.at))
    }
}

impl Record {
    /// Begins the record of a run with its manifest, which is durable when this returns. With `trace` it is a file too.
    pub fn begin(
        store: &SharedStore,
        manifest: &Manifest,
        principal: Option<&str>,
        salt: &Salt,
        durability: Durability,
        trace: Option<&Path>,
    ) -> Result<Self, SessionError> {
        let chain = Chain::begin(manifest);
        let attributes = Attributes {
            tenant: manifest.tenant.clone(),
            agent: Arc::clone(&manifest.agent),
            principal: principal.map(Arc::from),
            started: manifest.started,
        };
        let new = NewRun { id: &manifest.run, manifest: chain.line(), attributes, salt: Some(salt.0) };
        let holder = Holder::this_process("countersign");
        let log = match trace {
            // Where there can be no file, nothing is begun.
            Some(trace) => {
                also_to_file(trace, durability, || Ok::<_, SessionError>(store.begin(new, &holder, durability)?))?
            }
            None => store.begin(new, &holder, durability)?,
        };
        Ok(Record { log, chain, diagnostics: None, no_diagnostics: false })
    }

    /// Takes the record of a run up, from nobody or from a process that is gone, with all that it holds.
    pub fn open(store: &SharedStore, run: &str, durability: Durability) -> Result<(Self, Past, Salt), TakeUpError> {
        let log = store.open(run, &Holder::this_process("countersign"), durability)?;
        let mut chain = ChainReader::new(run);
        let (manifest, frames) = read(&*log, run, &mut chain)?;
        let salt = log.salt()?.ok_or_else(|| TakeUpError::Salt { run: run.to_owned() })?;
        let chain = chain.into_chain().ok_or_else(|| TakeUpError::Empty { run: run.to_owned() })?;
        let record = Record { log, chain, diagnostics: None, no_diagnostics: false };
        Ok((record, Past { manifest, frames }, Salt(salt)))
    }

    /// Makes a frame part of the record.
    pub fn append(&mut self, frame: &Frame, status: Status) -> Result<(), SessionError> {
        let line = self.chain.encode(frame);
        self.log.append(frame.frame, line, FrameMark { at: frame.at, status })?;
        Ok(())
    }

    /// Waits until what was appended survives a crash of the machine.
    pub fn sync(&mut self) -> Result<(), SessionError> {
        Ok(self.log.sync()?)
    }

    /// Waits until what was appended survives a crash of this process.
    pub fn flush(&mut self) -> Result<(), SessionError> {
        Ok(self.log.flush()?)
    }

    /// Keeps what a policy logged, or why it could not decide. A help: where it cannot be kept the run goes on.
    pub fn diagnose(&mut self, diagnostic: &Diagnostic) {
        if self.no_diagnostics {
            return;
        }
        if let Err(error) = self.write_diagnostic(diagnostic) {
            tracing::warn!(run = %self.log.run(), %error, "what policies log is not kept any more");
            self.no_diagnostics = true;
        }
    }

    fn write_diagnostic(&mut self, diagnostic: &Diagnostic) -> Result<(), StorageError> {
        let side = match &mut self.diagnostics {
            Some(side) => side,
            none => none.insert(self.log.side(Side::Log)?),
        };
        side.append(&serde_json::to_vec(diagnostic).unwrap_or_default())?;
        side.flush()
    }

    /// A stream beside the record, to be written from another thread.
    pub fn side(&self, side: Side) -> Result<Box<dyn SideLog>, StorageError> {
        self.log.side(side)
    }

    /// Shows the frames recorded so far, from the first behind the manifest, until `each` has seen enough. False where
    /// they cannot be read.
    pub fn frames(&mut self, mut each: impl FnMut(Frame) -> bool) -> bool {
        if self.log.flush().is_err() {
            return false;
        }
        let (mut chain, mut whole) = (ChainReader::new(&**self.log.run()), true);
        let read = self.log.read_from(0, &mut |line| match chain.take(line) {
            Ok(Stored::Manifest(_)) => ControlFlow::Continue(()),
            Ok(Stored::Frame(frame)) => {
                whole = each(frame);
                if whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
            Err(_) => {
                whole = false;
                ControlFlow::Break(())
            }
        });
        read.is_ok() && whole
    }

    /// Makes everything safe and gives the run back.
    pub fn release(&mut self) -> Result<(), SessionError> {
        Ok(self.log.release()?)
    }
}

/// All that a run has recorded. A copy under another id is not that run: what was approved there is not done here too.
fn read(log: &dyn RunReader, run: &str, chain: &mut ChainReader) -> Result<(Manifest, Vec<Frame>), TakeUpError> {
    let (mut manifest, mut frames, mut failed) = (None, Vec::new(), None);
    log.read_from(0, &mut |line| match chain.take(line) {
        Ok(Stored::Manifest(read)) if *read.run != *run => {
            let problem = format!("it is of the run {}", read.run);
            failed = Some(TraceError::Broken { file: run.to_owned(), frame: 0, problem });
            ControlFlow::Break(())
        }
        Ok(Stored::Manifest(read)) => {
            manifest = Some(read);
            ControlFlow::Continue(())
        }
        Ok(Stored::Frame(frame)) => {
            frames.push(frame);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match (failed, manifest) {
        (Some(error), _) => Err(error.into()),
        (None, Some(manifest)) => Ok((manifest, frames)),
        (None, None) => {
            Err(TraceError::NotATrace { file: String::new(), problem: "it holds no manifest".to_owned() }.into())
        }
    }
}
