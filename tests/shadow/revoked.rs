//! A policy that an operator revokes is not asked in shadow either.

use std::path::Path;

use countersign::settings::OperatorSpec;
use countersign::{Host, Operations};
use serde_json::json;

use super::loops::{Agent, exported, store};
use super::{CAUTIOUS, entry, host_with, report, side_stream};

/// An operator whose switches lie in this folder.
fn operator(folder: &Path) -> anyhow::Result<Operations> {
    let spec = OperatorSpec { switches: Some("switches.toml".into()), ..OperatorSpec::default() };
    Ok(Operations::new(&spec, &store(), folder)?)
}

/// Switches the only shadow policy off, and on again.
fn switch(host: &Host, folder: &Path, off: bool) -> anyhow::Result<()> {
    let digests: Vec<&str> =
        host.bundle().shadows().filter(|_| off).map(|(entry, _)| entry.component_digest.as_str()).collect();
    std::fs::write(folder.join("switches.toml"), format!("policies = {digests:?}\n"))?;
    Ok(())
}

#[test]
fn a_shadow_policy_is_not_asked_while_it_is_revoked() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = host_with(folder.path(), CAUTIOUS)?;
    let store = store();
    switch(&host, folder.path(), false)?;
    let mut agent = Agent::begin_under(&host, &store, operator(folder.path())?)?;
    for (page, off) in [(1, false), (2, true), (3, false)] {
        switch(&host, folder.path(), off)?;
        // The run is not pinned to it, and goes on.
        assert!(agent.attempt("look", json!({"page": page}))?);
    }
    agent.close()?;
    let trace = exported(&store, folder.path())?;
    let found = report(&trace)?;
    let compared = entry(&found, "risk-next");
    assert_eq!((compared.judged, compared.dropped, compared.undecided), (2, 1, 0));
    Ok(())
}

#[test]
fn a_policy_that_is_revoked_when_the_run_begins_is_not_opened() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let host = host_with(folder.path(), CAUTIOUS)?;
    let store = store();
    switch(&host, folder.path(), true)?;
    let mut agent = Agent::begin_under(&host, &store, operator(folder.path())?)?;
    assert!(agent.attempt("look", json!({"page": 1}))?);
    agent.close()?;
    let trace = exported(&store, folder.path())?;
    assert!(!side_stream(&trace).exists());
    Ok(())
}
