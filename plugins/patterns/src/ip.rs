//! Addresses of the internet protocol. A score of 0.5 at most: they name machines, not people.

use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind};

const PUBLIC: f64 = 0.5;
/// More likely the number of a version.
const VERSION: f64 = 0.3;
/// Of a private network, of the machine itself, or of nobody.
const PRIVATE: f64 = 0.1;

/// The address of version 4 that begins at `start`, with nothing of a number around it.
pub(crate) fn v4(bytes: &[u8], start: usize) -> Option<Hit> {
    let mut parts = [0_u32; 4];
    let mut at = start;
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 {
            if byte(bytes, at) != b'.' {
                return None;
            }
            at += 1;
        }
        let end = skip(bytes, at, 4, set::DIGIT);
        if !(1..=3).contains(&(end - at)) {
            return None;
        }
        *part = bytes[at..end].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        at = end;
    }
    let behind = byte(bytes, at);
    if parts.iter().any(|part| *part > 255)
        || behind.is_ascii_alphanumeric()
        || (matches!(behind, b'.' | b'-') && byte(bytes, at + 1).is_ascii_alphanumeric())
    {
        return None;
    }
    let score = match parts {
        [0 | 10 | 127 | 224.., ..] | [169, 254, ..] | [192, 168, ..] | [172, 16..=31, ..] => PRIVATE,
        [8, 8, ..] | [1, 1, 1, 1] => PUBLIC,
        [..=9, ..=9, ..=9, ..=9] => VERSION,
        _ => PUBLIC,
    };
    Some(Hit { kind: Kind::IpAddress, start, end: at, score })
}

/// What stands around the first colon of what may be an address of version 6.
pub(crate) enum Found {
    Hit(Hit),
    /// None; what is between the colons before this byte, where the last group begins, is neither.
    NoneBefore(usize),
}

/// The address of version 6 whose first colon is at `colon`.
pub(crate) fn v6(bytes: &[u8], colon: usize, floor: usize) -> Found {
    let mut start = colon;
    while start > floor && colon - start < 4 && is(bytes[start - 1], set::HEX) {
        start -= 1;
    }
    let before = if start > floor { bytes[start - 1] } else { 0 };
    if is(before, set::DOTTED) || matches!(before, b':' | 0x80..) {
        return Found::NoneBefore(colon);
    }
    let (mut at, mut groups, mut gap) = (start, 0, false);
    let mut last;
    loop {
        let end = skip(bytes, at, 4, set::HEX);
        groups += usize::from(end > at);
        (last, at) = (at, end);
        let next = byte(bytes, at + 1);
        if byte(bytes, at) != b':' {
            break;
        }
        if next == b':' && !gap {
            gap = true;
            at += 2;
        } else if is(next, set::HEX) && end > last {
            at += 1;
        } else {
            break;
        }
    }
    let behind = byte(bytes, at);
    let whole = if gap { (3..8).contains(&groups) } else { groups == 8 };
    if !whole || is(behind, set::WORD) || matches!(behind, b':' | b'_' | 0x80..) {
        return Found::NoneBefore(last);
    }
    let head = bytes.get(start..start + 4).unwrap_or_default().to_ascii_lowercase();
    let private = head.starts_with(b"fe80") || head.starts_with(b"fc") || head.starts_with(b"fd");
    Found::Hit(Hit { kind: Kind::IpAddress, start, end: at, score: if private { PRIVATE } else { PUBLIC } })
}
