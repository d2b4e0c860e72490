//! What policies in shadow would have said, compared with what counted.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::{Answered, Slot};
use countersign_store::{ShadowBegan, ShadowEntry, ShadowError, ShadowJudgement, ShadowReader, ShadowRecord};
use serde::Serialize;

use super::Interval;

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
    /// Their share, with an interval of 95 %; none when nothing was judged.
    pub agreement: Option<Interval>,
    /// With a more restrictive one.
    pub stricter: u64,
    /// With a less restrictive one.
    pub looser: u64,
    /// Those that it could not decide.
    pub undecided: u64,
    /// Questions that it was never asked, since it was too far behind the run.
    pub dropped: u64,
    /// How often which verdict met which.
    pub verdicts: Vec<Outcomes>,
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
    /// Takes in the side stream of a run.
    ///
    /// # Errors
    /// At a line that is none of a side stream.
    pub fn add(&mut self, side_stream: &Path) -> Result<(), ShadowError> {
        self.add_from(ShadowReader::open(side_stream)?)
    }

    /// Takes in a side stream from wherever it is.
    ///
    /// # Errors
    /// At a line that is none of a side stream.
    pub fn add_from<R: BufRead>(&mut self, mut reader: ShadowReader<R>) -> Result<(), ShadowError> {
        let mut part: Option<ShadowBegan> = None;
        let (mut whole, mut parts) = (true, 0);
        while let Some(record) = reader.read()? {
            match record {
                ShadowRecord::Began(began) => {
                    // Frame 0 is the manifest.
                    whole &= part.is_none() && (parts > 0 || began.from <= 1);
                    parts += 1;
                    self.locks.insert(Arc::clone(&began.lock));
                    began.entries.iter().for_each(|entry| self.expect(entry));
                    part = Some(began);
                }
                ShadowRecord::Judged(judged) => {
                    let found =
                        part.as_ref().and_then(|began| Some((began, self.row(began, &judged.entry, judged.slot)?)));
                    let Some((began, row)) = found else { return Err(unknown(&reader, &judged.entry, judged.slot)) };
                    self.policies[row].take(&judged);
                    if judged.verdict != judged.enforced.unwrap_or(Verdict::Proceed) {
                        self.disagreements.push(Disagreement::of(&began.run, *judged));
                    }
                }
                ShadowRecord::Ended(ended) => {
                    for count in ended.counts {
                        let found = part.as_ref().and_then(|began| self.row(began, &count.entry, count.slot));
                        let Some(row) = found else { return Err(unknown(&reader, &count.entry, count.slot)) };
                        self.policies[row].dropped += count.dropped;
                    }
                    part = None;
                }
            }
        }
        self.runs += 1;
        self.not_whole += u64::from(!whole || part.is_some());
        for compared in &mut self.policies {
            compared.agreement = Interval::of(compared.agreed, compared.judged);
        }
        Ok(())
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
            agreement: None,
            stricter: 0,
            looser: 0,
            undecided: 0,
            dropped: 0,
            verdicts: Vec::new(),
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
        let met = (judged.enforced, judged.verdict);
        match self.verdicts.binary_search_by_key(&met, |known| (known.enforced, known.shadow)) {
            Ok(at) => self.verdicts[at].count += 1,
            Err(at) => self.verdicts.insert(at, Outcomes { enforced: met.0, shadow: met.1, count: 1 }),
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
