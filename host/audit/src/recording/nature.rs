//! What a shell command is likely to do, where a recording says nothing but its text.
//!
//! A guess, for backtests only: a live run's tools declare their nature. Wrong guesses cost little:
//! a detector that takes a reading command for a changing one forgets what it has seen, but still
//! sees the same call with the same result again.

/// Commands that wait or look whether something is still going on.
const POLLERS: [&str; 12] =
    ["sleep", "wait", "watch", "jobs", "ps", "pgrep", "top", "uptime", "tail", "fg", "bg", "nvidia-smi"];
/// Two words that do the same.
const POLLING_PAIRS: [(&str, &str); 9] = [
    ("docker", "ps"),
    ("docker", "logs"),
    ("kubectl", "get"),
    ("kubectl", "logs"),
    ("systemctl", "status"),
    ("service", "status"),
    ("supervisorctl", "status"),
    ("squeue", ""),
    ("gh", "run"),
];
/// Commands that only read.
const READERS: [&str; 44] = [
    "ls",
    "cat",
    "find",
    "grep",
    "egrep",
    "rg",
    "head",
    "tail",
    "pwd",
    "which",
    "type",
    "du",
    "df",
    "file",
    "env",
    "ps",
    "wc",
    "id",
    "stat",
    "netstat",
    "ss",
    "lsof",
    "printenv",
    "sha256sum",
    "md5sum",
    "lsmod",
    "ping",
    "pdftotext",
    "exiftool",
    "whoami",
    "uname",
    "date",
    "echo",
    "tree",
    "less",
    "more",
    "strings",
    "sort",
    "uniq",
    "diff",
    "cut",
    "jobs",
    "history",
    "sleep",
];

/// The nature of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    /// It may change something.
    pub mutating: bool,
    /// It waits for something.
    pub poller: bool,
}

/// Guesses from the text. An empty command asks a running one for more of its output.
pub fn of_command(text: &str) -> Nature {
    let text = text.trim();
    if text.is_empty() {
        return Nature { mutating: false, poller: true };
    }
    let mut poller = true;
    let mut mutating = writes_file(text);
    for part in text.split(['|', ';', '&', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        // What a redirection leaves of `2>&1`.
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let mut words = part.split_whitespace();
        let command = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        let reads = READERS.contains(&command);
        mutating |= !reads || rest.iter().any(|word| matches!(*word, "-delete" | "-exec" | "-i"));
        poller &= POLLERS.contains(&command)
            || POLLING_PAIRS.iter().any(|(a, b)| *a == command && (b.is_empty() || rest.contains(b)))
            || matches!(command, "grep" | "head" | "wc" | "awk" | "cut" | "sort" | "echo" | "true" | "date");
    }
    // A filter alone waits for nothing.
    let waits = text.split(['|', ';', '&']).any(|part| {
        let mut words = part.split_whitespace();
        let command = words.next().unwrap_or_default();
        POLLERS.contains(&command)
            || POLLING_PAIRS
                .iter()
                .any(|(a, b)| *a == command && (b.is_empty() || words.clone().any(|word| word == *b)))
    });
    let poller = poller && waits;
    Nature { mutating: mutating && !poller, poller }
}

/// Whether output goes into a file.
fn writes_file(text: &str) -> bool {
    let text = text.replace("2>&1", "").replace("2>/dev/null", "").replace(">/dev/null", "").replace("> /dev/null", "");
    text.contains('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_by_their_first_words() {
        let table = [
            ("", false, true),
            ("sleep 5", false, true),
            ("sleep 5 && ps aux | grep java", false, true),
            ("docker ps", false, true),
            ("tail -n 5 build.log", false, true),
            ("ls -la /workspace", false, false),
            ("cat a.txt 2>/dev/null | grep x", false, false),
            ("echo hi > a.txt", true, false),
            ("find . -name x -delete", true, false),
            ("python3 run.py", true, false),
            ("sleep 5 && rm -rf build", true, false),
            ("grep -r login .", false, false),
        ];
        for (text, mutating, poller) in table {
            assert_eq!(of_command(text), Nature { mutating, poller }, "{text}");
        }
    }
}
