//! A run that another process takes up has the same shadow: what it was asked before it still knows.

use std::path::Path;

use countersign::store::{ShadowReader, ShadowRecord};
use serde_json::json;

use super::loops::{Agent, exported, store};
use super::{entry, host_with, misbehaving, report, side_stream};

/// Why the shadow policy said what it said: it numbers its calls.
fn reasons(trace: &Path) -> anyhow::Result<Vec<String>> {
    let mut reader = ShadowReader::open(&side_stream(trace))?;
    let mut reasons = Vec::new();
    while let Some(record) = reader.read()? {
        if let ShadowRecord::Judged(judged) = record {
            let reason = judged.answer.reason();
            reasons.push(reason.split(',').next().unwrap_or_default().to_owned());
        }
    }
    Ok(reasons)
}

#[test]
fn a_policy_with_a_state_goes_on_where_it_was() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = host_with(folder.path(), &misbehaving("risk", "behave", "shadow"))?;
    let store = store();
    let mut agent = Agent::begin(&host, &store)?;
    agent.attempt("look", json!({"page": 1}))?;
    agent.attempt("look", json!({"page": 2}))?;
    agent.session.leave()?;
    let mut agent = Agent::resume(&host, &store)?;
    agent.attempt("look", json!({"page": 3}))?;
    agent.close()?;
    let trace = exported(&store, folder.path())?;
    assert_eq!(reasons(&trace)?, ["call 1", "call 2", "call 3"]);
    let found = report(&trace)?;
    assert_eq!((found.runs, found.not_whole, entry(&found, "behave").judged), (1, 0, 3));
    Ok(())
}

#[test]
fn a_policy_that_failed_is_rebuilt_once_from_its_side_stream() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let failing = misbehaving("risk", "panic", "shadow") + "configuration.after = 2\nconfiguration.once = true\n";
    let host = host_with(folder.path(), &failing)?;
    let store = store();
    let mut agent = Agent::begin(&host, &store)?;
    for page in 1..=5 {
        agent.attempt("look", json!({"page": page}))?;
    }
    agent.close()?;
    let trace = exported(&store, folder.path())?;
    // Rebuilt behind two calls it panics at its third again, and is dead then: as if it were enforced.
    assert_eq!(reasons(&trace)?, ["call 1", "call 2", "trap", "trap", "dead"]);
    Ok(())
}
