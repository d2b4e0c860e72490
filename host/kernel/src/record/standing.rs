//! What a person approves beyond one call: a rule that answers whoever asks about the calls it covers, of one tool as it
//! is defined now, until it runs out or is withdrawn. It never answers a denial.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who asks where a ceiling of the operator's does: no rule answers it.
pub(crate) const CEILING: &str = "ceiling";

/// Arguments by these names are run, or say where something goes: in a rule for a folder they stay what was approved.
const EXECUTED: [&str; 22] = [
    "args",
    "argv",
    "arguments",
    "binary",
    "cmd",
    "code",
    "command",
    "commands",
    "endpoint",
    "env",
    "eval",
    "executable",
    "expression",
    "host",
    "program",
    "query",
    "script",
    "shell",
    "sql",
    "statement",
    "uri",
    "url",
];

/// Arguments by these names, whichever way their words are joined, hold what is written: a rule for a folder lets it vary.
const CONTENT: [&str; 20] = [
    "body",
    "commitmessage",
    "content",
    "contents",
    "data",
    "diff",
    "filecontent",
    "filetext",
    "html",
    "markdown",
    "message",
    "newcontent",
    "newstr",
    "newstring",
    "newtext",
    "oldstr",
    "oldstring",
    "oldtext",
    "patch",
    "text",
];

/// An approval that covers calls to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StandingApproval {
    /// Its name: the beginning of the fingerprint that it was given with.
    pub id: Arc<str>,
    /// The tool.
    pub tool: Arc<str>,
    /// Digest of the tool's definition.
    pub definition: Arc<str>,
    /// Which of its calls.
    pub covers: Covers,
    /// UTC milliseconds until which it holds, in this run and in later ones of the same agent; none holds as long as this
    /// run, and in this run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// Which calls of its tool a standing approval covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Covers {
    /// The very call.
    Same {
        /// Canonical JSON, secrets replaced.
        arguments: Arc<str>,
    },
    /// Calls whose paths lie below a folder, as they are written: links are not followed.
    Below {
        /// The folder.
        folder: Arc<str>,
        /// Arguments that are paths, or lists of paths: each lies below the folder.
        paths: Vec<Arc<str>>,
        /// Those of them that were the folder itself in the call that was approved, and may be it again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        itself: Vec<Arc<str>>,
        /// Arguments that stay what was approved, as JSON.
        fixed: BTreeMap<Arc<str>, Value>,
        /// Texts that are written somewhere, and may say anything but be a path that lies elsewhere.
        free: Vec<Arc<str>>,
    },
}

impl StandingApproval {
    /// Whether it covers a call: of its tool, as it was defined then.
    pub fn covers(&self, tool: &str, definition: &str, arguments: &str) -> bool {
        if *self.tool != *tool || *self.definition != *definition || self.definition.is_empty() {
            return false;
        }
        match &self.covers {
            Covers::Same { arguments: same } => **same == *arguments,
            Covers::Below { folder, paths, itself, fixed, free } => {
                let Ok(Value::Object(found)) = serde_json::from_str::<Value>(arguments) else { return false };
                let known = |name: &String| {
                    let name = name.as_str();
                    paths.iter().chain(free).any(|other| **other == *name) || fixed.contains_key(name)
                };
                let lies_below = |name: &Arc<str>| {
                    found.get(&**name).is_some_and(|value| are_below(folder, value, itself.contains(name)))
                };
                found.keys().all(known)
                    && paths.iter().all(lies_below)
                    && fixed.iter().all(|(name, value)| found.get(&**name) == Some(value))
                    && free.iter().all(|name| found.get(&**name).is_some_and(|value| is_free(folder, value)))
            }
        }
    }

    /// Whether it holds no more at a moment, in UTC milliseconds.
    pub fn is_over(&self, now: u64) -> bool {
        self.until.is_some_and(|until| now > until)
    }

    /// What it covers, in words.
    pub fn in_words(&self) -> String {
        let quoted = |names: &[Arc<str>]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match &self.covers {
            Covers::Same { arguments } => format!("`{}` with exactly {arguments}", self.tool),
            Covers::Below { folder, paths, itself, fixed, free } => {
                let mut words = format!(
                    "`{}` whose {} below `{folder}`",
                    self.tool,
                    match paths.len() {
                        1 => format!("{} lies", quoted(paths)),
                        _ => format!("{} lie", quoted(paths)),
                    }
                );
                if !itself.is_empty() {
                    words.push_str(&format!(" ({} may also be the folder itself)", quoted(itself)));
                }
                if !free.is_empty() {
                    words.push_str(&format!(", whatever {} says", quoted(free)));
                }
                for (name, value) in fixed {
                    words.push_str(&format!(", with `{name}` = {value}"));
                }
                words
            }
        }
    }
}

/// The names of a path, from its root or from where it starts. None for one whose names do not say where it leads: parents,
/// escapes, lists, what a shell or a server may read as something else.
pub(super) fn parts(path: &str) -> Option<Vec<&str>> {
    let odd = |c: char| c.is_control() || "\\%$*?:;,|&<>`\"'[]{}\u{2044}\u{2215}\u{ff0f}\u{ff3c}".contains(c);
    let behind_drive =
        if path.starts_with(|c: char| c.is_ascii_alphabetic()) && path[1..].starts_with(":/") { 2 } else { 0 };
    if path[behind_drive..].contains(odd) {
        return None;
    }
    let mut names: Vec<&str> = if path.starts_with('/') { vec!["/"] } else { Vec::new() };
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        // Two dots, however they are written, and what may be two paths in one text.
        let dots =
            name.chars().all(|c| matches!(c, '.' | '\u{2024}' | '\u{2025}' | '\u{2026}' | '\u{ff0e}' | '\u{3002}'));
        let home = name.starts_with('~') && !names.is_empty();
        if dots || home || name.trim() != name {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

/// Whether a path lies below a folder; the folder itself does only where it may.
fn is_below(folder: &str, path: &str, itself: bool) -> bool {
    let (Some(folder), Some(path)) = (parts(folder), parts(path)) else { return false };
    // Below "here" lies neither a home folder nor a drive.
    let elsewhere = |first: &&str| first.starts_with('~') || first.contains(':') || *first == "/";
    let leads_away = folder.is_empty() && path.first().is_some_and(elsewhere);
    let far_enough = path.len() > folder.len() || itself && path.len() == folder.len();
    far_enough && path.starts_with(&folder) && !leads_away
}

/// Whether a path is the folder itself, or one of a list is.
pub(super) fn is_itself(folder: &str, value: &Value) -> bool {
    match value {
        Value::String(path) => parts(path).is_some_and(|path| Some(path) == parts(folder)),
        Value::Array(list) => list.iter().any(|value| is_itself(folder, value)),
        _ => false,
    }
}

/// A path below the folder, or a list of such.
pub(super) fn are_below(folder: &str, value: &Value, itself: bool) -> bool {
    match value {
        Value::String(path) => (is_path(path) || path == folder) && is_below(folder, path, itself),
        Value::Array(list) if !list.is_empty() => list.iter().all(|value| are_below(folder, value, itself)),
        _ => false,
    }
}

/// Whether a text is written as a path, and so may lead somewhere.
fn is_path(text: &str) -> bool {
    let drive = text.as_bytes().get(1) == Some(&b':');
    let one = !text.contains('\n') && text.len() < 4096;
    one && (text.starts_with(['/', '~', '.', '\\']) || drive || (text.contains(['/', '\\']) && !text.contains(' ')))
}

pub(super) fn is_executed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    EXECUTED.iter().any(|executed| name == *executed || name.ends_with(&format!("_{executed}")))
}

/// Whether an argument by this name holds what is written somewhere: it may say something else in each call that a rule for a
/// folder covers. Whatever else a call says stays as it was approved, since nobody but its server knows what it does.
pub(super) fn is_content(name: &str, value: &Value) -> bool {
    let letters: String = name.chars().filter(|c| !matches!(c, '_' | '-')).collect();
    let holds = CONTENT.contains(&&*letters.to_ascii_lowercase());
    holds && matches!(value, Value::String(text) if !is_path(text))
}

/// Whether a text leads nowhere else: where it is a path it lies below the folder.
fn is_free(folder: &str, value: &Value) -> bool {
    matches!(value, Value::String(text) if !is_path(text) || is_below(folder, text, false))
}
