//! Identities: which call, which result, which state.

use std::borrow::Cow;
use std::sync::LazyLock;

use countersign_kernel::contract::Key;
use regex::Regex;
use sha2::{Digest, Sha256};

/// Identity of parts, in order. The length of each is part of it.
pub fn key(parts: &[&[u8]]) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Key(u64::from_be_bytes(first))
}

/// Identity of a call: tool and canonical arguments.
pub fn call_key(tool: &str, arguments: &str) -> Key {
    key(&[b"call", tool.as_bytes(), arguments.as_bytes()])
}

/// Identity of a piece of work: the tool and the words of what it is to do, whatever their case and
/// spacing.
pub fn signature(tool: Option<&str>, does: &str) -> Key {
    let words = does.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    key(&[b"work", tool.unwrap_or_default().as_bytes(), words.as_bytes()])
}

/// What changes in a result although nothing has: times, dates, durations, identifiers, process
/// numbers, addresses.
const VOLATILE: [&str; 9] = [
    // 2026-11-21T10:15:30.123Z, 21/Nov/2026:10:15:30 +0000. A date alone is what was asked for: no run
    // goes on from one day to the next without anything else having changed.
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?",
    r"\d{1,2}[/-](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[/-]\d{4}:\d{2}:\d{2}:\d{2}(?: [+-]\d{4})?",
    // Nov 21 10:15:30, Sat Nov 21 10:15:30 UTC 2026
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2}(?: +\d{4})? \d{2}:\d{2}(?::\d{2})?(?: UTC| GMT)?(?: \d{4})?",
    // 10:15:30.123
    r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?(?: ?[AP]M)?",
    // 6ba7b810-9dad-11d1-80b4-00c04fd430c8
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    // 0x7ffd8a1c, and any long run of hexadecimal digits that has a decimal one
    r"\b0x[0-9a-fA-F]{4,}\b",
    // 0.25s, 13 ms
    r"\b\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|sec|secs|second|seconds|min|minutes)\b",
    // [1] 4711, pid 4711, pid=4711
    r"(?:\[\d+\] +|\b(?i:pid|ppid)[ =:]+)\d+",
    // localhost:54321, 127.0.0.1:54321: ports that a machine chooses
    r"(?:\blocalhost|\b\d{1,3}(?:\.\d{1,3}){3}):\d{5}\b",
];

static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&VOLATILE.join("|")).ok());

/// A text without its volatile fields.
pub fn stable(text: &str) -> String {
    let stripped = match &*PATTERN {
        Some(pattern) => pattern.replace_all(text, "#"),
        None => Cow::Borrowed(text),
    };
    identifiers(&stripped)
}

/// Replaces words that look like generated identifiers: at least seven letters and digits, all of
/// them hexadecimal with both kinds, or nine digits and more, as clocks count.
fn identifiers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        out.push_str(&rest[..start]);
        let word = &rest[start..];
        let length = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (word, after) = word.split_at(length);
        out.push_str(if generated(word) { "#" } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn generated(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let upper = word.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = word.bytes().any(|byte| byte.is_ascii_lowercase());
    (digits == word.len() && digits >= 9)
        || (hexadecimal && word.len() >= 7 && digits > 0 && digits < word.len())
        // Base 62 and the like: long, mixed case, several digits.
        || (word.len() >= 16 && digits >= 3 && upper && lower)
}

/// Identity of a result: what it says without its volatile fields.
pub fn result_key(outcome: &str, text: &str) -> Key {
    key(&[b"result", outcome.as_bytes(), stable(text).as_bytes()])
}

/// Identity of an error's text; none when it has no word in it, since a command that is cut off
/// without a word has no error in common with another.
pub fn error_key(text: &str) -> Option<Key> {
    let text = stable(text.trim());
    text.contains(char::is_alphabetic).then(|| key(&[b"error", text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_fields_do_not_count() {
        let same = [
            ("at 2026-11-21T10:15:30Z ok", "at 2025-01-02T03:04:05.678Z ok"),
            ("Sat Nov 21 10:15:30 UTC 2026 done", "Sun Nov 22 01:02:03 UTC 2026 done"),
            ("took 0.25s", "took 13s"),
            ("[1] 4711", "[1] 99"),
            ("id 6ba7b810-9dad-11d1-80b4-00c04fd430c8", "id 7ba7b810-9dad-11d1-80b4-00c04fd430c9"),
            ("commit 3f2a91bc", "commit 9e8d7c6b5a"),
            ("written at 1763719530", "written at 1763719531"),
            ("from 127.0.0.1:54321", "from 127.0.0.1:54999"),
        ];
        for (a, b) in same {
            assert_eq!(stable(a), stable(b));
        }
        let different = [
            ("exit 1", "exit 2"),
            ("line 12", "line 13"),
            ("3 failed", "4 failed"),
            ("abc", "abd"),
            ("rows 10000", "rows 20000"),
            ("order 20001, total 48250", "order 20002, total 48250"),
            ("due 2026-01-01", "due 2026-01-02"),
            ("due Jan 1 2026", "due Jan 2 2026"),
        ];
        for (a, b) in different {
            assert_ne!(stable(a), stable(b));
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_ne!(call_key("a", "{}"), call_key("b", "{}"));
    }
}
