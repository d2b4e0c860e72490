//! Child processes that end with all they started: commands of tools and of sinks.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Puts the command into a group of its own, so that what it starts can be ended with it.
pub fn in_own_group(command: &mut Command) {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    #[cfg(not(unix))]
    let _ = command;
}

/// Waits until the child has ended or its time is over, and ends it and what it left running in
/// its group. `None`: it outlasted its time.
pub fn ended_within(mut child: Child, time_out: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + time_out;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
            _ => break None,
        }
    };
    end_group(&child);
    if status.is_none() {
        // It may have ended by itself in the meantime.
        let _ = child.kill();
        let _ = child.wait();
    }
    status
}

fn end_group(child: &Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // An empty group is what we want.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = child;
}
