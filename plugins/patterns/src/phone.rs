//! Telephone numbers: the international form, that of North America, national forms with a leading
//! zero, and whatever looks like one where it was announced.

use crate::before::Before;
use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind, diff};

const MOST_GROUPS: usize = 7;
const LEAST_DIGITS: usize = 7;
/// ITU-T E.164.
const MOST_DIGITS: usize = 15;
/// Bytes with all that may stand between the digits.
const LONGEST: usize = 24;

/// The number that begins with the digits `start..end`.
pub(crate) fn find(bytes: &[u8], start: usize, end: usize, floor: usize, announced: bool) -> Option<Hit> {
    if glued(bytes, start, floor) || (!announced && Before::of(bytes, start, floor).numbers_a_thing()) {
        return None;
    }
    let (end, score) = american(bytes, start, end).or_else(|| match (byte(bytes, start), byte(bytes, start + 1)) {
        _ if announced => read(bytes, start, start)?.announced(bytes),
        (b'0', b'0') => Shape::read(bytes, start).abroad(bytes),
        (b'0', _) => national(bytes, start),
        _ => None,
    })?;
    ended(bytes, start, end, score)
}

/// The number that begins with the `+` or `(` at `start`.
pub(crate) fn behind_sign(bytes: &[u8], start: usize, floor: usize, announced: bool) -> Option<Hit> {
    if glued(bytes, start, floor) {
        return None;
    }
    let plus = byte(bytes, start) == b'+';
    let close = skip(bytes, start + 1, 6, set::DIGIT);
    if !plus && (byte(bytes, close) != b')' || close - start < 3) {
        return None;
    }
    let (end, score) = if plus {
        let first = start + 1 + usize::from(byte(bytes, start + 1) == b'(');
        let shape = read(bytes, start, first)?;
        if shape.count == 1 && !announced && diff::adds(bytes, start, shape.end()) {
            return None;
        }
        shape.international(bytes, announced)?
    } else if close - start == 4 && matches!(byte(bytes, start + 1), b'2'..=b'9') {
        in_parentheses(bytes, start, close)?
    } else if announced {
        read(bytes, start, start + 1)?.announced(bytes)?
    } else if byte(bytes, start + 1) == b'0' {
        read(bytes, start, start + 1)?.behind_zero(bytes)?
    } else {
        return None;
    };
    ended(bytes, start, end, score)
}

/// Groups of digits, if there are enough of them: most numbers are told from a telephone's by that.
fn read(bytes: &[u8], start: usize, first: usize) -> Option<Shape> {
    let span = skip(bytes, start + 1, LONGEST, set::PHONE);
    let digits = bytes.get(start..span)?.iter().filter(|byte| is(**byte, set::DIGIT)).count();
    (digits >= LEAST_DIGITS).then(|| Shape::read(bytes, first))
}

/// Whether a word stands right before it.
fn glued(bytes: &[u8], start: usize, floor: usize) -> bool {
    start > floor && (is(bytes[start - 1], set::WORD) || bytes[start - 1] >= 0x80)
}

/// With its extension, `x123`; nothing where it goes on.
fn ended(bytes: &[u8], start: usize, mut end: usize, score: f64) -> Option<Hit> {
    if byte(bytes, end) == b'x' {
        let extension = skip(bytes, end + 1, 6, set::DIGIT);
        if extension > end + 1 {
            end = extension;
        }
    }
    let behind = byte(bytes, end);
    let goes_on = is(behind, set::WORD)
        || behind == b'_'
        || (matches!(behind, b'-' | b'.' | b'/') && is(byte(bytes, end + 1), set::DIGIT));
    (!goes_on).then_some(Hit { kind: Kind::PhoneNumber, start, end, score })
}

/// `415-555-0123`, `1.415.555.0123`: where it ends, and how sure that is.
fn american(bytes: &[u8], start: usize, end: usize) -> Option<(usize, f64)> {
    let area = match end - start {
        3 => start,
        1 if byte(bytes, start) == b'1' => start + 2,
        _ => return None,
    };
    let (one, two) = (byte(bytes, area + 3), byte(bytes, area + 7));
    let score = match (one, two) {
        (b'-', b'-') => 0.75,
        (b'.', b'.') | (b' ', b'-') => 0.6,
        (b' ', b' ') => 0.5,
        _ => return None,
    };
    let groups = [(area, 3), (area + 4, 3), (area + 8, 4)];
    let fits = matches!(byte(bytes, area), b'2'..=b'9')
        && !is(byte(bytes, area + 12), set::DIGIT)
        && groups.iter().all(|(from, length)| skip(bytes, *from, *length, set::DIGIT) == from + length);
    fits.then_some((area + 12, score))
}

/// `(415) 555-0123`, `(415)555-0123`
fn in_parentheses(bytes: &[u8], start: usize, close: usize) -> Option<(usize, f64)> {
    let local = close + 1 + usize::from(is(byte(bytes, close + 1), set::GAP));
    let fits = skip(bytes, local, 4, set::DIGIT) == local + 3
        && is(byte(bytes, local + 3), set::GAP)
        && skip(bytes, local + 4, 4, set::DIGIT) == local + 8;
    (fits && start < local).then_some((local + 8, 0.75))
}

/// `0688 872 49 99`, `03.93.92.16.85`: with a leading zero and the same mark between all groups.
fn national(bytes: &[u8], start: usize) -> Option<(usize, f64)> {
    let mut end = skip(bytes, start, 6, set::DIGIT);
    let mark = byte(bytes, end);
    let (mut sum, mut groups, mut pairs) = (end - start, 1, end - start == 2);
    while byte(bytes, end) == mark {
        let next = skip(bytes, end + 1, 6, set::DIGIT);
        let length = next - end - 1;
        if length == 0 {
            break;
        }
        (sum, groups, end) = (sum + length, groups + 1, next);
        pairs &= length == 2;
        if !(2..=5).contains(&length) || sum > 11 {
            return None;
        }
    }
    // Three, two and four with hyphens is a social security number, if one that was never given out.
    let american =
        mark == b'-' && end - start == 11 && byte(bytes, start + 3) == mark && byte(bytes, start + 6) == mark;
    let fits = if mark == b'.' { pairs && groups == 5 } else { groups >= 3 && sum >= 9 && !american };
    fits.then_some((end, 0.5))
}

/// Groups of digits with what stands between them.
struct Shape {
    ends: [u32; MOST_GROUPS],
    lengths: [u8; MOST_GROUPS],
    /// What stands before each group; a parenthesis where there is one.
    separators: [u8; MOST_GROUPS],
    count: usize,
    /// First digit.
    first: usize,
    /// Digits in all.
    sum: usize,
}

impl Shape {
    fn read(bytes: &[u8], first: usize) -> Self {
        let none = [0; MOST_GROUPS];
        let mut shape = Shape { ends: [0; MOST_GROUPS], lengths: none, separators: none, count: 0, first, sum: 0 };
        let (mut at, mut separator) = (first, 0);
        while shape.count < MOST_GROUPS {
            let end = skip(bytes, at, MOST_DIGITS + 1, set::DIGIT);
            // A group too many is another number.
            if end == at || shape.sum + end - at > MOST_DIGITS {
                break;
            }
            shape.sum += end - at;
            shape.ends[shape.count] = end as u32;
            shape.lengths[shape.count] = (end - at) as u8;
            shape.separators[shape.count] = separator;
            shape.count += 1;
            separator = byte(bytes, end);
            at = match separator {
                b')' => end + 1 + usize::from(is(byte(bytes, end + 1), set::GAP)),
                b' ' | b'-' | b'.' if byte(bytes, end + 1) == b'(' => {
                    separator = b'(';
                    end + 2
                }
                b' ' | b'-' | b'.' | b'(' => end + 1,
                _ => break,
            };
        }
        shape
    }

    fn end(&self) -> usize {
        self.ends[self.count.saturating_sub(1)] as usize
    }

    fn digit(&self, bytes: &[u8], place: usize) -> u8 {
        byte(bytes, self.first + place)
    }

    /// Behind a plus: `41 44 668 18 00`, `14155550123`.
    fn international(&self, bytes: &[u8], announced: bool) -> Option<(usize, f64)> {
        let least = if self.count > 1 || announced { 8 } else { 10 };
        // Numbers of North America have eleven digits; without groups most others that begin so are moments of a clock.
        let clock = self.count == 1 && !announced && self.digit(bytes, 0) == b'1' && self.sum != 11;
        (self.digit(bytes, 0) != b'0' && self.sum >= least && !clock).then_some((self.end(), 0.8))
    }

    /// `001-253-366-9781`
    fn abroad(&self, bytes: &[u8]) -> Option<(usize, f64)> {
        let prefix = self.digit(bytes, 1) == b'0' && matches!(self.digit(bytes, 2), b'1'..=b'9');
        let fits = prefix && self.lengths[0] <= 5 && self.count >= 3 && self.sum >= 11;
        fits.then_some((self.end(), 0.6))
    }

    /// `(03) 5327 5996`
    fn behind_zero(&self, bytes: &[u8]) -> Option<(usize, f64)> {
        let zero = self.digit(bytes, 0) == b'0' && matches!(self.digit(bytes, 1), b'1'..=b'9');
        (zero && self.count >= 2 && (9..=11).contains(&self.sum)).then_some((self.end(), 0.5))
    }

    /// Seven to fifteen digits that are no date.
    fn announced(&self, bytes: &[u8]) -> Option<(usize, f64)> {
        let lengths = &self.lengths[..self.count];
        match *lengths {
            [9..=13] => return Some((self.end(), 0.6)),
            [_] | [1..=2, 1..=2, 4] => return None,
            [4, 1..=2, ..] if matches!((self.digit(bytes, 0), self.digit(bytes, 1)), (b'1', b'9') | (b'2', b'0')) => {
                return None;
            }
            _ => {}
        }
        (self.sum >= LEAST_DIGITS).then_some((self.end(), 0.7))
    }
}
