//! Phrases: whole words in a row, all of them looked for at once (Aho and Corasick, over words
//! rather than bytes).

mod build;

use crate::table::Table;

pub(crate) use build::Builder;

/// Words of the longest phrase.
const LONGEST: usize = 8;
/// Stands for a filler.
const FILLER: u16 = u16::MAX;
/// Why a phrase was not added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhraseError {
    /// It has no word, or none but the fillers.
    NoWord,
    /// It has more than eight words beside the fillers, or there are too many phrases.
    TooLong,
    /// The same words stand already under this tag.
    Taken(u16),
}

type Lengths = [u32; 1024];

/// What ends in a state: a number, and how many words it has.
pub(crate) type Output = Option<(u16, u8)>;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Where the longest end of this state's words is that begins a phrase.
    fail: u16,
    built_in: Output,
    tag: Output,
}

pub(crate) struct Phrases {
    words: Table,
    edges: Table,
    /// The edges of the first state, by their word; 0 where there is none.
    first: Vec<u16>,
    states: Vec<State>,
    /// Lengths of the words, as bits, by their first two letters: what is in no phrase, and that is
    /// most, need not be hashed.
    lengths: Box<Lengths>,
    /// Of the words with which phrases begin.
    first_lengths: Box<Lengths>,
    /// Whether a word of any phrase begins with a digit.
    pub numbers: bool,
}

/// Where in which phrases a scan is.
#[derive(Default)]
pub(crate) struct Place {
    state: u16,
    /// Starts of the last words.
    starts: [usize; LONGEST],
    words: usize,
}

/// Where the lengths of words with these first letters stand.
#[inline]
fn beginning(first: u8, second: u8) -> usize {
    usize::from(first & 31) << 5 | usize::from(second & 31)
}

#[inline]
fn length_bit(length: usize) -> u32 {
    1 << length.min(31)
}

impl Phrases {
    /// Whether a word of ASCII letters and digits may go on with a phrase or begin one. `second` is its
    /// second byte, or whatever stands behind a word of one.
    #[inline]
    pub fn may_have(&self, place: &Place, first: u8, second: u8, length: usize) -> bool {
        let lengths = if place.state == 0 { &self.first_lengths } else { &self.lengths };
        lengths[beginning(first, second)] & length_bit(length) != 0
    }

    /// Takes the next word of the text. True when a phrase may have ended with it.
    pub fn step(&self, place: &mut Place, word: u64, start: usize) -> bool {
        let Some(word) = self.words.get(word) else {
            place.state = 0;
            return false;
        };
        if word == FILLER {
            return false;
        }
        place.starts[place.words % LONGEST] = start;
        place.words += 1;
        while place.state != 0 {
            if let Some(next) = self.edges.get(edge(place.state, word)) {
                place.state = next;
                return true;
            }
            place.state = self.states[place.state as usize].fail;
        }
        place.state = self.first.get(usize::from(word)).copied().unwrap_or(0);
        place.state != 0
    }

    /// What ended with the last word: the tag of a phrase, and the number of a built-in pattern.
    #[inline]
    pub fn ended(&self, place: &Place) -> (Output, Output) {
        match self.states.get(usize::from(place.state)) {
            Some(state) => (state.tag, state.built_in),
            None => (None, None),
        }
    }
}

impl Place {
    /// Whatever phrase was under way is over.
    #[inline]
    pub fn leave(&mut self) {
        self.state = 0;
    }

    /// Where the last so many words begin.
    pub fn start(&self, words: u8) -> usize {
        self.starts[self.words.wrapping_sub(usize::from(words)) % LONGEST]
    }
}

/// Never 0, which marks an empty place of a table.
#[inline]
fn edge(state: u16, word: u16) -> u64 {
    (u64::from(state) << 16 | u64::from(word)) + 1
}
