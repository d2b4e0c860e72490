//! Characters that people do not see and a model reads, or that make others look otherwise than they are, where they are
//! not what some script or emoji is written with.

use crate::{eights, hidden_at};

/// Tells each row of them: first byte, first byte after it, and how likely it hides something, 0..=1. Below 0.5 it
/// belongs to the text.
pub fn unseen(text: &str, mut each: impl FnMut(usize, usize, f64)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = eights::find_high(bytes, at) {
        at = start;
        // Scripts other than Latin stand in rows.
        while let Some(&lead @ 0x80..) = bytes.get(at)
            && hidden_at(bytes, at).is_none()
        {
            at += 1 + usize::from(lead >= 0xC0) + usize::from(lead >= 0xE0) + usize::from(lead >= 0xF0);
        }
        let start = at;
        // Flags of regions are spelled in tags.
        let flag = bytes[..start].ends_with("\u{1F3F4}".as_bytes());
        let mut score: f64 = 0.0;
        while let Some(length) = hidden_at(bytes, at) {
            score = score.max(suspicion(bytes, at, length, flag));
            at += length;
        }
        if at > start {
            each(start, at, score);
        }
    }
}

/// A text without them, where it has any.
#[must_use]
pub fn without_unseen(text: &str) -> Option<String> {
    let (mut out, mut from) = (String::new(), 0);
    unseen(text, |start, end, score| {
        if score >= 0.5 {
            out.push_str(&text[from..start]);
            from = end;
        }
    });
    (from > 0).then(|| out + &text[from..])
}

/// How likely a hidden character hides something, 0..=1.
fn suspicion(bytes: &[u8], at: usize, length: usize, flag: bool) -> f64 {
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let between_letters = at > 0 && letter(at - 1) && letter(at + length);
    match &bytes[at..at + length] {
        // Tags spell a whole text that nobody sees.
        [0xF3, 0xA0, 0x80 | 0x81, _] if !flag => 0.9,
        // Embedding and override of the direction, then isolates.
        [0xE2, 0x80, 0xAA..=0xAE] => 0.7,
        [0xE2, 0x81, 0xA6..=0xA9] => 0.5,
        // Zero-width space, word joiner, byte-order mark; joiners only inside a word that needs none.
        [0xE2, 0x80, 0x8B] | [0xE2, 0x81, 0xA0..=0xA4] => 0.6,
        [0xEF, 0xBB, 0xBF] if at > 0 => 0.6,
        [0xE2, 0x80, 0x8C | 0x8D] | [0xC2, 0xAD] if between_letters => 0.5,
        _ => 0.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_goes_and_what_a_script_is_written_with_stays() {
        for (text, without) in [
            ("4\u{e0069}\u{e0067}\u{e006e} end", Some("4 end")),
            ("a\u{202e}b\u{202c}c", Some("abc")),
            ("ig\u{200b}nore", Some("ignore")),
            ("re\u{ad}move", Some("remove")),
            ("\u{2066}x\u{2069}", Some("x")),
            ("word\u{2060}joiner", Some("wordjoiner")),
            // A byte-order mark begins files; emoji, Persian and flags are written with joiners and tags.
            ("\u{feff}x", None),
            ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", None),
            ("می\u{200c}خواهم", None),
            ("\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}", None),
            ("Übung, 表", None),
            ("", None),
        ] {
            assert_eq!(without_unseen(text).as_deref(), without, "{text:?}");
        }
    }
}
