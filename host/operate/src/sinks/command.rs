//! A sink that is a program.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use countersign_tools::process;

use super::spec::checked_time_out;
use super::{CommandSpec, SinkError};

/// How much of a command's standard error is looked at, bytes.
const MOST_STDERR: u64 = 8 << 10;

pub struct CommandSink {
    program: PathBuf,
    arguments: Vec<String>,
    time_out: Duration,
    env: Vec<String>,
    folder: PathBuf,
}

impl CommandSink {
    pub fn new(sink: usize, spec: &CommandSpec, base_dir: &Path) -> Result<Self, SinkError> {
        let refused = |problem: String| SinkError::Argv { sink, problem };
        let time_out = checked_time_out(sink, spec.time_out)?;
        let Some((program, arguments)) = spec.argv.split_first().filter(|(program, _)| !program.is_empty()) else {
            return Err(refused("is empty".to_owned()));
        };
        if spec.argv.iter().any(|word| word.contains('\0')) {
            return Err(refused("contains a NUL character".to_owned()));
        }
        let named = Path::new(program);
        // A bare name is looked up in `PATH` when it is started.
        let program = if named.components().count() > 1 { base_dir.join(named) } else { named.to_owned() };
        if program.components().count() > 1 && !program.is_file() {
            return Err(refused(format!("names `{}`, which is no file", named.display())));
        }
        let (arguments, env, folder) = (arguments.to_vec(), spec.env.clone(), base_dir.to_owned());
        Ok(CommandSink { program, arguments, time_out, env, folder })
    }

    /// Whether there is such a program. It is not started.
    pub fn try_out(&self) -> Result<(), String> {
        if self.program.components().count() > 1 {
            return if self.program.is_file() { Ok(()) } else { Err(format!("`{}` is gone", self.program.display())) };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        match std::env::split_paths(&path).any(|folder| folder.join(&self.program).is_file()) {
            true => Ok(()),
            false => Err(format!("there is no program `{}` in `PATH`", self.program.display())),
        }
    }

    pub fn send(&self, body: &[u8]) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).env_clear();
        for name in ["PATH", "HOME", "LANG"].into_iter().chain(self.env.iter().map(String::as_str)) {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        run(command, self.time_out, body)
    }
}

fn run(mut command: Command, time_out: Duration, body: &[u8]) -> Result<(), String> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    process::in_own_group(&mut command);
    let mut child = command.spawn().map_err(|error| format!("cannot start: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let mut line = body.to_vec();
        line.push(b'\n');
        // It need not read them, and must not be able to block the host.
        std::thread::spawn(move || drop(stdin.write_all(&line)));
    }
    let (said, hears) = channel();
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut start = Vec::new();
            let mut stderr = stderr.take(MOST_STDERR);
            let _ = stderr.read_to_end(&mut start);
            let _ = said.send(start);
            // The rest goes nowhere, but it goes: a full pipe would stop the command.
            let _ = std::io::copy(&mut stderr.into_inner(), &mut std::io::sink());
        });
    }
    let Some(status) = process::ended_within(child, time_out) else {
        return Err("ended because it outlasted `time-out`".to_owned());
    };
    if status.success() {
        return Ok(());
    }
    // Something outside the group may keep the pipe open for ever.
    let said = hears.recv_timeout(Duration::from_millis(500)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line: String = line.trim().chars().filter(|c| !c.is_control()).take(200).collect();
    let how = status.code().map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"));
    Err(if line.is_empty() { how } else { format!("{how}: `{line}`") })
}
