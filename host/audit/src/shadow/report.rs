//! What policies in shadow would have said, compared with what counted.

mod claims;

use std::collections::BTreeSet;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::{Answered, Slot};
use countersign_store::{
    RunStore, ShadowBegan, ShadowEntry, ShadowError, ShadowJudgement, ShadowReader, ShadowRecord, Side,
};
use serde::Serialize;

use super::Interval;
use super::by_run::ByRun;
use claims::Claims;

/// The side streams of runs, compared.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Runs with a side stream.
    pub runs: u64,
    /// Of these, runs of which not everything was heard, and nobody counted what was missed: the
    /// process was lost, still goes on, or began in the middle.
    pub not_whole: u64,
    /// Digests of the locks by which the runs were judged. With more than one, what was enforced
    /// differs too.
    pub locks: BTreeSet<Arc<str>>,
    /// One for each slot and shadow policy.
    pub policies: Vec<Compared>,
    /// Every judgement with another verdict than the one that counted, in the order of the runs.
    pub disagreements: Vec<Disagreement>,
}

/// A shadow policy in a slot, compared with what the slot's policies said together. Where the slot is
/// empty the run went on: that counts as `proceed`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compared {
    /// The slot.
    pub slot: Slot,
    /// Name of the bundle entry.
    pub entry: Arc<str>,
    /// The policy's own name and version.
    pub policy: Arc<str>,
    /// Digest of the component.
    pub component: Arc<str>,
    /// Digest of the configuration.
    pub configuration: Arc<str>,
    /// No call depends on an earlier one. Where that is not so, a policy that missed questions may
    /// have answered later ones otherwise than it would have.
    pub stateless: bool,
    /// Questions answered, the undecided ones included: for these the failure verdict counts.
    pub judged: u64,
    /// Of these, with the verdict that counted.
    pub agreed: u64,
    /// Runs in which it judged.
    pub runs: u64,
    /// Their share, with an interval of 95 %; none when nothing was judged. The interval is wider where
    /// the judgements of one run are alike: one run with many counts for less than many runs.
    pub agreement: Option<Interval>,
    /// With a more restrictive one.
    pub stricter: u64,
    /// With a less restrictive one.
    pub looser: u64,
    /// Those that it could not decide.
    pub undecided: u64,
    /// Questions that it was never asked, since it was too far behind the run, or revoked.
    pub dropped: u64,
    /// How often which verdict met which.
    pub verdicts: Vec<Outcomes>,
    #[serde(skip)]
    by_run: ByRun,
}

/// How often two verdicts met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcomes {
    /// What counted; none where the slot is empty.
    pub enforced: Option<Verdict>,
    /// What the shadow policy said.
    pub shadow: Verdict,
    /// How often.
    pub count: u64,
}

/// A judgement with another verdict than the one that counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Disagreement {
    /// Id of the run.
    pub run: Arc<str>,
    /// Number of the frame.
    pub frame: u64,
    /// The slot.
    pub slot: Slot,
    /// Name of the bundle entry in shadow.
    pub entry: Arc<str>,
    /// What counted; none where the slot is empty.
    pub enforced: Option<Verdict>,
    /// What the shadow policy said.
    pub shadow: Verdict,
    /// It could not decide: its failure verdict stands for it.
    pub undecided: bool,
    /// In its own words.
    pub reason: String,
}

impl Report {
    /// Takes in the side stream of a run, whole or not at all. Where its trace lies beside it, it must
    /// tell of that trace: of that run, that lock, and what counted in those frames.
    ///
    /// # Errors
    /// At a line that is none of a side stream, or one that the trace contradicts.
    pub fn add(&mut self, side_stream: &Path) -> Result<(), ShadowError> {
        let mut claims = Claims::default();
        let one = Report::of_one(ShadowReader::open(side_stream)?, &mut |record| claims.hear(record))?;
        claims.check(side_stream)?;
        self.merge(one);
        Ok(())
    }

    /// Takes in a side stream from wherever it is, whole or not at all. Nothing is checked against a trace.
    ///
    /// # Errors
    /// At a line that is none of a side stream.
    pub fn add_from<R: BufRead>(&mut self, reader: ShadowReader<R>) -> Result<(), ShadowError> {
        let one = Report::of_one(reader, &mut |_| {})?;
        self.merge(one);
        Ok(())
    }

    /// Takes in what was said in shadow of a stored run, whole or not at all, as [`Report::add`] does of a file. Nothing
    /// happens where nobody was asked in shadow.
    ///
    /// # Errors
    /// At a record that is none of a side stream, or one that the run's own record contradicts.
    pub fn add_run(&mut self, store: &dyn RunStore, run: &str) -> Result<(), ShadowError> {
        let said = said(store, run)?;
        if said.is_empty() {
            return Ok(());
        }
        let mut claims = Claims::default();
        let reader = ShadowReader::new(format!("what was said in shadow of {run}"), &*said);
        let one = Report::of_one(reader, &mut |record| claims.hear(record))?;
        claims.check_run(store, run)?;
        self.merge(one);
        Ok(())
    }

    /// The same where it was said here and now: nothing is checked.
    pub(crate) fn add_unchecked(&mut self, store: &dyn RunStore, run: &str) -> Result<(), ShadowError> {
        let said = said(store, run)?;
        if said.is_empty() { Ok(()) } else { self.add_from(ShadowReader::new(run, &*said)) }
    }

    /// Of one run.
    fn of_one<R: BufRead>(
        mut reader: ShadowReader<R>,
        hear: &mut dyn FnMut(&ShadowRecord),
    ) -> Result<Report, ShadowError> {
        let mut one = Report { runs: 1, ..Report::default() };
        let mut part: Option<ShadowBegan> = None;
        let (mut whole, mut parts) = (true, 0);
        while let Some(record) = reader.read()? {
            hear(&record);
            match record {
                ShadowRecord::Began(began) => {
                    // Frame 0 is the manifest.
                    whole &= part.is_none() && (parts > 0 || began.from <= 1);
                    parts += 1;
                    one.locks.insert(Arc::clone(&began.lock));
                    began.entries.iter().for_each(|entry| one.expect(entry));
                    part = Some(began);
                }
                ShadowRecord::Judged(judged) => {
                    let found =
                        part.as_ref().and_then(|began| Some((began, one.row(began, &judged.entry, judged.slot)?)));
                    let Some((began, row)) = found else { return Err(unknown(&reader, &judged.entry, judged.slot)) };
                    one.policies[row].take(&judged);
                    if judged.verdict != judged.enforced.unwrap_or(Verdict::Proceed) {
                        one.disagreements.push(Disagreement::of(&began.run, *judged));
                    }
                }
                ShadowRecord::Ended(ended) => {
                    for count in ended.counts {
                        let found = part.as_ref().and_then(|began| one.row(began, &count.entry, count.slot));
                        let Some(row) = found else { return Err(unknown(&reader, &count.entry, count.slot)) };
                        let dropped = &mut one.policies[row].dropped;
                        *dropped = dropped.saturating_add(count.dropped);
                    }
                    part = None;
                }
            }
        }
        one.not_whole = u64::from(!whole || part.is_some());
        one.policies.iter_mut().for_each(Compared::close_run);
        Ok(one)
    }

    /// Takes in what is known of another run.
    fn merge(&mut self, one: Report) {
        self.runs += one.runs;
        self.not_whole += one.not_whole;
        self.locks.extend(one.locks);
        for compared in one.policies {
            match self.policies.binary_search_by_key(&compared.key(), Compared::key) {
                Ok(at) => self.policies[at].merge(&compared),
                Err(at) => self.policies.insert(at, compared),
            }
        }
        self.disagreements.extend(one.disagreements);
    }

    /// Makes room for a policy, in the order of slots and names.
    fn expect(&mut self, entry: &ShadowEntry) {
        for slot in &entry.slots {
            let place = self.policies.binary_search_by_key(&key(entry, *slot), Compared::key);
            if let Err(at) = place {
                self.policies.insert(at, Compared::new(entry, *slot));
            }
        }
    }

    /// Position of an entry of this part in a slot.
    fn row(&self, began: &ShadowBegan, entry: &Arc<str>, slot: Slot) -> Option<usize> {
        let entry = began.entries.iter().find(|known| known.name == *entry)?;
        self.policies.binary_search_by_key(&key(entry, slot), Compared::key).ok()
    }
}

/// What was said in shadow of a stored run.
fn said(store: &dyn RunStore, run: &str) -> Result<Vec<u8>, ShadowError> {
    let failed = |error: String| ShadowError::Io { file: run.to_owned(), source: std::io::Error::other(error) };
    let mut said = Vec::new();
    let reader = store.read(run).map_err(|error| failed(error.to_string()))?;
    let read = reader.read_side(Side::Shadow, &mut |line| {
        said.extend_from_slice(line);
        said.push(b'\n');
        ControlFlow::Continue(())
    });
    read.map_err(|error| failed(error.to_string()))?;
    Ok(said)
}

fn unknown<R: BufRead>(reader: &ShadowReader<R>, entry: &str, slot: Slot) -> ShadowError {
    reader.invalid(&format!("no entry `{entry}` in the slot `{slot}` has begun"))
}

/// Another version or configuration under the same name is another policy.
type Key<'a> = (Slot, &'a str, &'a str, &'a str);

fn key(entry: &ShadowEntry, slot: Slot) -> Key<'_> {
    (slot, &entry.name, &entry.component, &entry.configuration)
}

impl Compared {
    fn new(entry: &ShadowEntry, slot: Slot) -> Self {
        Compared {
            slot,
            entry: Arc::clone(&entry.name),
            policy: Arc::clone(&entry.policy),
            component: Arc::clone(&entry.component),
            configuration: Arc::clone(&entry.configuration),
            stateless: entry.stateless,
            judged: 0,
            agreed: 0,
            runs: 0,
            agreement: None,
            stricter: 0,
            looser: 0,
            undecided: 0,
            dropped: 0,
            verdicts: Vec::new(),
            by_run: ByRun::default(),
        }
    }

    fn key(&self) -> Key<'_> {
        (self.slot, &self.entry, &self.component, &self.configuration)
    }

    fn take(&mut self, judged: &ShadowJudgement) {
        let enforced = judged.enforced.unwrap_or(Verdict::Proceed);
        self.judged += 1;
        match judged.verdict.cmp(&enforced) {
            std::cmp::Ordering::Less => self.looser += 1,
            std::cmp::Ordering::Equal => self.agreed += 1,
            std::cmp::Ordering::Greater => self.stricter += 1,
        }
        self.undecided += u64::from(matches!(judged.answer, Answered::Undecided(_)));
        self.met(Outcomes { enforced: judged.enforced, shadow: judged.verdict, count: 1 });
    }

    fn met(&mut self, met: Outcomes) {
        let key = |known: &Outcomes| (known.enforced, known.shadow);
        match self.verdicts.binary_search_by_key(&key(&met), key) {
            Ok(at) => self.verdicts[at].count += met.count,
            Err(at) => self.verdicts.insert(at, met),
        }
    }

    /// All of a run was taken in.
    fn close_run(&mut self) {
        if self.judged > 0 {
            self.runs = 1;
            self.by_run.add(self.agreed, self.judged);
            self.agreement = self.by_run.interval(self.agreed, self.judged);
        }
    }

    /// Takes in what it said beside another run.
    fn merge(&mut self, other: &Compared) {
        self.judged += other.judged;
        self.agreed += other.agreed;
        self.stricter += other.stricter;
        self.looser += other.looser;
        self.undecided += other.undecided;
        self.dropped = self.dropped.saturating_add(other.dropped);
        other.verdicts.iter().for_each(|met| self.met(met.clone()));
        if other.runs > 0 {
            self.runs += 1;
            self.by_run.add(other.agreed, other.judged);
            self.agreement = self.by_run.interval(self.agreed, self.judged);
        }
    }
}

impl Disagreement {
    fn of(run: &Arc<str>, judged: ShadowJudgement) -> Self {
        let undecided = matches!(judged.answer, Answered::Undecided(_));
        let reason = judged.failure.unwrap_or_else(|| judged.answer.reason().to_owned());
        Disagreement {
            run: Arc::clone(run),
            frame: judged.frame,
            slot: judged.slot,
            entry: judged.entry,
            enforced: judged.enforced,
            shadow: judged.verdict,
            undecided,
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
