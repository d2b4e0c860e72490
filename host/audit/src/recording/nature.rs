//! What a call is likely to do, where a recording says nothing but its tool and its text.
//!
//! A guess, for backtests only: a live run's tools declare their nature. Wrong guesses cost little:
//! a detector that takes a reading command for a changing one forgets what it has seen, but still
//! sees the same call with the same result again.

use countersign_kernel::contract::ToolCategory;

use super::run::Call;

/// Tools that run a command of a shell, by every agent whose recordings are read; also kinds of actions of OpenHands.
const SHELLS: [&str; 14] = [
    "run",
    "execute_bash",
    "bash",
    "shell",
    "shell_command",
    "local_shell",
    "exec_command",
    "run_shell_command",
    "run_terminal_cmd",
    "terminal",
    "execute_command",
    "run_command",
    "bash_command",
    "exec",
];
/// Keys of arguments below which the command stands.
const COMMANDS: [&str; 5] = ["command", "cmd", "commands", "keystrokes", "input"];
/// Tools that write text into what runs already; nothing written asks it for more.
const INPUTS: [&str; 2] = ["write_stdin", "bashoutput"];
/// Words that begin or are in the names of tools that only read.
const READS: [&str; 30] = [
    "get",
    "list",
    "read",
    "search",
    "find",
    "view",
    "show",
    "query",
    "lookup",
    "look",
    "fetch",
    "check",
    "describe",
    "count",
    "glob",
    "grep",
    "ls",
    "open",
    "browse",
    "think",
    "plan",
    "calculate",
    "extract",
    "analyze",
    "locate",
    "recall",
    "info",
    "status",
    "scroll",
    "todo",
];
/// Words that say that a tool changes something, whatever else its name says.
const CHANGES: [&str; 32] = [
    "write", "edit", "create", "update", "delete", "remove", "add", "send", "set", "post", "put", "patch", "book",
    "cancel", "transfer", "pay", "buy", "replace", "insert", "run", "execute", "move", "rename", "schedule", "invite",
    "share", "append", "modify", "kill", "apply", "fix", "reserve",
];

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

/// Guesses from tool and arguments.
pub fn of_call(call: &Call) -> Nature {
    let name = call.identity.as_ref().and_then(|parts| parts.first()).unwrap_or(&call.tool);
    let kind = name.to_ascii_lowercase();
    if SHELLS.contains(&kind.as_str()) {
        return of_command(&command_of(call));
    }
    if INPUTS.contains(&kind.as_str()) {
        let text = ["chars", "text", "input"].iter().find_map(|key| call.arguments.get(*key)?.as_str());
        return Nature { mutating: text.is_some_and(|text| !text.trim().is_empty()), poller: true };
    }
    // One tool of many does both, and says which in its arguments.
    if call.arguments.get("command").and_then(serde_json::Value::as_str) == Some("view") {
        return Nature { mutating: false, poller: false };
    }
    Nature { mutating: !reads(name), poller: kind == "wait" }
}

/// The command of a call: a text, or the words of it.
fn command_of(call: &Call) -> String {
    let command = COMMANDS.iter().find_map(|key| call.arguments.get(*key));
    match command {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(words)) => {
            let words: Vec<&str> = words.iter().filter_map(serde_json::Value::as_str).collect();
            // What a shell is handed is the command.
            match words.as_slice() {
                [_, flag, command] if flag.starts_with('-') && flag.ends_with('c') => (*command).to_owned(),
                words => words.join(" "),
            }
        }
        _ => String::new(),
    }
}

/// Whether a tool only reads, by its name; one whose name says nothing may change something.
fn reads(name: &str) -> bool {
    let words = words(name);
    !words.iter().any(|word| CHANGES.contains(&word.as_str()))
        && words.iter().any(|word| READS.contains(&word.as_str()))
}

/// The words of a tool's name.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Category of a tool, and whether it may change something, by its name.
pub fn of_tool(name: &str) -> (ToolCategory, bool) {
    let lower = name.to_ascii_lowercase();
    let words = words(name);
    let has = |parts: &[&str]| words.iter().any(|word| parts.contains(&word.as_str()));
    if SHELLS.contains(&lower.as_str()) || INPUTS.contains(&lower.as_str()) {
        (ToolCategory::Sandbox, true)
    } else if reads(name) {
        (ToolCategory::ReadOnlyLookup, false)
    } else if has(&["file", "files", "edit", "write", "patch", "notebook", "editor"]) {
        (ToolCategory::FileSystem, true)
    } else {
        (ToolCategory::LiveApi, true)
    }
}

/// Guesses from the text. An empty command asks a running one for more of its output.
fn of_command(text: &str) -> Nature {
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
    fn calls_by_their_tools() {
        let table = [
            (serde_json::json!(["get_user_details", {"user_id": "a"}]), false, false),
            (serde_json::json!(["search_direct_flight", {}]), false, false),
            (serde_json::json!(["book_reservation", {}]), true, false),
            (serde_json::json!(["get_and_delete_all", {}]), true, false),
            (serde_json::json!(["Bash", {"command": "ls -la"}]), false, false),
            (serde_json::json!(["Bash", {"command": "make"}]), true, false),
            (serde_json::json!(["shell", {"command": ["bash", "-lc", "cat a.txt"]}]), false, false),
            (serde_json::json!(["exec_command", {"cmd": "rm -r build"}]), true, false),
            (serde_json::json!(["write_stdin", {"chars": ""}]), false, true),
            (serde_json::json!(["str_replace_editor", {"command": "view", "path": "a"}]), false, false),
            (serde_json::json!(["str_replace_editor", {"command": "create", "path": "a"}]), true, false),
            (serde_json::json!(["TodoWrite", {}]), true, false),
            (serde_json::json!(["ReadFile", {}]), false, false),
            (serde_json::json!(["mystery", {}]), true, false),
        ];
        for (row, mutating, poller) in table {
            let arguments = row[1].as_object().cloned().unwrap_or_default();
            let call = Call { tool: row[0].as_str().unwrap_or_default().to_owned(), arguments, ..Call::default() };
            assert_eq!(of_call(&call), Nature { mutating, poller }, "{row}");
        }
    }

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
