//! International bank account numbers (ISO 13616).

use crate::text::byte;
use crate::{Hit, Kind};

const LONGEST: usize = 34;

pub(crate) enum Found {
    Hit(Hit),
    /// What was read up to here is none, nor do the groups in it begin one.
    NoneBefore(usize),
}

/// The number that begins with the word `start..end`, written in one or, where wanted, in groups of
/// four.
pub(crate) fn find(bytes: &[u8], start: usize, end: usize, grouped: bool) -> Option<Found> {
    let length = length([byte(bytes, start).to_ascii_uppercase(), byte(bytes, start + 1).to_ascii_uppercase()])?;
    if !byte(bytes, start + 3).is_ascii_digit() {
        return None;
    }
    let in_one = end - start == length;
    let in_fours = grouped && end - start == 4 && byte(bytes, end) == b' ';
    if !in_one && !in_fours {
        return None;
    }
    let mut number = [0; LONGEST];
    let (mut at, mut count) = (start, 0);
    while count < length {
        if !in_one && count > 0 && count % 4 == 0 {
            if byte(bytes, at) != b' ' {
                break;
            }
            at += 1;
        }
        let Some(value) = value(byte(bytes, at)) else { break };
        number[count] = value;
        (at, count) = (at + 1, count + 1);
    }
    let whole = count == length && value(byte(bytes, at)).is_none();
    if whole && remainder(&number[4..length], &number[..4]) == 1 {
        return Some(Found::Hit(Hit { kind: Kind::Iban, start, end: at, score: 0.95 }));
    }
    Some(Found::NoneBefore(at))
}

/// 0 to 35 of a digit or letter.
fn value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn remainder(account: &[u8], head: &[u8]) -> u32 {
    account.iter().chain(head).fold(0, |rest, value| {
        let value = u32::from(*value);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

/// Length by country, of the register kept by SWIFT.
fn length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FK" | b"FO" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"MN" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"OM" | b"SO" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}
