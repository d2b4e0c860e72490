//! What the run holds to be so: criteria that verified observations meet and that later changes lose, what
//! sources said about facts, and which calls were committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use countersign_spec::{Criterion, Manifest};

use super::bounded::push_bounded;

/// Calls that are known as committed; a memory that rests on an older one is not written.
const COMMITTED: usize = 4096;
/// Tools that an answer's claims are kept of.
const CLAIMED: usize = 64;
/// Facts whose readings are kept; of more the one read longest ago counts as never read.
const FACTS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Evidence {
    criteria: Vec<CriterionState>,
    committed: VecDeque<u64>,
    /// Committed facts that still hold, by name. No more than there are tools: a fact bears its tool's name.
    facts: BTreeMap<Arc<str>, Fact>,
    /// Tools that the model's accepted answer claims to have used.
    claimed: Vec<Arc<str>>,
    /// Tools of which an observation was verified, whether or not what it said still holds.
    seen: BTreeSet<Arc<str>>,
    readings: BTreeMap<Arc<str>, Reading>,
    /// Two sources that contradict each other, as nobody has looked at yet.
    conflict: Option<String>,
    conflicts: u32,
}

/// A committed observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fact {
    call: u64,
    /// Its tool only reads.
    reading: bool,
}

#[derive(Debug, Clone)]
struct CriterionState {
    met: bool,
    /// Its tool only reads: a later change makes it stale.
    reading: bool,
}

/// What a source said about a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub value: Arc<str>,
    pub source: Arc<str>,
    pub at: u64,
}

impl Evidence {
    pub fn new(manifest: &Manifest) -> Self {
        let reading = |tool: &str| manifest.tool(tool).is_some_and(|tool| !tool.mutating());
        let state = |criterion: &Criterion| CriterionState { met: false, reading: reading(&criterion.tool) };
        Evidence { criteria: manifest.goal.criteria.iter().map(state).collect(), ..Evidence::default() }
    }

    /// Whether there are criteria and every one is met.
    pub fn is_complete(&self) -> bool {
        !self.criteria.is_empty() && self.criteria.iter().all(|criterion| criterion.met)
    }

    pub fn criteria(&self) -> usize {
        self.criteria.len()
    }

    pub fn met(&self) -> usize {
        self.criteria.iter().filter(|criterion| criterion.met).count()
    }

    /// The ids of the goal's criteria that are met, or that are not.
    pub fn ids<'a>(&'a self, goal: &'a [Criterion], met: bool) -> impl Iterator<Item = &'a Arc<str>> {
        let pairs = goal.iter().zip(&self.criteria);
        pairs.filter(move |(_, state)| state.met == met).map(|(criterion, _)| &criterion.id)
    }

    /// The ids of the goal's criteria that are met, each with the call that it rests on.
    pub fn verified<'a>(&'a self, goal: &'a [Criterion]) -> impl Iterator<Item = (&'a Arc<str>, u64)> {
        let met = goal.iter().zip(&self.criteria).filter(|(_, state)| state.met);
        met.filter_map(|(criterion, _)| Some((&criterion.id, self.fact(&criterion.tool)?)))
    }

    /// Tools on which criteria hang that are not met, and all on which any hang: one call can verify
    /// everything that hangs on its tool.
    pub fn tools(&self, goal: &[Criterion]) -> (usize, usize) {
        let all: BTreeSet<&str> = goal.iter().map(|criterion| &*criterion.tool).collect();
        let open: BTreeSet<&str> = goal
            .iter()
            .zip(&self.criteria)
            .filter(|(_, state)| !state.met)
            .map(|(criterion, _)| &*criterion.tool)
            .collect();
        (open.len(), all.len())
    }

    /// Sets every criterion that hangs on a tool; gives those that changed by it.
    pub fn set_tool(&mut self, goal: &[Criterion], tool: &str, met: bool) -> Vec<Arc<str>> {
        self.set(goal, met, |criterion, _| *criterion.tool == *tool)
    }

    /// What was read before a change says nothing about after it; gives the criteria that are lost.
    pub fn forget_readings(&mut self, goal: &[Criterion]) -> Vec<Arc<str>> {
        self.readings.clear();
        self.facts.retain(|_, fact| !fact.reading);
        self.set(goal, false, |_, state| state.reading)
    }

    fn set(
        &mut self,
        goal: &[Criterion],
        met: bool,
        which: impl Fn(&Criterion, &CriterionState) -> bool,
    ) -> Vec<Arc<str>> {
        let pairs = goal.iter().zip(&mut self.criteria);
        pairs
            .filter_map(|(criterion, state)| {
                let changes = which(criterion, state) && state.met != met;
                if changes {
                    state.met = met;
                }
                changes.then(|| Arc::clone(&criterion.id))
            })
            .collect()
    }

    /// A verified observation of this tool is part of the task's state.
    pub fn commit(&mut self, call: u64, tool: &Arc<str>, reading: bool) {
        push_bounded(&mut self.committed, COMMITTED, call);
        self.facts.insert(Arc::clone(tool), Fact { call, reading });
        self.seen.insert(Arc::clone(tool));
    }

    /// Facts that still hold, by name, each with the call that it comes from.
    pub fn facts(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.facts.iter().map(|(name, fact)| (name, fact.call))
    }

    /// The call that a fact comes from; none where nothing of the kind holds.
    pub fn fact(&self, name: &str) -> Option<u64> {
        self.facts.get(name).map(|fact| fact.call)
    }

    /// The model's answer counts, with what it claims; of more than a run can have used the first.
    pub fn claim(&mut self, tools: &[Arc<str>]) {
        self.claimed.clear();
        for tool in tools {
            if self.claimed.len() < CLAIMED && !self.claimed.contains(tool) {
                self.claimed.push(Arc::clone(tool));
            }
        }
    }

    /// What was claimed of tools that nothing was verified of.
    pub fn take_unverified(&mut self) -> Vec<Arc<str>> {
        let mut claimed = std::mem::take(&mut self.claimed);
        claimed.retain(|tool| !self.seen.contains(tool));
        claimed
    }

    pub fn commits(&self) -> usize {
        self.committed.len()
    }

    /// Whether each of these calls was committed, and there are any.
    pub fn supports(&self, calls: &[u64]) -> bool {
        !calls.is_empty() && calls.iter().all(|call| self.committed.contains(call))
    }

    /// A source states a fact; gives what another source had said instead.
    pub fn read(&mut self, fact: &Arc<str>, now: Reading) -> Option<Reading> {
        if self.readings.len() >= FACTS && !self.readings.contains_key(fact) {
            let oldest = self.readings.iter().min_by_key(|(_, reading)| reading.at).map(|(fact, _)| Arc::clone(fact));
            oldest.and_then(|oldest| self.readings.remove(&oldest));
        }
        let differs = |before: &Reading| before.source != now.source && before.value != now.value;
        let before = self.readings.get(fact).filter(|before| differs(before)).cloned();
        self.readings.insert(Arc::clone(fact), now);
        before
    }

    /// Whether a fact was read lately, and nothing was changed since.
    pub fn is_fresh(&self, fact: &str, now: u64, within: u64) -> bool {
        self.readings.get(fact).is_some_and(|reading| now - reading.at <= within)
    }

    pub fn contradict(&mut self, said: String) {
        self.conflict = Some(said);
    }

    /// A contradiction that nobody has looked at, and how many there were with it.
    pub fn take_conflict(&mut self) -> Option<(String, u32)> {
        let conflict = self.conflict.take()?;
        self.conflicts = self.conflicts.saturating_add(1);
        Some((conflict, self.conflicts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> (Evidence, Vec<Criterion>) {
        let goal: Vec<Criterion> = [("a", "read"), ("b", "write")]
            .into_iter()
            .map(|(id, tool)| Criterion { id: id.into(), text: "".into(), tool: tool.into() })
            .collect();
        let criteria = [true, false].map(|reading| CriterionState { met: false, reading }).to_vec();
        (Evidence { criteria, ..Evidence::default() }, goal)
    }

    #[test]
    fn a_change_loses_what_was_only_read() {
        let (mut evidence, goal) = evidence();
        assert_eq!(evidence.set_tool(&goal, "read", true), ["a".into()]);
        assert!(evidence.set_tool(&goal, "read", true).is_empty(), "it was met before");
        evidence.set_tool(&goal, "write", true);
        assert!(evidence.is_complete());
        assert_eq!(evidence.forget_readings(&goal), ["a".into()]);
        assert_eq!((evidence.met(), evidence.tools(&goal)), (1, (1, 2)));
    }

    #[test]
    fn an_answer_rests_on_the_last_call_of_a_tool_and_on_no_reading_before_a_change() {
        let (mut evidence, goal) = evidence();
        for (call, tool, reading) in [(1, "read", true), (2, "write", false), (4, "read", true), (5, "write", false)] {
            evidence.commit(call, &tool.into(), reading);
        }
        assert_eq!((evidence.fact("read"), evidence.fact("write")), (Some(4), Some(5)));
        evidence.forget_readings(&goal);
        assert_eq!(evidence.facts().map(|(name, call)| (&**name, call)).collect::<Vec<_>>(), [("write", 5)]);
    }

    #[test]
    fn another_source_contradicts_and_the_same_one_corrects_itself() {
        let (mut evidence, _) = evidence();
        let says = |source: &str, value: &str| Reading { value: value.into(), source: source.into(), at: 7 };
        assert_eq!(evidence.read(&"x".into(), says("one", "1")), None);
        assert_eq!(evidence.read(&"x".into(), says("one", "2")), None);
        assert_eq!(evidence.read(&"x".into(), says("two", "2")), None);
        assert_eq!(evidence.read(&"x".into(), says("one", "3")), Some(says("two", "2")));
        assert!(evidence.is_fresh("x", 9, 2) && !evidence.is_fresh("x", 10, 2) && !evidence.is_fresh("y", 7, 9));
    }

    #[test]
    fn what_is_kept_has_a_bound_and_what_is_forgotten_supports_nothing() {
        let (mut evidence, _) = evidence();
        for call in 0..5000 {
            evidence.commit(call, &"read".into(), true);
            let reading = Reading { value: "v".into(), source: "s".into(), at: call };
            evidence.read(&format!("{call}").into(), reading);
        }
        assert_eq!((evidence.committed.len(), evidence.readings.len()), (COMMITTED, FACTS));
        assert!(evidence.supports(&[4999]) && !evidence.supports(&[0]) && !evidence.supports(&[]));
        assert!(!evidence.is_fresh("0", 5000, 9999) && evidence.is_fresh("4999", 5000, 9999));
    }
}
