//! Looks for rare bytes, eight at a time: what is looked for by itself should cost next to nothing
//! where it does not stand.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// Where, from `at` on, the two bytes of one or the other pair stand next to each other.
pub fn find_pair(text: &[u8], at: usize, one: [u8; 2], other: [u8; 2]) -> Option<usize> {
    // The high bit of each byte that is the wanted one, and perhaps of some behind it.
    let mask = |word: u64, byte: u8| {
        let word = word ^ (ONES * u64::from(byte));
        word.wrapping_sub(ONES) & !word & HIGH
    };
    let may_have = |word: u64, pair: [u8; 2]| {
        let first = mask(word, pair[0]);
        // The last of the eight may go on behind them.
        first != 0 && ((first << 8) & mask(word, pair[1]) != 0 || first >> 63 != 0)
    };
    let mut at = at;
    loop {
        at = skip(text, at, |word| may_have(word, one) || may_have(word, other));
        let rest = text.get(at..)?;
        if let Some(place) = rest.windows(2).take(8).position(|pair| pair == one || pair == other) {
            return Some(at + place);
        }
        if rest.len() <= 8 {
            return None;
        }
        at += 8;
    }
}

/// The first byte from `at` on that is one or the other.
pub fn find_byte(text: &[u8], at: usize, one: u8, other: u8) -> Option<usize> {
    let has = |word: u64, byte: u8| {
        let word = word ^ (ONES * u64::from(byte));
        word.wrapping_sub(ONES) & !word & HIGH != 0
    };
    let at = skip(text, at, |word| has(word, one) || has(word, other));
    text.get(at..)?.iter().position(|byte| *byte == one || *byte == other).map(|place| at + place)
}

/// The first byte from `at` on that is not ASCII.
pub fn find_high(text: &[u8], at: usize) -> Option<usize> {
    let at = skip(text, at, |word| word & HIGH != 0);
    text.get(at..)?.iter().position(|byte| *byte >= 0x80).map(|place| at + place)
}

/// The first place, by eights from `at` on, whose eight bytes are wanted; else what is less than eight.
fn skip(text: &[u8], at: usize, wanted: impl Fn(u64) -> bool) -> usize {
    let mut at = at;
    while let Some(eight) = text.get(at..at + 8).and_then(|eight| eight.first_chunk()) {
        if wanted(u64::from_le_bytes(*eight)) {
            break;
        }
        at += 8;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_plain_search_finds() {
        for length in 0..40 {
            for place in 0..length {
                for (pair, other) in [(b"..", b'.'), (b":(", b':'), (b"\xFF\xFF", 0xC3), (b"\x01\x00", 1)] {
                    let mut text = vec![other; length];
                    text.fill(if place % 2 == 0 { b'-' } else { other });
                    for (to, from) in text[place..].iter_mut().zip(pair) {
                        *to = *from;
                    }
                    for at in 0..=length {
                        let plain = (at..length).find(|place| text[*place..].starts_with(pair));
                        assert_eq!(find_pair(&text, at, *pair, *pair), plain, "{text:?} {at}");
                        assert_eq!(find_pair(&text, at, *pair, *b"()"), plain, "{text:?} {at}");
                        assert_eq!(find_pair(&text, at, *b"()", *pair), plain, "{text:?} {at}");
                        assert_eq!(find_high(&text, at), (at..length).find(|place| text[*place] >= 0x80));
                    }
                }
            }
        }
    }
}
