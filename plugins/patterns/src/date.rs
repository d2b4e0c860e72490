//! Dates, for where a birth was announced.

use crate::text::{byte, set, skip};

/// Where the date that begins with the word `start..end` ends: `1980-03-12`, `12/3/1980`, `12.03.80`,
/// `12 March 1980`, `March 12, 1980`.
pub(crate) fn find(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let end = match (byte(bytes, start), byte(bytes, end)) {
        (b'0'..=b'9', b'/') => numeric(bytes, start)?,
        (b'0'..=b'9', _) => numeric(bytes, start).or_else(|| day_first(bytes, start))?,
        _ => month_first(bytes, start)?,
    };
    (!byte(bytes, end).is_ascii_alphanumeric()).then_some(end)
}

fn digits(bytes: &[u8], at: usize, most: usize) -> usize {
    skip(bytes, at, most, set::DIGIT)
}

fn numeric(bytes: &[u8], at: usize) -> Option<usize> {
    let first = digits(bytes, at, 5);
    let separator = byte(bytes, first);
    if !matches!(separator, b'/' | b'-' | b'.') {
        return None;
    }
    let second = digits(bytes, first + 1, 3);
    if byte(bytes, second) != separator {
        return None;
    }
    let third = digits(bytes, second + 1, 5);
    match (first - at, second - first - 1, third - second - 1) {
        (4, 1..=2, 1..=2) | (1..=2, 1..=2, 2 | 4) => Some(third),
        _ => None,
    }
}

fn day_first(bytes: &[u8], at: usize) -> Option<usize> {
    let day = ordinal(bytes, at)?;
    year(bytes, month(bytes, skip(bytes, day, 3, set::GAP))?)
}

fn month_first(bytes: &[u8], at: usize) -> Option<usize> {
    let month = month(bytes, at)?;
    year(bytes, ordinal(bytes, skip(bytes, month, 2, set::GAP))?)
}

/// `3`, `3rd`.
fn ordinal(bytes: &[u8], at: usize) -> Option<usize> {
    let end = digits(bytes, at, 3);
    if !(1..=2).contains(&(end - at)) {
        return None;
    }
    Some(match [byte(bytes, end), byte(bytes, end + 1)] {
        [b's', b't'] | [b'n' | b'r', b'd'] | [b't', b'h'] => end + 2,
        _ => end,
    })
}

/// A month's name, whole or cut to three letters.
fn month(bytes: &[u8], at: usize) -> Option<usize> {
    let letters = [0, 1, 2].map(|place| byte(bytes, at + place) | 0x20);
    match &letters {
        b"jan" | b"feb" | b"mar" | b"apr" | b"may" | b"jun" | b"jul" | b"aug" | b"sep" | b"oct" | b"nov" | b"dec" => {
            Some(skip(bytes, at, 9, set::WORD))
        }
        _ => None,
    }
}

fn year(bytes: &[u8], at: usize) -> Option<usize> {
    let comma = at + usize::from(byte(bytes, at) == b',');
    let start = skip(bytes, comma, 2, set::GAP);
    let end = digits(bytes, start, 5);
    (start > at && end - start == 4).then_some(end)
}
