//! Lines that a diff adds: their plus is no part of what stands behind it.

use crate::text::byte;

/// Bytes of the line before that are looked at.
const LINE: usize = 160;

/// Whether the plus at `sign` is that of a line which a diff adds, and which holds nothing but what ends at `end`: it
/// begins its line, and so does a mark of a diff before or behind it.
pub(crate) fn adds(bytes: &[u8], sign: usize, end: usize) -> bool {
    let Some(before) = line_start(bytes, sign) else { return false };
    let mark = |at: usize| matches!(byte(bytes, at), b'+' | b'-' | b'@');
    let behind = match (byte(bytes, end), byte(bytes, end + 1)) {
        (b'\n', _) => mark(end + 1),
        (b'\\', b'n') => mark(end + 2),
        (b'\r', b'\n') => mark(end + 2),
        (b'\\', b'r') => mark(end + 4),
        _ => false,
    };
    behind || previous(&bytes[before.saturating_sub(LINE)..before])
}

/// The end of the line before, where `at` begins one; a text's first line begins at its first byte.
fn line_start(bytes: &[u8], at: usize) -> Option<usize> {
    match &bytes[..at] {
        [] => Some(0),
        [.., b'\r', b'\n'] => Some(at - 2),
        [.., b'\n'] => Some(at - 1),
        // In JSON a line's end is two characters.
        [.., b'\\', b'n'] => Some(at - 2),
        _ => None,
    }
}

/// Whether the last line of these bytes begins as those of a diff do.
fn previous(bytes: &[u8]) -> bool {
    let start = (1..=bytes.len()).rev().find(|at| {
        let before = &bytes[..*at];
        before.ends_with(b"\n") || before.ends_with(b"\\n")
    });
    matches!(byte(bytes, start.unwrap_or(0)), b'+' | b'-' | b'@') && (start.is_some() || bytes.len() < LINE)
}
