//! Private keys in PEM.

use crate::text::byte;
use crate::{Hit, Kind};

/// Dashes around a label.
const DASHES: &[u8] = b"-----";
const LONGEST_LABEL: usize = 40;
/// A body begins with this many bytes of base64 within `LOOKED_AT`; less is talk of a key, unless it is nothing else and
/// stands between both its lines.
const LEAST_BODY: usize = 40;
const LOOKED_AT: usize = 300;

/// The key whose first dash is at `at`, to the end of its last line. One that was cut off reaches to
/// the end of the text.
pub(crate) fn find(bytes: &[u8], at: usize) -> Option<Hit> {
    let rest = bytes.get(at..)?;
    let label = rest.strip_prefix(b"-----BEGIN ")?;
    let label = &label[..label.len().min(LONGEST_LABEL)];
    let closing = label.windows(DASHES.len()).position(|five| five == DASHES)?;
    if !label[..closing].windows(11).any(|words| words == b"PRIVATE KEY") {
        return None;
    }
    let body = at + 11 + closing + DASHES.len();
    // To the next dashes whatever they belong to, so that no byte is read for two keys.
    let mut end = body;
    while end < bytes.len() && !bytes[end..].starts_with(DASHES) {
        end += 1;
    }
    let text = &bytes[body..end];
    let looked_at = &text[..text.len().min(LOOKED_AT)];
    let base64 = looked_at.iter().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count();
    let small = bytes[end..].starts_with(b"-----END ") && looked_at.len() == text.len() && is_key_alone(text);
    if bytes[end..].starts_with(b"-----END ") {
        let behind = &bytes[end + 9..];
        let label = behind.iter().take(LONGEST_LABEL).take_while(|byte| !matches!(byte, b'-' | b'\n')).count();
        let dashes = behind[label..].iter().take(5).take_while(|byte| **byte == b'-').count();
        end += 9 + label + dashes;
        // A label that does not end may have been left inside a character.
        while end < bytes.len() && byte(bytes, end) & 0xC0 == 0x80 {
            end += 1;
        }
    }
    let score = if base64 >= LEAST_BODY { 0.99 } else { 0.4 };
    let score = if small { 0.9_f64.max(score) } else { score };
    let end = if base64 >= LEAST_BODY || small { end } else { body };
    Some(Hit { kind: Kind::PrivateKey, start: at, end, score })
}

/// Most bytes of a body that stands without its first line: a key of 16,384 bits has fewer.
const LONGEST_BODY: usize = 16 << 10;
/// What the bodies of private keys have near their beginning, and none of a public key or certificate does: the kind of
/// key with the string of octets that holds it, by PKCS 8 for RSA, for curves and for Ed25519, and by PKCS 1.
const BODIES: [&[u8]; 5] =
    [b"ANBgkqhkiG9w0BAQEFAASC", b"BMGByqGSM49AgEGCCqGSM49AwEHBG", b"BQYDK2VwBCIEI", b"IBAAKCAQEA", b"IBAAKCAgEA"];
/// Bytes in which that begins.
const NEAR: usize = 16;

/// The body of a private key in base64 that stands without the line before it, over the ends of its own lines.
pub(crate) fn body(bytes: &[u8], start: usize) -> Option<Hit> {
    let near = &bytes[start..bytes.len().min(start + NEAR + BODIES[1].len())];
    if !BODIES.iter().any(|body| near.windows(body.len()).any(|part| part == *body)) {
        return None;
    }
    let mut end = start;
    while end < bytes.len() && end - start < LONGEST_BODY {
        end += match &bytes[end..] {
            [byte, ..] if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') => 1,
            [b'\\', b'n', next, ..] if next.is_ascii_alphanumeric() => 2,
            [b'\n', next, ..] if next.is_ascii_alphanumeric() => 1,
            _ => break,
        };
    }
    (end - start >= LEAST_BODY).then_some(Hit { kind: Kind::PrivateKey, start, end, score: 0.9 })
}

/// Whether this is how a key begins, in base64, and nothing but base64 and the ends of lines, as they are or as JSON has
/// them.
fn is_key_alone(text: &[u8]) -> bool {
    let mut begins = true;
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = match (first, behind.first()) {
            (b'\\', Some(b'n' | b'r')) => &behind[1..],
            (b'\n' | b'\r', _) => behind,
            _ if begins && !matches!(rest.first_chunk(), Some(b"MI" | b"MC" | b"b3")) => return false,
            (byte, _) if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') => {
                begins = false;
                behind
            }
            _ => return false,
        };
    }
    !begins
}
