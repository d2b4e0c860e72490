//! What is kept of what was found, and what the looks have cost.

use super::Scan;
use crate::terms::{Action, TERM, TERMS, WEAK};
use crate::{Hit, Kind};

/// Bytes between two medical terms that support one another.
const NEAR: usize = 120;
/// What looks cost, a unit being about sixty instructions. Together with reading itself the most of
/// it is less than what one call of a policy may use, whatever the text.
pub(super) mod effort {
    pub const PHRASE: u32 = 4;
    pub const HIT: u32 = 4;
    pub const ASSIGNMENT: u32 = 3;
    pub const ANSWER: u32 = 5;
    pub const ADDRESS: u32 = 8;
    pub const KEY: u32 = 8;
    pub const NUMBER: u32 = 8;
    pub const SIGN: u32 = 16;
    /// A number that is not looked at for the row that it stands in.
    pub const ROW: u32 = 2;
}
/// Of 331 ordinary texts of 32 KiB, prose, code and what tools answered, none took two thirds of this.
pub(super) const MOST_EFFORT: u32 = 9_000;

impl Scan<'_> {
    #[inline]
    pub(super) fn or_next(&mut self, at: usize, hit: Option<Hit>, cost: u32) -> usize {
        match self.tried(cost, hit) {
            Some(hit) => self.take(hit),
            None => at + 1,
        }
    }

    /// Counts what a look that found nothing has cost.
    #[inline]
    pub(super) fn tried<T>(&mut self, cost: u32, found: Option<T>) -> Option<T> {
        if found.is_none() {
            self.effort += cost;
        }
        found
    }

    /// Keeps a hit, in place of those that it overlaps unless they weigh more, and goes on behind it.
    #[inline(never)]
    pub(super) fn take(&mut self, hit: Hit) -> usize {
        let weight = |hit: &Hit| (hit.kind.is_secret(), hit.score);
        self.place.leave();
        self.effort += effort::HIT;
        self.floor = hit.end;
        while let Some(last) = self.hits.last()
            && last.end > hit.start
        {
            if weight(last) > weight(&hit) {
                return hit.end.max(last.end);
            }
            self.hits.pop();
        }
        self.hits.push(hit);
        hit.end
    }

    #[inline(never)]
    pub(super) fn step(&mut self, hash: u64, start: usize, end: usize) {
        if !self.phrases.step(&mut self.place, hash, start) {
            return;
        }
        self.effort += effort::PHRASE;
        let (tag, built_in) = self.phrases.ended(&self.place);
        if let Some((tag, words)) = tag {
            (self.tell)(tag, self.place.start(words), end);
        }
        let Some((number, words)) = built_in else { return };
        match TERMS.get(usize::from(number)) {
            Some((_, Action::Cue(cue))) => self.cues.set(*cue, end),
            Some((_, Action::Hit(kind))) => self.term(*kind, hash, self.place.start(words), end, TERM),
            Some((_, Action::Weak)) => {
                let supported = self.medical.is_some_and(|(other, last)| other != hash && start <= last + NEAR);
                self.term(Kind::MedicalTerm, hash, start, end, if supported { TERM } else { WEAK });
            }
            None => {}
        }
    }

    pub(super) fn term(&mut self, kind: Kind, hash: u64, start: usize, end: usize, score: f64) {
        if kind == Kind::MedicalTerm {
            self.medical = Some((hash, end));
        }
        self.effort += effort::HIT;
        self.hits.push(Hit { kind, start, end, score });
        // A phrase may have begun before what was found in it.
        let mut place = self.hits.len() - 1;
        while place > 0 && self.hits[place - 1].start > start {
            self.hits.swap(place - 1, place);
            place -= 1;
        }
    }
}
