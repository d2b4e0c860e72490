//! The examples of the crate `countersign`: compiled, run, and as good as their word.

#[path = "../../host/runtime/examples/host_drives.rs"]
mod host_drives;
#[path = "../../host/runtime/examples/many_agents.rs"]
#[expect(dead_code, reason = "its program is for people to look at")]
mod many_agents;
#[path = "../../host/runtime/examples/own_loop.rs"]
mod own_loop;

use std::sync::Arc;

use countersign::Host;
use countersign::engine::EngineOptions;
use countersign::kernel::{Code, Status};
use countersign::store::SharedStore;
use countersign::store::memory::MemoryStore;
use countersign_audit::replay::replay;

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
        // Once more: a person decides about a repetition of what cannot be undone.
        "Not forwarded yet: `cancel-order` has done exactly this already",
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
    let text = include_str!("../../host/runtime/examples/own_loop.rs");
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

/// Blocks its session for as long as nobody lets it go on, as a slow disk or policy would.
struct Stuck(std::sync::mpsc::Receiver<()>);

impl countersign::Observer for Stuck {
    fn frame(&mut self, _: &countersign::kernel::Run, closed: &countersign::kernel::Closed) {
        if matches!(closed.frame.input, countersign::kernel::Input::Replied { .. }) {
            // An error is the sender's end.
            let _ = self.0.recv();
        }
    }
}

#[test]
fn two_hundred_agents_at_once_and_none_waits_for_another() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // Two threads, as two cores have them: whatever blocks one of them would be seen.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let governor = many_agents::governor(folder.path())?;
        let mut stuck = Vec::new();
        for _ in 0..20 {
            let (release, blocked) = std::sync::mpsc::channel();
            let tools = governor.deployment().registry()?;
            let run = governor.begin("stuck", None, tools, Some(Box::new(Stuck(blocked)))).await?;
            stuck.push((release, tokio::spawn(many_agents::agent(run, 1))));
        }
        let ended = many_agents::many(&governor, 200, 5).await?;
        assert_eq!(ended.len(), 200);
        for (status, told) in ended {
            assert_eq!((status, &*told), (Status::Ended(Code::Success), "page 4: 12 pumps"));
        }
        for (release, agent) in stuck {
            assert!(!agent.is_finished(), "its session was held up");
            drop(release);
            assert_eq!(agent.await??.0, Status::Ended(Code::Success));
        }
        assert_eq!(governor.runs("reader")?.len(), 200);
        Ok(())
    })
}
