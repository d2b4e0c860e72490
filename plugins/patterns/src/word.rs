//! Words, in whatever script, and the characters that cannot be seen.

use crate::text::{byte, is, set};

/// A word: letters, digits and whatever is not ASCII and neither space nor punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub end: usize,
    /// Of its letters, ASCII in lower case. Two words of the same 64 bits are taken for the same.
    pub hash: u64,
}

/// FNV-1a.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The hash of a word of ASCII letters and digits.
#[inline]
pub(crate) fn hash(word: &[u8]) -> u64 {
    word.iter().fold(SEED, |hash, byte| add(hash, *byte))
}

#[inline]
fn add(hash: u64, byte: u8) -> u64 {
    // Capital letters become small ones; digits have the bit already.
    (hash ^ u64::from(byte | if byte < 0x80 { 0x20 } else { 0 })).wrapping_mul(PRIME)
}

/// The word that begins at `at`; empty where none does.
pub(crate) fn word(bytes: &[u8], at: usize) -> Word {
    let (mut hash, mut end) = (SEED, at);
    while let Some(&byte) = bytes.get(end) {
        if byte < 0x80 {
            if !is(byte, set::WORD) {
                break;
            }
            hash = add(hash, byte);
            end += 1;
            continue;
        }
        let odd = if is(byte, set::ODD) { high(bytes, end) } else { High::Letter };
        match odd {
            High::Letter => {
                hash = add(hash, byte);
                end += 1;
            }
            // A word with hidden characters in it is read by a model as if they were not there.
            High::Hidden(length) => end += length,
            High::Blank(_) => break,
        }
    }
    Word { end, hash }
}

/// What stands at a byte that is not ASCII.
pub(crate) enum High {
    /// Part of a word.
    Letter,
    /// Space or punctuation of so many bytes.
    Blank(usize),
    /// Nothing that can be seen, of so many bytes.
    Hidden(usize),
}

pub(crate) fn high(bytes: &[u8], at: usize) -> High {
    let byte = |offset: usize| byte(bytes, at + offset);
    match byte(0) {
        // U+00AD, and Latin-1 punctuation without ª, µ and º.
        0xC2 => match byte(1) {
            0xAD => High::Hidden(2),
            0xAA | 0xB5 | 0xBA => High::Letter,
            _ => High::Blank(2),
        },
        // U+200B to U+200F, U+202A to U+202E, U+2060 to U+206F, and other general punctuation.
        0xE2 => match (byte(1), byte(2)) {
            (0x80, 0x8B..=0x8F | 0xAA..=0xAE) | (0x81, 0xA0..=0xAF) => High::Hidden(3),
            (0x80 | 0x81, _) => High::Blank(3),
            _ => High::Letter,
        },
        // Punctuation of East Asia.
        0xE3 if byte(1) == 0x80 && byte(2) <= 0x91 => High::Blank(3),
        // Byte-order mark and variation selectors.
        0xEF => match (byte(1), byte(2)) {
            (0xBB, 0xBF) | (0xB8, 0x80..=0x8F) => High::Hidden(3),
            _ => High::Letter,
        },
        // Tags and more variation selectors, U+E0000 to U+E01FF.
        0xF3 if byte(1) == 0xA0 && byte(2) <= 0x87 => High::Hidden(4),
        _ => High::Letter,
    }
}

/// Bytes of the character at `at`, if it is one that cannot be seen: zero-width, for the direction of
/// writing, a tag. `at` must be the first byte of a character.
#[must_use]
pub fn hidden_at(bytes: &[u8], at: usize) -> Option<usize> {
    match high(bytes, at) {
        High::Hidden(length) => Some(length),
        High::Letter | High::Blank(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_space_punctuation_and_underscores() {
        let end = |text: &str| word(text.as_bytes(), 0).end;
        assert_eq!(end("one two"), 3);
        assert_eq!(end("snake_case"), 5);
        assert_eq!(end("naïve."), 6);
        assert_eq!(end("don’t"), 3);
        assert_eq!(end("a\u{a0}b"), 1);
        assert_eq!(end(" "), 0);
    }

    #[test]
    fn case_and_hidden_characters_do_not_change_a_word() {
        let of = |text: &str| word(text.as_bytes(), 0).hash;
        assert_eq!(of("Ignore"), of("ignore"));
        assert_eq!(of("ig\u{200b}no\u{ad}re"), of("ignore"));
        assert_eq!(of("Ignore"), hash(b"IGNORE"));
        assert_ne!(of("ignore"), of("ignores"));
    }

    #[test]
    fn every_truncation_of_a_character_is_read_without_harm() {
        for bytes in [&[0xC2][..], &[0xE2, 0x80], &[0xEF], &[0xF3, 0xA0], &[0xE3, 0x80]] {
            assert!(word(bytes, 0).end <= bytes.len() + 3);
            let _ = hidden_at(bytes, 0);
        }
    }
}
