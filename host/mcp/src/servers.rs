//! An MCP server as a file names it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_tools::registry::fill;
use serde::Deserialize;
use serde_json::json;

use super::McpError;

/// Servers by the name that their tools carry in front.
pub type ServersSpec = BTreeMap<String, ServerSpec>;

/// A server that is started as a child and spoken to over its standard streams.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServerSpec {
    /// The program and its arguments, no shell. A program with a `/` is relative to the file.
    pub command: Vec<String>,
    /// Variables of its environment, beside a few harmless ones.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables of the host's environment that are handed on. Nothing else is: what the host holds
    /// is not the server's business.
    #[serde(default)]
    pub env_from: Vec<String>,
    /// The folder it works in, relative to the file; by default the file's own.
    pub cwd: Option<PathBuf>,
    /// Milliseconds that a call may take.
    #[serde(default = "time_out")]
    pub time_out: u64,
    /// Milliseconds until it must be ready.
    #[serde(default = "start_time_out")]
    pub start_time_out: u64,
    /// How often in a row it is started again when it has ended or did not start, between 0 and 1000. One that was there
    /// for a minute begins a new row.
    #[serde(default = "restarts")]
    pub restarts: u32,
    /// Milliseconds before it is started again for the first time, at most a minute; twice as long before each further
    /// time, up to a minute.
    #[serde(default = "restart_pause")]
    pub restart_pause: u64,
    /// Whether what it says of its tools' effects counts. Otherwise nothing is said.
    #[serde(default = "yes")]
    pub trust_annotations: bool,
    /// Where its standard error goes.
    #[serde(default)]
    pub stderr: StandardError,
}

/// Where a server's standard error goes. Never to the host's output, which may be a protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandardError {
    /// To the host's log; its end stands in errors about the server.
    #[default]
    Log,
    /// To the host's standard error, as it comes.
    Inherit,
}

fn time_out() -> u64 {
    60_000
}

fn start_time_out() -> u64 {
    30_000
}

fn restarts() -> u32 {
    8
}

fn restart_pause() -> u64 {
    250
}

/// Most times in a row that a server is started again.
const MOST_RESTARTS: u32 = 1000;

/// Most milliseconds before a server is started again.
const LONGEST_PAUSE: u64 = 60_000;

fn yes() -> bool {
    true
}

/// What programs need to find others, their files and their language. Windows starts nothing without
/// the last four.
const HANDED_ON: [&str; 9] =
    ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "TEMP", "USERPROFILE", "PATHEXT"];

/// Whether the servers of a file make sense.
///
/// # Errors
/// The first key that does not, and what was expected there.
pub fn check_servers(servers: &ServersSpec) -> Result<(), String> {
    for (name, server) in servers {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
            return Err(format!(
                "key `servers.{name}`: expected a name of 1 to 32 lower-case letters, digits and `-`; it stands in \
                 front of the names of its tools"
            ));
        }
        server.check(name)?;
    }
    Ok(())
}

impl ServerSpec {
    fn check(&self, name: &str) -> Result<(), String> {
        let key = |key: &str| format!("key `servers.{name}.{key}`");
        if self.command.first().is_none_or(|program| program.trim().is_empty()) {
            return Err(format!("{}: expected the program and its arguments", key("command")));
        }
        if self.time_out == 0 {
            return Err(format!("{}: expected at least 1 millisecond", key("time-out")));
        }
        if self.start_time_out == 0 {
            return Err(format!("{}: expected at least 1 millisecond", key("start-time-out")));
        }
        if self.restarts > MOST_RESTARTS {
            return Err(format!("{}: expected at most {MOST_RESTARTS}", key("restarts")));
        }
        if !(1..=LONGEST_PAUSE).contains(&self.restart_pause) {
            return Err(format!("{}: expected 1 to {LONGEST_PAUSE} milliseconds", key("restart-pause")));
        }
        let variable = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
        if let Some(bad) = self.env.keys().find(|name| !variable(name)) {
            return Err(format!("{}: `{bad}` is no name of a variable", key("env")));
        }
        if let Some(bad) = self.env_from.iter().find(|name| !variable(name)) {
            return Err(format!("{}: `{bad}` is no name of a variable", key("env-from")));
        }
        match self.env_from.iter().find(|name| self.env.contains_key(*name)) {
            Some(twice) => Err(format!("{}: `{twice}` is given by `env` already", key("env-from"))),
            None => Ok(()),
        }
    }

    /// The same with `{workspace}` replaced in its command, its variables and its folder: a server
    /// works where the run does.
    pub fn in_workspace(&self, workspace: &Path) -> Self {
        let values = json!({"workspace": workspace.to_string_lossy()});
        let filled = |word: &String| fill(word, &values);
        ServerSpec {
            command: self.command.iter().map(filled).collect(),
            env: self.env.iter().map(|(name, value)| (name.clone(), filled(value))).collect(),
            cwd: self.cwd.as_ref().map(|folder| fill(&folder.to_string_lossy(), &values).into()),
            ..self.clone()
        }
    }

    /// How long to wait before the server is started for the `number`th time again in a row, from 1; none where it is not.
    pub fn pause(&self, number: u32) -> Option<Duration> {
        let doubled = self.restart_pause.saturating_mul(1 << number.saturating_sub(1).min(20));
        (1..=self.restarts).contains(&number).then(|| Duration::from_millis(doubled.min(LONGEST_PAUSE)))
    }

    /// The program, seen from anywhere.
    pub(super) fn program(&self, folder: &Path) -> PathBuf {
        let program = Path::new(self.command.first().map_or("", String::as_str));
        let named = program.components().count() > 1 && program.is_relative();
        if named { absolute(&folder.join(program)) } else { program.to_path_buf() }
    }

    /// The folder it works in.
    pub(super) fn folder(&self, folder: &Path) -> PathBuf {
        absolute(&self.cwd.as_ref().map_or_else(|| folder.to_path_buf(), |own| folder.join(own)))
    }

    /// Its whole environment.
    pub(super) fn environment(&self, server: &str) -> Result<Vec<(OsString, OsString)>, McpError> {
        let host = |name: &str| std::env::var_os(name);
        let mut variables: Vec<(OsString, OsString)> =
            HANDED_ON.iter().filter_map(|name| Some((name.into(), host(name)?))).collect();
        for name in &self.env_from {
            let value =
                host(name).ok_or_else(|| McpError::Variable { server: server.to_owned(), variable: name.clone() })?;
            variables.push((name.into(), value));
        }
        variables.extend(self.env.iter().map(|(name, value)| (name.into(), value.into())));
        Ok(variables)
    }
}

fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn servers(text: &str) -> Result<ServersSpec, String> {
        let servers: ServersSpec = toml::from_str(text).map_err(|error| error.to_string())?;
        check_servers(&servers)?;
        Ok(servers)
    }

    #[test]
    fn a_server_needs_a_command_and_little_else() {
        let read = servers("[files]\ncommand = ['bin/server', '{workspace}']\nenv.ROOT = '{workspace}'").unwrap();
        let files = read["files"].in_workspace(Path::new("/work"));
        assert_eq!(files.command, ["bin/server", "/work"]);
        assert_eq!(files.env["ROOT"], "/work");
        assert_eq!((files.time_out, files.start_time_out, files.trust_annotations), (60_000, 30_000, true));
        assert_eq!(files.program(Path::new("/tasks")), Path::new("/tasks/bin/server"));
        assert_eq!(files.folder(Path::new("/tasks")), Path::new("/tasks"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, expected) in [
            ("[files]\ncommand = []", "`servers.files.command`: expected the program"),
            ("[Files]\ncommand = ['x']", "`servers.Files`: expected a name of 1 to 32"),
            ("[a_b]\ncommand = ['x']", "`servers.a_b`"),
            ("[files]\ncommand = ['x']\ntime-out = 0", "`servers.files.time-out`"),
            ("[files]\ncommand = ['x']\nrestarts = 1001", "`servers.files.restarts`"),
            ("[files]\ncommand = ['x']\nrestart-pause = 0", "`servers.files.restart-pause`"),
            ("[files]\ncommand = ['x']\nenv-from = ['A=B']", "`A=B` is no name"),
            ("[files]\ncommand = ['x']\nenv-from = ['A']\nenv.A = '1'", "`A` is given by `env` already"),
            ("[files]\ncommand = ['x']\nshell = true", "unknown field `shell`"),
        ] {
            let problem = servers(text).expect_err(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn the_pause_doubles_and_the_row_ends() {
        let read = servers("[files]\ncommand = ['x']\nrestarts = 12\nrestart-pause = 100").unwrap();
        let pauses: Vec<_> =
            (0..=13).map(|number| read["files"].pause(number).map(|pause| pause.as_millis())).collect();
        assert_eq!((pauses[0], pauses[1], pauses[2], pauses[4]), (None, Some(100), Some(200), Some(800)));
        assert_eq!((pauses[11], pauses[12], pauses[13]), (Some(60_000), Some(60_000), None));
        assert_eq!(servers("[files]\ncommand = ['x']\nrestarts = 0").unwrap()["files"].pause(1), None);
    }

    #[test]
    fn what_the_host_holds_stays_with_it() {
        let read = servers("[files]\ncommand = ['x']\nenv.OWN = '1'\nenv-from = ['CARGO_PKG_NAME']").unwrap();
        let given = read["files"].environment("files").unwrap();
        let names: Vec<_> = given.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(names.contains(&"OWN".to_owned()) && names.contains(&"CARGO_PKG_NAME".to_owned()));
        // Cargo sets it for every test; nobody asked for it.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert!(!names.contains(&"CARGO_MANIFEST_DIR".to_owned()), "{names:?}");
        let read = servers("[files]\ncommand = ['x']\nenv-from = ['NOBODY_SETS_THIS']").unwrap();
        let error = read["files"].environment("files").unwrap_err().to_string();
        assert!(error.contains("there is no variable `NOBODY_SETS_THIS`"), "{error}");
    }
}
