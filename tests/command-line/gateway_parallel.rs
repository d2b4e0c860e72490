//! Several calls at once through the gateway, as agents make them. The server behind writes down when each begins and ends.

use std::path::Path;

use serde_json::{Value, json};

use super::client::{Client, gateway, heard, made, served, told};
use super::kept::Kept;

/// Most calls that the server had at once, by its own record.
fn most_at_once(folder: &Path) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in heard(folder) {
        now = match line.split_once(' ') {
            Some(("begins", _)) => now + 1,
            Some(("ends", _)) => now.saturating_sub(1),
            _ => now,
        };
        most = most.max(now);
    }
    most
}

fn echo(text: &str) -> Value {
    json!({"name": "fake__echo", "arguments": {"text": text}, "_meta": {"progressToken": format!("token of {text}")}})
}

/// A server that needs long enough for each call that a busy machine has begun all of them by then.
fn slow() -> std::io::Result<tempfile::TempDir> {
    served(&["--slow", "2000"], "[agents.desk]\nidle-end = 600000", "")
}

#[test]
fn calls_overlap_and_each_answer_reaches_its_request() -> std::io::Result<()> {
    let folder = slow()?;
    let mut client = Client::start(gateway(folder.path()))?;
    let texts = ["one", "two", "three"];
    let mut requests = Vec::new();
    for text in texts {
        requests.push(client.begin("tools/call", &echo(text))?);
    }
    // Whatever the order in which they are asked for.
    for (request, text) in requests.into_iter().zip(texts).rev() {
        assert_eq!(told(&client.answer(request)?), text);
    }
    assert_eq!(most_at_once(folder.path()), 3, "{:?}", heard(folder.path()));
    // How far each is was said under its own token.
    assert_eq!(client.progress.len(), 3, "{:?}", client.progress);
    for progress in &client.progress {
        let text = progress["message"].as_str().unwrap_or_default();
        assert_eq!(progress["progressToken"], format!("token of {text}"));
    }
    client.leave()?;
    let kept = Kept::of_gateway(folder.path());
    let ids = kept.ids();
    assert_eq!(ids.len(), 1, "one run: {ids:?}");
    kept.so_far(&ids[0]).expect(0, "open");
    kept.trace("replay", &ids[0]).expect(0, "came out the same");
    Ok(())
}

#[test]
fn a_call_that_is_given_up_is_unknown_and_the_others_go_on() -> std::io::Result<()> {
    let folder = slow()?;
    let mut client = Client::start(gateway(folder.path()))?;
    let mut requests = Vec::new();
    for text in ["first", "given up", "last"] {
        requests.push(client.begin("tools/call", &echo(text))?);
    }
    while most_at_once(folder.path()) < 3 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    client.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": requests[1], "reason": "enough"},
    }))?;
    assert_eq!(told(&client.answer(requests[0])?), "first");
    assert_eq!(told(&client.answer(requests[2])?), "last");
    // And the run goes on with the next one.
    assert_eq!(client.call("fake__echo", json!({"text": "after"}))?, "after");
    assert_eq!(made(folder.path()), 4, "it is not made again");
    assert!(heard(folder.path()).contains(&"notifications/cancelled".to_owned()));
    client.leave()?;
    let kept = Kept::of_gateway(folder.path());
    let trace = kept.text(&kept.ids()[0])?;
    let given_up: Vec<&str> = trace.lines().filter(|frame| frame.contains("given up by the client")).collect();
    assert_eq!(given_up.len(), 1, "recorded as a call of which nobody knows what became");
    assert!(given_up[0].contains("\"timed-out\""), "{}", given_up[0]);
    kept.trace("replay", &kept.ids()[0]).expect(0, "came out the same");
    Ok(())
}

#[test]
fn a_client_that_hangs_up_leaves_a_run_that_the_next_takes_up() -> std::io::Result<()> {
    let folder = slow()?;
    let mut client = Client::start(gateway(folder.path()))?;
    for text in ["one", "two", "three", "four"] {
        client.begin("tools/call", &echo(text))?;
    }
    while most_at_once(folder.path()) < 4 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    client.leave()?;
    let mut next = Client::start(gateway(folder.path()))?;
    assert_eq!(next.call("fake__echo", json!({"text": "five"}))?, "five");
    next.leave()?;
    assert_eq!(made(folder.path()), 5, "nothing is made again");
    let kept = Kept::of_gateway(folder.path());
    assert_eq!(kept.ids().len(), 1);
    kept.trace("replay", &kept.ids()[0]).expect(0, "came out the same");
    Ok(())
}

/// The time without calls begins when the last one has returned.
#[test]
fn a_run_is_not_idle_while_a_call_is_under_way() -> std::io::Result<()> {
    let folder = served(&["--slow", "6000"], "[agents.desk]\nidle-end = 500", "")?;
    let mut client = Client::start(gateway(folder.path()))?;
    let long = client.begin("tools/call", &echo("long"))?;
    while most_at_once(folder.path()) < 1 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(900));
    let kept = Kept::of_gateway(folder.path());
    let listed = kept.runs(&["list"]).out();
    assert!(!listed.contains("ended"), "{listed}");
    assert_eq!(told(&client.answer(long)?), "long");
    assert_eq!(kept.ids().len(), 1);
    Ok(())
}
