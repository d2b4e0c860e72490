//! Which entry of a slot decides, case by case.

use countersign_contract::{Slot, Verdict};

use super::Finding;
use super::answers::{Answers, Given};
use crate::lock::Entry;

/// Compares the answers of a slot's entries. `all` are there: nobody else decides in the slot.
pub(super) fn compare(slot: Slot, given: &[(&Entry, Answers)], all: bool) -> Vec<Finding> {
    let Some(cases) = given.first().map(|(_, answers)| answers.given.len()) else { return Vec::new() };
    let slot = Compared { slot, given, cases };
    let mut found = Vec::new();
    // Of two that say the same the first one stays, and counts when the others are looked at: leaving out
    // everything that is found changes nothing.
    let mut left: Vec<usize> = (0..given.len()).collect();
    for entry in (0..given.len()).rev() {
        let others: Vec<usize> = left.iter().copied().filter(|other| *other != entry).collect();
        if let Some(finding) = slot.nowhere_stricter(entry, &others) {
            found.push(finding);
            left = others;
        }
    }
    found.reverse();
    for (at, first) in left.iter().enumerate() {
        found.extend(left[at + 1..].iter().filter_map(|second| slot.overlap(*first, *second)));
    }
    if all {
        found.extend(slot.never_answers());
    }
    found
}

struct Compared<'a> {
    slot: Slot,
    given: &'a [(&'a Entry, Answers)],
    cases: usize,
}

impl Compared<'_> {
    fn of(&self, entry: usize, case: usize) -> Given {
        self.given[entry].1.given[case]
    }

    fn name(&self, entry: usize) -> String {
        self.given[entry].0.name.clone()
    }

    fn strictest(&self, entries: &[usize], case: usize) -> Option<Verdict> {
        entries.iter().map(|entry| self.of(*entry, case).verdict).max()
    }

    /// Whether the others are at least as strict in every case: one of them, or all together.
    fn nowhere_stricter(&self, entry: usize, others: &[usize]) -> Option<Finding> {
        let covers = |others: &[usize]| {
            (0..self.cases).all(|case| Some(self.of(entry, case).verdict) <= self.strictest(others, case))
        };
        let one = others.iter().map(|other| vec![*other]).find(|one| covers(one));
        let beside = one.or_else(|| (others.len() > 1 && covers(others)).then(|| others.to_vec()))?;
        let same = (0..self.cases).all(|case| Some(self.of(entry, case).verdict) == self.strictest(&beside, case));
        let score_counts = (0..self.cases).filter(|case| self.score_counts(entry, others, *case)).count();
        Some(Finding::NowhereStricter {
            slot: self.slot,
            entry: self.name(entry),
            beside: beside.into_iter().map(|other| self.name(other)).collect(),
            same,
            score_counts: score_counts as u64,
            cases: self.cases as u64,
            untried: super::grid::untried(self.slot),
        })
    }

    /// Whether the slot's score is another without it: the lowest confidence and the highest risk count.
    fn score_counts(&self, entry: usize, others: &[usize], case: usize) -> bool {
        let Some(own) = self.of(entry, case).score else { return false };
        others
            .iter()
            .filter_map(|other| self.of(*other, case).score)
            .all(|other| if self.slot.lowest_counts() { own < other } else { own > other })
    }

    fn overlap(&self, a: usize, b: usize) -> Option<Finding> {
        let everybody: Vec<usize> = (0..self.given.len()).collect();
        let (mut first, mut second, mut both, mut cases) = (0, 0, 0, 0);
        for case in 0..self.cases {
            let strictest = self.strictest(&everybody, case).filter(|verdict| *verdict > Verdict::Proceed);
            let Some(strictest) = strictest else { continue };
            cases += 1;
            match (self.of(a, case).verdict == strictest, self.of(b, case).verdict == strictest) {
                (true, true) => both += 1,
                (true, false) => first += 1,
                (false, true) => second += 1,
                (false, false) => {}
            }
        }
        let overlap = first + both > 0 && second + both > 0;
        let entries = [self.name(a), self.name(b)];
        overlap.then_some(Finding::Overlap { slot: self.slot, entries, first, second, both, cases })
    }

    /// What none of the entries answers where it would count.
    fn never_answers(&self) -> Option<Finding> {
        let everybody: Vec<usize> = (0..self.given.len()).collect();
        let given = |word: &&'static str| {
            (0..self.cases).any(|case| {
                let strictest = self.strictest(&everybody, case);
                let counts = |given: Given| Some(given.verdict) == strictest && given.word == Some(*word);
                everybody.iter().any(|entry| counts(self.of(*entry, case)))
            })
        };
        let answers: Vec<&'static str> = self.slot.words().iter().copied().filter(|word| !given(word)).collect();
        (!answers.is_empty()).then_some(Finding::NeverAnswers { slot: self.slot, answers, cases: self.cases as u64 })
    }
}
