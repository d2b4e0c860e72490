//! Mail addresses, and names and passwords in addresses of the web.

use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind};

/// RFC 5321, 4.5.3.1.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;
/// A name with its password is no longer.
const LONGEST_USER: usize = 256;
/// Ends of file names such as `logo@2x.png`.
const FILES: [&[u8]; 8] = [b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"css"];
/// Mailboxes that are nobody's.
const NOBODY: [&[u8]; 4] = [b"git", b"noreply", b"no-reply", b"donotreply"];

/// The address around the `@` at `at`.
pub(crate) fn email(bytes: &[u8], at: usize, floor: usize) -> Option<Hit> {
    if at <= floor || bytes[at - 1] == b'.' {
        return None;
    }
    let (end, dot) = domain(bytes, at + 1)?;
    let top = bytes.get(dot + 1..end)?;
    if top.len() < 2 || !(top.iter().all(u8::is_ascii_alphabetic) || top.starts_with(b"xn--")) {
        return None;
    }
    let mut start = at;
    while start > floor && at - start < LONGEST_LOCAL && is(bytes[start - 1], set::LOCAL) {
        start -= 1;
    }
    while start < at && !is(bytes[start], set::WORD) {
        start += 1;
    }
    if start >= at {
        return None;
    }
    let doubtful = FILES.iter().any(|file| top.eq_ignore_ascii_case(file))
        || NOBODY.iter().any(|name| bytes[start..at].eq_ignore_ascii_case(name));
    Some(Hit { kind: Kind::EmailAddress, start, end, score: if doubtful { 0.3 } else { 0.95 } })
}

/// Where the name of a host that begins at `start` ends, and its last dot.
fn domain(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut end = skip(bytes, start, LONGEST_DOMAIN, set::HOST);
    // The dot of a sentence is none of the name's.
    while end > start && !is(bytes[end - 1], set::WORD) {
        end -= 1;
    }
    let mut dot = end;
    while dot > start && bytes[dot - 1] != b'.' {
        dot -= 1;
    }
    // Two dots in a row end a name; what stands before them is not worth another look.
    (dot > start + 1 && bytes[dot - 2] != b'.').then(|| (end, dot - 1))
}

/// `name:password` behind the `://` whose colon is at `at`; or a long name alone, which is a token.
pub(crate) fn url_credentials(bytes: &[u8], at: usize) -> Option<Hit> {
    if byte(bytes, at + 2) != b'/' {
        return None;
    }
    let start = at + 3;
    let end = skip(bytes, start, LONGEST_USER, set::USER);
    if byte(bytes, end) != b'@' {
        return None;
    }
    let user = bytes.get(start..end)?;
    let host = byte(bytes, end + 1);
    if !is(host, set::WORD) && host != b'[' {
        return None;
    }
    let score = match user.iter().position(|byte| *byte == b':') {
        Some(colon) if user[colon + 1..].iter().all(|byte| *byte == b'*') => return None,
        Some(_) => 0.9,
        None if user.len() >= 20 && user.iter().any(u8::is_ascii_digit) => 0.6,
        None => return None,
    };
    Some(Hit { kind: Kind::UrlCredentials, start, end, score })
}
