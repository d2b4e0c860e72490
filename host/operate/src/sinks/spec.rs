//! Sinks as an operator writes them, and what is wrong with one that cannot work.

use std::path::PathBuf;
use std::time::Duration;

use countersign_models::address::origin;
use serde::Deserialize;

use super::ItemKind;

/// One place where items go; `to` in the file names which.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum SinkSpec {
    /// `to = "file"`: a file of JSON lines.
    File(FileSpec),
    /// `to = "webhook"`: a signed POST.
    Webhook(WebhookSpec),
    /// `to = "command"`: a program that reads the item from standard input.
    Command(CommandSpec),
}

/// A file of JSON lines, one item each. It is created with its folders, readable by its owner
/// alone; make it beforehand to let others read it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileSpec {
    /// Relative to the folder of the configuration.
    pub path: PathBuf,
    /// Which kinds it takes. Default: all.
    #[serde(default)]
    pub kinds: Option<Vec<ItemKind>>,
}

/// A POST of the item as JSON, signed with a shared secret (see [`verify_signature`](super::verify_signature)).
///
/// Repeated after an answer of 5xx or 429 or a failed connection, and after nothing else: a
/// receiver that is merely slow may well have taken the item. Redirects are not followed. The proxy
/// variables of the environment apply, except to an address of this machine.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WebhookSpec {
    /// `https://…`, or `http://…` inside a network that is trusted. Only its origin is ever shown,
    /// since the rest often is a secret of its own.
    pub url: String,
    /// Environment variable that holds the secret. Exactly one of this and `secret-file`.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// File that holds the secret, relative to the folder of the configuration; line ends at its
    /// end do not count.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Milliseconds for one attempt, at least 1, half of them for connecting. Default 5000.
    #[serde(default = "time_out")]
    pub time_out: u64,
    /// Attempts after the first, at most 10, with pauses of 0.2 s, 0.4 s, … 5 s between them. Default 2.
    #[serde(default = "retries")]
    pub retries: u32,
    /// Which kinds it takes. Default: all.
    #[serde(default)]
    pub kinds: Option<Vec<ItemKind>>,
}

impl std::fmt::Debug for WebhookSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSpec")
            .field("url", &origin(&self.url).unwrap_or_else(|| "..".to_owned()))
            .field("secret_env", &self.secret_env)
            .field("secret_file", &self.secret_file)
            .field("time_out", &self.time_out)
            .field("retries", &self.retries)
            .field("kinds", &self.kinds)
            .finish()
    }
}

/// A program that gets the item as one line of JSON on standard input and succeeds with exit code 0.
///
/// No shell, the folder of the configuration as working folder, and of the environment only `PATH`,
/// `HOME`, `LANG` and what `env` names: the secrets of other sinks are none of its business.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommandSpec {
    /// Program and arguments. A program with a `/` is relative to the folder of the configuration.
    pub argv: Vec<String>,
    /// Milliseconds, at least 1; then it is ended with everything it started. Default 5000.
    #[serde(default = "time_out")]
    pub time_out: u64,
    /// Further environment variables that it may see. Default: none.
    #[serde(default)]
    pub env: Vec<String>,
    /// Which kinds it takes. Default: all.
    #[serde(default)]
    pub kinds: Option<Vec<ItemKind>>,
}

fn time_out() -> u64 {
    5000
}

fn retries() -> u32 {
    2
}

/// A sink that cannot work. `sink` counts from 1, in the order of the file.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The path names no file.
    #[error("sink {sink}: `path` is `{}`, which is {problem}; name a file", path.display())]
    Path {
        /// Which sink.
        sink: usize,
        /// The path as written.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
    /// The address cannot be used.
    #[error("sink {sink}: `url` {problem}; give an address such as `https://example.com/hook`")]
    Url {
        /// Which sink.
        sink: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// Nothing can be sent there from this machine.
    #[error("sink {sink}: `url` cannot be called from here: {problem}")]
    Client {
        /// Which sink.
        sink: usize,
        /// What is missing.
        problem: String,
    },
    /// None or both of the two keys.
    #[error("sink {sink}: {problem}; set exactly one of `secret-env` and `secret-file`")]
    Secret {
        /// Which sink.
        sink: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// The variable holds no secret.
    #[error("sink {sink}: `secret-env` names `{variable}`, which is {problem}; set it where the host starts")]
    SecretEnv {
        /// Which sink.
        sink: usize,
        /// The variable.
        variable: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file holds no secret.
    #[error("sink {sink}: `secret-file` names `{}`: {problem}; put the secret there", path.display())]
    SecretFile {
        /// Which sink.
        sink: usize,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is no such program.
    #[error("sink {sink}: `argv` {problem}; give a program and its arguments")]
    Argv {
        /// Which sink.
        sink: usize,
        /// What is wrong.
        problem: String,
    },
    /// A number that makes no sense.
    #[error("sink {sink}: `{key}` is {value}; give {wanted}")]
    Number {
        /// Which sink.
        sink: usize,
        /// The key.
        key: &'static str,
        /// The value as written.
        value: u64,
        /// What it may be.
        wanted: &'static str,
    },
    /// A filter that lets nothing through.
    #[error("sink {sink}: `kinds` is empty, so it would take nothing; name some or leave the key out")]
    Kinds {
        /// Which sink.
        sink: usize,
    },
}

pub(super) fn checked_time_out(sink: usize, value: u64) -> Result<Duration, SinkError> {
    match value {
        0 => Err(SinkError::Number { sink, key: "time-out", value, wanted: "at least 1 millisecond" }),
        // A day is for ever here, and nothing overflows.
        value => Ok(Duration::from_millis(value.min(86_400_000))),
    }
}
