//! Words that a command is told and does not run: the message of a commit, the body of a request, a pattern to look for.

use super::syntax::Words;

/// Words of a command that are read, and the longest text that it is told, in bytes.
const MOST_WORDS: usize = 24;
const LONGEST: usize = 4096;
/// Options behind which a text stands.
const TEXTS: [&[u8]; 10] =
    [b"-m", b"-am", b"--message", b"--body", b"-b", b"--title", b"-t", b"--grep", b"--notes", b"--description"];

/// The quoted texts behind the command `start..end`.
pub fn texts(text: &[u8], start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut told = Vec::new();
    let command = &text[start..end];
    let every = !command.starts_with(b"g") || command.ends_with(b"grep");
    let mut at = end;
    let mut option = false;
    for _ in 0..MOST_WORDS {
        at += text[at..].iter().take_while(|byte| **byte == b' ').count();
        let assigned =
            text[at..].iter().take(16).take_while(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'='));
        let joined = at + assigned.count();
        let open = if joined > at && text[at] == b'-' && text[joined - 1] == b'=' { joined } else { at };
        let behind_option = option || (open > at && TEXTS.contains(&&text[at..open - 1]));
        if let Some(close) = closing(text, open) {
            // What is written to a program or a file may be run from there.
            if (every && (command != b"echo" || ends(text, close))) || behind_option {
                told.push((open, close));
            }
            at = close;
            option = false;
            continue;
        }
        let mut words = Words::behind(text, at);
        let Some(word) = words.next_word() else { break };
        option = TEXTS.contains(&&*word);
        at = words.at();
    }
    told
}

/// Where the quoted text that begins at `open` ends, unless a shell runs something within it.
fn closing(text: &[u8], open: usize) -> Option<usize> {
    let quote: &[u8] = match &text[open..] {
        [b'\'', ..] => b"'",
        [b'\\', b'"', ..] => b"\\\"",
        _ => return None,
    };
    let start = open + quote.len();
    let mut at = start;
    while at < text.len().min(start + LONGEST) {
        let rest = &text[at..];
        if rest.starts_with(quote) {
            return Some(at + quote.len());
        }
        match rest {
            [b'"', ..] => return None,
            [b'$', b'(', ..] | [b'`', ..] if quote.len() == 2 => return None,
            // An escaped quote of the shell's.
            [b'\\', b'\\', b'\\', _, ..] if quote.len() == 2 => at += 4,
            [b'\\', ..] => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Whether a command ends at a place, with nothing that takes what it says.
fn ends(text: &[u8], at: usize) -> bool {
    let at = at + text[at..].iter().take_while(|byte| **byte == b' ').count();
    matches!(&text[at..], [] | [b';' | b'"', ..] | [b'&', b'&', ..] | [b'|', b'|', ..] | [b'\\', b'n', ..])
}
