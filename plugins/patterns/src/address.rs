//! Mail addresses, and names and passwords in addresses of the web.

use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind, before};

/// RFC 5321, 4.5.3.1.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;
/// A name with its password is no longer.
const LONGEST_USER: usize = 256;
/// Mailboxes that are nobody's, and words of programs that stand before an `@` of their own.
const NOBODY: [&[u8]; 9] =
    [b"git", b"noreply", b"no-reply", b"donotreply", b"this", b"super", b"self", b"return", b"break"];
/// The longest of [`is_top`].
const LONGEST_TOP: usize = 14;

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
    let doubtful = !is_top(top)
        || NOBODY.iter().any(|name| bytes[start..at].eq_ignore_ascii_case(name))
        || is_nobody(&bytes[start..at], &bytes[at + 1..end])
        || is_login_of_an_address(bytes, start, floor)
        || goes_on(bytes, end)
        || is_inside(&bytes[at + 1..dot])
        || before::is_login(bytes, start, floor);
    Some(Hit { kind: Kind::EmailAddress, start, end, score: if doubtful { 0.3 } else { 0.95 } })
}

/// Whether a name behind a host's last dot is one that mail goes to. Members of code, units of a system and files have an
/// `@` before them too, and end in what nobody has registered, or in what few addresses end in.
fn is_top(top: &[u8]) -> bool {
    if top.starts_with(b"xn--") {
        return true;
    }
    let mut lower = [0; LONGEST_TOP];
    let Some(lower) = lower.get_mut(..top.len()) else { return false };
    for (to, from) in lower.iter_mut().zip(top) {
        *to = from.to_ascii_lowercase();
    }
    match &*lower {
        // Files of programs and archives rather than countries.
        b"js" | b"ts" | b"py" | b"sh" | b"gz" | b"xz" | b"cs" | b"hs" | b"go" | b"kt" | b"rb" | b"so" | b"db" => false,
        [_, _] => true,
        b"com" | b"org" | b"net" | b"edu" | b"gov" | b"mil" | b"int" | b"arpa" | b"info" | b"biz" | b"name" | b"pro"
        | b"aero" | b"coop" | b"museum" | b"jobs" | b"mobi" | b"travel" | b"tel" | b"cat" | b"asia" | b"post"
        | b"app" | b"dev" | b"page" | b"blog" | b"shop" | b"store" | b"online" | b"site" | b"website" | b"web"
        | b"cloud" | b"tech" | b"email" | b"mail" | b"support" | b"team" | b"group" | b"company" | b"agency"
        | b"academy" | b"school" | b"university" | b"health" | b"care" | b"bank" | b"finance" | b"legal" | b"law"
        | b"xyz" | b"club" | b"life" | b"live" | b"world" | b"space" | b"today" | b"news" | b"media" | b"digital"
        | b"global" | b"international" | b"solutions" | b"systems" | b"consulting" | b"ventures" | b"studio" | b"design"
        | b"art" | b"music" | b"games" | b"software" | b"network" | b"social" | b"foundation" | b"ngo" | b"ong"
        | b"eus" | b"gal" | b"berlin" | b"london" | b"paris" | b"wien" | b"tokyo" | b"nyc" | b"swiss" | b"scot"
        | b"wales" | b"bayern" | b"hamburg" | b"koeln" | b"amsterdam" | b"vlaanderen" | b"brussels" | b"quebec"
        // Set apart for examples and tests (RFC 2606): what is written so stands for an address.
        | b"example" | b"test" | b"invalid" => true,
        _ => false,
    }
}

/// Whether what stands behind an address is a call, an index, or the path of a login: `deploy@host.example:/srv`.
fn goes_on(bytes: &[u8], end: usize) -> bool {
    match byte(bytes, end) {
        b'(' | b'[' | b'{' => true,
        b':' => matches!(byte(bytes, end + 1), b'/' | b'~' | b'.') || is(byte(bytes, end + 1), set::WORD),
        _ => false,
    }
}

/// Whether an address is one of documentation, or one that a service gives out so that nobody can be written to.
fn is_nobody(name: &[u8], host: &[u8]) -> bool {
    const WORDS: [&[u8]; 13] = [
        b"user",
        b"you",
        b"your",
        b"yourname",
        b"your.name",
        b"your-name",
        b"your_name",
        b"username",
        b"name",
        b"email",
        b"someone",
        b"somebody",
        b"me",
    ];
    let documented = host.len() > 8 && host[..8].eq_ignore_ascii_case(b"example.");
    let by_word = || WORDS.iter().any(|word| name.eq_ignore_ascii_case(word));
    (documented && by_word()) || host.split(|byte| *byte == b'.').any(|label| matches!(label, b"noreply" | b"no-reply"))
}

/// Whether the name of somebody who logs in, or a password, ends before the `@`: `https://ada:…@host.example`.
fn is_login_of_an_address(bytes: &[u8], start: usize, floor: usize) -> bool {
    let before = &bytes[floor.max(start.saturating_sub(LONGEST_LOCAL))..start];
    let login = before.iter().rev().take_while(|byte| !matches!(**byte, 0..=b' ' | b'"' | b'/' | b'?' | b'=')).count();
    before[..before.len() - login].ends_with(b"://")
}

/// Whether the labels before the last one are of a network of one's own, which mail does not reach.
fn is_inside(host: &[u8]) -> bool {
    host.split(|byte| *byte == b'.').skip(1).any(|label| matches!(label, b"internal" | b"local" | b"lan" | b"svc"))
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
        Some(colon) if stands_for_one(&user[..colon], &user[colon + 1..], &bytes[end + 1..]) => return None,
        Some(_) => 0.9,
        None if user.len() >= 20 && user.iter().any(u8::is_ascii_digit) => 0.6,
        None => return None,
    };
    Some(Hit { kind: Kind::UrlCredentials, start, end, score })
}

/// Whether what stands for a password is none: stars, a variable, the word itself, or the name over again on one's own
/// machine.
fn stands_for_one(name: &[u8], password: &[u8], host: &[u8]) -> bool {
    const WORDS: [&[u8]; 11] = [
        b"password",
        b"passwd",
        b"pass",
        b"pwd",
        b"passwort",
        b"secret",
        b"changeme",
        b"example",
        b"redacted",
        b"token",
        b"xxx",
    ];
    let own = [&b"localhost"[..], b"127.", b"[::1]", b"0.0.0.0", b"host.docker.internal"];
    let variable = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let beginnings = [&b"your-"[..], b"your_", b"my-", b"my_"];
    match password {
        [b'$', b'(', ..] | [b'%', b's' | b'd' | b'v'] | [b'%', b'(', ..] => true,
        [b'$', rest @ ..] if !rest.is_empty() => variable(rest) && !rest[0].is_ascii_digit(),
        [b'%', inner @ .., b'%'] => variable(inner),
        _ => {
            password.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'))
                || WORDS.iter().any(|word| password.eq_ignore_ascii_case(word))
                || beginnings.iter().any(|word| password.starts_with(word))
                || (password.eq_ignore_ascii_case(name) && own.iter().any(|own| host.starts_with(own)))
        }
    }
}
