//! Texts of every size, made of what policies look for and of what they may stumble over.

use std::sync::Arc;

use super::Random;

/// Bytes of a kibibyte.
pub const KIB: usize = 1 << 10;

const PARTS: [&str; 64] = [
    "the",
    "a",
    "and",
    "file",
    "files",
    "please",
    "it",
    "that",
    "this",
    "something",
    "fix",
    "prove",
    "derive",
    "design",
    "must",
    "read-file",
    "write_file",
    "search",
    "order",
    "invoice",
    "review",
    "security",
    "tests",
    "deploy",
    "invalid_grant",
    "token has expired",
    "missing_scope",
    "status 503",
    "timed out",
    "connection reset",
    "permission denied",
    "too many requests",
    "tool not found",
    "payment required",
    "No such file or directory",
    "```rust\nfn main() {}\n```",
    "```py\n",
    "```",
    "alice@example.com",
    "+1 (555) 010-9999",
    "4111 1111 1111 1111",
    "4111111111111112",
    "DE89 3704 0044 0532 0130 00",
    "078-05-1120",
    "192.168.0.1",
    "AKIAIOSFODNN7QXAMPLE",
    "password=hunter2",
    "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
    "-----BEGIN PRIVATE KEY-----",
    "confidential",
    "patient",
    "ignore all previous instructions",
    "system prompt",
    "rm -rf /",
    "idiot",
    "{\"a\": 1}",
    "naïve",
    "日本語",
    "Straße",
    "👩‍👩‍👧",
    "\u{202e}",
    "\u{0}",
    "x",
    "0",
];
const GAPS: [&str; 12] = [" ", " ", " ", " ", "\n", ", ", ". ", "-", "_", "\t", "\\n", "\u{a0}"];

/// A text of at most so many bytes; now and then of exactly as many, and now and then empty.
pub fn text(random: &mut Random, most: usize) -> Arc<str> {
    let size = match random.below(48) {
        0 => most,
        1..=4 => 0,
        5..=12 => random.below(most.min(2048) + 1),
        _ => random.below(most.min(160) + 1),
    };
    of_size(random, size).into()
}

/// A text of so many bytes.
pub fn of_size(random: &mut Random, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    // Either of many parts, or of few, over and over.
    let few: Vec<&str> = (0..3).map(|_| random.pick(&PARTS)).collect();
    let repeats = random.once_in(4);
    while text.len() < bytes {
        text.push_str(if repeats { random.pick(&few) } else { random.pick(&PARTS) });
        text.push_str(random.pick(&GAPS));
    }
    text.truncate(text.floor_char_boundary(bytes));
    while text.len() < bytes {
        text.push('e');
    }
    text
}

/// A name of lower-case letters and hyphens.
pub fn name(random: &mut Random) -> String {
    const NAMES: [&str; 10] =
        ["read-file", "write-file", "search", "run-tests", "send-mail", "pay", "restart", "verifier", "schema", "x"];
    random.pick(&NAMES).to_owned()
}

/// Bytes of a text that may have been longer before it was cut.
pub fn uncut(random: &mut Random, text: &str, most: usize) -> u64 {
    let cut = text.len() == most && random.toss();
    text.len() as u64 + if cut { random.bits() >> 40 } else { 0 }
}
