//! As much of a shell's syntax as it takes to tell a command from a word.

use std::borrow::Cow;

/// Bytes of a command's arguments that are read.
const LONGEST: usize = 512;
/// Words before a command, with their options and values.
const MOST_PREFIXES: usize = 6;

/// Whether a command begins with the word at `start`. Not behind a back quote: those are mostly of
/// people who write about commands.
pub fn starts_command(text: &[u8], start: usize) -> bool {
    let mut at = back_over_path(text, start);
    for _ in 0..MOST_PREFIXES {
        let end = back_over_space(text, at);
        match &text[..end] {
            [] | [.., b';' | b'&' | b'|' | b'(' | b'{' | b'\n'] | [.., b'\\', b'n'] => return true,
            [before @ .., b'\\', b'"'] | [before @ .., b'\''] => {
                return is_given_to_shell(before) || is_for_another_machine(before);
            }
            [.., b'"'] => return true,
            _ if end == at => return false,
            before => {
                let word = last_word(before);
                let passes = is_prefix(word)
                    || word.starts_with(b"-")
                    || word.contains(&b'=')
                    || (!word.is_empty() && word.iter().all(u8::is_ascii_digit))
                    || is_value(before, word);
                if !passes {
                    return is_for_another_machine(before);
                }
                at = end - word.len();
            }
        }
    }
    false
}

/// Bytes of a command before a place that are looked back over.
const LONGEST_STATEMENT: usize = 256;

/// Where the command in which `at` lies begins: behind what ends another one, or behind a quote.
pub fn statement_start(text: &[u8], at: usize) -> usize {
    let least = at.saturating_sub(LONGEST_STATEMENT);
    let mut start = at;
    while start > least {
        match &text[..start] {
            [.., b';' | b'|' | b'&' | b'(' | b'`' | b'"' | b'\'' | b'\n'] | [.., b'\\', b'n'] => break,
            _ => start -= 1,
        }
    }
    start
}

/// The name of the command that a statement runs, behind words such as `sudo` and what they take.
pub fn command_of(statement: &[u8]) -> Cow<'_, [u8]> {
    let words = statement.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let passes = |word: &&[u8]| {
        is_prefix(word)
            || matches!(*word, b"if" | b"while" | b"until" | b"{")
            || word.starts_with(b"-")
            || word.contains(&b'=')
            || word.iter().all(u8::is_ascii_digit)
    };
    let mut words = words;
    let command = words.find(|word| !passes(word)).unwrap_or_default();
    Cow::Borrowed(command.rsplit(|byte| *byte == b'/').next().unwrap_or_default())
}

/// Whether what stands behind is a command for another machine.
fn is_for_another_machine(before: &[u8]) -> bool {
    &*command_of(&before[statement_start(before, before.len())..]) == b"ssh"
}

/// Whether a word is the value of an option such as `-u root` or `--user root`, before a command.
fn is_value(before: &[u8], word: &[u8]) -> bool {
    let at = back_over_space(before, before.len() - word.len());
    let option = last_word(&before[..at]);
    !word.is_empty() && matches!(option, b"-u" | b"-g" | b"-n" | b"-p" | b"-c" | b"--user" | b"--group" | b"-k" | b"-s")
}

/// Whether a command may begin behind a word.
fn is_prefix(word: &[u8]) -> bool {
    matches!(
        word,
        b"sudo"
            | b"doas"
            | b"command"
            | b"time"
            | b"nohup"
            | b"env"
            | b"exec"
            | b"then"
            | b"do"
            | b"else"
            | b"xargs"
            | b"busybox"
            | b"nice"
            | b"timeout"
            | b"setsid"
            | b"ionice"
            | b"stdbuf"
            | b"builtin"
            | b"chroot"
            | b"!"
    )
}

/// Whether what stands behind is a program to run: after `-c`, `eval`, or the opening of a call.
pub fn is_given_to_shell(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let word = last_word(before);
    before.ends_with(b"(")
        || word == b"eval"
        || (word.len() > 1 && word[0] == b'-' && word[1] != b'-' && word.ends_with(b"c"))
}

/// The word at the end: all up to a space, a quote or what ends a command.
pub fn last_word(text: &[u8]) -> &[u8] {
    let ends = |byte: &u8| {
        matches!(byte, 0..=b' ' | b'"' | b'\'' | b'`' | b';' | b'|' | b'&' | b'(' | b')' | b'{' | b'}' | b'<' | b'>')
    };
    let length = text.iter().rev().take(32).take_while(|byte| !ends(byte)).count();
    let word = &text[text.len() - length..];
    // A line may end right before it.
    word.strip_prefix(b"\\n").unwrap_or(word)
}

pub fn back_over_space(text: &[u8], at: usize) -> usize {
    at - text[..at].iter().rev().take(64).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The start of a path such as `/usr/bin/` before a command's name.
pub fn back_over_path(text: &[u8], at: usize) -> usize {
    if at == 0 || text[at - 1] != b'/' {
        return at;
    }
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    at - text[..at].iter().rev().take(64).take_while(|byte| part(byte)).count()
}

/// The words of a command, without their quotes, up to where it ends.
pub struct Words<'a> {
    text: &'a [u8],
    at: usize,
    limit: usize,
}

impl<'a> Words<'a> {
    pub fn behind(text: &'a [u8], at: usize) -> Self {
        Words { text, at, limit: text.len().min(at + LONGEST) }
    }

    /// Up to where words were read; on the border of a character.
    pub fn at(&self) -> usize {
        let inside = |at: &usize| self.text.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
        (0..=self.at).rev().find(|at| !inside(at)).unwrap_or(0)
    }

    /// Whether one of them decodes, as `-d` of `base64` does.
    pub fn decodes(&mut self) -> bool {
        while let Some(word) = self.next_word() {
            if matches!(&*word, b"-d" | b"-D" | b"--decode" | b"-r" | b"-di") {
                return true;
            }
        }
        false
    }

    /// Bytes of a blank at a place: a shell splits words at its own variable too.
    fn blank(&self, at: usize) -> usize {
        match self.text.get(at..) {
            Some([b' ' | b'\t', ..]) => 1,
            Some(rest) if rest.starts_with(b"${IFS}") => 6,
            Some(rest) if rest.starts_with(b"$IFS") => 4,
            _ => 0,
        }
    }

    fn step(&self, at: usize) -> Option<usize> {
        match (self.text.get(at)?, self.text.get(at + 1)) {
            _ if at >= self.limit => None,
            (b';' | b'|' | b'&' | b')' | b'`' | b'"' | b'\n', _) | (b'\\', Some(b'n')) => None,
            (b'\\', Some(b'"' | b'\\')) => Some(2),
            _ => Some(1),
        }
    }

    pub fn next_word(&mut self) -> Option<Cow<'a, [u8]>> {
        loop {
            // A quote alone is the rest of what stands before.
            match self.any_word()? {
                word if word.is_empty() => {}
                word => return Some(word),
            }
        }
    }

    fn any_word(&mut self) -> Option<Cow<'a, [u8]>> {
        while let length @ 1.. = self.blank(self.at) {
            self.at += length;
        }
        let start = self.at;
        while let Some(length) = self.step(self.at)
            && self.blank(self.at) == 0
        {
            self.at += length;
        }
        let word = self.text.get(start..self.at).filter(|word| !word.is_empty())?;
        let quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\');
        Some(if word.iter().any(quote) {
            Cow::Owned(word.iter().copied().filter(|byte| !quote(byte)).collect())
        } else {
            Cow::Borrowed(word)
        })
    }
}
