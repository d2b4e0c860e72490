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
    let mut words = Vec::with_capacity(STOP.len());
    STOP.iter().for_each(|word| each(word, |number| words.push(number)));
    words.sort_unstable();
    words
}

/// The words of a text but for some, each once.
pub struct Words {
    /// Ascending.
    numbers: Vec<u64>,
    /// Where the numbers with each first byte begin, and at last how many there are. Descriptions
    /// have many words, and this is half the cost of looking one up.
    starts: [u16; 257],
}

impl Words {
    /// What is left out is given ascending.
    pub fn of(text: &str, but: &[u64]) -> Self {
        let mut numbers = Vec::new();
        each(text, |word| numbers.push(word));
        numbers.sort_unstable();
        numbers.dedup();
        numbers.retain(|word| but.binary_search(word).is_err());
        // No text that the slot lets in has so many: four bytes a word, with the gap after it.
        numbers.truncate(usize::from(u16::MAX));
        let mut starts = [0_u16; 257];
        for number in &numbers {
            starts[first(*number) + 1] += 1;
        }
        for at in 0..256 {
            starts[at + 1] += starts[at];
        }
        Words { numbers, starts }
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Position of a word.
    pub fn find(&self, word: u64) -> Option<usize> {
        let start = usize::from(self.starts[first(word)]);
        let same = &self.numbers[start..usize::from(self.starts[first(word) + 1])];
        same.binary_search(&word).ok().map(|at| start + at)
    }
}

fn first(number: u64) -> usize {
    (number >> 56) as usize
}

/// Runs of letters and digits with letters enough, in order.
pub fn each(text: &str, mut take: impl FnMut(u64)) {
    let bytes = text.as_bytes();
    let (mut at, mut start) = (0, 0);
    while at < bytes.len() {
        let width = match FOLDED[usize::from(bytes[at])] {
            0 => 1,
            0xC2 | 0xE2 | 0xE3 => punctuation(bytes, at),
            _ => 0,
        };
        if width == 0 {
            at += 1;
            continue;
        }
        if at - start >= SHORTEST
            && let Some(number) = number(&bytes[start..at])
        {
            take(number);
        }
        at += width;
        start = at;
    }
    if let Some(number) = number(&bytes[start..]) {
        take(number);
    }
}

/// Each byte in lower case, 0 where it belongs to no word.
const FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut byte = 0_u8;
    loop {
        if byte >= 0x80 || byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == u8::MAX {
            break folded;
        }
        byte += 1;
    }
};

/// Bytes of the punctuation there, 0 for what belongs to a word. Of what is not ASCII, that of
/// Latin-1, the general kind (dashes, quotation marks) and that of CJK.
fn punctuation(bytes: &[u8], at: usize) -> usize {
    match (bytes[at], bytes.get(at + 1)) {
        (0xC2, _) => 2,
        (0xE2, Some(0x80 | 0x81)) | (0xE3, Some(0x80)) => 3,
        _ => 0,
    }
}

/// Hash (FNV-1a) of a word in its singular; none where it has too few letters.
fn number(word: &[u8]) -> Option<u64> {
    let (stem, last) = singular(word);
    let mut letters = 0;
    for byte in word {
        // Neither a digit nor the rest of a character.
        letters += usize::from(*byte >= b'A' && !(0x80..0xC0).contains(byte));
    }
    if letters < SHORTEST {
        return None;
    }
    let mut hash = 0xCBF2_9CE4_8422_2325;
    for byte in stem {
        hash = add(hash, FOLDED[usize::from(*byte)]);
    }
    let hash = last.map_or(hash, |last| add(hash, last));
    // Short words differ in the lower bits alone, and the first byte is what finds them.
    Some(hash.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn add(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
}

/// Folds plurals and third persons: `tests`, `caches` and `cache`, `searches`, `queries`, `cookies`
/// and `cookie`. What is left need not be a word, only the same for both. The second part is a
/// letter to be put at its end.
fn singular(word: &[u8]) -> (&[u8], Option<u8>) {
    let back = |stem: &[u8], steps: usize| {
        let byte = stem.len().checked_sub(steps + 1).and_then(|at| stem.get(at));
        byte.map_or(0, |byte| FOLDED[usize::from(*byte)])
    };
    let mut stem = word;
    if stem.len() > SHORTEST && back(stem, 0) == b's' && !matches!(back(stem, 1), b's' | b'u' | b'i') {
        stem = &stem[..stem.len() - 1];
    }
    if stem.len() > SHORTEST && back(stem, 0) == b'e' {
        match (back(stem, 2), back(stem, 1)) {
            (_, b'i') => return (&stem[..stem.len() - 2], Some(b'y')),
            (b'c' | b's', b'h') | (b's', b's') | (_, b'x' | b'z') => stem = &stem[..stem.len() - 1],
            _ => {}
        }
    }
    (stem, None)
}
