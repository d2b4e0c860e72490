//! Who holds a run, and whether they are still there.

use serde::{Deserialize, Serialize};

/// A process that holds a run, so that no other one writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Holder {
    /// For people: which command it is.
    pub name: String,
    /// The machine since it was started, and the processes that see each other on it; none where the
    /// system tells neither. Only a holder of the same value can be looked for by its process.
    pub machine: Option<String>,
    /// Process id.
    pub process: u32,
    /// When the process began, in the system's own ticks: an id that another process has by now.
    pub began: Option<u64>,
}

impl Holder {
    /// This process, under a name for people.
    pub fn this_process(name: &str) -> Self {
        let process = std::process::id();
        Holder { name: name.to_owned(), machine: machine(), process, began: began(process) }
    }

    /// Whether the process is known to be gone. False where nobody here can tell: then its lease has to
    /// run out.
    pub fn is_gone(&self) -> bool {
        match (&self.machine, machine()) {
            (Some(held), Some(here)) if *held == here => self.began.is_some() && began(self.process) != self.began,
            _ => false,
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.process)
    }
}

/// The boot's id and the process namespace: a process id means the same wherever both are equal.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// Field 22 of `/proc/PID/stat`; none when there is no such process.
fn began(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the command in brackets, and may hold anything; the third is the state.
    let mut fields = stat.rsplit_once(") ")?.1.split_ascii_whitespace();
    // A process that has ended and was not waited for does nothing any more.
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_its_id_is_free_or_belongs_to_a_later_one() {
        let here = Holder::this_process("test");
        assert!(!here.is_gone());
        let other_start = Holder { began: here.began.map(|at| at + 1), ..here.clone() };
        assert!(other_start.is_gone(), "the id belongs to a later process");
        let nobody = Holder { process: u32::MAX, ..here.clone() };
        assert!(nobody.is_gone());
        let elsewhere = Holder { machine: Some("another boot".into()), ..nobody };
        assert!(!elsewhere.is_gone(), "nobody here can tell");
    }
}
