//! Commands in a call's arguments that nobody runs for good. What ordinary commands may do is the
//! slot `risk`'s to judge, so only the unmistakable is looked for, and only where a command begins:
//! `git commit -m "fix rm -rf /"` runs nothing.
//!
//! The text is JSON: a bare quote begins or ends it, `\"` is a quote of the shell's, `\n` ends a line.

mod syntax;

use crate::findings::Findings;
use crate::phrases::Tag;
use crate::rules::Rule;
use syntax::{Words, back_over_path, back_over_space, is_given_to_shell, last_word, starts_command};

/// Bytes from a download to the shell that runs it.
const LONGEST_PIPE: usize = 1024;
/// Bytes of a call's argument, or of a device's path, that are looked at.
const LONGEST_CALL: usize = 64;
/// Disks under `/dev`.
const DISKS: [&[u8]; 10] = [b"sd", b"hd", b"vd", b"xvd", b"nvme", b"mmcblk", b"disk", b"rdisk", b"mapper/", b"md"];
/// Folders with everything, or with everything of everybody, in them.
const EVERYTHING: [&[u8]; 7] = [b"", b"~", b"$HOME", b"${HOME}", b"/home", b"/root", b"/Users"];
/// Folders without which a machine does not start or run.
const SYSTEM: [&[u8]; 9] = [b"/etc", b"/usr", b"/var", b"/boot", b"/bin", b"/sbin", b"/lib", b"/lib64", b"/System"];
/// What narrows a search down: what is then deleted is somebody's choice.
const NARROWS: [&[u8]; 12] = [
    b"-name",
    b"-iname",
    b"-path",
    b"-ipath",
    b"-regex",
    b"-mtime",
    b"-mmin",
    b"-size",
    b"-newer",
    b"-empty",
    b"-user",
    b"-maxdepth",
];

/// Where in the commands of a call the scan is.
#[derive(Default)]
pub struct Shell {
    download: Option<(usize, usize)>,
    /// Words before this byte are arguments of a command that was read.
    read: usize,
}

impl Shell {
    pub fn hear(&mut self, tag: Tag, text: &[u8], start: usize, end: usize, findings: &mut Findings) {
        match tag {
            Tag::Download => {
                if is_substituted(text, start) {
                    findings.add(Rule::DownloadAndRun, start, end, 0.9);
                } else {
                    self.download = Some((start, end));
                }
            }
            Tag::Shell => {
                if let Some((from, downloaded)) = self.download
                    && let Some(pipe) = pipe_before(text, start)
                    && pipe >= downloaded
                {
                    self.download = None;
                    if is_one_statement(&text[downloaded..pipe]) && reads_its_input(text, start, end) {
                        findings.add(Rule::DownloadAndRun, from, end, 0.9);
                    }
                }
            }
            // What is decoded is run without anybody having read it.
            Tag::Decode if Words::behind(text, end).decodes() => self.download = Some((start, end)),
            Tag::Device => device(text, start, end, findings),
            Tag::RemoveTree if removes_everything(text, end) => {
                findings.add(Rule::DestructiveCommand, start, end, 0.9);
            }
            Tag::Rm | Tag::Mkfs | Tag::Dd | Tag::Find | Tag::Change | Tag::Shred
                if start >= self.read && starts_command(text, start) =>
            {
                let mut words = Words::behind(text, end);
                if destroys(tag, &mut words) {
                    findings.add(Rule::DestructiveCommand, start, words.at(), 0.9);
                }
                self.read = words.at();
            }
            _ => {}
        }
    }
}

fn destroys(command: Tag, words: &mut Words) -> bool {
    let mut recursive = false;
    let mut everything = false;
    let mut narrowed = false;
    let mut deletes = false;
    while let Some(word) = words.next_word() {
        let word: &[u8] = &word;
        match command {
            Tag::Mkfs if word.starts_with(b"/dev/") => return true,
            Tag::Dd => {
                if let Some(disk) = word.strip_prefix(b"of=/dev/")
                    && DISKS.iter().any(|name| disk.starts_with(name))
                {
                    return true;
                }
            }
            Tag::Rm => {
                recursive |= word == b"--recursive"
                    || (word.starts_with(b"-")
                        && !word.starts_with(b"--")
                        && word.iter().any(|byte| matches!(byte, b'r' | b'R')));
                everything |= word == b"--no-preserve-root" || is_everything(word) || is_of_the_system(word);
            }
            Tag::Find => {
                everything |= is_everything(word) || is_of_the_system(word);
                narrowed |= NARROWS.contains(&word);
                deletes |= matches!(word, b"-delete" | b"rm" | b"shred" | b"unlink");
            }
            Tag::Change => {
                recursive |=
                    word == b"--recursive" || word == b"-R" || (word.starts_with(b"-") && word.contains(&b'R'));
                // Whose home it is one may well say; the machine's own folders nobody changes as a whole.
                everything |= word == b"/" || word == b"/*" || is_of_the_system(word);
            }
            Tag::Shred => {
                if let Some(disk) = word.strip_prefix(b"/dev/")
                    && DISKS.iter().any(|name| disk.starts_with(name))
                {
                    return true;
                }
            }
            _ => {}
        }
    }
    match command {
        Tag::Find => everything && deletes && !narrowed,
        _ => recursive && everything,
    }
}

/// Whether a word names a folder with everything in it, or all that is in it.
fn is_everything(word: &[u8]) -> bool {
    word != b"*" && !word.is_empty() && EVERYTHING.contains(&folder(word))
}

fn is_of_the_system(word: &[u8]) -> bool {
    SYSTEM.contains(&folder(word))
}

fn folder(word: &[u8]) -> &[u8] {
    let folder = word.strip_suffix(b"*").unwrap_or(word);
    folder.strip_suffix(b"/").unwrap_or(folder)
}

/// `rmtree('/')`: the first argument of a call, behind the word that ends at `end`.
fn removes_everything(text: &[u8], end: usize) -> bool {
    let behind = &text[end..text.len().min(end + LONGEST_CALL)];
    let Some(argument) = behind.strip_prefix(b"(") else { return false };
    let quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ' | b'r' | b'b');
    let start = argument.iter().take_while(|byte| quote(byte)).count();
    let path = &argument[start..];
    let length = path.iter().take_while(|byte| !matches!(byte, b'"' | b'\'' | b'\\' | b',' | b')')).count();
    start > 0 && length > 0 && (is_everything(&path[..length]) || is_of_the_system(&path[..length]))
}

/// A disk that something is written to, as in `> /dev/sda`, or a connection that a shell talks over: `/dev/tcp/…`.
fn device(text: &[u8], start: usize, end: usize, findings: &mut Findings) {
    let Some(before) = text[..start].strip_suffix(b"/") else { return };
    let behind = &text[end..text.len().min(end + LONGEST_CALL)];
    if behind.starts_with(b"/tcp/") || behind.starts_with(b"/udp/") {
        findings.add(Rule::DownloadAndRun, start - 1, end + 4, 0.9);
        return;
    }
    let written = before[..back_over_space(text, before.len())].ends_with(b">");
    let disk = behind.strip_prefix(b"/").is_some_and(|disk| DISKS.iter().any(|name| disk.starts_with(name)));
    if written && disk {
        findings.add(Rule::DestructiveCommand, start - 1, end + 1, 0.9);
    }
}

/// `:(){ :|:& };:`, whose first `(` is at `open` behind its colon.
pub fn fork_bomb(text: &[u8], open: usize, findings: &mut Findings) {
    let mut bytes = text[open + 2..].iter().take(32).filter(|byte| **byte != b' ');
    if bytes.next() == Some(&b'{') && bytes.take(4).eq(b":|:&") {
        findings.add(Rule::DestructiveCommand, open - 1, open + 2, 0.9);
    }
}

/// Whether a download stands in `<(…)`, `$(…)` or back quotes that a shell is to run.
fn is_substituted(text: &[u8], start: usize) -> bool {
    let open = back_over_space(text, start);
    let opening = match &text[..open] {
        [.., b'<' | b'$', b'('] => open - 2,
        [.., b'`'] => open - 1,
        _ => return false,
    };
    let mut before = &text[..opening];
    while let [rest @ .., b'"' | b'\\' | b'\'' | b' '] = before {
        before = rest;
    }
    let word = last_word(before);
    is_given_to_shell(before) || matches!(word, b"sh" | b"bash" | b"zsh" | b"source" | b".")
}

/// The pipe whose end is the command `start`.
fn pipe_before(text: &[u8], start: usize) -> Option<usize> {
    let mut at = back_over_space(text, back_over_path(text, start));
    for _ in 0..4 {
        let word = last_word(&text[..at]);
        if !matches!(word, b"sudo" | b"env" | b"exec" | b"nohup") && !word.starts_with(b"-") {
            break;
        }
        at = back_over_space(text, at - word.len());
    }
    match &text[..at] {
        [.., b'|', b'|'] => None,
        [.., b'|'] => Some(at - 1),
        _ => None,
    }
}

/// Whether nothing ends the command between a download and its pipe.
fn is_one_statement(between: &[u8]) -> bool {
    between.len() <= LONGEST_PIPE
        && !between.contains(&b';')
        && !between.windows(2).any(|pair| matches!(pair, b"&&" | b"||" | b"\\n") || pair[0] == b'\n')
}

/// Whether an interpreter runs what it is fed: one with a program in its arguments does not.
fn reads_its_input(text: &[u8], start: usize, end: usize) -> bool {
    let mut words = Words::behind(text, end);
    let Some(first) = words.next_word() else { return true };
    let first: &[u8] = &first;
    let shell = text[start..end].ends_with(b"sh") && first.starts_with(b"-") && !first.contains(&b'c');
    shell || first == b"-"
}
