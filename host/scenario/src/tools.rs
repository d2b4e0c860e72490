//! Tools of a scenario: scripted, or commands run for real.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_kernel::Outcome;
use countersign_tools::process;
use countersign_tools::registry::{ResultSpec, ToolResult, ToolSpec, fill};

/// Bytes of a command's output that are kept; the rest is counted.
const MOST_OUTPUT: usize = 1 << 20;

/// Calls a scripted tool: its result, and the entry that gave it. `used` counts how often each was given.
pub fn scripted<'a>(tool: &'a ToolSpec, arguments: &str, used: &mut [u32]) -> (ToolResult, Option<&'a ResultSpec>) {
    let fits = tool.results.iter().zip(used.iter_mut()).find(|(result, used)| {
        result.times.is_none_or(|times| **used < times) && result.contains.iter().all(|part| arguments.contains(part))
    });
    let Some((result, used)) = fits else {
        return (ToolResult::new(Outcome::Returned { exit_code: Some(1), ok: false }, "no such thing"), None);
    };
    *used += 1;
    let outcome = if result.time_out {
        Outcome::TimedOut
    } else if result.infrastructure {
        Outcome::Infrastructure
    } else if result.unauthenticated {
        Outcome::Unauthenticated
    } else {
        Outcome::Returned { exit_code: Some(result.exit_code), ok: result.exit_code == 0 }
    };
    (ToolResult::new(outcome, result.text.clone()), Some(result))
}

/// Runs a command in a folder: no shell, a small environment, the arguments as JSON on standard
/// input, both outputs together.
pub fn command(words: &[String], time_out: Duration, folder: &Path, arguments: &str) -> ToolResult {
    command_with(words, time_out, folder, arguments, arguments)
}

/// The same with something else on standard input.
pub fn command_with(words: &[String], time_out: Duration, folder: &Path, arguments: &str, stdin: &str) -> ToolResult {
    let values: serde_json::Value = serde_json::from_str(arguments).unwrap_or_default();
    let mut words = words.iter().map(|word| fill(word, &values));
    let Some(program) = words.next() else {
        return ToolResult::new(Outcome::Rejected, "the command is empty");
    };
    let mut command = Command::new(&program);
    command
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process::in_own_group(&mut command);
    match command.spawn() {
        Ok(child) => wait(child, time_out, stdin),
        Err(error) => ToolResult::new(Outcome::Rejected, format!("cannot start `{program}`: {error}")),
    }
}

fn wait(mut child: Child, time_out: Duration, arguments: &str) -> ToolResult {
    if let Some(mut stdin) = child.stdin.take() {
        let arguments = arguments.to_owned();
        // A tool need not read them.
        std::thread::spawn(move || drop(stdin.write_all(arguments.as_bytes())));
    }
    let outputs = [child.stdout.take().map(drain), child.stderr.take().map(drain)];
    let status = process::ended_within(child, time_out);
    let mut text = String::new();
    let mut bytes = 0;
    for output in outputs.into_iter().flatten() {
        let (shown, size) = output.take();
        text.push_str(&String::from_utf8_lossy(&shown));
        bytes += size;
    }
    let outcome = match status {
        None => Outcome::TimedOut,
        Some(status) => Outcome::Returned { exit_code: status.code(), ok: status.success() },
    };
    ToolResult { outcome, text, all: None, bytes }
}

/// What has been read of an output so far.
struct Output {
    read: Arc<Mutex<(Vec<u8>, u64)>>,
    closed: Receiver<()>,
}

impl Output {
    /// Everything, or what there is when something outside the group keeps the output open.
    fn take(self) -> (Vec<u8>, u64) {
        // Closed, or not: what was read by now is what the tool said.
        let _ = self.closed.recv_timeout(Duration::from_millis(500));
        self.read.lock().map(|mut read| std::mem::take(&mut *read)).unwrap_or_default()
    }
}

/// Reads everything, keeps the start.
fn drain(mut pipe: impl Read + Send + 'static) -> Output {
    let read = Arc::new(Mutex::new((Vec::new(), 0)));
    let (done, closed) = channel();
    let shared = Arc::clone(&read);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let Ok(mut read) = shared.lock() else { break };
            let room = MOST_OUTPUT.saturating_sub(read.0.len());
            read.0.extend_from_slice(&buffer[..count.min(room)]);
            read.1 += count as u64;
        }
        // Nobody listens any more once the call is over.
        let _ = done.send(());
    });
    Output { read, closed }
}
