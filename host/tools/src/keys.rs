//! Identities: which call, which result, which state.

use std::borrow::Cow;
use std::sync::LazyLock;

use countersign_kernel::contract::Key;
use regex::{Captures, Regex};
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

/// Words beside a time that say how much of it is left, and such as say how much has passed.
static LEFT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:\b|_)(?:left|remain(?:s|ing)?|eta|to go|until)(?:\b|_)").ok());
static PASSED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:\b|_)(?:elapsed|uptime|age|running for)(?:\b|_)").ok());

/// Words beside a long number that say that it counts something.
static COUNTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:\b|_)(?:left|remain(?:s|ing)?|[kmgt]?i?b|bytes?|sizes?|counts?|counter|totals?|rows?|records?|lines?|items?|entries|offset|position|processed|transferred|downloaded|uploaded|received|sent|written|copied|done|progress|used|free|sum|balance|amount|of)(?:\b|_)",
    )
    .ok()
});

/// Words before a number that say that it is a name or a clock, whatever else stands beside it.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:\b|_)(?:id|pid|at|time|timestamp|ts|date|nonce|token|session|request|trace)[\x22' =:#]*$").ok()
});

/// Characters before and behind a number that say what it is.
const BESIDE: usize = 24;

/// What stands in a text from one byte to another, and what belongs to the same field, clause or line beside it.
struct Beside<'a> {
    before: &'a str,
    itself: &'a str,
    behind: &'a str,
}

impl<'a> Beside<'a> {
    fn of(text: &'a str, start: usize, end: usize) -> Self {
        let before = &text[text.floor_char_boundary(start.saturating_sub(BESIDE))..start];
        let behind = &text[end..text.ceil_char_boundary((end + BESIDE).min(text.len()))];
        Beside {
            before: before.rfind([',', ';', '{', '\n', '(']).map_or(before, |at| &before[at + 1..]),
            itself: &text[start..end],
            behind: behind.find([',', ';', '}', '\n', ')', '.']).map_or(behind, |at| &behind[..at]),
        }
    }

    fn says(&self, words: &Option<Regex>) -> bool {
        words.as_ref().is_some_and(|words| words.is_match(self.before) || words.is_match(self.behind))
    }

    /// It changes because time passes on which somebody waits.
    fn is_time_left(&self) -> bool {
        self.says(&LEFT) || (!self.itself.contains('.') && self.says(&PASSED))
    }

    /// It changes because there is more or less of something.
    fn counts(&self) -> bool {
        let named = NAMED.as_ref().is_some_and(|named| named.is_match(self.before));
        !named && self.itself.bytes().all(|byte| byte.is_ascii_digit()) && self.says(&COUNTS)
    }
}

/// A text without its volatile fields. What differs because something has come further stays: what is left of a
/// wait, bytes that were transferred, rows that were read.
pub fn stable(text: &str) -> String {
    let stripped = match &*PATTERN {
        Some(pattern) => pattern.replace_all(text, |found: &Captures<'_>| {
            found
                .get(0)
                .map_or("#", |found| {
                    let left = Beside::of(text, found.start(), found.end()).is_time_left();
                    if left { found.as_str() } else { "#" }
                })
                .to_owned()
        }),
        None => Cow::Borrowed(text),
    };
    identifiers(&stripped)
}

/// Replaces words that look like generated identifiers: at least seven letters and digits, all of
/// them hexadecimal with both kinds, or nine digits and more, as clocks count, unless what stands beside them says
/// that they count something else.
fn identifiers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find(|c: char| c.is_ascii_alphanumeric()) {
        let start = at + found;
        out.push_str(&text[at..start]);
        let length = text[start..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len() - start);
        let end = start + length;
        let word = &text[start..end];
        let stays = !generated(word) || Beside::of(text, start, end).counts();
        out.push_str(if stays { word } else { "#" });
        at = end;
    }
    out.push_str(&text[at..]);
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

/// Most bytes of a result that only says how something stands.
const STANDING: usize = 512;

/// Words of something that is still under way, and of something that has ended.
static PENDING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:\b|_)(?:running|pending|queued|waiting|in[ _-]?progress|processing|building|downloading|uploading|provisioning|starting|creating|deploying|scheduled|not[ _-]?(?:ready|finished|done|yet)|still|working|active|started)(?:\b|_)").ok()
});
static ENDED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:\b|_)(?:fail(?:s|ed|ure|ures)?|errors?|denied|refused|passed|traceback|exception|cancel(?:l?ed)?|aborted)(?:\b|_)").ok()
});

/// Whether a short result says that something is still under way, and nothing of how it ended.
pub fn says_pending(text: &str) -> bool {
    let says = |words: &Option<Regex>| words.as_ref().is_some_and(|words| words.is_match(text));
    text.len() <= STANDING && says(&PENDING) && !says(&ENDED)
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
            ("request id: 123456789012", "request id: 210987654321"),
            ("3 failed in 0.25s", "3 failed in 0.31s"),
            ("Tests run: 3, Failures: 1, Time elapsed: 0.031 sec", "Tests run: 3, Failures: 1, Time elapsed: 0.04 sec"),
            (r#"{"ts":1763719530,"state":"down"}"#, r#"{"ts":1763719599,"state":"down"}"#),
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
            (r#"{"state":"downloading","bytes":104857600}"#, r#"{"state":"downloading","bytes":209715200}"#),
            ("received 1610612736 of 4294967296 bytes", "received 1710612736 of 4294967296 bytes"),
            ("copied 900000000 rows", "copied 950000000 rows"),
            ("running, 540 seconds left", "running, 480 seconds left"),
            ("ready in 540 seconds", "ready in 480 s remaining"),
            ("ETA 00:08:12", "ETA 00:07:58"),
            ("remaining: 12.5 s", "remaining: 9 s"),
            ("uptime 300 s", "uptime 330 s"),
            (r#"{"total_bytes": 9000000000}"#, r#"{"total_bytes": 9000000001}"#),
            ("due 2026-01-01", "due 2026-01-02"),
            ("due Jan 1 2026", "due Jan 2 2026"),
        ];
        for (a, b) in different {
            assert_ne!(stable(a), stable(b));
        }
    }

    #[test]
    fn what_is_under_way_says_so_in_few_words() {
        for text in [r#"{"state":"running"}"#, "Job 7 is still queued.", "status: in_progress", "not ready"] {
            assert!(says_pending(text), "{text}");
        }
        for text in ["", "ok", r#"{"state":"done"}"#, "running 12 tests: 3 failed", "error: not ready"] {
            assert!(!says_pending(text), "{text}");
        }
        assert!(!says_pending(&format!("running{}", " ".repeat(STANDING))));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_ne!(call_key("a", "{}"), call_key("b", "{}"));
    }
}
