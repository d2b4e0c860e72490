//! Numbers of payment cards: grouping, issuer, check digit (ISO/IEC 7812).

use crate::before::Before;
use crate::text::{byte, is, set};
use crate::{Hit, Kind};

/// The card number whose first run of digits is `start..end`.
pub(crate) fn find(bytes: &[u8], start: usize, end: usize, floor: usize) -> Option<Hit> {
    if end - start < 4 || !may_begin(bytes, start) {
        return None;
    }
    if end - start != 4 {
        let doubtful = Before::of(bytes, start, floor).numbers_a_thing();
        let hit = number(bytes, start, end, end - start)?;
        // One number in ten that begins so has the right last digit by chance.
        return Some(if doubtful { Hit { score: 0.4, ..hit } } else { hit });
    }
    // In groups: 4-4-4-4-3, 4-4-4-4, 4-6-5 or 4-6-4.
    let mark = byte(bytes, end);
    let gap = |offset: usize| byte(bytes, end + offset) == mark;
    let digit = |offset: usize| is(byte(bytes, end + offset), set::DIGIT);
    if gap(5) && gap(10) && digit(14) && !digit(15) {
        let longer = gap(15) && digit(16) && digit(18) && !digit(19);
        // Behind a space another number may follow.
        let longer = if longer { number(bytes, start, end + 19, 19) } else { None };
        longer.or_else(|| number(bytes, start, end + 15, 16))
    } else if gap(7) && digit(11) && !digit(13) {
        let length = 14 + usize::from(digit(12));
        number(bytes, start, end + length - 2, length)
    } else {
        None
    }
}

/// The number `start..end`, if it has so many digits, a beginning to which they belong and the right
/// last one.
fn number(bytes: &[u8], start: usize, end: usize, count: usize) -> Option<Hit> {
    let behind = byte(bytes, end);
    if is(behind, set::WORD) || (matches!(behind, b'-' | b'.') && is(byte(bytes, end + 1), set::DIGIT)) {
        return None;
    }
    let usual = network(beginning(bytes, start), count)?;
    let score = if usual || end - start > count { 0.9 } else { 0.6 };
    let (digits, valid) = luhn(bytes.get(start..end)?);
    (valid && digits == count).then_some(Hit { kind: Kind::CreditCard, start, end, score })
}

/// Whether cards of any length begin with the four digits at `start`.
pub(crate) fn may_begin(bytes: &[u8], start: usize) -> bool {
    matches!(beginning(bytes, start), 1800 | 2131 | 2221..=2720 | 3000..=6999)
}

fn beginning(bytes: &[u8], start: usize) -> u32 {
    (start..start + 4).fold(0, |sum, at| sum * 10 + u32::from(byte(bytes, at).wrapping_sub(b'0')))
}

/// Whether a known issuer gives out numbers of this beginning and length; and whether the length is
/// its usual one.
fn network(begins: u32, length: usize) -> Option<bool> {
    let of = |usual: usize, least: usize, most: usize| (least..=most).contains(&length).then_some(length == usual);
    match begins {
        // Visa had thirteen.
        4000..=4999 if length == 13 => Some(true),
        4000..=4999 if length == 16 || length == 19 => Some(length == 16),
        // Mastercard.
        5100..=5599 | 2221..=2720 => of(16, 16, 16),
        // American Express.
        3400..=3499 | 3700..=3799 => of(15, 15, 15),
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => of(14, 14, 16),
        // Discover.
        6011 | 6440..=6599 => of(16, 16, 19),
        // JCB.
        3528..=3589 => of(16, 16, 19),
        1800 | 2131 => of(15, 15, 15),
        // Maestro is issued with twelve digits too.
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => Some(true).filter(|_| length >= 12),
        // UnionPay.
        6200..=6299 => of(16, 16, 19),
        _ => None,
    }
}

/// How many digits there are, and whether the last one checks the others.
fn luhn(number: &[u8]) -> (usize, bool) {
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    // Every second digit from the last one back counts double: which those are is known at the end.
    let (mut single, mut double, mut length) = (0_u32, 0_u32, 0);
    for byte in number {
        let digit = byte.wrapping_sub(b'0');
        if let Some(doubled) = DOUBLED.get(usize::from(digit)) {
            (single, double) = (double + u32::from(digit), single + u32::from(*doubled));
            length += 1;
        }
    }
    (length, single % 10 == 0)
}
