//! Replay: every judgement of a trace is executed again and must come out the same. Where another bundle
//! executes it, it is also told whose answers would have counted, and which slot would have decided
//! otherwise.

mod decided;
mod served;

use std::io::BufRead;
use std::ops::ControlFlow;
use std::sync::Arc;

use countersign::{Host, HostError};
use countersign_bundle::Lock;
use countersign_engine::{History, Session};
use countersign_kernel::contract::view::Read;
use countersign_kernel::{Answered, Cause, FoldError, Frame, Input, Judged, Judgement, Question, Recorded, Run};
use countersign_spec::Manifest;
use countersign_store::{Ending, Stored, TraceError, TraceReader};

pub use decided::Decided;
pub use served::{Role, Served};

use decided::Rejoined;

/// What a replay found.
#[derive(Debug)]
pub struct Replayed {
    /// Frames of the trace.
    pub frames: u64,
    /// Judgements executed again.
    pub judged: u64,
    /// Judgements that cannot be: the environment had failed, or the engine is another.
    pub skipped: u64,
    /// The bundle is the one that the trace is pinned to.
    pub same_bundle: bool,
    /// Digest of the lock that the trace is pinned to.
    pub lock: Arc<str>,
    /// How the trace ends.
    pub ending: Ending,
    /// The first judgement that came out otherwise. The replay goes no further: what follows would
    /// be another run.
    pub difference: Option<Difference>,
    /// Entries that serve slots otherwise than they did, where these were asked anything.
    pub served: Vec<Served>,
    /// The first slot that would have decided otherwise because of them. The replay goes no further.
    pub decided: Option<Decided>,
}

impl Replayed {
    /// Nothing would have been otherwise.
    pub fn is_same(&self) -> bool {
        self.difference.is_none() && self.served.is_empty() && self.decided.is_none()
    }
}

/// A judgement that came out otherwise.
#[derive(Debug)]
pub struct Difference {
    /// The frame.
    pub frame: u64,
    /// The judgement as it was recorded.
    pub recorded: Judgement,
    /// The policy that judged then, with its version.
    pub recorded_policy: String,
    /// The policy that judges now, with its version.
    pub policy: String,
    /// What it answers, reads and burns.
    pub now: Judged,
    /// What differs.
    pub what: &'static str,
}

/// A replay that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The trace is not what was written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The policies cannot be opened.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Replays a trace. `reopen` gives the trace again from its start: a policy that once failed is
/// rebuilt from it.
///
/// # Errors
/// When the trace is not what was written, or the policies cannot be opened.
pub fn replay<R: BufRead>(
    host: &Host,
    file: &str,
    reopen: &dyn Fn() -> std::io::Result<R>,
) -> Result<Replayed, ReplayError> {
    let io = |source| TraceError::Io { file: file.to_owned(), source };
    let mut reader = TraceReader::new(file, reopen().map_err(io)?);
    let manifest = match reader.read()? {
        Some(Stored::Manifest(manifest)) => manifest,
        _ => return Err(not_a_trace(file, "expected a manifest").into()),
    };
    let same_bundle = **host.bundle().digest().as_str() == *manifest.lock;
    let mut same_engine = host.engine().fingerprint() == &manifest.engine;
    if same_bundle && let Some(problem) = contradicts(&manifest, host.bundle().lock()) {
        return Err(TraceError::Broken { file: file.to_owned(), frame: 0, problem }.into());
    }
    let mut run = Run::open(manifest.into()).map_err(|error| not_a_trace(file, &error.to_string()))?;
    let mut judges = host.open(&run)?;
    let served = if same_bundle { Vec::new() } else { served::otherwise(run.manifest(), host.bundle().lock()) };
    let mut rejoined = match served.is_empty() {
        true => None,
        false => Some(Rejoined::open(host, run.manifest()).map_err(HostError::from)?),
    };
    if rejoined.is_some() {
        run.sample_slots();
    }
    let mut replayed = Replayed {
        frames: 1,
        judged: 0,
        skipped: 0,
        same_bundle,
        lock: Arc::clone(&run.manifest().lock),
        ending: Ending::Open { half_written: false },
        difference: None,
        served,
        decided: None,
    };
    let entries: Vec<Arc<str>> = run.manifest().entries.iter().map(|entry| Arc::clone(&entry.name)).collect();
    while let Some(stored) = reader.read()? {
        let Stored::Frame(frame) = stored else { continue };
        if let Input::TakenUp { engine: Some(engine) } = &frame.input {
            same_engine = host.engine().fingerprint() == engine;
        }
        let mut difference = None;
        let folded = run.fold_each(&frame, &mut |Recorded { index, entry: pin, question, judgement: recorded }| {
            if !re_executable(recorded, same_engine) {
                replayed.skipped += 1;
                return ControlFlow::Continue(());
            }
            let entry = entries.iter().position(|name| *name == pin.name);
            let Some(session) = entry.and_then(|entry| judges.session(entry)) else { return ControlFlow::Continue(()) };
            let mut history = Before { file, reopen, entry: &recorded.entry, frame: frame.frame, index };
            let (policy, now) = judge(session, question, recorded, &mut history);
            replayed.judged += 1;
            let Some(what) = compare(recorded, &now) else { return ControlFlow::Continue(()) };
            let (recorded, recorded_policy) = (recorded.clone(), pin.policy.to_string());
            difference = Some(Difference { frame: frame.frame, recorded, recorded_policy, policy, now, what });
            ControlFlow::Break(())
        });
        let Some(closed) = folded.map_err(|error| broken(file, &frame, error))? else {
            replayed.difference = difference;
            replayed.frames = reader.frames();
            return Ok(replayed);
        };
        if let Some(rejoined) = &mut rejoined {
            replayed.decided = rejoined.frame(run.manifest(), &frame, &closed.sampled);
            if replayed.decided.is_some() {
                replayed.frames = reader.frames();
                return Ok(replayed);
            }
        }
    }
    if let Some(rejoined) = rejoined {
        // What nobody asked nobody would have answered otherwise.
        replayed.served.retain(|served| rejoined.asked.contains(&served.slot));
    }
    replayed.frames = reader.frames();
    replayed.ending = reader.ending().unwrap_or(replayed.ending);
    Ok(replayed)
}

/// How a manifest contradicts the very lock that it is pinned to: such a one no host has written.
fn contradicts(manifest: &Manifest, lock: &Lock) -> Option<String> {
    manifest.entries.iter().find_map(|pin| {
        let name = &pin.name;
        let Some(entry) = lock.entry.iter().find(|entry| *entry.name == **name) else {
            return Some(format!("its manifest has an entry `{name}`, and the lock that it is pinned to has none"));
        };
        let pairs = [
            ("policy", &*pin.policy, &*entry.policy),
            ("component", &*pin.component, &*entry.component_digest),
            ("configuration", &*pin.configuration, &*entry.configuration_digest),
        ];
        let (what, said, locked) = pairs.into_iter().find(|(_, said, locked)| said != locked)?;
        Some(format!("its manifest has {said} as the {what} of `{name}`, the lock that it is pinned to {locked}"))
    })
}

/// Puts the question again with the recorded reads.
fn judge(
    session: &mut Session,
    question: &Question,
    recorded: &Judgement,
    history: &mut dyn History,
) -> (String, Judged) {
    let view = Arc::new(RecordedView(recorded.reads.clone()));
    let outcome = session.judge(question, view, history);
    (session.policy().label().to_string(), outcome.judged)
}

struct RecordedView(Vec<Read>);

impl countersign_kernel::contract::view::RunView for RecordedView {
    fn read(
        &self,
        query: &countersign_kernel::contract::view::Query,
    ) -> Option<countersign_kernel::contract::view::Answer> {
        self.0.iter().find(|read| read.query == *query).map(|read| read.answer.clone())
    }
}

/// What the environment did cannot be done again; a stack's size only under the same engine.
fn re_executable(recorded: &Judgement, same_engine: bool) -> bool {
    match &recorded.answer {
        Answered::Undecided(Cause::Environment | Cause::Dead) => false,
        Answered::Undecided(Cause::Stack) => same_engine,
        _ => true,
    }
}

/// Output, reads and fuel of calls that returned; the class of those that did not.
fn compare(recorded: &Judgement, now: &Judged) -> Option<&'static str> {
    if recorded.answer != now.answer {
        return Some("answer");
    }
    if matches!(recorded.answer, Answered::Undecided(_)) {
        return None;
    }
    if recorded.reads != now.reads {
        return Some("reads");
    }
    (recorded.fuel != now.fuel).then_some("fuel")
}

/// The judgements of an entry before one of them, from the trace itself. Its questions are made again by
/// the fold.
struct Before<'a, R> {
    file: &'a str,
    reopen: &'a dyn Fn() -> std::io::Result<R>,
    entry: &'a str,
    frame: u64,
    index: usize,
}

impl<R: BufRead> History for Before<'_, R> {
    fn feed(&mut self, each: &mut dyn FnMut(&Question, &[Read], &Answered) -> bool) -> bool {
        let Ok(input) = (self.reopen)() else { return false };
        let mut reader = TraceReader::new(self.file, input);
        let Ok(Some(Stored::Manifest(manifest))) = reader.read() else { return false };
        let Ok(mut run) = Run::open(manifest.into()) else { return false };
        while let Ok(Some(stored)) = reader.read() {
            let Stored::Frame(frame) = stored else { continue };
            let last = frame.frame == self.frame;
            let mut whole = true;
            let folded = run.fold_each(&frame, &mut |Recorded { index, question, judgement, .. }| {
                if last && index == self.index {
                    return ControlFlow::Break(());
                }
                let own = *judgement.entry == *self.entry;
                whole = !own || each(question, &judgement.reads, &judgement.answer);
                if whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if last || !whole || folded.is_err() {
                return whole && folded.is_ok();
            }
        }
        false
    }
}

fn broken(file: &str, frame: &Frame, error: FoldError) -> TraceError {
    TraceError::Broken { file: file.to_owned(), frame: frame.frame, problem: error.to_string() }
}

fn not_a_trace(file: &str, problem: &str) -> TraceError {
    TraceError::NotATrace { file: file.to_owned(), problem: problem.to_owned() }
}
