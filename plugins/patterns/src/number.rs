//! Runs of digits: which of the numbers that people carry one may begin.

use crate::cues::Cues;
use crate::terms::Cue;
use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind, card, ip, phone};

/// So many digits may be a card's number without groups.
pub(crate) const LONG: usize = 12;
/// Numbers in a row, one space apart, that are looked at as the beginning of something longer. A
/// table of numbers is read once so, not once for each of its columns.
const LONGEST_CHAIN: u32 = 4;

/// Where a row of numbers is.
#[derive(Default)]
pub(crate) struct Chain {
    end: usize,
    length: u32,
}

impl Chain {
    /// Takes the next number. False where the row is too long.
    pub fn go_on(&mut self, bytes: &[u8], start: usize, end: usize) -> bool {
        let linked = start > 0 && self.end + 1 == start && bytes[start - 1] == b' ';
        *self = Chain { end, length: if linked { self.length + 1 } else { 0 } };
        self.length < LONGEST_CHAIN
    }
}

/// What begins with the digits `start..end`, behind which no letter stands.
pub(crate) fn find(bytes: &[u8], start: usize, end: usize, floor: usize, cues: &Cues, chain: &Chain) -> Option<Hit> {
    if cues.any(start)
        && let Some(found) = cues.answer(bytes, start, end)
    {
        return Some(found);
    }
    if let Some((end, score)) = social_security(bytes, start, end, cues.holds(Cue::SocialSecurity, start)) {
        return Some(Hit { kind: Kind::UsSsn, start, end, score });
    }
    if end - start <= 3
        && byte(bytes, end) == b'.'
        && let Some(found) = ip::v4(bytes, start)
    {
        return Some(found);
    }
    // Part of a path, an amount or a formula.
    if start > floor && matches!(bytes[start - 1], b'/' | b'$' | b'*' | b'^') {
        return None;
    }
    card::find(bytes, start, end, floor).or_else(|| {
        // What was announced begins its row.
        let announced = cues.holds(Cue::Phone, start) && chain.length == 0;
        phone::find(bytes, start, end, floor, announced)
    })
}

/// Whether digits are part of an identifier, a fraction, a date or a version.
#[inline]
pub(crate) fn is_part(bytes: &[u8], start: usize, floor: usize) -> bool {
    start > floor + 1 && matches!(bytes[start - 1], b'-' | b'_' | b'.') && is(bytes[start - 2], set::WORD)
}

/// Whether one of the forms below goes on as the digits `start..end` and what stands behind them do,
/// without anything announced: most numbers are none.
#[inline]
pub(crate) fn may_begin(bytes: &[u8], start: usize, end: usize) -> bool {
    let (first, separator) = (byte(bytes, start), byte(bytes, end));
    let worth_a_look = match end - start {
        // The `1` of North America is followed by three digits.
        1 => {
            let digit = |offset: usize| is(byte(bytes, end + offset), set::DIGIT);
            separator == b'.' || (first == b'1' && digit(2) && digit(1))
        }
        2 | 5 => separator == b'.' || first == b'0',
        3 | 4 => true,
        length => return length >= LONG,
    };
    worth_a_look && has_three_groups(bytes, start, end)
}

/// Each of the forms has three groups at least.
fn has_three_groups(bytes: &[u8], start: usize, end: usize) -> bool {
    let (zero, separator) = (bytes[start] == b'0', byte(bytes, end));
    let second = skip(bytes, end + 1, 7, set::DIGIT);
    let mark = byte(bytes, second);
    let dots = separator == b'.';
    is(separator, set::GAP)
        && if dots { mark == b'.' } else { is(mark, set::GAP) }
        && is(byte(bytes, second + 1), set::DIGIT)
        && match (end - start, second - end - 1) {
            (1..=3, 1..=3) if dots => true,
            (1 | 3, 3) => true,
            (3, 2) => zero || separator == b'-',
            (4, 4 | 6) => !dots && (zero || card::may_begin(bytes, start)),
            (2..=5, 2..=5) => zero,
            _ => false,
        }
}

/// Three, two and four digits with hyphens; where it was announced with spaces or nothing between.
/// Neither 000, 666 and 900 to 999 nor zeros alone were ever given out.
fn social_security(bytes: &[u8], start: usize, end: usize, announced: bool) -> Option<(usize, f64)> {
    let separator = byte(bytes, end);
    let (second, third, last, score) = match end - start {
        3 if separator == b'-' || (announced && separator == b' ') => {
            let second = skip(bytes, end + 1, 3, set::DIGIT);
            let last = skip(bytes, second + 1, 5, set::DIGIT);
            if second - end != 3 || byte(bytes, second) != separator || last - second != 5 {
                return None;
            }
            (end + 1, second + 1, last, if separator == b'-' { 0.85 } else { 0.7 })
        }
        9 if announced => (start + 3, start + 5, end, 0.7),
        _ => return None,
    };
    let zeros = |from: usize, to: usize| bytes[from..to].iter().all(|digit| *digit == b'0');
    let area = &bytes[start..start + 3];
    let behind = byte(bytes, last);
    let invalid = area == b"000"
        || area == b"666"
        || area[0] == b'9'
        || zeros(second, second + 2)
        || zeros(third, third + 4)
        || behind.is_ascii_alphanumeric()
        || (behind == b'-' && byte(bytes, last + 1).is_ascii_alphanumeric());
    (!invalid).then_some((last, score))
}
