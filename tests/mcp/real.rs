//! Servers by others, as `tests/parts` installs them.

use std::path::Path;

use countersign::kernel::Outcome;
use countersign::mcp::{Accept, Overrides, Pins, ServersSpec, settle};
use countersign_tests::{
    parts::{EVERYTHING, FILESYSTEM, PYTHON},
    root,
};
use serde_json::json;

use super::{call, connect, server, words};

const GOOD: Outcome = Outcome::Returned { exit_code: Some(0), ok: true };

fn node(script: &Path, more: &[&str]) -> Vec<String> {
    let mut command = words(&["node", &script.display().to_string()]);
    command.extend(words(more));
    command
}

#[tokio::test]
async fn the_server_with_everything() {
    let Some(script) = EVERYTHING.path() else { return };
    let connection = connect(&server(&node(&script, &["stdio"]), "")).await.unwrap();
    assert_eq!(connection.info().unwrap().protocol_version.as_str(), "2025-11-25");
    let tools = connection.tools().await.unwrap();
    assert!(tools.len() >= 10, "{}", tools.len());
    let said = call(&connection, "echo", json!({"message": "hello"}), 10_000).await;
    assert_eq!((said.outcome, said.text.as_str()), (GOOD, "Echo: hello"));

    // What does not fit its schema is told as an error of the tool, or of the protocol; never as success.
    let wrong = call(&connection, "echo", json!({"message": 7}), 10_000).await;
    assert!(!matches!(wrong.outcome, Outcome::Returned { ok: true, .. }), "{wrong:?}");
    assert!(wrong.text.to_lowercase().contains("invalid"), "{}", wrong.text);

    let late = call(&connection, "trigger-long-running-operation", json!({"duration": 30, "steps": 3}), 300).await;
    assert_eq!((late.outcome, late.text.as_str()), (Outcome::TimedOut, "no answer within 300 ms"));
    let image = call(&connection, "get-tiny-image", json!({}), 10_000).await;
    assert!(image.text.contains("[image image/png, "), "{}", image.text);
    // It still talks after a call that was given up.
    assert_eq!(call(&connection, "echo", json!({"message": "still"}), 10_000).await.text, "Echo: still");
    connection.close().await;
}

#[tokio::test]
async fn the_server_of_files() {
    let Some(script) = FILESYSTEM.path() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let spec = server(&node(&script, &[&path("")]), "");
    let connection = connect(&spec).await.unwrap();
    let written = call(&connection, "write_file", json!({"path": path("a.txt"), "content": "hello"}), 10_000).await;
    assert_eq!(written.outcome, GOOD, "{}", written.text);
    let read = call(&connection, "read_text_file", json!({"path": path("a.txt")}), 10_000).await;
    assert_eq!((read.outcome, read.text.as_str()), (GOOD, "hello"));
    let outside = call(&connection, "read_text_file", json!({"path": "/etc/hostname"}), 10_000).await;
    assert_eq!(outside.outcome, Outcome::Returned { exit_code: Some(1), ok: false }, "{}", outside.text);
    assert!(outside.text.contains("Access denied"), "{}", outside.text);

    let offer = connection.offer().await.unwrap();
    let mut pins = Pins::load(&folder.path().join("task.tools.lock")).unwrap();
    let servers = ServersSpec::from([("s".to_owned(), spec)]);
    let (joined, report) =
        settle(&servers, std::slice::from_ref(&offer), &Overrides::new(), &mut pins, &Accept::Nothing).unwrap();
    assert_eq!(report.first, [("s".to_owned(), offer.tools.len())]);
    assert_eq!(joined.tools.len(), offer.tools.len(), "{:?}", joined.left_out);
    let entry = |name: &str| joined.tools[name].registered(name);
    let (write, read, make) = (entry("s__write_file"), entry("s__read_text_file"), entry("s__create_directory"));
    assert!(write.mutating() && write.approval.is_some() && !read.mutating() && make.mutating());
    // It says of what form its readings are: that is what verifies them.
    assert!(read.verifier.is_some() && write.verifier.is_none());
    connection.close().await;
}

#[tokio::test]
async fn a_server_in_python() {
    let Some(python) = PYTHON.path() else { return };
    let script = root().join("tests/parts/server.py").display().to_string();
    let connection = connect(&server(&words(&[&python.display().to_string(), &script]), "")).await.unwrap();
    // It has both ways to begin; the one without a handshake is tried first.
    assert_eq!(connection.info().unwrap().protocol_version.as_str(), "2026-07-28");
    let sum = call(&connection, "add", json!({"a": 40, "b": 2}), 10_000).await;
    assert_eq!((sum.outcome, sum.text.as_str()), (GOOD, "42"));
    let failed = call(&connection, "fail", json!({}), 10_000).await;
    assert_eq!(failed.outcome, Outcome::Returned { exit_code: Some(1), ok: false }, "{}", failed.text);
    connection.close().await;
}
