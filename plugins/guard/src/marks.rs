//! Secrets that the host has put away: it replaces them by `[redacted:KIND:DIGEST]` before anybody is
//! asked, and gives tools the secret itself. Where a mark stands, the secret goes.

use countersign_patterns::{Kind, eights};

use crate::findings::Findings;
use crate::rules::Rule;

const BEGIN: &[u8] = b"[redacted:";
/// Hexadecimal digits of the digest.
const DIGITS: usize = 8;

/// Tells every mark of a text.
pub fn tell(text: &[u8], findings: &mut Findings) {
    let mut at = 0;
    while let Some(start) = eights::find_pair(text, at, *b"[r", *b"[r") {
        at = start + 2;
        if let Some((kind, length)) = mark(&text[start..]) {
            at = start + length;
            findings.add(Rule::Found(kind), start, at, 1.0);
        }
    }
}

/// The kind and the length of the mark that a text begins with.
fn mark(text: &[u8]) -> Option<(Kind, usize)> {
    let rest = text.strip_prefix(BEGIN)?;
    let name = rest.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-').count();
    let digest = rest.get(name + 1..name + 1 + DIGITS)?;
    let closed = rest[name] == b':' && rest.get(name + 1 + DIGITS) == Some(&b']');
    let kind = std::str::from_utf8(&rest[..name]).ok().and_then(Kind::named).filter(|kind| kind.is_secret());
    let kind = kind.unwrap_or(Kind::ApiKey);
    let whole = closed && digest.iter().all(u8::is_ascii_hexdigit);
    whole.then_some((kind, BEGIN.len() + name + 1 + DIGITS + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_told_from_what_only_looks_like_one() {
        let table = [
            ("[redacted:private-key:cf0322ab]", Some((Kind::PrivateKey, 31))),
            ("[redacted:api-key:00000000] and more", Some((Kind::ApiKey, 27))),
            ("[redacted:model-key:00000000]", Some((Kind::ApiKey, 29))),
            ("[redacted:password-assignment:00000000]", Some((Kind::PasswordAssignment, 39))),
            ("[redacted:url-credentials:00000000]", Some((Kind::UrlCredentials, 35))),
            ("[redacted:api-key:0000000]", None),
            ("[redacted:api-key:0000000x]", None),
            ("[redacted:api-key:00000000", None),
            ("[redacted:api-key", None),
            ("[redacted:", None),
            ("[redacted]", None),
            ("[read", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(mark(text.as_bytes()), expected, "{text}");
        }
    }
}
