//! Finds which of many phrases stand in a text, in one pass over its words (Aho and Corasick's
//! automaton, its letters being words).
//!
//! A word is a run of letters and digits; `_`, `-` and all other punctuation part words, and so do the
//! escapes `\n`, `\r`, `\t` of a text that was quoted as JSON. ASCII letters match in any case; the
//! tables for the others would be larger than all the rest.

use std::collections::{BTreeMap, VecDeque};

/// A word's hash: FNV-1a, 64 bits.
type Word = u64;

/// Phrases, each known by its position in the list.
#[derive(Debug)]
pub struct Phrases {
    states: Vec<State>,
    /// Each state's together, by word.
    edges: Vec<(Word, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    edges: (u32, u32),
    /// State of the longest proper suffix that begins a phrase.
    fall_back: u32,
    /// The first phrase that ends here, of all and of the unconditional ones.
    first: [u32; 2],
}

const NONE: u32 = u32::MAX;

impl State {
    const NEW: State = State { edges: (0, 0), fall_back: 0, first: [NONE; 2] };

    fn ends(&mut self, first: [u32; 2]) {
        self.first = [self.first[0].min(first[0]), self.first[1].min(first[1])];
    }
}

impl Phrases {
    /// Phrases, and whether each counts unconditionally. One without a word never matches.
    pub fn new<'a>(phrases: impl Iterator<Item = (&'a str, bool)>) -> Self {
        let mut children: Vec<BTreeMap<Word, u32>> = vec![BTreeMap::new()];
        let mut states = vec![State::NEW];
        for (index, (phrase, unconditional)) in phrases.enumerate() {
            let mut at = 0;
            for word in words(phrase) {
                let new = states.len() as u32;
                let next = *children[at].entry(word).or_insert(new);
                if next == new {
                    children.push(BTreeMap::new());
                    states.push(State::NEW);
                }
                at = next as usize;
            }
            if at > 0 {
                let index = index as u32;
                states[at].ends([index, if unconditional { index } else { NONE }]);
            }
        }
        let mut edges = Vec::new();
        for (state, children) in states.iter_mut().zip(&children) {
            let from = edges.len() as u32;
            edges.extend(children.iter().map(|(word, next)| (*word, *next)));
            state.edges = (from, edges.len() as u32);
        }
        let mut this = Phrases { states, edges };
        this.link();
        this
    }

    /// Breadth first: what a state falls back to is shallower, and so done before.
    fn link(&mut self) {
        let mut queue = VecDeque::from([0_u32]);
        while let Some(at) = queue.pop_front() {
            let State { edges: (from, to), fall_back, .. } = self.states[at as usize];
            for edge in from..to {
                let (word, child) = self.edges[edge as usize];
                let back = if at == 0 { 0 } else { self.step(fall_back, word) };
                let first = self.states[back as usize].first;
                let child_state = &mut self.states[child as usize];
                child_state.fall_back = back;
                child_state.ends(first);
                queue.push_back(child);
            }
        }
    }

    fn step(&self, mut at: u32, word: Word) -> u32 {
        loop {
            let state = &self.states[at as usize];
            let edges = &self.edges[state.edges.0 as usize..state.edges.1 as usize];
            if let Ok(found) = edges.binary_search_by_key(&word, |(word, _)| *word) {
                return edges[found].1;
            }
            if at == 0 {
                return 0;
            }
            at = state.fall_back;
        }
    }

    /// The first phrase of the list that stands in the text, of all or of the unconditional ones.
    pub fn first_in(&self, text: &str, unconditional: bool) -> Option<u32> {
        let mut first = NONE;
        let mut at = 0;
        for word in words(text) {
            at = self.step(at, word);
            first = first.min(self.states[at as usize].first[usize::from(unconditional)]);
        }
        (first != NONE).then_some(first)
    }
}

/// The words of a text.
pub fn words(text: &str) -> impl Iterator<Item = Word> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len()
            && let Some(length) = separator(&bytes[at..])
        {
            at += length;
        }
        bytes.get(at)?;
        let mut hash: Word = 0xCBF2_9CE4_8422_2325;
        while at < bytes.len() && separator(&bytes[at..]).is_none() {
            hash = (hash ^ u64::from(bytes[at].to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01B3);
            at += 1;
        }
        Some(hash)
    })
}

/// Bytes of the separator that the bytes begin with; none when they begin with part of a word.
fn separator(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z', ..] => None,
        [b'\\', b'n' | b'r' | b't', ..] => Some(2),
        // Non-breaking space and Latin punctuation, typographic quotes and dashes, CJK and full-width marks.
        [0xC2, _, ..] => Some(2),
        [0xE2, 0x80 | 0x81, _, ..] | [0xE3, 0x80, _, ..] | [0xEF, 0xBC | 0xBD, _, ..] => Some(3),
        [0x80..=0xFF, ..] => None,
        _ => Some(1),
    }
}

/// The first and the last bytes of a text, so many of each; a word that would be cut stays out.
pub fn ends(text: &str, bytes: usize) -> (&str, &str) {
    if text.len() <= bytes.saturating_mul(2) {
        return (text, "");
    }
    let whole = text.as_bytes();
    // What is not ASCII counts as part of a word, so no character is cut either.
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let mut head = bytes;
    while head > 0 && in_word(whole[head]) && in_word(whole[head - 1]) {
        head -= 1;
    }
    let mut tail = text.len() - bytes;
    while tail < text.len() && in_word(whole[tail]) && in_word(whole[tail - 1]) {
        tail += 1;
    }
    (&text[..head], &text[tail..])
}
