//! A server's child process, which ends with all that it has started.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::McpError;
use super::servers::{ServerSpec, StandardError};

/// Bytes of a server's standard error that are kept for errors.
const SAID: usize = 2 << 10;

/// How long a server has to end by itself once nobody speaks to it any more.
const GRACE: Duration = Duration::from_secs(2);

/// A running server. Its group ends when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: tokio::sync::Mutex<Child>,
    /// Not reaped before it is ended, so that its number stays its own.
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
    said: Arc<Mutex<VecDeque<u8>>>,
    /// Reads its standard error.
    listener: Option<tokio::task::AbortHandle>,
}

impl Process {
    /// Starts it.
    pub fn start(server: &str, spec: &ServerSpec, folder: &Path) -> Result<(Self, ChildStdout, ChildStdin), McpError> {
        let program = spec.program(folder);
        let failed =
            |source| McpError::Spawn { server: server.to_owned(), program: program.display().to_string(), source };
        let mut command = Command::new(&program);
        command
            .args(spec.command.iter().skip(1))
            .current_dir(spec.folder(folder))
            .env_clear()
            .envs(spec.environment(server)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(match spec.stderr {
                StandardError::Log => Stdio::piped(),
                StandardError::Inherit => Stdio::inherit(),
            })
            .kill_on_drop(true);
        countersign_tools::process::in_own_group(command.as_std_mut());
        let mut child = command.spawn().map_err(failed)?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let listener = child
            .stderr
            .take()
            .map(|stderr| tokio::spawn(listen(server.to_owned(), stderr, Arc::clone(&said))).abort_handle());
        let (stdout, stdin) = (child.stdout.take(), child.stdin.take());
        #[cfg(unix)]
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        let process = Process {
            child: tokio::sync::Mutex::new(child),
            #[cfg(unix)]
            group,
            said,
            listener,
        };
        match (stdout, stdin) {
            (Some(stdout), Some(stdin)) => Ok((process, stdout, stdin)),
            _ => Err(failed(std::io::Error::other("its standard streams are not there"))),
        }
    }

    /// The end of its standard error, as the end of a sentence about it.
    pub fn said(&self) -> String {
        let text = self.said.lock().map(|said| said.iter().copied().collect::<Vec<u8>>()).unwrap_or_default();
        let text = plain(&String::from_utf8_lossy(&text));
        let text = text.trim();
        if text.is_empty() { String::new() } else { format!("; it says: {text}") }
    }

    /// Waits until it has ended by itself, which it does once its input is closed, and ends it
    /// otherwise.
    pub async fn end(&self) {
        let mut child = self.child.lock().await;
        if child.id().is_none() {
            return;
        }
        // Not `wait`: once it is reaped, its number may be another's.
        let until = tokio::time::Instant::now() + GRACE;
        while matches!(self.ended(), Some(false)) && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.end_group();
        let _ = child.kill().await;
        // What it said last may not have been read yet.
        let until = tokio::time::Instant::now() + Duration::from_millis(200);
        while self.listener.as_ref().is_some_and(|listener| !listener.is_finished())
            && tokio::time::Instant::now() < until
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether the child has ended, without reaping it.
    #[cfg(unix)]
    fn ended(&self) -> Option<bool> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.group?), options).ok().map(|status| status.is_some())
    }

    #[cfg(not(unix))]
    fn ended(&self) -> Option<bool> {
        None
    }

    fn end_group(&self) {
        #[cfg(unix)]
        if let Some(group) = self.group {
            // An empty group is what we want.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was reaped has ended with its group already.
        if self.child.get_mut().id().is_some() {
            self.end_group();
        }
    }
}

/// What a server says, without what could move a cursor or change colours.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Passes what a server writes on to the log, and keeps its end.
async fn listen(server: String, mut stderr: impl AsyncRead + Unpin, said: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = vec![0; 4 << 10];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let part = &buffer[..count];
        tracing::debug!(server, said = %String::from_utf8_lossy(part).trim_end());
        let Ok(mut said) = said.lock() else { return };
        said.extend(part);
        let over = said.len().saturating_sub(SAID);
        said.drain(..over);
    }
}
