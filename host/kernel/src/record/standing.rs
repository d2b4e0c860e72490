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
        /// Arguments that stay what was approved, as JSON.
        fixed: BTreeMap<Arc<str>, Value>,
        /// Arguments that may say anything, but for paths that lie elsewhere.
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
            Covers::Below { folder, paths, fixed, free } => {
                let Ok(Value::Object(found)) = serde_json::from_str::<Value>(arguments) else { return false };
                let known = |name: &String| {
                    let name = name.as_str();
                    paths.iter().chain(free).any(|other| **other == *name) || fixed.contains_key(name)
                };
                found.keys().all(known)
                    && paths.iter().all(|name| found.get(&**name).is_some_and(|value| are_below(folder, value)))
                    && fixed.iter().all(|(name, value)| found.get(&**name) == Some(value))
                    && free.iter().all(|name| found.get(&**name).is_none_or(|value| is_free(folder, value)))
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
            Covers::Below { folder, paths, fixed, free } => {
                let mut words = format!(
                    "`{}` whose {} below `{folder}`",
                    self.tool,
                    match paths.len() {
                        1 => format!("{} lies", quoted(paths)),
                        _ => format!("{} lie", quoted(paths)),
                    }
                );
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
/// escapes, what a shell or a server may read as something else.
pub(super) fn parts(path: &str) -> Option<Vec<&str>> {
    let odd = |c: char| c.is_control() || matches!(c, '\\' | '%' | '$' | '*' | '?');
    if path.contains(odd) {
        return None;
    }
    let mut names: Vec<&str> = if path.starts_with('/') { vec!["/"] } else { Vec::new() };
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        if name == ".." {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn is_below(folder: &str, path: &str) -> bool {
    let (Some(folder), Some(path)) = (parts(folder), parts(path)) else { return false };
    // Below "here" lies neither a home folder nor a drive.
    let elsewhere = |first: &&str| first.starts_with('~') || first.contains(':') || *first == "/";
    let leads_away = folder.is_empty() && path.first().is_some_and(elsewhere);
    !path.is_empty() && path.starts_with(&folder) && !leads_away
}

/// A path below the folder, or a list of such.
pub(super) fn are_below(folder: &str, value: &Value) -> bool {
    match value {
        Value::String(path) => is_path(path) && is_below(folder, path) || path == folder,
        Value::Array(list) if !list.is_empty() => list.iter().all(|value| are_below(folder, value)),
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

pub(super) fn has_executed(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(has_executed),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_executed(name) || has_executed(value)),
        _ => false,
    }
}

/// What may be another in each call: texts that are no paths, and what is made of texts. A number or a switch says how
/// something is done, and stays.
pub(super) fn may_vary(value: &Value) -> bool {
    match value {
        Value::String(text) => !is_path(text),
        Value::Array(list) => list.iter().all(|value| matches!(value, Value::Object(_)) || may_vary(value)),
        Value::Object(fields) => fields.values().all(|value| !matches!(value, Value::String(text) if is_path(text))),
        _ => false,
    }
}

/// Whether what may vary leads nowhere else: a path in it lies below the folder too.
fn is_free(folder: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => !is_path(text) || is_below(folder, text),
        Value::Array(list) => list.iter().all(|value| is_free(folder, value)),
        Value::Object(fields) => fields.iter().all(|(name, value)| !is_executed(name) && is_free(folder, value)),
        _ => true,
    }
}
