//! Values of what is called a password or a secret key: `password=…`, `"client_secret": "…"`, and what opens a service in
//! the header of a request: `Authorization: Bearer …`.

use crate::text::{byte, is, set, skip};
use crate::{Hit, Kind, token};

const LEAST_PASSWORD: usize = 6;
const LEAST_KEY: usize = 16;
const LONGEST: usize = 256;
/// What stands in a header is often a whole document, signed.
const LONGEST_CREDENTIAL: usize = 4096;

/// What a name says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Called {
    Password,
    Key,
    /// The header `Authorization`, whose value may begin with the word for its kind.
    Credential,
    /// The headers `Cookie` and `Set-Cookie`, whose values have names of their own.
    Cookies,
}

/// The value behind the `:` or `=` at `at`, if the name before it says what it is.
pub(crate) fn find(bytes: &[u8], at: usize, floor: usize) -> Option<Hit> {
    let mut name = at;
    while name > floor && at - name < 4 && matches!(byte(bytes, name - 1), b' ' | b'"' | b'\'' | b'`' | b'\\') {
        name -= 1;
    }
    if name <= floor {
        return None;
    }
    let called = called(bytes, name, floor)?;
    let mut start = at + 1;
    // `:=` and `=>` assign, `==` compares.
    match (byte(bytes, at), byte(bytes, start)) {
        (_, b'=') if byte(bytes, at) == b'=' => return None,
        (b':', b'=') | (b'=', b'>') => start += 1,
        _ => {}
    }
    // A default in a shell's `${DB_PASSWORD:-…}`; behind `?` and `+` stands none.
    let defaulted = byte(bytes, at) == b':' && is_expanded(bytes, name, floor);
    if defaulted {
        match byte(bytes, at + 1) {
            b'-' => start = at + 2,
            b'=' => {}
            _ => return None,
        }
    }
    let spaced = byte(bytes, start) == b' ';
    while byte(bytes, start) == b' ' && start < at + 6 {
        start += 1;
    }
    let escaped = byte(bytes, start) == b'\\';
    start += usize::from(escaped);
    let quote = byte(bytes, start);
    let quoted = matches!(quote, b'"' | b'\'' | b'`');
    start += usize::from(quoted);
    // A key in the form of its issuer is told as such, whatever its name.
    if let Some(forms) = token::forms_at(bytes, start)
        && let Some(hit) = token::find(bytes, start, start, forms)
    {
        return Some(hit);
    }
    match called {
        Called::Key => key(bytes, start),
        Called::Password => {
            let hit = password(bytes, start, quoted.then_some((quote, escaped)), spaced)?;
            let value = &bytes[hit.start..hit.end];
            // `psql` writes its variables `:'name'`, and a default of words is what everybody's machine has.
            let variable = at > name && byte(bytes, at) == b':' && quoted && !spaced && is_identifier(value);
            let plain = defaulted && value.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
            let label = labels(bytes, name, floor) && !value.iter().any(u8::is_ascii_digit);
            let doubtful = (variable && byte(bytes, at - 1) == b' ') || plain || label;
            Some(if doubtful { Hit { score: 0.3, ..hit } } else { hit })
        }
        Called::Credential => credential(bytes, start),
        Called::Cookies => cookies(bytes, start),
    }
}

/// Bytes of a name that are looked back over, to see what it is part of.
const LONGEST_NAME: usize = 32;

/// The name that ends before `end`, with dots and hyphens in it.
fn whole_name(bytes: &[u8], end: usize, floor: usize) -> usize {
    let before = &bytes[floor.max(end.saturating_sub(LONGEST_NAME))..end];
    end - before.iter().rev().take_while(|byte| is(**byte, set::DOTTED)).count()
}

/// Whether a name stands behind the `${` of a shell.
fn is_expanded(bytes: &[u8], end: usize, floor: usize) -> bool {
    byte(bytes, end) == b':' && bytes[floor..whole_name(bytes, end, floor)].ends_with(b"${")
}

/// Whether a name is one of those under which programs keep what people read, as `label.password` is.
fn labels(bytes: &[u8], end: usize, floor: usize) -> bool {
    const LABELS: [&[u8]; 16] = [
        b"label",
        b"labels",
        b"msg",
        b"message",
        b"messages",
        b"text",
        b"texts",
        b"title",
        b"placeholder",
        b"hint",
        b"error",
        b"errors",
        b"form",
        b"field",
        b"help",
        b"i18n",
    ];
    let name = &bytes[whole_name(bytes, end, floor)..end];
    let mut parts = name.split(|byte| matches!(byte, b'.' | b'_' | b'-')).rev().skip(1);
    parts.any(|part| LABELS.iter().any(|label| part.eq_ignore_ascii_case(label)))
}

/// What a name that ends before `end` says of its value, by its last eight letters in whatever case.
fn called(bytes: &[u8], end: usize, floor: usize) -> Option<Called> {
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
        b'd' if ends("password") || ends("passwd") || ends("pwd") => Some(Called::Password),
        b'e' if ends("ssphrase") || ends("passcode") => Some(Called::Password),
        b'e' if ends("cookie") => Some(Called::Cookies),
        b't' if ends("secret") => Some(Called::Key),
        b'y' if ends("apikey") || ends("api_key") || ends("api-key") => Some(Called::Key),
        b'y' if ends("countkey") => Some(Called::Key),
        b'y' if ends("cret_key") || ends("cess_key") || ends("ecretkey") || ends("ccesskey") => Some(Called::Key),
        b'n' if ends("ss_token") || ends("th_token") || ends("esstoken") || ends("uthtoken") => Some(Called::Key),
        b'n' if ends("rization") => Some(Called::Credential),
        // Of an address's query; elsewhere a token may be anything.
        b'n' if ends("token") && matches!(byte(bytes, end.wrapping_sub(6)), b'?' | b'&') => Some(Called::Key),
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
        && value.iter().any(u8::is_ascii_alphabetic)
        && !stands_for_a_key(value);
    if !fits {
        return None;
    }
    let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Some(Hit { kind: Kind::ApiKey, start, end: end + padding, score: 0.7 })
}

/// The value of the header `Authorization`: behind the word for its kind, or alone.
fn credential(bytes: &[u8], start: usize) -> Option<Hit> {
    let word = skip(bytes, start, 8, set::WORD);
    let kind = bytes.get(start..word)?;
    let known = [&b"bearer"[..], b"basic", b"token", b"apikey"].iter().any(|known| kind.eq_ignore_ascii_case(known));
    if known && byte(bytes, word) == b' ' { behind_bearer(bytes, word + 1, false) } else { key(bytes, start) }
}

/// Cookies of a header that are looked at.
const MOST_COOKIES: usize = 16;

/// Of `name=value; name=value` the values that open something, from the first of them to the last.
fn cookies(bytes: &[u8], start: usize) -> Option<Hit> {
    let (mut at, mut found) = (start, None::<(usize, usize)>);
    for _ in 0..MOST_COOKIES {
        let name = skip(bytes, at, 64, set::DOTTED);
        if name == at || byte(bytes, name) != b'=' {
            break;
        }
        let end = skip(bytes, name + 1, LONGEST_CREDENTIAL, set::SECRET | set::COOKIE);
        let value = bytes.get(name + 1..end)?;
        if value.len() >= LEAST_KEY
            && value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2
            && value.iter().any(u8::is_ascii_alphabetic)
        {
            found = Some((found.map_or(name + 1, |(first, _)| first), end));
        }
        if byte(bytes, end) != b';' {
            break;
        }
        at = end + 1 + usize::from(byte(bytes, end + 1) == b' ');
    }
    found.map(|(start, end)| Hit { kind: Kind::ApiKey, start, end, score: 0.7 })
}

/// What opens a service, behind the word `Bearer` or one like it: long, and no words with marks between them. Where no
/// header announces it, it has digits too.
pub(crate) fn behind_bearer(bytes: &[u8], start: usize, alone: bool) -> Option<Hit> {
    let end = skip(bytes, start, LONGEST_CREDENTIAL, set::SECRET);
    let value = bytes.get(start..end)?;
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2;
    let one_word = !alone && value.iter().all(u8::is_ascii_alphanumeric);
    if value.len() < LEAST_KEY || !value.iter().any(u8::is_ascii_alphabetic) || !(digits || one_word) {
        return None;
    }
    let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Some(Hit { kind: Kind::ApiKey, start, end: end + padding, score: 0.7 })
}

/// Values of documentation: `your-256-bit-secret`, `wJalr…EXAMPLEKEY`.
fn stands_for_a_key(value: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 9] =
        [b"your", b"my", b"replace", b"change", b"insert", b"enter", b"put", b"dummy", b"placeholder"];
    let begins = |word: &&[u8]| {
        value.len() > word.len()
            && value[..word.len()].eq_ignore_ascii_case(word)
            && matches!(value[word.len()], b'-' | b'_' | b'.')
    };
    BEGINNINGS.iter().any(begins)
        || [&b"EXAMPLE"[..], b"EXAMPLEKEY"].iter().any(|end| value.ends_with(end))
        || value.starts_with(b"example")
        || value.windows(8).any(|part| part.eq_ignore_ascii_case(b"changeme"))
}

/// The place of a value rather than one: a variable, a template, a tag, a name in a store of secrets.
fn is_a_place(bytes: &[u8], start: usize, quoted: bool) -> bool {
    let rest = &bytes[start..bytes.len().min(start + 2 * LONGEST_NAME)];
    let name = |from: usize| from + rest[from..].iter().take_while(|byte| is(**byte, set::DOTTED)).count();
    let ends = |at: usize| rest.get(at).is_none_or(|byte| !is(*byte, set::PASSWORD) || *byte == b':');
    match rest {
        [b'<' | b'{' | b'[' | b'(' | b'%', ..] | [b'$', b'{' | b'(' | b'0'..=b'9' | b'$', ..] | [b'#', b'{', ..] => {
            true
        }
        [b'$', first, ..] if is(*first, set::WORD) || *first == b'_' => ends(name(1)),
        [b'$'] => true,
        [b'@', ..] => name(1) > 1 && rest.get(name(1)) == Some(&b'@'),
        [b'_', b'_', ..] => rest[..name(0)].ends_with(b"__"),
        // A tag of YAML, and what it says behind a blank.
        [b'!', first, ..] if !quoted && first.is_ascii_alphabetic() => matches!(rest.get(name(1)), Some(b' ')),
        // A quote of a program around what it puts together.
        [b'"' | b'\'', b' ' | b'+' | b'.' | b',', ..] => true,
        _ => [
            &b"op://"[..],
            b"bw://",
            b"vault:",
            b"ref+",
            b"arn:aws:",
            b"keyring:",
            b"file:",
            b"env:",
            b"ssm:",
            b"projects/",
        ]
        .iter()
        .any(|scheme| rest.starts_with(scheme)),
    }
}

/// Where a value in quotes ends. In JSON a quote of another kind has a `\` before it, and so has the quote that ends the
/// value where the one that opens it has.
fn closing(bytes: &[u8], start: usize, (quote, escaped): (u8, bool)) -> usize {
    let most = bytes.len().min(start + LONGEST);
    let mut at = start;
    while at < most {
        at += match (bytes[at], byte(bytes, at + 1)) {
            (b'\n', _) => return at,
            (b'\\', next) if escaped && next == quote => return at,
            // The quote of a program within the quote of JSON.
            (b'\\', b'\\') if byte(bytes, at + 2) == b'\\' && byte(bytes, at + 3) == quote => 4,
            (b'\\', b'"' | b'\'' | b'`' | b'\\') => 2,
            (b'\\', _) => return at,
            (byte, _) if byte == quote && !escaped => return at,
            // What began in a string of JSON does not go on behind it.
            (b'"', _) if escaped => return at,
            _ => 1,
        };
    }
    at.min(most)
}

/// Every value long enough is a hit, if a doubtful one: so it is not read again. The quote it stands in is given with
/// whether a `\` stands before it.
fn password(bytes: &[u8], start: usize, quote: Option<(u8, bool)>, spaced: bool) -> Option<Hit> {
    if is_a_place(bytes, start, quote.is_some()) {
        return None;
    }
    let end = match quote {
        None => skip(bytes, start, LONGEST, set::PASSWORD),
        Some(quote) => closing(bytes, start, quote),
    };
    // Behind the last byte that was taken a character may go on.
    let end = (start..=end).rev().find(|end| byte(bytes, *end) & 0xC0 != 0x80)?;
    let value = bytes.get(start..end)?;
    let first = value.first()?;
    // A quote of another kind within it is no name's and no type's.
    let mark = |byte: &u8| matches!(byte, b'"' | b'\'');
    let inner = value.get(1..value.len() - 1).is_some_and(|inner| quote.is_some() && inner.iter().any(mark));
    if (value.len() < LEAST_PASSWORD && !inner) || value.iter().all(|byte| byte == first) {
        return None;
    }
    let letters = value.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'));
    let score = match quote {
        Some(_) if is_a_word_for_one(value) || is_prose(value) => 0.3,
        // What a statement ends behind is a name, not a password.
        None if matches!(byte(bytes, end), b';' | b')') && is_identifier(value) => 0.4,
        None if spaced && is_a_word_for_one(value) => 0.3,
        // A call, a block, a type, a path as in `PWD=/home`, or a variable handed on.
        None if value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{' | b'>')) => 0.3,
        None if spaced && is_path(value) => 0.4,
        None if first == &b'/' || value.eq_ignore_ascii_case(b"password") => 0.3,
        None if letters && (spaced || value.contains(&b'.')) => 0.4,
        _ if letters => 0.6,
        _ => 0.85,
    };
    Some(Hit { kind: Kind::PasswordAssignment, start, end, score })
}

/// Types, labels and placeholders, in quotes or without.
fn is_a_word_for_one(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 26] = [
        b"string",
        b"number",
        b"integer",
        b"boolean",
        b"object",
        b"hidden",
        b"required",
        b"optional",
        b"nullable",
        b"readonly",
        b"undefined",
        b"password",
        b"passwort",
        b"kennwort",
        b"wachtwoord",
        b"contrasena",
        b"motdepasse",
        b"passwd",
        b"secret",
        b"username",
        b"example",
        b"redacted",
        b"masked",
        b"xxxxxx",
        b"changeme",
        b"placeholder",
    ];
    const BEGINNINGS: [&[u8]; 6] = [b"your", b"my-", b"my_", b"enter", b"insert", b"replace"];
    const ENDINGS: [&[u8]; 4] = [b"password", b"passwd", b"secret", b"pwd"];
    let begins = |word: &&[u8]| value.len() >= word.len() && value[..word.len()].eq_ignore_ascii_case(word);
    let plain = value.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b' '));
    // `app_password` is what another place calls it.
    let named = |word: &&[u8]| {
        let length = value.len().saturating_sub(word.len());
        length > 1 && value[length..].eq_ignore_ascii_case(word) && matches!(value[length - 1], b'-' | b'_')
    };
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || (plain && (BEGINNINGS.iter().any(begins) || ENDINGS.iter().any(named)))
        || stands_for_a_key(value)
}

/// Words with blanks between them that end as a sentence does, or are more than a phrase to remember.
fn is_prose(value: &[u8]) -> bool {
    let blanks = value.iter().filter(|byte| **byte == b' ').count();
    let sentence = matches!(value.last(), Some(b'.' | b'?' | b':' | b'!'));
    let digits = value.iter().any(u8::is_ascii_digit);
    !digits && (blanks >= 5 || (sentence && blanks >= 2))
}

/// A name of code with a hump or an underscore in it, or a type: `user2Password`, `Argon2Hash`.
fn is_identifier(value: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let hump = value.windows(2).any(|pair| !pair[0].is_ascii_uppercase() && pair[1].is_ascii_uppercase());
    let name = value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    value.first().is_some_and(letter) && name && (hump || value.contains(&b'_'))
}

/// Names with dots between them, as in `process.env.DB_PASSWORD2`, perhaps with a mark of the language behind.
fn is_path(value: &[u8]) -> bool {
    let value = value.strip_suffix(b"!").or_else(|| value.strip_suffix(b"?")).unwrap_or(value);
    let name = |part: &[u8]| {
        part.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    value.contains(&b'.') && value.split(|byte| *byte == b'.').all(name)
}
