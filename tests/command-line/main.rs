//! The `countersign` command as its users meet it.

mod a_day;
mod adaptation;
mod approvers;
mod bad_input;
mod bundles;
mod client;
mod compiling;
mod coverage;
mod explaining;
mod findings;
mod gateway;
mod gateway_edges;
mod gateway_parallel;
mod gateway_servers;
mod kept;
mod meddled;
mod models;
mod operating;
mod ordinary_work;
mod owners;
mod recordings;
mod redaction;
mod replies;
mod results;
mod runs;
mod scenarios;
mod servers;
mod shadow;
mod specification;
mod standing;
mod swap;
mod traces;
mod untrusted;
mod unwritable;

// What needs the command beside the tests of its own: one program, since each holds the whole engine.
#[path = "../mutants/mod.rs"]
mod mutants;
#[path = "../reproducibility/mod.rs"]
mod reproducibility;
#[path = "../tables/mod.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_tests::root;

/// Runs the command in the workspace's root.
fn countersign<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(arguments: I) -> Run {
    countersign_with(&[], arguments)
}

/// The same, with variables of its environment.
fn countersign_with<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(
    variables: &[(&str, &str)],
    arguments: I,
) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.current_dir(root()).env("COUNTERSIGN_CACHE", compiled()).envs(variables.iter().copied()).args(arguments);
    done(&mut command)
}

fn done(command: &mut Command) -> Run {
    match command.output() {
        Ok(output) => Run(output),
        Err(error) => panic!("cannot run the command: {error}"),
    }
}

/// Where these tests keep compiled components: in nobody's own folder.
fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

struct Run(Output);

impl Run {
    fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    fn expect(self, code: i32, part: &str) -> Self {
        let all = format!("{}{}", self.out(), self.err());
        assert_eq!(self.code(), code, "{all}");
        assert!(all.contains(part), "expected `{part}` in:\n{all}");
        // A policy's panic may be told; one of the host's may not happen.
        assert!(!all.contains("thread '"), "{all}");
        self
    }
}

/// A trace of the first scenario.
fn trace(folder: &Path) -> PathBuf {
    let path = folder.join("trace.jsonl");
    let scenario = "tests/scenarios/loop-and-recover.toml";
    countersign(["run", scenario, "-q", "--trace", &path.display().to_string()]).expect(0, "ended SUCCESS");
    path
}

#[test]
fn help_lists_what_works_and_each_command_has_an_example() {
    countersign(["--help"]).expect(0, "Exit codes");
    for command in [
        vec!["run"],
        vec!["backtest"],
        vec!["mcp"],
        vec!["mcp", "tools"],
        vec!["mcp", "explain"],
        vec!["mcp", "accept"],
        vec!["approvals", "rules"],
        vec!["approvals", "withdraw"],
        vec!["approvals", "key"],
        vec!["runs", "list"],
        vec!["runs", "show"],
        vec!["runs", "approve"],
        vec!["runs", "reject"],
        vec!["runs", "answer"],
        vec!["runs", "accept"],
        vec!["runs", "release"],
        vec!["runs", "go-on"],
        vec!["runs", "cancel"],
        vec!["runs", "resume"],
        vec!["runs", "convergence"],
        vec!["agents", "list"],
        vec!["agents", "pause"],
        vec!["agents", "resume"],
        vec!["graph", "check"],
        vec!["graph", "draw"],
        vec!["graph", "verdicts"],
        vec!["graph", "phases"],
        vec!["shadow", "report"],
        vec!["trace", "show"],
        vec!["trace", "verify"],
        vec!["trace", "replay"],
        vec!["trace", "adaptation"],
        vec!["trace", "export"],
        vec!["trace", "import"],
        vec!["policy", "build"],
        vec!["bundle", "init"],
        vec!["bundle", "lock"],
        vec!["bundle", "show"],
        vec!["bundle", "use"],
        vec!["bundle", "rollback"],
        vec!["bundle", "list"],
        vec!["bundle", "revoke"],
        vec!["bundle", "restore"],
    ] {
        countersign(command.iter().copied().chain(["--help"])).expect(0, "Example:");
    }
    countersign(["nonsense"]).expect(2, "unrecognized subcommand");
}

#[test]
fn output_is_plain_where_it_is_no_terminal() {
    let run = countersign(["run", "tests/scenarios/loop-and-recover.toml"]).expect(0, "ended SUCCESS");
    assert!(!run.out().contains('\u{1b}'));
}
