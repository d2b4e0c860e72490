//! Every sink against a real receiver.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use countersign_models::address::origin;
use serde::Deserialize;

use super::*;

const SECRET: &str = "correct horse battery staple";

fn item(kind: ItemKind) -> Item {
    Item {
        version: ITEM_VERSION,
        id: "item-1".into(),
        kind,
        run: "run-1".into(),
        agent: "clerk".into(),
        tenant: Some("acme".into()),
        authority: "operator".into(),
        channels: vec!["triage".into()],
        severity: Severity::High,
        reason: "the invoice\nhas no number".into(),
        details: serde_json::json!({"amount": 12, "text": "line\nline"}),
        at: 1_700_000_000_000,
        accepted_by: None,
    }
}

#[derive(Deserialize)]
struct Table {
    sink: Vec<SinkSpec>,
}

fn specs(text: &str) -> Result<Vec<SinkSpec>, toml::de::Error> {
    toml::from_str::<Table>(text).map(|table| table.sink)
}

fn sinks(text: &str, folder: &Path) -> Result<Sinks, SinkError> {
    let environment =
        |name: &str| [("HOOK_SECRET", SECRET), ("EMPTY", "")].iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
    Sinks::with_environment(&specs(text).unwrap(), folder, &environment)
}

/// A request as it arrived.
struct Request {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Request { headers, body }
}

/// Answers as many connections as there are answers; none means silence until the client leaves.
fn listener(answers: Vec<Option<&'static str>>) -> (String, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/T0K3N?key=T0K3N", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        answers
            .into_iter()
            .map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&stream);
                match answer {
                    Some(answer) => {
                        write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
                    }
                    None => drop(stream.read(&mut [0; 16])),
                }
                request
            })
            .collect()
    });
    (url, thread)
}

fn hook(url: &str, more: &str) -> String {
    format!("[[sink]]\nto = \"webhook\"\nurl = \"{url}\"\nsecret-env = \"HOOK_SECRET\"\n{more}\n")
}

#[test]
fn a_webhook_is_signed_and_repeated_only_when_that_helps() {
    struct Case {
        answers: Vec<Option<&'static str>>,
        more: &'static str,
        failed: Option<&'static str>,
    }
    let table = [
        Case { answers: vec![Some("200 OK")], more: "", failed: None },
        Case { answers: vec![Some("500 Oops"), Some("204 Gone through")], more: "", failed: None },
        Case { answers: vec![Some("429 Later"), Some("503 Later"), Some("200 OK")], more: "", failed: None },
        Case {
            answers: vec![Some("500 Oops"), Some("502 Oops")],
            more: "retries = 1",
            failed: Some("answered 502 (attempt 2)"),
        },
        Case { answers: vec![Some("500 Oops")], more: "retries = 0", failed: Some("answered 500") },
        Case { answers: vec![Some("404 No")], more: "", failed: Some("answered 404") },
        Case {
            answers: vec![Some("302 Found\r\nlocation: http://127.0.0.1:1/")],
            more: "",
            failed: Some("answered 302: redirects are not followed; set `url` to the final address"),
        },
        Case {
            answers: vec![Some("307 Found\r\nlocation: http://127.0.0.1:1/")],
            more: "",
            failed: Some("answered 307: redirects are not followed; set `url` to the final address"),
        },
        Case { answers: vec![None], more: "time-out = 1000", failed: Some("did not answer within `time-out`") },
    ];
    for (index, case) in table.into_iter().enumerate() {
        let attempts = case.answers.len();
        let (url, thread) = listener(case.answers);
        let sinks = sinks(&hook(&url, case.more), Path::new("/")).unwrap();
        let delivery = sinks.deliver(&item(ItemKind::Ask));
        let requests = thread.join().unwrap();
        assert_eq!(requests.len(), attempts, "case {index}");
        for request in requests {
            let signature = &request.headers[SIGNATURE_HEADER];
            assert!(verify_signature(SECRET.as_bytes(), signature, &request.body), "case {index}: {signature}");
            assert!(!verify_signature(b"another", signature, &request.body), "case {index}");
            assert_eq!(request.headers[ID_HEADER], "item-1");
            assert_eq!(serde_json::from_slice::<Item>(&request.body).unwrap(), item(ItemKind::Ask));
        }
        let name = format!("webhook {}", origin(&url).unwrap());
        assert_eq!(delivery.reached(), case.failed.is_none(), "case {index}: {delivery:?}");
        match case.failed {
            None => assert_eq!(delivery, Delivery { delivered: vec![name], failed: vec![] }, "case {index}"),
            Some(why) => assert_eq!(delivery.failed, [(name, why.to_owned())], "case {index}"),
        }
    }
}

#[test]
fn a_refused_connection_is_tried_again_and_told_without_the_address() {
    // Nobody listens there.
    let delivery = sinks(&hook("http://127.0.0.1:1/hooks/T0K3N", "retries = 1"), Path::new("/"))
        .unwrap()
        .deliver(&item(ItemKind::Ask));
    let [(name, why)] = delivery.failed.as_slice() else { panic!("{delivery:?}") };
    assert!(why.ends_with("(attempt 2)"), "{why}");
    assert!(!format!("{name} {why}").contains("T0K3N"), "{name} {why}");
}

#[test]
fn nothing_shows_a_secret() {
    let text = hook("https://hooks.example.com:8443/services/T0K3N?key=T0K3N", "");
    let sinks = sinks(&text, Path::new("/")).unwrap();
    let shown = format!("{:?} {:?}", specs(&text).unwrap(), sinks);
    assert!(shown.contains("https://hooks.example.com:8443"), "{shown}");
    assert!(!shown.contains("T0K3N") && !shown.contains("horse"), "{shown}");
}

#[test]
fn signatures_of_anything_else_are_refused() {
    let good = sign(b"secret", 12, b"body");
    let hex = good.strip_prefix("t=12,v1=").unwrap().to_owned();
    assert_eq!(hex.len(), 64);
    // HMAC-SHA256("secret", "12.body"), computed elsewhere.
    assert_eq!(hex, "6a383d3d42b6206ba2f6b83b0416474e0d21c78d90463ec24d8e15aac8e8eb44");
    let table = [
        (good.clone(), true),
        (format!("v1={hex}, t=12"), true),
        (format!("t=12,v1={hex},v2=x"), true),
        (format!("t=12,v1={},v1={hex}", "0".repeat(64)), true),
        (format!("t=12,v1={}", hex.to_uppercase()), true),
        (format!("t=13,v1={hex}"), false),
        (format!("t=012,v1={hex}"), false),
        (format!("t=12,t=12,v1={hex}"), false),
        (format!("t=+12,v1={hex}"), false),
        (format!("t=,v1={hex}"), false),
        (format!("v1={hex}"), false),
        (format!("t=12,v1={}", &hex[..62]), false),
        (format!("t=12,v1={}", &hex[..63]), false),
        (format!("t=12,v1={}é", &hex[..62]), false),
        ("t=12,v1=".into(), false),
        ("t=12".into(), false),
        (String::new(), false),
    ];
    for (header, wanted) in table {
        assert_eq!(verify_signature(b"secret", &header, b"body"), wanted, "{header}");
    }
    assert!(!verify_signature(b"secret", &good, b"bodY"));
    assert!(!verify_signature(b"", &sign(b"", 12, b"body"), b"body"));
    assert_eq!(signed_at(&good), Some(12));
    assert_eq!(signed_at("t=x,v1=00"), None);
}

#[test]
fn a_file_gets_whole_lines_whatever_was_left_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = sinks("[[sink]]\nto = \"file\"\npath = \"a/b/inbox.jsonl\"", folder.path()).unwrap();
    let path = folder.path().join("a/b/inbox.jsonl");
    assert_eq!(sinks.deliver(&item(ItemKind::Ask)).delivered, ["file a/b/inbox.jsonl"]);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"half").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| assert!(sinks.deliver(&item(ItemKind::Defer)).reached())));
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 22);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(serde_json::from_str::<Item>(line).is_ok(), index != 1, "{line}");
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn kinds_are_filtered_and_a_failure_stops_no_other_sink() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("blocker"), "").unwrap();
    let sinks = sinks(
        r#"
        [[sink]]
        to = "file"
        path = "blocker/inbox"
        [[sink]]
        to = "file"
        path = "asks"
        kinds = ["ask", "expired"]
        [[sink]]
        to = "file"
        path = "asks"
        kinds = ["defer"]
        "#,
        folder.path(),
    )
    .unwrap();
    let table = [
        (ItemKind::Ask, vec!["file asks"]),
        (ItemKind::Expired, vec!["file asks"]),
        (ItemKind::Defer, vec!["file asks (2)"]),
        (ItemKind::Review, vec![]),
    ];
    for (kind, delivered) in table {
        let delivery = sinks.deliver(&item(kind));
        assert_eq!(delivery.delivered, delivered, "{kind:?}");
        assert_eq!(delivery.failed.len(), 1);
        assert_eq!(delivery.failed[0].0, "file blocker/inbox");
    }
    assert_eq!(sinks.unserved(), []);
    assert_eq!(Sinks::new(&[], folder.path()).unwrap().unserved(), ItemKind::ALL);
    assert!(!Sinks::new(&[], folder.path()).unwrap().deliver(&item(ItemKind::Ask)).reached());
}

#[cfg(unix)]
#[test]
fn commands_read_the_item_and_end_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let table = [
        ("cat > got", "", None),
        ("exec true", "", None),
        ("echo first >&2; echo no such list >&2; exit 3", "", Some("exit code 3: `no such list`")),
        ("exit 4", "", Some("exit code 4")),
        ("kill -TERM $$", "", Some("ended by a signal")),
        ("test -z \"$CARGO_MANIFEST_DIR\"", "", None),
        ("test -n \"$CARGO_MANIFEST_DIR\"", "env = [\"CARGO_MANIFEST_DIR\"]", None),
        ("head -c 1000000 /dev/zero >&2", "", None),
        ("sleep 1000 & echo $! > child; wait", "time-out = 2000", Some("ended because it outlasted `time-out`")),
    ];
    for (script, more, wanted) in table {
        if script.starts_with("test -n") && std::env::var_os("CARGO_MANIFEST_DIR").is_none() {
            // Not started by cargo: there is no variable to pass on.
            continue;
        }
        let text = format!("[[sink]]\nto = \"command\"\nargv = [\"sh\", \"-c\", '{script}']\n{more}");
        let delivery = sinks(&text, folder.path()).unwrap().deliver(&item(ItemKind::Escalate));
        assert_eq!(delivery.failed.first().map(|(_, why)| why.as_str()), wanted, "{script}");
        assert_eq!(delivery.reached(), wanted.is_none(), "{script}");
    }
    let got = std::fs::read(folder.path().join("got")).unwrap();
    assert_eq!(serde_json::from_slice::<Item>(&got).unwrap(), item(ItemKind::Escalate));
    // What it started is gone too; it may still wait to be reaped.
    let child: i32 = std::fs::read_to_string(folder.path().join("child")).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
    while state().is_ok_and(|state| !state.contains(") Z ")) {
        std::thread::yield_now();
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nothing"), "\n").unwrap();
    let table = [
        ("to = \"file\"\npath = \"\"", "sink 1: `path` is ``, which is no file name; name a file"),
        ("to = \"file\"\npath = \".\"", "sink 1: `path` is `.`, which is no file name; name a file"),
        ("to = \"file\"\npath = \"x\"\nkinds = []", "sink 1: `kinds` is empty"),
        ("to = \"webhook\"\nurl = \"ftp://x/\"\nsecret-env = \"HOOK_SECRET\"", "sink 1: `url` starts neither"),
        ("to = \"webhook\"\nurl = \"not an address\"\nsecret-env = \"HOOK_SECRET\"", "sink 1: `url` is not an address"),
        ("to = \"webhook\"\nurl = \"/path\"\nsecret-env = \"HOOK_SECRET\"", "sink 1: `url` starts neither"),
        (
            "to = \"webhook\"\nurl = \"https://me:T0K3N@x/\"\nsecret-env = \"HOOK_SECRET\"",
            "sink 1: `url` contains a name",
        ),
        ("to = \"webhook\"\nurl = \"https://x/\"", "sink 1: there is no secret to sign with; set exactly one of"),
        (
            "to = \"webhook\"\nurl = \"https://x/\"\nsecret-env = \"HOOK_SECRET\"\nsecret-file = \"s\"",
            "sink 1: there are two secrets",
        ),
        (
            "to = \"webhook\"\nurl = \"https://x/\"\nsecret-env = \"MISSING\"",
            "sink 1: `secret-env` names `MISSING`, which is not set; set it where the host starts",
        ),
        (
            "to = \"webhook\"\nurl = \"https://x/\"\nsecret-env = \"EMPTY\"",
            "sink 1: `secret-env` names `EMPTY`, which is empty",
        ),
        ("to = \"webhook\"\nurl = \"https://x/\"\nsecret-file = \"absent\"", "sink 1: `secret-file` names `absent`: "),
        (
            "to = \"webhook\"\nurl = \"https://x/\"\nsecret-file = \"nothing\"",
            "sink 1: `secret-file` names `nothing`: it is empty",
        ),
        (
            "to = \"webhook\"\nurl = \"https://x/\"\nsecret-env = \"HOOK_SECRET\"\nretries = 11",
            "sink 1: `retries` is 11; give 0 to 10",
        ),
        (
            "to = \"webhook\"\nurl = \"https://x/\"\nsecret-env = \"HOOK_SECRET\"\ntime-out = 0",
            "sink 1: `time-out` is 0; give at least 1 millisecond",
        ),
        ("to = \"command\"\nargv = []", "sink 1: `argv` is empty; give a program"),
        ("to = \"command\"\nargv = [\"\"]", "sink 1: `argv` is empty"),
        ("to = \"command\"\nargv = [\"./absent\"]", "sink 1: `argv` names `./absent`, which is no file"),
        ("to = \"command\"\nargv = [\"x\"]\ntime-out = 0", "sink 1: `time-out` is 0"),
    ];
    for (text, wanted) in table {
        let error = sinks(&format!("[[sink]]\n{text}"), folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{text}: {error}");
        assert!(!error.contains("T0K3N"), "{error}");
    }
    let wrong = [
        ("to = \"file\"\npath = \"x\"\npaht = 1", "unknown field `paht`"),
        ("to = \"pigeon\"", "unknown variant `pigeon`"),
        ("to = \"file\"\npath = \"x\"\nkinds = [\"asks\"]", "unknown variant `asks`"),
        ("path = \"x\"", "missing field `to`"),
        ("to = \"webhook\"\nsecret-env = \"X\"", "missing field `url`"),
        ("to = \"webhook\"\nurl = \"https://x/\"\ntimeout = 3", "unknown field `timeout`"),
    ];
    for (text, wanted) in wrong {
        let error = specs(&format!("[[sink]]\n{text}")).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn a_secret_from_a_file_is_the_same_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\r\n")).unwrap();
    let (url, thread) = listener(vec![Some("200 OK")]);
    let text = format!("[[sink]]\nto = \"webhook\"\nurl = \"{url}\"\nsecret-file = \"secret\"");
    assert!(sinks(&text, folder.path()).unwrap().deliver(&item(ItemKind::Ask)).reached());
    let request = thread.join().unwrap().remove(0);
    assert!(verify_signature(SECRET.as_bytes(), &request.headers[SIGNATURE_HEADER], &request.body));
}
