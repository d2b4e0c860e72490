//! The examples of this crate: compiled, run, and as good as their word.

#[path = "../examples/host_drives.rs"]
mod host_drives;
#[path = "../examples/own_loop.rs"]
mod own_loop;

use std::sync::Arc;

use countersign::Host;
use countersign::engine::EngineOptions;
use countersign::kernel::{Code, Status};
use countersign::replay::replay;
use countersign::store::SharedStore;
use countersign::store::memory::MemoryStore;

#[test]
fn an_agent_that_owns_its_loop() -> anyhow::Result<()> {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let host = Host::new(EngineOptions::default(), None)?;
    let mut told = Vec::new();
    let status = own_loop::run(&host, &store, &mut |text| told.push(text))?;
    assert_eq!(status, Status::Ended(Code::Success));
    let expected = [
        "order 4711: 12 pumps, not shipped",
        "Not forwarded yet: ",
        "Not forwarded: ",
        // The approval is for the other order, and for one call.
        "Not forwarded yet: ",
        "order 4711 is cancelled",
        "Not forwarded yet: ",
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{told:#?}");

    // Whoever audits it executes every verdict again.
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace.jsonl");
    countersign::export(&*store, "order-4711", &trace)?;
    let replayed = replay(&host, "trace.jsonl", &|| std::fs::File::open(&trace).map(std::io::BufReader::new))?;
    assert!(replayed.difference.is_none() && replayed.judged > 0, "{:?}", replayed.difference);
    own_loop::main()
}

/// Tools aside, that is all that an agent of one's own needs.
#[test]
fn an_agents_own_loop_is_thirty_lines() {
    let text = include_str!("../examples/own_loop.rs");
    let own = ["fn attempt(", "pub fn run(", "pub fn main("].map(|head| {
        let body = text.split_once(head).map_or("", |(_, rest)| rest);
        let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        // The closing brace is one more.
        1 + body.lines().filter(is_code).count()
    });
    assert_eq!(text.matches("fn ").count(), own.len() + 1, "a function is not counted, or there is a word `fn`");
    assert!(own.iter().sum::<usize>() <= 30, "{own:?}");
}

#[test]
fn a_loop_that_the_host_drives() -> anyhow::Result<()> {
    host_drives::main()
}
