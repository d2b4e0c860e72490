//! Commands in a call's arguments that nobody runs for good. What ordinary commands may do is the
//! slot `risk`'s to judge, so only the unmistakable is looked for, and only where a command begins:
//! `git commit -m "fix rm -rf /"` runs nothing.
//!
//! The text is JSON: a bare quote begins or ends it, `\"` is a quote of the shell's, `\n` ends a line.

mod fetched;
mod folder;
pub mod plain;
pub mod syntax;
mod told;

use crate::findings::Findings;
use crate::phrases::Tag;
use crate::rules::Rule;
use fetched::Fetched;
use folder::{is_everything, is_of_the_system, is_root};
use syntax::{Words, back_over_path, back_over_space, is_given_to_shell, last_word, starts_command, statement_start};

/// Bytes from a download to the shell that runs it.
const LONGEST_PIPE: usize = 1024;
/// Bytes of a call's argument, or of a device's path, that are looked at.
const LONGEST_CALL: usize = 64;
/// Disks under `/dev`.
const DISKS: [&[u8]; 10] = [b"sd", b"hd", b"vd", b"xvd", b"nvme", b"mmcblk", b"disk", b"rdisk", b"mapper/", b"md"];
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
    fetched: Fetched,
    /// The commands are run in a folder with everything in it.
    everywhere: bool,
    /// Texts that a command is told and does not run.
    told: Vec<(usize, usize)>,
}

impl Shell {
    /// Whether a word is part of what a command is told and does not run.
    pub fn is_told(&self, start: usize) -> bool {
        self.told.iter().any(|(from, to)| (*from..*to).contains(&start))
    }

    pub fn hear(&mut self, tag: Tag, text: &[u8], start: usize, end: usize, findings: &mut Findings) {
        match tag {
            Tag::Download => {
                if is_substituted(text, start) {
                    findings.add(Rule::DownloadAndRun, start, end, 0.9);
                } else {
                    self.download = Some((start, end));
                    self.fetched.hear(text, start, end);
                }
            }
            Tag::Shell if starts_command(text, start) && self.fetched.is_run_by(text, end) => {
                findings.add(Rule::DownloadAndRun, start, end, 0.9);
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
            Tag::Tells if starts_command(text, start) => self.told.extend(told::texts(text, start, end)),
            Tag::Cd if starts_command(text, start) => {
                let folder = Words::behind(text, end).next_word();
                self.everywhere = folder.is_none_or(|folder| is_everything(&folder) || is_of_the_system(&folder));
            }
            Tag::Rm | Tag::Mkfs | Tag::Dd | Tag::Find | Tag::Change | Tag::Shred | Tag::Mirror
                if start >= self.read && starts_command(text, start) =>
            {
                let mut words = Words::behind(text, end);
                let everywhere = self.everywhere || (tag == Tag::Rm && is_fed_everything(text, start));
                let destroyed = destroys(tag, &mut words, everywhere);
                let run = tag == Tag::Change && self.fetched.is_run_behind(text, words.at());
                if run {
                    findings.add(Rule::DownloadAndRun, start, words.at(), 0.9);
                }
                if destroyed {
                    findings.add(Rule::DestructiveCommand, start, words.at(), 0.9);
                }
                self.read = words.at();
            }
            _ => {}
        }
    }
}

/// Whether a command destroys what nobody wants to lose. Everywhere it is run where everything is, or told to take it.
fn destroys(command: Tag, words: &mut Words, everywhere: bool) -> bool {
    let mut recursive = false;
    let mut everything = false;
    let mut named = false;
    let mut last_is_everything = false;
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
                let all = matches!(word, b"*" | b"." | b"./" | b"./*" | b".*" | b"..");
                everything |= everywhere && all;
                named |= !word.starts_with(b"-");
            }
            Tag::Mirror => {
                deletes |= word.starts_with(b"--del");
                last_is_everything = is_everything(word) || is_of_the_system(word);
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
                everything |= is_root(word) || is_of_the_system(word);
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
        Tag::Mirror => deletes && last_is_everything,
        // What it is to delete is fed to it.
        Tag::Rm if !named => recursive && everywhere,
        _ => recursive && everything,
    }
}

/// Whether `xargs` hands the command at `start` the name of a folder with everything in it.
fn is_fed_everything(text: &[u8], start: usize) -> bool {
    let from = statement_start(text, start);
    let xargs = text[from..start].split(|byte| *byte == b' ').any(|word| word == b"xargs");
    let Some(before) = text[..from].strip_suffix(b"|").filter(|_| xargs) else { return false };
    let from = statement_start(before, before.len());
    let mut words = Words::behind(before, from);
    if !words.next_word().is_some_and(|word| matches!(&*word, b"echo" | b"printf" | b"ls")) {
        return false;
    }
    while let Some(word) = words.next_word() {
        if is_everything(&word) || is_of_the_system(&word) {
            return true;
        }
    }
    false
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
    while let [rest @ .., b'"' | b'\\' | b'\'' | b' ' | b'<'] = before {
        before = rest;
    }
    let word = last_word(before);
    is_given_to_shell(before) || is_interpreter(word) || matches!(word, b"source" | b".")
}

fn is_interpreter(word: &[u8]) -> bool {
    let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    matches!(name, b"sh" | b"bash" | b"zsh" | b"dash" | b"ksh" | b"python" | b"python3" | b"perl" | b"ruby" | b"node")
}

/// Bytes of a group of commands, such as `(cd x; sh)`, before the one that reads what the group is fed.
const LONGEST_GROUP: usize = 64;

/// The pipe whose end is the command `start`.
fn pipe_before(text: &[u8], start: usize) -> Option<usize> {
    let mut at = back_over_space(text, back_over_path(text, start));
    for _ in 0..4 {
        let word = last_word(&text[..at]);
        if !matches!(word, b"sudo" | b"env" | b"exec" | b"nohup" | b"command" | b"busybox")
            && !word.starts_with(b"-")
            && !word.contains(&b'=')
        {
            break;
        }
        at = back_over_space(text, at - word.len());
    }
    match &text[..at] {
        [.., b'|', b'|'] => None,
        [.., b'|'] => Some(at - 1),
        [.., b'|', b'&'] => Some(at - 2),
        [.., b';' | b'&' | b'(' | b'{'] => {
            let group = &text[at.saturating_sub(LONGEST_GROUP)..at];
            let open = group.iter().rposition(|byte| matches!(byte, b'(' | b')' | b'{' | b'"'))?;
            let before = group[..open].trim_ascii_end();
            let fed = matches!(group[open], b'(' | b'{') && before.ends_with(b"|") && !before.ends_with(b"||");
            fed.then(|| at - group.len() + before.len() - 1)
        }
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
    shell || matches!(first, b"-" | b"/dev/stdin")
}
