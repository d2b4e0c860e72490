//! What a command does with a file of keys: a program may use one, and others would show it or send it away.

use crate::shell::syntax::{Words, command_of, last_word, statement_start};

/// Bytes behind a change of folder in which something of it is read.
const NEAR: usize = 256;
/// Folders of keys.
const FOLDERS: [&[u8]; 3] = [b".ssh", b".gnupg", b".aws"];

/// Whether the path that begins at `start` is only handed to a program that uses a key, or is looked after: its rights,
/// whether it is there.
pub fn is_used(text: &[u8], start: usize) -> bool {
    let mut word = start;
    while word > 0 && !matches!(text[word - 1], b' ' | b'"' | b'\'' | b'`' | b'(' | b';' | b'|' | b'&' | b'<' | b'>') {
        word -= 1;
    }
    let path = &text[word..start];
    // The quote around it is of the shell's.
    let mut before = &text[..word];
    while let [rest @ .., b'\\', b'"'] | [rest @ .., b'\''] = before {
        before = rest;
    }
    if before.ends_with(b"<") {
        return false;
    }
    let option = last_word(before.trim_ascii_end());
    let names = |word: &[u8]| {
        let word = word.to_ascii_lowercase();
        [&b"kubeconfig"[..], b"identity", b"private-key", b"key-file", b"netrc-file"]
            .iter()
            .any(|name| word.windows(name.len()).any(|part| part == *name))
    };
    let from = statement_start(text, before.len());
    let command = command_of(&text[from..before.len()]);
    if path.contains(&b'=') && names(path) || option.starts_with(b"-") && names(option) {
        return true;
    }
    match &*command {
        b"chmod" | b"chown" | b"ssh-add" | b"ssh-keygen" | b"test" | b"[" | b"[[" | b"stat" | b"ls" | b"touch" => true,
        b"ssh" | b"scp" | b"sftp" | b"mosh" | b"autossh" | b"ssh-copy-id" | b"sshfs" => option == b"-i",
        _ => false,
    }
}

/// Whether the command behind `end`, which goes to a folder of keys, is followed by one that reads something of it.
pub fn reads_in(text: &[u8], end: usize) -> bool {
    let mut words = Words::behind(text, end);
    let goes = words.next_word().is_some_and(|folder| is_folder(&folder));
    if !goes {
        return false;
    }
    let limit = text.len().min(end + NEAR);
    let mut at = words.at();
    while at < limit {
        // What ends a command and begins another.
        at += match &text[at..] {
            [b'\\', b'n', ..] => 2,
            [b' ' | b';' | b'&' | b'|', ..] => 1,
            _ => 0,
        };
        let mut words = Words::behind(text, at);
        let Some(command) = words.next_word() else {
            if matches!(text.get(at), Some(b' ' | b';' | b'&' | b'|')) || text[at..].starts_with(b"\\n") {
                continue;
            }
            return false;
        };
        if shows(&command) {
            while let Some(word) = words.next_word() {
                let key = word.starts_with(b"id_") || matches!(&*word, b"*" | b"." | b"./*" | b"credentials");
                if key && !word.ends_with(b".pub") {
                    return true;
                }
            }
        } else {
            while words.next_word().is_some() {}
        }
        at = words.at().max(at + 1);
    }
    false
}

/// Whether a word is the path of a folder of keys.
fn is_folder(word: &[u8]) -> bool {
    let word = word.strip_suffix(b"/").unwrap_or(word);
    FOLDERS
        .iter()
        .any(|folder| word.strip_suffix(*folder).is_some_and(|before| before.is_empty() || before.ends_with(b"/")))
}

/// Whether a command shows or copies what is in a file.
fn shows(command: &[u8]) -> bool {
    let command = command.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    matches!(
        command,
        b"cat"
            | b"less"
            | b"more"
            | b"head"
            | b"tail"
            | b"base64"
            | b"xxd"
            | b"od"
            | b"strings"
            | b"cp"
            | b"scp"
            | b"tar"
            | b"zip"
            | b"curl"
            | b"grep"
            | b"rg"
            | b"openssl"
            | b"nc"
    )
}

/// Whether a whole folder of keys, a word of whose path ends at `end`, is read: packed, copied elsewhere, searched.
pub fn takes_folder(text: &[u8], start: usize, end: usize) -> bool {
    let rest = &text[end..];
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    let ends = matches!(rest, [] | [b' ' | b'"' | b'\'' | b';' | b'|' | b'&' | b')', ..] | [b'\\', b'"' | b'n', ..]);
    let folder = text[..start].ends_with(b".") && matches!(text[..start - 1].last(), Some(b'/' | b' ' | b'"' | b'\''));
    if !ends || !folder {
        return false;
    }
    let from = statement_start(text, start);
    let before = &text[from..start];
    let option = last_word(before[..before.len() - last_word(before).len()].trim_ascii_end());
    let mut behind = Words::behind(text, text.len() - rest.len());
    match &*command_of(before) {
        b"tar" | b"bsdtar" => {
            let mode = before.split(|byte| *byte == b' ').skip_while(|word| *word != b"tar").nth(1).unwrap_or_default();
            option != b"-C" && !mode.contains(&b'x') && !mode.contains(&b't')
        }
        b"zip" | b"7z" => true,
        b"grep" | b"rg" | b"egrep" => true,
        // The last word is where it goes.
        b"cp" | b"scp" | b"rsync" => behind.next_word().is_some(),
        b"find" => {
            let mut runs = false;
            while let Some(word) = behind.next_word() {
                if runs && shows(&word) {
                    return true;
                }
                runs = matches!(&*word, b"-exec" | b"-execdir");
            }
            false
        }
        _ => false,
    }
}

/// Whether a command such as `curl` behind `end` sends a file of keys, or what the environment holds.
pub fn sends(text: &[u8], start: usize, end: usize) -> bool {
    let mut words = Words::behind(text, end);
    let mut option = false;
    while let Some(word) = words.next_word() {
        let word: &[u8] = &word;
        let file = match word.iter().position(|byte| *byte == b'@') {
            Some(at) if option || word.starts_with(b"-") => Some(&word[at + 1..]),
            None if option => Some(word),
            _ => None,
        };
        match file {
            Some(b"-") if is_fed_keys(text, start) => return true,
            Some(file) if is_secret(file) => return true,
            _ => {}
        }
        option = matches!(word, b"-d" | b"-F" | b"-T" | b"--form" | b"--upload-file" | b"--post-file")
            || word.starts_with(b"--data");
        if let Some(file) = word.strip_prefix(b"--post-file=").or_else(|| word.strip_prefix(b"--upload-file=")) {
            return is_secret(file);
        }
    }
    false
}

fn is_secret(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let example = [&b".example"[..], b".sample", b".template"].iter().any(|end| name.ends_with(end));
    (name == b".env" || name.starts_with(b".env.")) && !example
}

/// Whether the command before the pipe that ends at `start` tells of the environment, or of a file with its secrets.
fn is_fed_keys(text: &[u8], start: usize) -> bool {
    let Some(before) = text[..start].trim_ascii_end().strip_suffix(b"|") else { return false };
    let from = statement_start(text, before.len());
    let statement = &before[from..];
    match &*command_of(statement) {
        b"env" | b"printenv" | b"set" | b"export" => true,
        b"" => statement.split(|byte| *byte == b' ').any(|word| word == b"env"),
        b"cat" | b"base64" => statement.split(|byte| *byte == b' ').any(is_secret),
        _ => false,
    }
}
