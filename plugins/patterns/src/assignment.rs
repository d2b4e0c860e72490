//! Values of what is called a password or a secret key: `password=…`, `"client_secret": "…"`.

use crate::text::{byte, set, skip};
use crate::{Hit, Kind};

const LEAST_PASSWORD: usize = 6;
const LEAST_KEY: usize = 16;
const LONGEST: usize = 256;

/// The value behind the `:` or `=` at `at`, if the name before it says what it is.
pub(crate) fn find(bytes: &[u8], at: usize, floor: usize) -> Option<Hit> {
    let mut name = at;
    while name > floor && at - name < 4 && matches!(byte(bytes, name - 1), b' ' | b'"' | b'\'' | b'`' | b'\\') {
        name -= 1;
    }
    if name <= floor {
        return None;
    }
    let kind = called(bytes, name, floor)?;
    let mut start = at + 1;
    // `:=` and `=>` assign, `==` compares.
    match (byte(bytes, at), byte(bytes, start)) {
        (_, b'=') if byte(bytes, at) == b'=' => return None,
        (b':', b'=') | (b'=', b'>') => start += 1,
        _ => {}
    }
    let spaced = byte(bytes, start) == b' ';
    while byte(bytes, start) == b' ' && start < at + 6 {
        start += 1;
    }
    start += usize::from(byte(bytes, start) == b'\\');
    let quote = byte(bytes, start);
    let quoted = matches!(quote, b'"' | b'\'' | b'`');
    start += usize::from(quoted);
    if kind == Kind::ApiKey { key(bytes, start) } else { password(bytes, start, quoted.then_some(quote), spaced) }
}

/// What a name that ends before `end` says of its value, by its last eight letters in whatever case.
fn called(bytes: &[u8], end: usize, floor: usize) -> Option<Kind> {
    let start = end.saturating_sub(8);
    let tail = match bytes.get(start..end)?.first_chunk() {
        Some(tail) if start >= floor => *tail,
        _ => std::array::from_fn(|place| if end + place >= floor + 8 { byte(bytes, end + place - 8) } else { 0 }),
    };
    // An underscore is 7F then.
    let tail = u64::from_le_bytes(tail) | 0x2020_2020_2020_2020;
    let ends = |word: &'static str| {
        let unused = 64 - 8 * word.len() as u32;
        (tail ^ last_eight(word)) >> unused == 0
    };
    match (tail >> 56) as u8 {
        b'd' if ends("password") || ends("passwd") || ends("pwd") => Some(Kind::PasswordAssignment),
        b'e' if ends("ssphrase") || ends("passcode") => Some(Kind::PasswordAssignment),
        b't' if ends("secret") => Some(Kind::ApiKey),
        b'y' if ends("apikey") || ends("api_key") || ends("api-key") => Some(Kind::ApiKey),
        b'y' if ends("cret_key") || ends("cess_key") || ends("ecretkey") || ends("ccesskey") => Some(Kind::ApiKey),
        b'n' if ends("ss_token") || ends("th_token") || ends("esstoken") || ends("uthtoken") => Some(Kind::ApiKey),
        _ => None,
    }
}

/// A word of eight letters at most as the last of eight bytes.
#[inline]
fn last_eight(word: &str) -> u64 {
    word.bytes().rev().enumerate().fold(0, |sum, (place, letter)| sum | u64::from(letter | 0x20) << (56 - 8 * place))
}

/// Long, with letters and digits. `=` and `:` end it unless padding, so that no name is read as the
/// value of another over and over.
fn key(bytes: &[u8], start: usize) -> Option<Hit> {
    let end = skip(bytes, start, LONGEST, set::SECRET);
    let value = bytes.get(start..end)?;
    let fits = value.len() >= LEAST_KEY
        && value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2
        && value.iter().any(u8::is_ascii_alphabetic);
    if !fits {
        return None;
    }
    let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Some(Hit { kind: Kind::ApiKey, start, end: end + padding, score: 0.7 })
}

/// Every value long enough is a hit, if a doubtful one: so it is not read again.
fn password(bytes: &[u8], start: usize, quote: Option<u8>, spaced: bool) -> Option<Hit> {
    // The place of a value rather than one.
    if matches!(byte(bytes, start), b'$' | b'<' | b'{' | b'[' | b'(' | b'%') {
        return None;
    }
    let end = match quote {
        None => skip(bytes, start, LONGEST, set::PASSWORD),
        Some(quote) => {
            let value = bytes.get(start..)?.iter().take(LONGEST);
            start + value.take_while(|byte| **byte != quote && !matches!(**byte, b'\\' | b'\n')).count()
        }
    };
    // Behind the last byte that was taken a character may go on.
    let end = (start..=end).rev().find(|end| byte(bytes, *end) & 0xC0 != 0x80)?;
    let value = bytes.get(start..end)?;
    let first = value.first()?;
    if value.len() < LEAST_PASSWORD || value.iter().all(|byte| byte == first) {
        return None;
    }
    let letters = value.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'));
    let score = match quote {
        // A call, a path as in `PWD=/home`, or a variable handed on.
        None if value.iter().any(|byte| matches!(byte, b'(' | b'[')) => 0.3,
        None if first == &b'/' || value.eq_ignore_ascii_case(b"password") => 0.3,
        None if letters && (spaced || value.contains(&b'.')) => 0.4,
        _ if letters => 0.6,
        _ => 0.85,
    };
    Some(Hit { kind: Kind::PasswordAssignment, start, end, score })
}
