//! What a host must survive.

use std::time::{Duration, Instant};

use countersign::kernel::Outcome;
use countersign::mcp::{Connection, McpError, ServerSpec};
use serde_json::json;

use super::{call, connect, server, words};

fn fake(manner: &[&str], more: &str) -> ServerSpec {
    let mut command = words(&[&countersign_tests::fake_mcp_server()]);
    command.extend(words(manner));
    server(&command, more)
}

const GOOD: Outcome = Outcome::Returned { exit_code: Some(0), ok: true };

async fn echoes(connection: &Connection) {
    let said = call(connection, "echo", json!({"text": "hello"}), 5_000).await;
    assert_eq!((said.outcome, said.text.as_str()), (GOOD, "hello"));
}

#[tokio::test]
async fn each_way_to_begin_is_found() {
    for (manner, version) in [
        (&["--pages"][..], "2024-11-05"),
        (&["--modern"][..], "2026-07-28"),
        (&["--impatient"][..], "2024-11-05"),
        (&["--chatty"][..], "2024-11-05"),
        (&["--chatty", "--modern"][..], "2026-07-28"),
    ] {
        let connection = connect(&fake(manner, "")).await.unwrap();
        assert_eq!(connection.info().unwrap().protocol_version.as_str(), version, "{manner:?}");
        let offer = connection.offer().await.unwrap();
        assert_eq!((offer.title.as_str(), offer.version.as_str()), ("fake", "1.2.3"), "{manner:?}");
        assert_eq!(offer.tools.len(), 8, "{manner:?}");
        echoes(&connection).await;
        connection.close().await;
        assert!(connection.is_closed());
    }
}

#[tokio::test]
async fn a_server_that_is_never_ready_is_given_up() {
    let began = Instant::now();
    let error = connect(&fake(&["--mute"], "start-time-out = 300")).await.unwrap_err().to_string();
    assert!(error.contains("not ready within 300 ms") && error.contains("`servers.s.start-time-out`"), "{error}");
    assert!(error.contains("it says: the fake server is there"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    // One that cannot be what was meant.
    let error = connect(&fake(&["--nonsense"], "")).await.unwrap_err();
    assert!(
        matches!(error, McpError::Begin { .. }) && error.to_string().contains("unknown word --nonsense"),
        "{error}"
    );
    let error = connect(&server(&words(&["no-such-program-anywhere"]), "")).await.unwrap_err().to_string();
    assert!(error.contains("cannot start `no-such-program-anywhere`"), "{error}");
}

#[tokio::test]
async fn what_became_of_a_call_is_never_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let connection = connect(&fake(&["--log", &log.display().to_string()], "")).await.unwrap();
    let outcome = async |tool: &str| call(&connection, tool, json!({}), 300).await;

    let failed = outcome("fail").await;
    assert_eq!(failed.outcome, Outcome::Returned { exit_code: Some(1), ok: false });
    assert_eq!(failed.text, "it did not work");
    let refused = outcome("refuse").await;
    assert_eq!((refused.outcome, refused.text.as_str()), (Outcome::Rejected, "text: expected a number"));
    assert_eq!(outcome("no-such-tool").await.outcome, Outcome::Rejected);

    let late = outcome("wait").await;
    assert_eq!((late.outcome, late.text.as_str()), (Outcome::TimedOut, "no answer within 300 ms"));
    assert_eq!(outcome("garble").await.outcome, Outcome::TimedOut);
    echoes(&connection).await;
    let heard = std::fs::read_to_string(&log).unwrap();
    assert_eq!(heard.lines().filter(|method| *method == "notifications/cancelled").count(), 2, "{heard}");

    let crashed = outcome("crash").await;
    assert_eq!(crashed.outcome, Outcome::TimedOut);
    assert!(crashed.text.contains("what it had done by then is not known"), "{}", crashed.text);
    // Known to be gone: this call was never sent.
    let after = outcome("echo").await;
    assert_eq!((after.outcome, after.text.as_str()), (Outcome::Infrastructure, "the server has ended"));
}

#[tokio::test]
async fn a_server_sees_what_it_was_given_and_no_more() {
    let more = "env.OWN = '1'\nenv-from = ['PWD']";
    let connection = connect(&fake(&[], more)).await.unwrap();
    let seen = call(&connection, "env", json!({}), 5_000).await.text;
    let seen: Vec<&str> = seen.split(' ').collect();
    assert!(seen.contains(&"OWN") && seen.contains(&"PWD") && seen.contains(&"PATH"), "{seen:?}");
    assert_eq!(seen.iter().filter(|name| name.starts_with("CARGO")).count(), 0, "{seen:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_of_a_server_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    // A shell between the host and the server, and something in the background that ends with nobody.
    let script = format!("sleep 300 & echo $! > {}; {}", pid.display(), countersign_tests::fake_mcp_server());
    let connection = connect(&server(&words(&["sh", "-c", &script]), "")).await.unwrap();
    echoes(&connection).await;
    let pid = std::fs::read_to_string(&pid).unwrap().trim().to_owned();
    let alive = || std::path::Path::new("/proc").join(&pid).exists();
    assert!(alive());
    drop(connection);
    let until = Instant::now() + Duration::from_secs(5);
    while alive() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!alive() || state(&pid) == Some('Z'), "process {pid} is still there");
}

/// Its state as the system tells it: a dead child that nobody has waited for is a `Z`.
#[cfg(unix)]
fn state(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}
