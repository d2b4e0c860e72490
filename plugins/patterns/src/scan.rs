//! The pass: dispatches on the class of each byte and keeps what was found apart.
//!
//! Most of a text is words and marks that are nothing: those are told apart here, before anything
//! that reads further is called.

mod keep;
mod marks;

use crate::cues::Cues;
use crate::phrases::{Phrases, Place};
use crate::text::{self, Class, byte, is, set};
use crate::word::{self, High};
use crate::{Hit, Kind, assignment, iban, number, pem, token};
use keep::{MOST_EFFORT, effort};
use marks::{may_be_mail, may_be_phone, may_name};

/// Bytes of the first word of a key, such as `ghp` or `rubygems`, when the prefix goes on behind it.
const LONGEST_PREFIX: usize = 8;

/// Bytes between two looks at the effort.
const STRETCH: usize = 256;

pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    phrases: &'a Phrases,
    tell: &'a mut dyn FnMut(u16, usize, usize),
    place: Place,
    /// Nothing before this byte is looked at again: it was found, or is an escape.
    floor: usize,
    cues: Cues,
    chain: number::Chain,
    /// Before this byte no grouped account number is looked for again.
    no_iban_before: usize,
    /// Spent on what was no hit, and a little on each hit.
    effort: u32,
    hits: Vec<Hit>,
    /// The last medical term: its words' hash and end.
    medical: Option<(u64, usize)>,
}

impl<'a> Scan<'a> {
    pub fn new(text: &'a str, phrases: &'a Phrases, tell: &'a mut dyn FnMut(u16, usize, usize)) -> Self {
        Scan {
            bytes: text.as_bytes(),
            phrases,
            tell,
            place: Place::default(),
            floor: 0,
            cues: Cues::default(),
            chain: number::Chain::default(),
            no_iban_before: 0,
            effort: 0,
            hits: Vec::new(),
            medical: None,
        }
    }

    pub fn run(mut self) -> Vec<Hit> {
        let read = self.read();
        if read < self.bytes.len() {
            self.hits.push(Hit { kind: Kind::Unread, start: read, end: self.bytes.len(), score: 0.5 });
        }
        self.hits
    }

    /// Up to where the effort lasted: all of the text, unless it was made to be hard to read.
    fn read(&mut self) -> usize {
        let mut at = 0;
        while at < self.bytes.len() && self.effort < MOST_EFFORT {
            at = self.stretch(at, (at + STRETCH).min(self.bytes.len()));
        }
        at
    }

    fn stretch(&mut self, mut at: usize, end: usize) -> usize {
        // Beside `self`, which every call may change, so that they need not be fetched again.
        let (bytes, head) = (self.bytes, &self.bytes[..end]);
        while let Some(&first) = head.get(at) {
            let class = text::class(first);
            at = match class {
                Class::Blank => at + 1,
                Class::Word | Class::Key => self.word(bytes, first, class == Class::Key, at),
                Class::Digit => self.digits(bytes, at),
                Class::Break => {
                    self.place.leave();
                    at + 1
                }
                Class::Dash if byte(bytes, at + 1) == b'-' && byte(bytes, at + 5) == b'B' => {
                    self.or_next(at, pem::find(bytes, at), effort::KEY)
                }
                Class::Dash => at + 1,
                Class::Colon => {
                    self.place.leave();
                    self.colon(bytes, at)
                }
                Class::Equals => {
                    self.place.leave();
                    if may_name(bytes, at) { self.equals(at) } else { at + 1 }
                }
                Class::At => {
                    self.place.leave();
                    if may_be_mail(bytes, at) { self.at(at) } else { at + 1 }
                }
                Class::Sign => {
                    self.place.leave();
                    if may_be_phone(bytes, first, at) { self.sign(at) } else { at + 1 }
                }
                Class::Escape => self.escape(at),
                Class::High => self.high(at),
            };
        }
        at
    }

    #[inline]
    fn word(&mut self, bytes: &[u8], first: u8, key: bool, at: usize) -> usize {
        let end = text::word_end(bytes, at + 1);
        let (behind, length) = (byte(bytes, end), end - at);
        // The prefixes of keys end with a mark, or the key goes on without one.
        if key
            && (length >= 16 || (is(behind, set::DOTTED) && (length <= LONGEST_PREFIX || first == b'A')))
            && let Some(forms) = token::forms_at(bytes, at)
            && let Some(hit) = self.tried(effort::KEY, token::find(bytes, at, self.floor, forms))
        {
            return self.take(hit);
        }
        if behind >= 0x80 {
            return self.wide(at);
        }
        // `Bearer …`
        if length == 6
            && behind == b' '
            && first | 0x20 == b'b'
            && bytes[at..end].eq_ignore_ascii_case(b"bearer")
            && let Some(hit) = self.tried(effort::KEY, assignment::behind_bearer(bytes, end + 1, true))
        {
            return self.take(hit);
        }
        // `GB82…`
        if (length == 4 || length >= 15)
            && is(byte(bytes, at + 3), set::DIGIT)
            && is(byte(bytes, at + 2), set::DIGIT)
            && let Some(found) = self.tried(effort::KEY, iban::find(bytes, at, end, at >= self.no_iban_before))
        {
            match found {
                iban::Found::Hit(hit) => return self.take(hit),
                iban::Found::NoneBefore(end) => self.no_iban_before = end,
            }
        }
        if self.cues.any_for_words(at)
            && let Some(hit) = self.tried(effort::ANSWER, self.cues.answer(bytes, at, end))
        {
            return self.take(hit);
        }
        if self.phrases.may_have(&self.place, first, byte(bytes, at + 1), length) {
            self.step(word::hash(&bytes[at..end]), at, end);
        } else {
            self.place.leave();
        }
        end + usize::from(behind == b' ')
    }

    /// A word with other than ASCII letters in it, or that ends at other than ASCII.
    fn wide(&mut self, at: usize) -> usize {
        let word = word::word(self.bytes, at);
        self.step(word.hash, at, word.end);
        word.end
    }

    fn high(&mut self, at: usize) -> usize {
        match word::high(self.bytes, at) {
            High::Letter => self.wide(at),
            High::Blank(length) | High::Hidden(length) => at + length,
        }
    }

    #[inline]
    fn digits(&mut self, bytes: &[u8], at: usize) -> usize {
        let mut end = at + 1;
        while byte(bytes, end).is_ascii_digit() {
            end += 1;
        }
        let behind = byte(bytes, end);
        if is(behind, set::WORD) || behind >= 0x80 {
            return self.mixed(at);
        }
        if (is(behind, set::GAP) || end - at >= number::LONG || self.cues.any(at))
            && !number::is_part(bytes, at, self.floor)
            && (self.cues.any(at) || number::may_begin(bytes, at, end))
            && let Some(next) = self.number(at, end)
        {
            return next;
        }
        if self.phrases.numbers {
            self.step(word::word(bytes, at).hash, at, end);
        } else {
            self.place.leave();
        }
        end + usize::from(behind == b' ')
    }

    /// Digits with letters behind them.
    #[inline(never)]
    fn mixed(&mut self, at: usize) -> usize {
        let word = word::word(self.bytes, at);
        if self.cues.any(at)
            && let Some(hit) = self.tried(effort::ANSWER, self.cues.answer(self.bytes, at, word.end))
        {
            return self.take(hit);
        }
        self.step(word.hash, at, word.end);
        word.end
    }

    #[inline(never)]
    fn number(&mut self, at: usize, end: usize) -> Option<usize> {
        if !self.chain.go_on(self.bytes, at, end) {
            return self.tried(effort::ROW, None);
        }
        let hit = number::find(self.bytes, at, end, self.floor, &self.cues, &self.chain);
        let hit = self.tried(effort::NUMBER, hit)?;
        Some(self.take(hit))
    }
}
