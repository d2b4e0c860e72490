//! A call's text with a shell's white space made plain, each byte where it was: tabs, continued lines and lines that end
//! behind a pipe are blanks, and so are the marks of a command that is quoted for nothing: `\rm`, `'rm'`.
//!
//! The text is JSON: what a shell sees as one mark has a `\` before it.

use std::borrow::Cow;

use countersign_patterns::eights;

/// The longest name of a command that quotes are taken from.
const LONGEST_NAME: usize = 16;

/// The text, borrowed where nothing of it changes.
pub fn plain(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut changed: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = eights::find_byte(bytes, at, b'\\', b'\'') {
        let (blanks, behind) = blanks(bytes, found);
        for (from, to) in blanks.into_iter().filter(|(from, to)| from < to) {
            let changed = changed.get_or_insert_with(|| bytes.to_vec());
            changed[from..to].fill(b' ');
        }
        at = behind;
    }
    // Blanks replace whole marks of ASCII, so that it stays a text.
    changed.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What of the mark at `at` is as good as blank, and where to go on.
fn blanks(bytes: &[u8], at: usize) -> ([(usize, usize); 2], usize) {
    const NONE: (usize, usize) = (0, 0);
    let rest = &bytes[at..];
    match rest {
        [b'\\', b't', ..] => ([(at, at + 2), NONE], at + 2),
        [b'\\', b'r', b'\\', b'n', ..] if goes_on(bytes, at) => ([(at, at + 4), NONE], at + 4),
        [b'\\', b'n', ..] if goes_on(bytes, at) => ([(at, at + 2), NONE], at + 2),
        [b'\\', b'\\', b'\\', b'r', b'\\', b'n', ..] => ([(at, at + 6), NONE], at + 6),
        [b'\\', b'\\', b'\\', b'n', ..] => ([(at, at + 4), NONE], at + 4),
        [b'\\', b'\\', letter, ..] if letter.is_ascii_lowercase() && begins_word(bytes, at) => {
            ([(at, at + 2), NONE], at + 2)
        }
        [b'\\', b'"', ..] => quoted(bytes, at, b"\\\""),
        [b'\\', ..] => ([NONE, NONE], at + 2),
        _ => quoted(bytes, at, b"'"),
    }
}

/// Whether the command before the end of a line goes on behind it.
fn goes_on(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev().take(8).find(|byte| **byte != b' ');
    before == Some(&b'|')
}

/// Whether a word may begin here.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    match &bytes[..at] {
        [.., b'\\', b'n'] => true,
        before => matches!(before.last(), None | Some(b' ' | b';' | b'|' | b'&' | b'(' | b'"')),
    }
}

/// The quotes around a word that needs none.
fn quoted(bytes: &[u8], at: usize, quote: &[u8]) -> ([(usize, usize); 2], usize) {
    let start = at + quote.len();
    let none = ([(0, 0), (0, 0)], start);
    if !begins_word(bytes, at) {
        return none;
    }
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let length = bytes[start..].iter().take(LONGEST_NAME + 1).take_while(|byte| of_name(byte)).count();
    let end = start + length;
    let closed = bytes[end..].starts_with(quote) && matches!(bytes.get(end + quote.len()), Some(b' '));
    if !closed || length == 0 || length > LONGEST_NAME {
        return none;
    }
    ([(at, start), (end, end + quote.len())], end + quote.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_plain_and_nothing_moves() {
        let table = [
            (r"x |\tsh", "x |  sh"),
            (r"x |\n sh", "x |   sh"),
            (r"x\nsh", r"x\nsh"),
            (r"x \\\n | sh", "x      | sh"),
            (r"\\rm -rf /", "  rm -rf /"),
            (r"C:\\new", r"C:\\new"),
            ("'rm' -rf /", " rm  -rf /"),
            (r#"\"rm\" -rf /"#, "  rm   -rf /"),
            ("echo 'rm -rf /'", "echo 'rm -rf /'"),
            ("plain", "plain"),
            ("\\", "\\"),
            ("é'é' ", "é'é' "),
        ];
        for (text, expected) in table {
            assert_eq!(plain(text), expected, "{text}");
            assert_eq!(plain(text).len(), text.len());
        }
    }
}
