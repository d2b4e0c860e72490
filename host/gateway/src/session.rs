//! The run of a principal: begun with the first call, taken up again by the next process, over after
//! a time without calls.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::adaptation;
use countersign::guard::{Clock, GuardError, GuardedRun, Setup, write_off};
use countersign::kernel::{Boundary, Code, Event, Frame, Manifest, Run, Status, hex};
use countersign::mcp::Joined;
use countersign::registry::Registry;
use countersign::store::{Durability, FileStore, ResumeError, RunFolder, Runs, StoreError, TraceReader};
use countersign::{Host, LiveHost, Operations, Salt, utc_now};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::serve::GatewayError;

/// The run of a principal.
pub struct Session {
    live: Arc<LiveHost>,
    config: Arc<Config>,
    tools: Arc<Joined>,
    runs: Runs,
    open: Option<Open>,
}

struct Open {
    run: GuardedRun,
    folder: RunFolder,
    /// UTC milliseconds of the last call.
    last: u64,
}

/// Which runs a principal is in: the next process takes up the first that no other one has.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Pointer {
    #[serde(default)]
    runs: Vec<String>,
    /// As it was when there was one run.
    #[serde(default, skip_serializing)]
    run: Option<String>,
}

/// What became of a run that the pointer names.
enum Taken {
    Up(Box<Open>),
    /// Another process has it.
    Busy,
    /// It is over, or in nobody's way any more.
    Gone,
}

impl Session {
    pub fn new(live: Arc<LiveHost>, config: Arc<Config>, tools: Arc<Joined>) -> Self {
        let runs = config.runs();
        Session { live, config, tools, runs, open: None }
    }

    /// The run, begun or taken up where none is open, with what people have decided meanwhile.
    pub fn run(&mut self) -> Result<(&mut GuardedRun, &str), GatewayError> {
        let now = utc_now();
        // Two processes that begin at the same time would each leave the other's run out.
        let alone = self.open.is_none().then(|| self.alone()).transpose()?;
        let mut open = match self.left(now)? {
            (Some(open), _) => open,
            (None, beside) => self.begin(beside)?,
        };
        drop(alone);
        open.last = now;
        self.heard(open)
    }

    /// The same where there is a run; none is begun, and it is idle as before.
    pub fn last_run(&mut self) -> Result<Option<(&mut GuardedRun, &str)>, GatewayError> {
        match self.left(utc_now())? {
            (Some(open), _) => self.heard(open).map(Some),
            (None, _) => Ok(None),
        }
    }

    /// The open run, or what is left of the principal's; those that other processes have where there
    /// is none.
    fn left(&mut self, now: u64) -> Result<(Option<Open>, Vec<String>), GatewayError> {
        // What broke off at an error is taken up again from its trace.
        self.open.take_if(|open| open.run.is_broken());
        if self.open.as_ref().is_some_and(|open| self.is_idle(open.last, now)) {
            self.end()?;
        }
        match self.open.take() {
            Some(open) => Ok((Some(open), Vec::new())),
            None => self.take_up(now),
        }
    }

    fn heard(&mut self, mut open: Open) -> Result<(&mut GuardedRun, &str), GatewayError> {
        for (id, why) in open.run.hear(&open.folder.inbox())?.refused {
            tracing::warn!(entry = id, why, "an entry of the inbox does not fit the run");
        }
        let Open { run, folder, .. } = self.open.insert(open);
        Ok((run, &folder.id))
    }

    /// Id of the run at hand.
    pub fn id(&mut self) -> Option<String> {
        self.open.as_ref().map(|open| open.folder.id.clone())
    }

    /// The run at hand; none is begun.
    pub fn current(&mut self) -> Option<&mut GuardedRun> {
        self.open.as_mut().map(|open| &mut open.run)
    }

    /// How long until the run at hand is over for want of calls; none while none is open.
    pub fn idle_in(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        let until = open.last.saturating_add(self.config.idle_end);
        Some(Duration::from_millis(until.saturating_sub(utc_now())))
    }

    /// Ends the run at hand where it has been idle for long enough.
    pub fn end_if_idle(&mut self) -> Result<(), GatewayError> {
        if self.open.as_ref().is_some_and(|open| self.is_idle(open.last, utc_now())) {
            self.end()?;
        }
        Ok(())
    }

    /// The process ends; the next one of this principal may go on.
    pub fn leave(&mut self) -> Result<Option<String>, GatewayError> {
        let Some(open) = self.open.take() else { return Ok(None) };
        open.run.leave()?;
        log(&open.folder);
        Ok(Some(open.folder.id))
    }

    fn is_idle(&self, last: u64, now: u64) -> bool {
        now.saturating_sub(last) >= self.config.idle_end
    }

    fn end(&mut self) -> Result<(), GatewayError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        close(open.run)?;
        log(&open.folder);
        Ok(())
    }

    /// A run of its own, `beside` those that other processes have.
    fn begin(&mut self, beside: Vec<String>) -> Result<Open, GatewayError> {
        let id = id()?;
        let registry = Registry::new(&self.tools.tools);
        // What was installed since the last run is what judges this one, from its first call to its last.
        self.live.refresh();
        let host = self.live.host();
        let manifest = self.config.manifest(&host, &id, &registry)?;
        let mut operations = self.operations()?;
        // Before anything is kept of it: a refused run leaves nothing behind.
        operations.dispatch(&manifest, manifest.started).map_err(GuardError::from)?;
        let folder = self.runs.create(&id)?;
        let salt = Salt::random().map_err(|source| GatewayError::Random { source })?;
        let store = FileStore::create(&folder.trace(), &manifest, Durability::Written)?;
        write(folder.path().join("trace.jsonl.salt"), &salt.0)?;
        let setup = Setup { registry, store: Box::new(store), operations, salt, clock: Clock::Machine };
        let run = GuardedRun::begin(&host, manifest, setup)?;
        let runs = beside.into_iter().chain([id]).collect();
        let pointer = serde_json::to_vec(&Pointer { runs, run: None }).unwrap_or_default();
        let path = self.pointer();
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| StoreError { path: parent.to_owned(), source })?;
        }
        write(path, &pointer)?;
        tracing::info!(run = %folder.id, "a run begins");
        Ok(Open { run, folder, last: utc_now() })
    }

    /// The run that the principal was in, where it still is: the first that no other process has.
    /// Where there is none, those that other processes have.
    fn take_up(&mut self, now: u64) -> Result<(Option<Open>, Vec<String>), GatewayError> {
        let text = std::fs::read(self.pointer()).unwrap_or_default();
        let pointer = serde_json::from_slice(&text).unwrap_or_else(|error| {
            if !text.is_empty() {
                tracing::warn!(%error, "which runs the principal is in cannot be read; another one begins");
            }
            Pointer::default()
        });
        let mut busy = Vec::new();
        for run in pointer.runs.into_iter().chain(pointer.run) {
            match self.take(&run, now)? {
                Taken::Up(open) => return Ok((Some(*open), Vec::new())),
                Taken::Busy => busy.push(run),
                Taken::Gone => {}
            }
        }
        // Another process is no way around what stops the first one.
        for run in &busy {
            if let Some(why) = self.barred(run, now)? {
                return Err(GatewayError::Barred { run: run.clone(), why });
            }
        }
        Ok((None, busy))
    }

    /// Why a run that another process has lets nobody begin another one: it is over and not yet idle,
    /// or was told to stop and has not reported.
    fn barred(&self, run: &str, now: u64) -> Result<Option<String>, GatewayError> {
        let Some(folder) = self.runs.find(run)?.filter(|folder| folder.id == run) else { return Ok(None) };
        let path = folder.readable_trace();
        let Ok(file) = std::fs::File::open(&path) else { return Ok(None) };
        let mut reader = TraceReader::new(path.display().to_string(), std::io::BufReader::new(file));
        let run = match reader.fold(|_, _| {}) {
            Ok((run, _)) => run,
            Err(error) => {
                tracing::warn!(run, %error, "the run of another process cannot be read");
                return Ok(None);
            }
        };
        if self.is_idle(run.manifest().started.saturating_add(run.at()), now) {
            return Ok(None);
        }
        Ok(match (run.status(), run.held()) {
            (Status::Ended(code), _) => Some(format!("is over with {code}")),
            (Status::Suspended(code), _) => Some(format!("waits for a person ({code})")),
            (_, Some(hold)) => Some(format!("was told to stop and has not reported yet ({})", hold.reason)),
            _ => None,
        })
    }

    /// A run, where the principal still is in it: not over, not idle, pinned to the very same but
    /// perhaps to an earlier bundle, and no other process has it.
    fn take(&mut self, run: &str, now: u64) -> Result<Taken, GatewayError> {
        let Some(folder) = self.runs.find(run)?.filter(|folder| folder.id == run) else { return Ok(Taken::Gone) };
        let salt = std::fs::read(folder.path().join("trace.jsonl.salt")).ok();
        let Some(salt) = salt.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else { return Ok(Taken::Gone) };
        let (mut store, manifest, frames) = match FileStore::resume(&folder.trace(), Durability::Written) {
            Ok(resumed) => resumed,
            // Two processes of one principal are two runs.
            Err(ResumeError::Busy { .. }) => return Ok(Taken::Busy),
            Err(error) => {
                tracing::warn!(run, %error, "the last run cannot be taken up; another one begins");
                return Ok(Taken::Gone);
            }
        };
        // One that is over stays over until it has been idle: to start anew is no way around it.
        let ended = over(&frames);
        let bundle = Arc::clone(&manifest.lock);
        let host = self.live.host_for(&bundle).unwrap_or_else(|error| {
            tracing::warn!(run, %bundle, %error, "the last run's bundle does not load any more");
            None
        });
        let Some(host) = host else {
            tracing::warn!(run, %bundle, "the last run's bundle cannot be had here; it is ended, another one begins");
            if let Err(error) = write_off(manifest, &frames, &mut store, code) {
                tracing::warn!(run, %error, "the last run cannot be ended");
            }
            return Ok(Taken::Gone);
        };
        let registry = Registry::new(&self.tools.tools);
        let same = self.is_pinned(&host, &manifest, &registry)?;
        let last = manifest.started.saturating_add(frames.last().map_or(0, |frame| frame.at));
        // What a server lists now is no way around what stops the run; what its operator has changed is.
        if !same
            && self.is_pinned_but_for_tools(&host, &manifest)?
            && let Some(why) = self.barred(run, now)?
        {
            return Err(GatewayError::Barred { run: folder.id, why });
        }
        let setup = Setup {
            registry,
            store: Box::new(store),
            operations: self.operations()?,
            salt: Salt(salt),
            clock: Clock::Machine,
        };
        let taken = GuardedRun::resume(&host, manifest, &frames, setup);
        let run = match taken {
            Ok(run) => run,
            // One that has been idle for long enough is in nobody's way: the next one may have other policies.
            Err(error @ GuardError::NotDispatched(_)) if !self.is_idle(last, now) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(run, %error, "the last run cannot be taken up; another one begins");
                return Ok(Taken::Gone);
            }
        };
        if !same || self.is_idle(last, now) {
            if ended {
                run.leave()?
            } else {
                close(run)?
            };
            log(&folder);
            return Ok(Taken::Gone);
        }
        tracing::info!(run = %folder.id, "the run is taken up again");
        Ok(Taken::Up(Box::new(Open { run, folder, last })))
    }

    /// Whether a run is pinned to what this process would pin one to, by the run's own bundle.
    fn is_pinned(&self, host: &Host, manifest: &Manifest, registry: &Registry) -> Result<bool, GatewayError> {
        let now = self.config.manifest(host, &manifest.run, registry)?;
        Ok(Manifest { seed: manifest.seed, started: manifest.started, ..now } == *manifest)
    }

    /// The same of everything that the operator says.
    fn is_pinned_but_for_tools(&self, host: &Host, manifest: &Manifest) -> Result<bool, GatewayError> {
        let now = self.config.manifest(host, &manifest.run, &Registry::new(&self.tools.tools))?;
        // Its digest is over the tools too.
        let (listed, digest) = (manifest.boundary.tools.clone(), Arc::clone(&manifest.boundary.digest));
        let boundary = Boundary { tools: listed, digest, ..now.boundary.clone() };
        let (tools, seed, started) = (manifest.tools.clone(), manifest.seed, manifest.started);
        Ok(Manifest { boundary, tools, seed, started, ..now } == *manifest)
    }

    fn operations(&self) -> Result<Operations, GatewayError> {
        std::fs::create_dir_all(self.runs.folder())
            .map_err(|source| StoreError { path: self.runs.folder().to_owned(), source })?;
        Ok(Operations::new(&self.config.operator, None, self.runs.folder())?)
    }

    /// Held while the pointer is read and written anew. Where a file system knows no locks nobody waits.
    fn alone(&self) -> Result<File, GatewayError> {
        let pointer = self.pointer();
        let name = pointer.file_stem().unwrap_or_default().to_string_lossy();
        let path = pointer.with_file_name(format!(".{name}.lock"));
        let failed = |source| StoreError { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let _ = file.lock();
        Ok(file)
    }

    fn pointer(&self) -> PathBuf {
        // A name for files: two principals never share one, whatever the file system does to case.
        let digest = Sha256::digest(self.config.principal.as_bytes());
        self.runs.folder().join("principals").join(format!("{}.json", hex(&digest[..8])))
    }
}

/// The agent is gone.
fn close(run: GuardedRun) -> Result<Status, GuardError> {
    let code = code(run.run());
    run.close(code)
}

/// What a run ends with whose agent is gone. What waits for a person says so in the code; nobody here
/// knows whether the agent's own goal was reached, so a success is an unverified one.
fn code(run: &Run) -> Code {
    match run.status() {
        Status::Suspended(code) => code,
        _ if run.parked().next().is_some() => Code::ConfirmRequired,
        // It was told to stop and has not reported.
        _ if run.held().is_some() => Code::ReviewRequired,
        _ => Code::Success,
    }
}

/// Writes what is learnt from a run beside its trace. It can be derived from that at any time, so the
/// agent's next call does not wait for it to succeed.
fn log(folder: &RunFolder) {
    if let Err(error) = adaptation::write_beside(&folder.trace()) {
        tracing::warn!(run = %folder.id, %error, "the run's adaptation log is not written");
    }
}

fn over(frames: &[Frame]) -> bool {
    frames.last().is_some_and(|frame| frame.events.iter().any(|event| matches!(event, Event::Ended { .. })))
}

fn id() -> Result<String, GatewayError> {
    countersign::random_id().map_err(|source| GatewayError::Random { source })
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), StoreError> {
    countersign::bundle::write_atomically(&path, bytes).map_err(|source| StoreError { path, source })
}
