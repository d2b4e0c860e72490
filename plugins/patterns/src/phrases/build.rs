//! Builds the phrases.

use super::{FILLER, LONGEST, Lengths, PhraseError, Phrases, State, beginning, edge, length_bit};
use crate::table::Table;
use crate::word::{self, Word};

/// Left out of phrases and of texts alike: `the rules of the house` is `rules house`.
const FILLERS: [&str; 6] = ["the", "of", "my", "our", "these", "those"];
/// More states than a `u16` counts are not made.
const MOST_STATES: usize = 60_000;

fn note(lengths: &mut Lengths, word: &[u8]) {
    match *word {
        [] => {}
        [only] => (0..32).for_each(|second| lengths[beginning(only, second)] |= length_bit(1)),
        [first, second, ..] => lengths[beginning(first, second)] |= length_bit(word.len()),
    }
}

pub(crate) struct Builder {
    phrases: Phrases,
    /// The states by how many words lead to them, each with the state before it and the last word.
    layers: Vec<Vec<(u16, u16, u16)>>,
    words: u16,
}

impl Default for Builder {
    fn default() -> Self {
        let phrases = Phrases {
            words: Table::with_places(10),
            edges: Table::with_places(11),
            first: Vec::new(),
            states: vec![State::default()],
            lengths: Box::new([0; 1024]),
            first_lengths: Box::new([0; 1024]),
            numbers: false,
        };
        let mut builder = Builder { phrases, layers: vec![Vec::new(); LONGEST], words: 0 };
        for filler in FILLERS {
            builder.number(filler.as_bytes(), word::hash(filler.as_bytes()), FILLER);
        }
        builder
    }
}

impl Builder {
    pub fn built_in(&mut self, pattern: &str, number: u16) {
        let slots = self.slots(pattern);
        self.expand(0, 0, &slots, &mut |state, words| state.built_in = state.built_in.or(Some((number, words))));
    }

    pub fn pattern(&mut self, pattern: &str, tag: u16) {
        let slots = self.slots(pattern);
        self.expand(0, 0, &slots, &mut |state, words| state.tag = state.tag.or(Some((tag, words))));
    }

    /// The alternatives of each word by their numbers; `None` where the word may be left out.
    fn slots(&mut self, pattern: &str) -> Vec<Vec<Option<u16>>> {
        let mut slots = Vec::new();
        for (place, slot) in pattern.split(' ').enumerate() {
            let mut words = Vec::new();
            for word in slot.split('|').map(str::as_bytes) {
                let number = if word.is_empty() { FILLER } else { self.number(word, word::hash(word), self.words) };
                // What begins a phrase when the words before it are left out.
                if number != FILLER && (place == 0 || slots.iter().all(|slot: &Vec<_>| slot.contains(&None))) {
                    note(&mut self.phrases.first_lengths, word);
                }
                words.push(Some(number).filter(|number| *number != FILLER));
            }
            slots.push(words);
        }
        slots
    }

    pub fn phrase(&mut self, phrase: &str, tag: u16) -> Result<(), PhraseError> {
        let (bytes, mut at) = (phrase.as_bytes(), 0);
        let (mut state, mut words) = (0, 0);
        while at < bytes.len() {
            let Word { end, hash } = word::word(bytes, at);
            if end > at && self.phrases.words.get(hash) != Some(FILLER) {
                if words == LONGEST || self.phrases.states.len() > MOST_STATES {
                    return Err(PhraseError::TooLong);
                }
                let number = self.number(&bytes[at..end], hash, self.words);
                if words == 0 {
                    note(&mut self.phrases.first_lengths, &bytes[at..end]);
                }
                state = self.child(state, words, number);
                words += 1;
            }
            at = end + usize::from(end == at);
        }
        if words == 0 {
            return Err(PhraseError::NoWord);
        }
        let state = &mut self.phrases.states[state as usize];
        if let Some((taken, _)) = state.tag {
            return Err(PhraseError::Taken(taken));
        }
        state.tag = Some((tag, words as u8));
        Ok(())
    }

    fn expand(&mut self, state: u16, words: usize, slots: &[Vec<Option<u16>>], end: &mut dyn FnMut(&mut State, u8)) {
        let Some((slot, rest)) = slots.split_first() else {
            if state != 0 {
                end(&mut self.phrases.states[state as usize], words as u8);
            }
            return;
        };
        for word in slot {
            match word {
                None => self.expand(state, words, rest, end),
                Some(number) if words < LONGEST && self.phrases.states.len() <= MOST_STATES => {
                    let child = self.child(state, words, *number);
                    self.expand(child, words + 1, rest, end);
                }
                Some(_) => {}
            }
        }
    }

    fn child(&mut self, state: u16, words: usize, number: u16) -> u16 {
        let fresh = self.phrases.states.len() as u16;
        let child = self.phrases.edges.get_or_insert(edge(state, number), fresh);
        if child == fresh {
            self.phrases.states.push(State::default());
            self.layers[words].push((child, state, number));
        }
        child
    }

    fn number(&mut self, word: &[u8], hash: u64, fresh: u16) -> u16 {
        let number = self.phrases.words.get_or_insert(hash, fresh);
        if number == fresh {
            self.words += u16::from(fresh == self.words);
            if let Some(first) = word.first() {
                note(&mut self.phrases.lengths, word);
                self.phrases.numbers |= first.is_ascii_digit();
            }
        }
        number
    }

    /// A state's `fail` needs those of shorter ones, so they are made layer by layer.
    pub fn build(mut self) -> Phrases {
        let Phrases { edges, states, first, .. } = &mut self.phrases;
        first.resize(usize::from(self.words), 0);
        for (child, _, word) in &self.layers[0] {
            first[usize::from(*word)] = *child;
        }
        for (child, parent, word) in self.layers.into_iter().flatten() {
            let mut from = parent;
            let fail = loop {
                if from == 0 {
                    break 0;
                }
                from = states[from as usize].fail;
                if let Some(found) = edges.get(edge(from, word)) {
                    break found;
                }
            };
            let shorter = states[fail as usize];
            let made = &mut states[child as usize];
            made.fail = fail;
            made.built_in = made.built_in.or(shorter.built_in);
            made.tag = made.tag.or(shorter.tag);
        }
        self.phrases
    }
}
