//! Files that a command fetches, which another one of the same call then runs.

use super::syntax::{Words, starts_command};

/// Files that are kept in mind.
const MOST: usize = 8;
/// Bytes behind a change of rights in which a file is run.
const NEAR: usize = 256;

/// What was fetched so far.
#[derive(Default)]
pub struct Fetched {
    /// Names without their folders; empty for one that only the other side knows.
    names: Vec<Vec<u8>>,
}

impl Fetched {
    /// Hears of a download whose command is `start..end`.
    pub fn hear(&mut self, text: &[u8], start: usize, end: usize) {
        let command = &text[start..end];
        let wget = command.eq_ignore_ascii_case(b"wget");
        let (mut remote, mut kept, mut named, mut next) = (None, wget, false, false);
        let mut words = Words::behind(text, end);
        while let Some(word) = words.next_word() {
            let word: &[u8] = &word;
            if next {
                self.keep(word);
                (next, named) = (false, true);
                continue;
            }
            match word {
                b">" | b"--output" | b"-OutFile" | b"--output-document" => next = true,
                [b'>', file @ ..] if !file.is_empty() => {
                    self.keep(file);
                    named = true;
                }
                [b'-', b'-', ..] => {
                    if let Some(file) =
                        word.strip_prefix(b"--output=").or_else(|| word.strip_prefix(b"--output-document="))
                    {
                        self.keep(file);
                        named = true;
                    }
                }
                [b'-', options @ ..] => match options.last() {
                    Some(b'O') if wget => next = true,
                    Some(b'o') if !wget => next = true,
                    _ => kept |= options.contains(&b'O'),
                },
                _ if word.contains(&b'/') || word.contains(&b'.') || wget => remote = Some(word.to_vec()),
                _ => {}
            }
        }
        if kept
            && !named
            && let Some(remote) = remote
        {
            let path = remote.windows(3).position(|part| part == b"://").map_or(&remote[..], |at| &remote[at + 3..]);
            // The name of a host alone says nothing of a file's.
            let name =
                if path.contains(&b'/') { path.split(|byte| *byte == b'?').next().unwrap_or_default() } else { b"" };
            self.keep(name);
        }
    }

    fn keep(&mut self, path: &[u8]) {
        // What goes to the terminal, or nowhere, is no file.
        if self.names.len() < MOST && path != b"-" && !path.starts_with(b"/dev/") {
            self.names.push(file(path).to_vec());
        }
    }

    /// Whether an interpreter behind `end` runs one of them.
    pub fn is_run_by(&self, text: &[u8], end: usize) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let mut words = Words::behind(text, end);
        while let Some(word) = words.next_word() {
            match &*word {
                [b'-', b'c' | b'm' | b'e', ..] => return false,
                [b'-', ..] => {}
                [b'<'] => {}
                script => return self.has(script.strip_prefix(b"<").unwrap_or(script)),
            }
        }
        false
    }

    /// Whether one of them is run as it stands, behind a change of rights that ends at `end`.
    pub fn is_run_behind(&self, text: &[u8], end: usize) -> bool {
        let behind = &text[end..text.len().min(end + NEAR)];
        self.names.iter().filter(|name| !name.is_empty()).any(|name| {
            let mut places = behind.windows(name.len()).enumerate().filter(|(_, part)| part == name);
            places.any(|(at, _)| {
                let (start, next) = (end + at, behind.get(at + name.len()));
                !next.is_some_and(u8::is_ascii_alphanumeric) && starts_command(text, start)
            })
        })
    }

    fn has(&self, script: &[u8]) -> bool {
        let name = file(script);
        !name.is_empty() && self.names.iter().any(|fetched| fetched == name || fetched.is_empty())
    }
}

/// A path's last part.
fn file(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
