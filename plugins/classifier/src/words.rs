//! Words of a text, as numbers: a prompt has thousands of them, and each is compared with those of every
//! tool.

/// A run of letters, digits and `_`. Only ASCII letters are folded: the tables for the others would be
/// an eighth of the component.
pub type Word = u64;

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::with_capacity(text.len() / 4);
    words.extend(words_of(text));
    words
}

/// What each byte is within a word, as FNV-1a takes it: folded, nothing, or the begin of a character of
/// several bytes.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let ascii = byte as u8;
        class[byte] = match ascii {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => ascii.to_ascii_lowercase(),
            0x80.. => WIDE,
            _ => 0,
        };
        byte += 1;
    }
    class
};
const WIDE: u8 = 0xFF;

/// FNV-1a over the bytes of each word.
pub fn words_of(text: &str) -> impl Iterator<Item = Word> {
    const BASIS: Word = 0xcbf2_9ce4_8422_2325;
    const PRIME: Word = 0x0100_0000_01b3;
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let (mut word, mut any) = (BASIS, false);
        while let Some(byte) = bytes.get(at) {
            let class = CLASS[usize::from(*byte)];
            at += 1;
            if class == WIDE {
                // Not often: the character is decoded.
                let wide = text[at - 1..].chars().next().unwrap_or_default();
                let end = at - 1 + wide.len_utf8();
                if wide.is_alphanumeric() {
                    any = true;
                    for byte in &bytes[at - 1..end] {
                        word = (word ^ Word::from(*byte)).wrapping_mul(PRIME);
                    }
                    at = end;
                    continue;
                }
                at = end;
            } else if class != 0 {
                any = true;
                word = (word ^ Word::from(class)).wrapping_mul(PRIME);
                continue;
            }
            if any {
                break;
            }
        }
        any.then_some(word)
    })
}

/// Whether a phrase stands in a text.
pub fn contains_phrase(words: &[Word], phrase: &[Word]) -> bool {
    let Some((first, rest)) = phrase.split_first() else { return false };
    (0..words.len()).any(|at| words[at] == *first && words[at + 1..].starts_with(rest))
}

/// Phrases, sorted: a place of a text is compared with few of them, however many there are.
pub struct Phrases {
    /// Each once, and how often it was given.
    sorted: Vec<(Vec<Word>, u64)>,
    /// A bit for what a first word may be: most words of a text are none.
    first: u64,
}

impl Phrases {
    /// Those of the texts.
    pub fn of(texts: &[String]) -> Self {
        let mut sorted: Vec<Vec<Word>> = texts.iter().map(|text| words(text)).collect();
        sorted.sort_unstable();
        let mut phrases: Vec<(Vec<Word>, u64)> = Vec::with_capacity(sorted.len());
        for phrase in sorted {
            match phrases.last_mut() {
                Some((last, times)) if *last == phrase => *times += 1,
                _ => phrases.push((phrase, 1)),
            }
        }
        let first = phrases.iter().filter_map(|(phrase, _)| phrase.first()).fold(0, |bits, word| bits | bit(*word));
        Phrases { sorted: phrases, first }
    }

    /// How many of them a text has.
    pub fn named_in(&self, words: &[Word]) -> u64 {
        let mut named = vec![false; self.sorted.len()];
        for place in 0..words.len() {
            if self.first & bit(words[place]) == 0 {
                continue;
            }
            // Those that begin with the words from here on, one word more each time.
            let (mut from, mut to) = (0, self.sorted.len());
            for (depth, word) in words[place..].iter().enumerate() {
                let range = &self.sorted[from..to];
                let begin = range.partition_point(|(phrase, _)| phrase.get(depth) < Some(word));
                let end = range.partition_point(|(phrase, _)| phrase.get(depth) <= Some(word));
                (from, to) = (from + begin, from + end);
                if from == to {
                    break;
                }
                if self.sorted[from].0.len() == depth + 1 {
                    named[from] = true;
                }
            }
        }
        self.sorted.iter().zip(named).filter(|(_, named)| *named).map(|((_, times), _)| times).sum()
    }
}

fn bit(word: Word) -> u64 {
    1 << (word >> 58)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_and_fold_ascii_letters() {
        let same = [("Read-File", "read file"), ("a_b c", "A_B  c!"), ("naïve", "NAïVE"), ("", " -- ")];
        assert!(same.iter().all(|(one, other)| words(one) == words(other)));
        let different = [("readfile", "read file"), ("naïve", "NAÏVE"), ("a b", "b a"), ("a_b", "a b")];
        assert!(different.iter().all(|(one, other)| words(one) != words(other)));
    }

    #[test]
    fn tools_are_found_as_a_plain_search_finds_them() {
        // All texts of up to five words out of two, all pairs of tools of up to three.
        let texts = |most: u32| {
            (0..=most).flat_map(|length| {
                (0..1_u32 << length).map(move |bits| {
                    let word = |at| if bits >> at & 1 == 1 { "a" } else { "B" };
                    (0..length).map(word).collect::<Vec<_>>().join(" ")
                })
            })
        };
        for text in texts(5) {
            for (one, other) in texts(3).flat_map(|one| texts(3).map(move |other| (one.clone(), other))) {
                let tools = [one, other];
                let words = words(&text);
                let plain = tools.iter().filter(|tool| contains_phrase(&words, &super::words(tool))).count() as u64;
                assert_eq!(Phrases::of(&tools).named_in(&words), plain, "{tools:?} in `{text}`");
            }
        }
    }
}
