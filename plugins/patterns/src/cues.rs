//! What was announced: which numbers and dates are taken for what, up to where.

use crate::terms::Cue;
use crate::{Hit, Kind, date};

/// Bytes behind a cue in which the number that it announces may begin.
const REACH: usize = 40;

/// Up to where each cue holds.
#[derive(Default)]
pub(crate) struct Cues {
    until: [usize; 6],
    /// The furthest of those that a word may answer.
    words_until: usize,
    /// The furthest of all.
    all_until: usize,
}

impl Cues {
    pub fn set(&mut self, cue: Cue, end: usize) {
        self.until[cue as usize] = end + REACH;
        self.all_until = end + REACH;
        if matches!(cue, Cue::Birth | Cue::Born | Cue::Passport | Cue::Licence) {
            self.words_until = end + REACH;
        }
    }

    pub fn holds(&self, cue: Cue, at: usize) -> bool {
        at < self.until[cue as usize]
    }

    #[inline]
    pub fn any(&self, at: usize) -> bool {
        at < self.all_until
    }

    /// Whether a word may answer one.
    #[inline]
    pub fn any_for_words(&self, at: usize) -> bool {
        at < self.words_until
    }

    /// The date or the number of a document that begins with the word `start..end`, where one was
    /// announced.
    pub fn answer(&self, bytes: &[u8], start: usize, end: usize) -> Option<Hit> {
        let birth = match () {
            () if self.holds(Cue::Birth, start) => 0.8,
            () if self.holds(Cue::Born, start) => 0.4,
            () => 0.0,
        };
        if birth > 0.0
            && let Some(end) = date::find(bytes, start, end)
        {
            return Some(Hit { kind: Kind::DateOfBirth, start, end, score: birth });
        }
        let kind = match () {
            () if self.holds(Cue::Passport, start) => Kind::Passport,
            () if self.holds(Cue::Licence, start) => Kind::DriverLicence,
            () => return None,
        };
        // Six to seventeen letters and digits, five digits at least.
        let word = bytes.get(start..end).filter(|word| (6..=17).contains(&word.len()))?;
        let fits = word.is_ascii() && word.iter().filter(|byte| byte.is_ascii_digit()).count() >= 5;
        fits.then_some(Hit { kind, start, end, score: 0.7 })
    }
}
