//! The gateway where something goes wrong beside a call: its store fills up or is taken away, a server dies, a client
//! sends what is no call, nobody calls for a while. The server behind does as it is told.

use std::time::{Duration, Instant};

use countersign_tests::fake_mcp_server;
use serde_json::json;

use super::client::{Client, gateway, made, place};
use super::kept::Kept;
use super::unwritable::with_mounts;

/// A call of `echo` changes something, and needs nobody's approval.
const WRITES: &str = "[boundary]\npreauthorised = ['fake__echo']\n[tools.fake__echo]\ncategory = 'live-api'\n\
                      side-effect = 'external-write'\nreversibility = 'reversible'\nblast-radius = 1\n";

#[test]
fn a_call_that_was_made_and_not_recorded_is_said_to_be_made() -> std::io::Result<()> {
    let folder = place("rm -f PLACE/.countersign/runs.db*", WRITES)?;
    let mut client = Client::start(gateway(folder.path()))?;
    let told = client.call("fake__echo", json!({"text": "hello"}))?;
    for part in ["This call was made", "could not be recorded", "was moved or removed", "Do not make it again"] {
        assert!(told.contains(part), "expected `{part}` in: {told}");
    }
    assert!(!told.contains("hello"), "nobody has let its result pass: {told}");
    assert_eq!(made(folder.path()), 1);
    Ok(())
}

#[test]
fn a_disk_that_fills_up_under_a_call_does_not_have_it_made_again() -> std::io::Result<()> {
    let fills = "dd if=/dev/zero of=PLACE/small/fill bs=4096 count=4096 2>/dev/null; true";
    let folder = place(fills, &format!("[store]\nfile = 'small/runs.db'\n{WRITES}"))?;
    let small = folder.path().join("small");
    std::fs::create_dir(&small)?;
    let config = folder.path().join("countersign.toml");
    let words = format!(
        "mount -t tmpfs -o size=2m none {}; exec {} mcp --config {}",
        small.display(),
        env!("CARGO_BIN_EXE_countersign"),
        config.display()
    );
    let Some(command) = with_mounts(&words) else { return Ok(()) };
    let mut client = Client::start(command)?;
    let told = client.call("fake__echo", json!({"text": "hello"}))?;
    for part in ["This call was made", "no space is left", "make room first", "Do not make it again"] {
        assert!(told.contains(part), "expected `{part}` in: {told}");
    }
    assert!(!told.contains("try again"), "{told}");
    // While there is no room nothing more is made, no other run begins, and nobody says that this one is damaged.
    let told = client.call("fake__echo", json!({"text": "hello"}))?;
    assert!(told.contains("Not forwarded") && told.contains("its store could take no more"), "{told}");
    assert!(!told.contains("damaged"), "{told}");
    assert_eq!(made(folder.path()), 1);
    Ok(())
}

#[test]
fn the_first_call_after_a_while_without_calls_begins_a_run() -> std::io::Result<()> {
    let folder = place("true", "[agents.desk]\nidle-end = 300")?;
    let kept = Kept::of_gateway(folder.path());
    let mut client = Client::start(gateway(folder.path()))?;
    assert_eq!(client.call("fake__echo", json!({"text": "one"}))?, "one");
    let until = Instant::now() + Duration::from_secs(20);
    while !kept.runs(&["list"]).out().contains("ended SUCCESS") {
        assert!(Instant::now() < until, "it is never over: {}", kept.runs(&["list"]).out());
    }
    assert_eq!(client.call("fake__echo", json!({"text": "two"}))?, "two");
    client.leave()?;
    assert_eq!(kept.ids().len(), 2);
    // One that a person has ended lets nobody begin another one before it has been idle.
    let folder = place("true", "[agents.desk]\nidle-end = 600000")?;
    let kept = Kept::of_gateway(folder.path());
    let mut client = Client::start(gateway(folder.path()))?;
    client.call("fake__echo", json!({"text": "one"}))?;
    kept.runs(&["cancel", &kept.ids()[0]]).expect(0, "is in the inbox");
    for _ in 0..2 {
        let told = client.call("fake__echo", json!({"text": "two"}))?;
        assert!(told.contains("this run is over with USER_CANCEL"), "{told}");
    }
    Ok(())
}

#[test]
fn what_is_no_call_is_refused_with_what_was_expected() -> std::io::Result<()> {
    let folder = place("true", "")?;
    let mut client = Client::start(gateway(folder.path()))?;
    let table = [
        (
            "tools/call",
            json!({"name": "fake__echo", "arguments": [1]}),
            -32602,
            "`arguments`: expected an object, found a list",
        ),
        (
            "tools/call",
            json!({"name": "fake__echo", "arguments": "x"}),
            -32602,
            "`arguments`: expected an object, found a text",
        ),
        ("tools/call", json!({"name": 7}), -32602, "`name`: expected a text, found a number"),
        ("tools/call", json!({"arguments": {}}), -32602, "`name`: expected a text, found nothing"),
        ("resources/read", json!({"uri": 7}), -32602, "`resources/read`"),
        ("tools/cal", json!({"name": "fake__echo"}), -32601, "there is no method `tools/cal`"),
    ];
    for (method, parameters, code, expected) in table {
        let error = client.ask(method, &parameters)?["error"].clone();
        assert_eq!(error["code"], code, "{parameters}: {error}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(expected)), "{parameters}: {error}");
    }
    assert_eq!(client.call("fake__echo", json!({"text": "hello"}))?, "hello");
    assert_eq!(made(folder.path()), 1);
    Ok(())
}

#[test]
fn what_nobody_can_read_is_answered_at_once() -> std::io::Result<()> {
    let folder = place("true", "")?;
    let mut client = Client::start(gateway(folder.path()))?;
    let call = |id: &str, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"fake__echo","arguments":{arguments}}}}}"#
        )
    };
    let deep = format!("{}{}", r#"{"text":"#.repeat(500), "}".repeat(500));
    let table = [
        (call("901", r#"{"text":"\ud800"}"#), -32700, "no JSON"),
        (call("902", r#"{"text":NaN}"#), -32700, "no JSON"),
        (call("903", &deep), -32700, "recursion limit"),
        (call("904", r#"{"text":"a","text":"b"}"#), -32602, "the key `text` stands twice"),
        (call("905", &format!(r#"{{"text":"{}"}}"#, "x".repeat(10 << 20))), -32602, "at most 1048576 are taken"),
        (r#"{"jsonrpc":"2.0","id":906,"method":"ping","params":{"n":1e999}}"#.to_owned(), -32700, "out of range"),
    ];
    for (number, (line, code, part)) in table.into_iter().enumerate() {
        client.write(&line)?;
        let error = client.answer(901 + number as u64)?["error"].clone();
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(part)), "expected `{part}` in: {error}");
    }
    // A number that programs round is told like before, and nothing else of what cannot be read has a request.
    client.write(&call("907", r#"{"text":1e999}"#))?;
    assert!(super::client::told(&client.answer(907)?).contains("1e999"));
    for line in ["what is this", "[]", "{\"jsonrpc\":\"2.0\",\"id\":", "7"] {
        client.write(line)?;
    }
    assert_eq!(client.call("fake__echo", json!({"text": "hello"}))?, "hello");
    let strays: Vec<_> =
        client.strays.iter().map(|answer| (answer.get("id"), answer["error"]["code"].as_i64())).collect();
    let null = json!(null);
    let of = |code| (Some(&null), Some(code));
    assert_eq!(strays, [of(-32700), of(-32600), of(-32700), of(-32600)]);
    assert_eq!(made(folder.path()), 1);
    Ok(())
}

#[test]
fn a_call_too_large_for_any_reader_leaves_no_mark_on_the_run() -> std::io::Result<()> {
    let folder = place("true", "[budget]\ntool-calls = 3\n")?;
    let kept = Kept::of_gateway(folder.path());
    // Each byte of it stands as two in a call, as four in a frame, and there more than once.
    let huge = |size: usize| json!({"text": "\"".repeat(size)});
    for (number, size) in [1 << 20, 4 << 20, 4 << 20, 8 << 20].into_iter().enumerate() {
        let mut client = Client::start(gateway(folder.path()))?;
        let told = client.call("fake__echo", json!({"text": number.to_string()}))?;
        assert_eq!(told == number.to_string(), number < 3, "{told}");
        let told = client.call("fake__echo", huge(size))?;
        let expected = if number < 3 { "at most 1048576 are taken" } else { "a message of more than 16777216 bytes" };
        assert!(told.contains(expected), "{}", &told[..told.len().min(200)]);
        client.leave()?;
    }
    assert_eq!(made(folder.path()), 3, "the cap is that of the run, whatever was sent between");
    let ids = kept.ids();
    assert_eq!(ids.len(), 1);
    kept.trace("replay", &ids[0]).expect(0, "came out the same");
    assert!(kept.text(&ids[0])?.lines().all(|line| line.len() < 1 << 20));
    Ok(())
}

#[test]
fn the_tools_of_a_server_that_has_ended_are_taken_out_of_the_list() -> std::io::Result<()> {
    let other = format!("[servers.other]\ncommand = {}", json!([fake_mcp_server()]));
    // It answers, and dies a moment later, while nobody calls it.
    let folder = place("(sleep 1; kill -9 $PPID) >/dev/null 2>&1 &", &format!("{other}\n"))?;
    let config = folder.path().join("countersign.toml");
    std::fs::write(&config, format!("{}restarts = 0\n", std::fs::read_to_string(&config)?))?;
    let mut client = Client::start(gateway(folder.path()))?;
    assert!(client.tools()?.contains(&"fake__echo".to_owned()));
    assert_eq!(client.call("fake__echo", json!({"text": "hello"}))?, "hello");
    client.hear_of("notifications/tools/list_changed")?;
    let tools = client.tools()?;
    assert!(tools.iter().all(|tool| !tool.starts_with("fake__")), "{tools:?}");
    assert!(tools.contains(&"other__echo".to_owned()) && tools.contains(&"defer_to_human".to_owned()), "{tools:?}");
    let told = client.call("fake__echo", json!({"text": "hello"}))?;
    assert!(told.contains("Not forwarded") && told.contains("its server `fake` has ended or did not start"), "{told}");
    assert_eq!(client.call("other__echo", json!({"text": "hello"}))?, "hello", "it takes nothing else with it");
    assert_eq!(client.notices.len(), 1, "{:?}", client.notices);
    Ok(())
}

#[test]
fn an_approved_call_runs_once_although_another_policy_came_to_ask() -> std::io::Result<()> {
    let change = "[tools.fake__change]\ncategory = 'live-api'\nside-effect = 'external-write'\n\
                  reversibility = 'irreversible'\nblast-radius = 1\n";
    let folder = place("true", change)?;
    let kept = Kept::of_gateway(folder.path());
    let mut client = Client::start(gateway(folder.path()))?;
    assert!(client.call("fake__change", json!({}))?.contains("a person must approve"));
    let (id, shown) = (kept.ids().remove(0), kept.json(&["list"])[0]["parked"][0].clone());
    assert!(!shown["asked-by"].to_string().contains("threshold"), "{shown}");
    // The same answer twice: what comes next is expected to bring less, too little for what cannot be undone.
    for _ in 0..2 {
        assert_eq!(client.call("fake__echo", json!({"text": "the same"}))?, "the same");
    }
    kept.runs(&["approve", &id, shown["fingerprint"].as_str().unwrap_or_default(), "--by", "ada"]).expect(0, "");
    assert_eq!(client.call("fake__change", json!({}))?, "changed", "one approval, and the call is made");
    assert_eq!(made(folder.path()), 3);
    assert!(!client.call("fake__change", json!({}))?.contains("changed"), "an approval is for one call");
    client.leave()?;
    kept.trace("show", &id).expect(0, "approval-joined by threshold").expect(0, "by then threshold asked too");
    kept.so_far(&id).expect(0, "open");
    kept.trace("replay", &id).expect(0, "came out the same");
    let lines = kept.trace("adaptation", &id).expect(0, "threshold").out();
    assert!(lines.contains("threshold"), "{lines}");
    Ok(())
}
