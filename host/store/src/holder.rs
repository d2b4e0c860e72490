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
        Holder { name: name.to_owned(), machine: machine_here(), process, began: began(process) }
    }

    /// Whether the process is there; none where nobody here can tell: then its lease has to run out.
    pub fn is_there(&self) -> Option<bool> {
        match (&self.machine, self.began) {
            (Some(machine), Some(at)) if Some(machine) == machine_here().as_ref() => {
                Some(began(self.process) == Some(at))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.process)
    }
}

/// The boot's id and the process namespace: a process id means the same wherever both are equal.
fn machine_here() -> Option<String> {
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
        assert_eq!(here.is_there(), Some(true));
        let other_start = Holder { began: here.began.map(|at| at + 1), ..here.clone() };
        assert_eq!(other_start.is_there(), Some(false), "the id belongs to a later process");
        let nobody = Holder { process: u32::MAX, ..here.clone() };
        assert_eq!(nobody.is_there(), Some(false));
        let elsewhere = Holder { machine: Some("another boot".into()), ..nobody };
        assert_eq!(elsewhere.is_there(), None, "nobody here can tell");
    }
}
