//! Secrets are replaced before anything is judged or written.
//!
//! A secret becomes `[redacted:KIND:DIGEST]`, with eight digits of a digest salted per run: equal
//! secrets stay equal and different ones different, so that call keys and policies still work, and
//! nothing can be guessed from the trace once the salt is erased.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Salt of one run, kept beside its trace and never in it.
#[derive(Clone, Copy)]
pub struct Salt(pub [u8; 32]);

impl Salt {
    /// A new one.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(std::io::Error::other)?;
        Ok(Salt(salt))
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// Kind and pattern; where a pattern has a group, only the group is the secret.
const PATTERNS: [(&str, &str); 9] = [
    ("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
    ("aws-key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("github-token", r"\bgh[pousr]_[0-9A-Za-z]{36,}\b"),
    ("gitlab-token", r"\bglpat-[0-9A-Za-z_-]{20,}"),
    ("slack-token", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}"),
    ("api-key", r"\bsk-[0-9A-Za-z_-]{20,}"),
    ("jwt", r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*"),
    ("bearer", r"(?i)\b(?:bearer|token|basic)\s+([0-9A-Za-z_.~+/=-]{20,})"),
    (
        "assigned",
        r#"(?i)\b[a-z0-9_.-]*(?:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token)["']?\s*[:=]\s*["']?([^\s"'&,;}\]\[]{6,})"#,
    ),
];

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the patterns are constants, compiled in a test")]
    RegexSet::new(PATTERNS.map(|(_, pattern)| pattern)).expect("constant patterns")
});

static EACH: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PATTERNS.iter().filter_map(|(_, pattern)| Regex::new(pattern).ok()).collect());

/// Keys whose text values are secrets, whatever they look like.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:.*[_-])?(?:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token|credentials?)$")
        .ok()
});

/// A secret in a text, and the mark that is to stand in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub start: usize,
    pub end: usize,
    pub mark: String,
}

/// What looks like a secret in a text, first to last; no two overlap.
pub(crate) fn found(text: &str, salt: &Salt) -> Vec<Found> {
    let mut hits: Vec<(usize, usize, usize)> = Vec::new();
    for index in SET.matches(text) {
        let Some(pattern) = EACH.get(index) else { continue };
        for captures in pattern.captures_iter(text) {
            let Some(secret) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            if !secret.as_str().starts_with(REDACTED) {
                hits.push((secret.start(), index, secret.end()));
            }
        }
    }
    hits.sort_unstable();
    let mut found: Vec<(usize, Found)> = Vec::new();
    for (start, index, end) in hits {
        let mark = mark(PATTERNS[index].0, &text[start..end], salt);
        match found.last_mut() {
            // Two patterns for one secret: the one that says more of it names it.
            Some((known, last)) if start < last.end => {
                last.end = last.end.max(end);
                if index < *known {
                    (*known, last.mark) = (index, mark);
                }
            }
            _ => found.push((index, Found { start, end, mark })),
        }
    }
    found.into_iter().map(|(_, found)| found).collect()
}

/// Replaces what looks like a secret in a text. None when there is nothing to replace.
pub fn redact(text: &str, salt: &Salt) -> Option<String> {
    let found = found(text, salt);
    (!found.is_empty()).then(|| replaced(text, &found))
}

/// A text with the marks in the places of its secrets.
pub(crate) fn replaced(text: &str, found: &[Found]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Found { start, end, mark } in found {
        out.push_str(&text[from..*start]);
        out.push_str(mark);
        from = *end;
    }
    out.push_str(&text[from..]);
    out
}

/// Replaces what looks like a secret in every text of a value, and the text under a key that names
/// one. True when something was replaced.
pub fn redact_value(value: &mut Value, salt: &Salt) -> bool {
    match value {
        Value::String(text) => match redact(text, salt) {
            Some(redacted) => {
                *text = redacted;
                true
            }
            None => false,
        },
        Value::Array(list) => list.iter_mut().fold(false, |any, value| redact_value(value, salt) | any),
        Value::Object(map) => map.iter_mut().fold(false, |any, (key, value)| {
            let named = KEY.as_ref().is_some_and(|pattern| pattern.is_match(key));
            match value {
                Value::String(text) if named && !text.is_empty() => {
                    *text = mark("named", text, salt);
                    true
                }
                value => redact_value(value, salt) | any,
            }
        }),
        _ => false,
    }
}

/// How the mark of a replaced secret begins.
pub(crate) const REDACTED: &str = "[redacted:";

fn mark(kind: &str, secret: &str, salt: &Salt) -> String {
    format!("{REDACTED}{kind}:{}]", &salted(secret.as_bytes(), salt)[7..15])
}

/// `salted:` and 64 hexadecimal digits.
pub fn salted(bytes: &[u8], salt: &Salt) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.0);
    hasher.update(bytes);
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("salted:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt([7; 32]);

    #[test]
    fn secrets_are_replaced_and_prose_is_not() {
        let table = [
            ("key AKIAIOSFODNN7EXAMPLE here", Some("aws-key")),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345", Some("github-token")),
            ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", Some("bearer")),
            ("PASSWORD=hunter2hunter2", Some("assigned")),
            (r#"{"db_password": "correct horse"}"#, Some("assigned")),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", Some("private-key")),
            ("the password is long", None),
            ("a token of thanks", None),
            ("sha256:0123456789abcdef", None),
        ];
        assert_eq!(EACH.len(), PATTERNS.len());
        for (text, kind) in table {
            let found = redact(text, &SALT);
            match kind {
                None => assert_eq!(found, None, "{text}"),
                Some(kind) => assert!(
                    found.clone().is_some_and(|t| t.contains(&format!("[redacted:{kind}:"))),
                    "{text}: {found:?}"
                ),
            }
        }
    }

    #[test]
    fn equal_secrets_stay_equal_and_salts_differ() {
        let text = "api_key=abcdef123456";
        assert_eq!(redact(text, &SALT), redact(text, &SALT));
        assert_ne!(redact(text, &SALT), redact("api_key=abcdef123457", &SALT));
        assert_ne!(redact(text, &SALT), redact(text, &Salt([8; 32])));
        let mut value = serde_json::json!({"auth": {"api_key": "x", "user": "me"}});
        assert!(redact_value(&mut value, &SALT));
        assert!(value["auth"]["api_key"].as_str().is_some_and(|text| text.starts_with("[redacted:named:")));
        assert_eq!(value["auth"]["user"], "me");
    }
}
