//! The words of a text, as numbers: equal words, equal numbers.
//!
//! Only ASCII letters are folded to lower case: the tables for the others would be a large part of
//! the component.

/// Words that say nothing of what is to be done. Shorter ones are not taken for words at all.
const STOP: [&str; 60] = [
    "about", "after", "all", "also", "and", "any", "are", "before", "been", "but", "can", "could", "does", "each",
    "either", "for", "from", "had", "has", "have", "here", "how", "into", "its", "may", "must", "not", "off", "once",
    "one", "only", "onto", "other", "our", "out", "over", "shall", "should", "some", "such", "than", "that", "the",
    "their", "them", "then", "there", "these", "they", "this", "those", "was", "were", "what", "when", "which", "will",
    "with", "you", "your",
];

/// A word has at least so many letters.
const SHORTEST: usize = 3;

/// Numbers of the words that are passed over, ascending.
pub fn stop_words() -> Vec<u64> {
    let mut words: Vec<u64> = STOP.iter().map(|word| number(word.as_bytes())).collect();
    words.sort_unstable();
    words
}

/// The words of a text but for some, each once, ascending. Both lists are of numbers.
pub fn distinct(text: &str, but: &[u64]) -> Vec<u64> {
    let mut words = Vec::new();
    each(text, |word| words.push(word));
    words.sort_unstable();
    words.dedup();
    words.retain(|word| but.binary_search(word).is_err());
    words
}

/// Runs of letters and digits with letters enough, in order.
pub fn each(text: &str, mut take: impl FnMut(u64)) {
    let bytes = text.as_bytes();
    let (mut at, mut start, mut letters) = (0, 0, 0);
    while at < bytes.len() {
        let width = gap(bytes, at);
        if width == 0 {
            letters += usize::from(bytes[at].is_ascii_alphabetic() || bytes[at] >= 0xC0);
            at += 1;
            continue;
        }
        if letters >= SHORTEST {
            take(number(&bytes[start..at]));
        }
        at += width;
        (start, letters) = (at, 0);
    }
    if letters >= SHORTEST {
        take(number(&bytes[start..]));
    }
}

/// Bytes of the character there, 0 when it belongs to a word. What is not ASCII does, but for the
/// punctuation of Latin-1, the general kind (dashes, quotation marks) and that of CJK.
fn gap(bytes: &[u8], at: usize) -> usize {
    let next = bytes.get(at + 1).copied().unwrap_or(0);
    match (bytes[at], next) {
        (byte, _) if byte < 0x80 => usize::from(!byte.is_ascii_alphanumeric()),
        (0xC2, _) => 2,
        (0xE2, 0x80 | 0x81) | (0xE3, 0x80) => 3,
        _ => 0,
    }
}

/// FNV-1a of the word in its singular.
fn number(word: &[u8]) -> u64 {
    let (stem, last) = singular(word);
    stem.iter()
        .map(u8::to_ascii_lowercase)
        .chain(last)
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// Folds plurals and third persons: `tests`, `caches` and `cache`, `searches`, `queries`, `cookies`
/// and `cookie`. What is left need not be a word, only the same for both. The second part is a
/// letter to be put at its end.
fn singular(word: &[u8]) -> (&[u8], Option<u8>) {
    let ends =
        |word: &[u8], end: &[u8]| word.len() >= end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end);
    let mut stem = word;
    if stem.len() > SHORTEST && ends(stem, b"s") && ![b"ss", b"us", b"is"].iter().any(|end| ends(stem, *end)) {
        stem = &stem[..stem.len() - 1];
    }
    if stem.len() > SHORTEST && ends(stem, b"ie") {
        return (&stem[..stem.len() - 2], Some(b'y'));
    }
    let sibilants: [&[u8]; 5] = [b"che", b"she", b"sse", b"xe", b"ze"];
    if stem.len() > SHORTEST && sibilants.iter().any(|end| ends(stem, end)) {
        stem = &stem[..stem.len() - 1];
    }
    (stem, None)
}
