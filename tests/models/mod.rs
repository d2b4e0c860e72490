//! The model client against a real socket: what is sent, and what becomes of each way in which a server
//! misbehaves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign::kernel::contract::Digest;
use countersign::kernel::contract::Tier;
use countersign::kernel::contract::classifier::PlanningMode;
use countersign::kernel::{ModelRequest, Packet, Purpose, Reply, Unavailability, Usage};
use countersign::models::{Client, Registry, Tools};
use countersign::{Arguments, Deployment, Parsed, Salt};
use countersign_tests::chat::{ChatServer, Does, Request, completion, step_text};
use serde_json::{Value, json};

const KEY: &str = "a-key-that-nobody-may-see-7f3a9c";

struct Any;

impl Arguments for Any {
    fn problem(&self, _: &str, _: &Value) -> Option<String> {
        None
    }
}

fn request(purpose: Purpose) -> ModelRequest {
    ModelRequest {
        purpose,
        goal: "find it".into(),
        constraints: vec!["change nothing".into()],
        planning: PlanningMode::Act,
        acting: None,
        guidance: None,
        notice: None,
        mend: None,
        message: None,
        plan: vec![],
        kept: None,
        scratchpad: None,
        memory: vec![],
        recent: vec![],
    }
}

fn packet() -> Purpose {
    Purpose::Patch(Packet {
        goal: "find it".into(),
        last_valid_state: "nothing was done".to_owned(),
        failure_point: "the first step".to_owned(),
        error_signals: vec!["status confused".to_owned()],
        snippet: "…".to_owned(),
        constraints: vec!["change nothing".into()],
    })
}

/// A client of a server with one cheap model; `more` are further keys of its table.
fn client(server: &ChatServer, folder: &Path, more: &str) -> Result<Client> {
    std::fs::write(folder.join("key"), format!(" {KEY}\n"))?;
    let text = format!(
        "version = 1\n[models.cheap]\nname = \"small\"\nendpoint = \"{}\"\ninput-price = 1000\noutput-price = 2000\n\
         max-output-tokens = 300\nkey-file = \"key\"\n{more}\n",
        server.endpoint()
    );
    std::fs::write(folder.join("countersign.toml"), text)?;
    Ok(Client::new(&registry(folder)?)?)
}

/// The models of the deployment's file in a folder.
fn registry(folder: &Path) -> Result<Registry> {
    let deployment = Deployment::load(&folder.join("countersign.toml"))?;
    deployment.models().cloned().context("it names no models")
}

fn ask(client: &Client, purpose: Purpose, reserved: u64, cancel: Option<&AtomicBool>) -> (Parsed, Usage) {
    let (parsed, usage, _) = called(client, purpose, reserved, cancel);
    (parsed, usage)
}

fn called(
    client: &Client,
    purpose: Purpose,
    reserved: u64,
    cancel: Option<&AtomicBool>,
) -> (Parsed, Usage, Option<Digest>) {
    let shown = [json!({"name": "look"})];
    let tools = Tools { shown: &shown, arguments: &Any };
    client.call((Tier::Cheap, "small"), &request(purpose), &tools, reserved, &Salt([0; 32]), cancel)
}

/// Calls the model once, whatever the server does.
fn once(more: &str, script: impl Fn(&Request) -> Does + Send + 'static) -> Result<(Reply, Usage)> {
    let folder = tempfile::tempdir()?;
    let server = ChatServer::start(script)?;
    let (parsed, usage) = ask(&client(&server, folder.path(), more)?, Purpose::Step, 3000, None);
    Ok((parsed.reply, usage))
}

fn good() -> String {
    step_text("look", json!({"tool": "look", "arguments": {"at": "it"}}), 0.9)
}

fn refuses(status: u16, code: &str) -> Does {
    Does::Refuses(status, vec![], json!({"error": {"message": "the server says no", "code": code}}))
}

/// A completion with something else in its first choice.
fn with(key: &str, value: Value) -> Does {
    let mut body = completion(&[&good()]);
    body["choices"][0][key] = value;
    Does::Answers(body)
}

#[test]
fn each_misbehaviour_has_its_outcome() -> Result<()> {
    use Unavailability::{AuthFailure, Permanent, QuotaExceeded, Transient};
    let retry = |status, header: &str| Does::Refuses(status, vec![("retry-after", header.to_owned())], json!({}));
    let late = Does::Late(Duration::from_secs(60), Box::new(Does::HangsUp));
    let table: Vec<(&str, Does, Unavailability, Option<u64>, &str)> = vec![
        ("401", refuses(401, "invalid_api_key"), AuthFailure, None, "answered 401; check the key"),
        ("403", refuses(403, ""), AuthFailure, None, "the server says no"),
        ("402", refuses(402, ""), QuotaExceeded, None, "answered 402"),
        ("429", refuses(429, "rate_limit_exceeded"), Transient, None, "answered 429: the server says no"),
        ("429 with Retry-After", retry(429, "7"), Transient, Some(7000), "answered 429"),
        ("429, no quota left", refuses(429, "insufficient_quota"), QuotaExceeded, None, "answered 429"),
        ("500", refuses(500, ""), Transient, None, "answered 500"),
        ("503 with Retry-After", retry(503, "1"), Transient, Some(1000), "answered 503"),
        ("400", refuses(400, ""), Permanent, None, "answered 400"),
        ("404", refuses(404, ""), Permanent, None, "check `endpoint` and `name`"),
        ("redirect", retry(307, "0"), Permanent, Some(0), "redirects are not followed"),
        ("slow", late, Transient, None, "did not answer within 1500 ms"),
        ("malformed", Does::Malformed, Transient, None, "no completion"),
        ("truncated", Does::Truncated, Transient, None, "broke off its answer"),
        ("no end", Does::Endless, Permanent, None, "sent more than"),
        ("hangs up", Does::HangsUp, Transient, None, "broke off the connection"),
        ("another form", Does::Answers(json!([1])), Transient, None, "no completion"),
        ("no answer in it", Does::Answers(json!({"choices": []})), Transient, None, "without an answer"),
        (
            "an error that says 200",
            Does::Answers(json!({"error": {"message": "slow down", "code": 429}})),
            Transient,
            None,
            "answered 429: slow down",
        ),
        ("a gateway did not wait", refuses(504, ""), Transient, None, "answered 504"),
    ];
    let may_be_made = [
        "slow",
        "malformed",
        "truncated",
        "no end",
        "hangs up",
        "another form",
        "no answer in it",
        "a gateway did not wait",
    ];
    for (name, does, class, retry_after, part) in table {
        let (reply, usage) = once("time-out = 1500", move |_| does.clone())?;
        let Reply::Unavailable { reason, class: found, retry_after: after } = reply else {
            anyhow::bail!("{name}: {reply:?}");
        };
        assert_eq!((found, after), (class, retry_after), "{name}: {reason}");
        assert!(reason.contains(part) && reason.contains("cheap model `small`"), "{name}: {reason}");
        // What may have been made stays spent, as it was set aside; whoever refused has made nothing.
        if may_be_made.contains(&name) {
            assert!(usage.estimated && usage.output_tokens == 3000 && usage.input_tokens > 100, "{name}: {usage:?}");
        } else {
            assert_eq!(usage, Usage::default(), "{name}");
        }
    }
    Ok(())
}

#[test]
fn an_answer_that_is_none_is_invalid_and_paid_for() -> Result<()> {
    let table = [
        ("wrong schema", Does::Says(r#"{"thought":"hm"}"#.to_owned()), "expected the key `step`"),
        ("no JSON", Does::Says("Sure! Here is".to_owned()), "expected one JSON object"),
        ("cut off", with("finish_reason", json!("length")), "cut off"),
        ("filtered", with("finish_reason", json!("content_filter")), "content filter"),
        ("refused", with("message", json!({"refusal": "I will not"})), "the model refused: I will not"),
        ("no text", with("message", json!({"role": "assistant", "content": null})), "has no text"),
        ("no message", with("message", json!(null)), "has no text"),
    ];
    for (name, does, part) in table {
        let (reply, usage) = once("", move |_| does.clone())?;
        let Reply::Invalid { reason, .. } = reply else { anyhow::bail!("{name}: {reply:?}") };
        assert!(reason.contains(part), "{name}: {reason}");
        assert_eq!(usage, Usage { input_tokens: 120, output_tokens: 40, cost: 200, estimated: false }, "{name}");
    }
    Ok(())
}

#[test]
fn a_server_that_is_not_there_is_an_outage() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = ChatServer::start(|_| Does::Dies)?;
    let client = client(&server, folder.path(), "")?;
    for part in ["broke off the connection", "cannot be reached"] {
        let (parsed, _) = ask(&client, Purpose::Step, 300, None);
        match parsed.reply {
            Reply::Unavailable { reason, class: Unavailability::Transient, .. } if reason.contains(part) => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
    Ok(())
}

#[test]
fn signals_are_measured_where_they_are_offered() -> Result<()> {
    let half = 0.5_f64.ln();
    let alternatives = json!([{"token": "a", "logprob": half}, {"token": "b", "logprob": half}]);
    let tokens = json!({"content": [{"token": "a", "logprob": half, "bytes": null, "top_logprobs": alternatives}]});
    let one = json!({"content": [{"token": "a", "logprob": -0.1, "top_logprobs": [{"token": "a", "logprob": -0.1}]}]});
    let asked = "logprobs = true";
    let table = [
        ("offered", asked, with("logprobs", tokens), vec![("logprob_entropy", std::f64::consts::LN_2)]),
        ("missing", asked, with("logprobs", json!(null)), vec![]),
        ("no alternatives", asked, with("logprobs", one), vec![]),
        ("another form", asked, with("logprobs", json!({"content": [{"top_logprobs": {"a": -0.1}}]})), vec![]),
        ("no samples agree", "samples = 2", Does::Answers(completion(&["no", "neither"])), vec![]),
        ("fewer samples than asked for", "samples = 3", Does::Says(good()), vec![]),
        (
            "two of three samples agree",
            "samples = 3",
            Does::Answers(completion(&["no", &good(), &good()])),
            vec![("self_consistency", 2.0 / 3.0)],
        ),
    ];
    for (name, more, does, wanted) in table {
        let (reply, _) = once(more, move |_| does.clone())?;
        let found: Vec<(String, f64)> = match &reply {
            Reply::Step(step) => step.signals.iter().map(|signal| (signal.name.to_string(), signal.value)).collect(),
            Reply::Invalid { .. } => vec![],
            other => anyhow::bail!("{name}: {other:?}"),
        };
        let same =
            |(found, wanted): (&(String, f64), &(&str, f64))| found.0 == wanted.0 && (found.1 - wanted.1).abs() < 1e-12;
        assert!(found.len() == wanted.len() && found.iter().zip(&wanted).all(same), "{name}: {found:?}");
    }
    Ok(())
}

#[test]
fn what_is_not_said_of_usage_is_estimated() -> Result<()> {
    let without = |key: Option<&'static str>| {
        move |_: &Request| {
            let mut body = completion(&[&good()]);
            match (key, body["usage"].as_object_mut()) {
                (Some(key), Some(usage)) => drop(usage.remove(key)),
                _ => body["usage"] = Value::Null,
            }
            Does::Answers(body)
        }
    };
    let written = (good().len() as u64).div_ceil(4);
    let (_, usage) = once("", without(Some("completion_tokens")))?;
    assert_eq!((usage.input_tokens, usage.output_tokens), (120, written));
    let (_, usage) = once("", without(None))?;
    assert!(usage.input_tokens > 100 && usage.output_tokens == written, "{usage:?}");
    // Micro-dollars for 1,000 tokens, rounded up.
    assert_eq!(usage.cost, usage.input_tokens + 2 * usage.output_tokens);
    assert!(usage.estimated);
    // 0 of a request that is not empty means that nobody has counted.
    let of = |usage: Value| {
        move |_: &Request| {
            let mut body = completion(&[&good()]);
            body["usage"] = usage.clone();
            Does::Answers(body)
        }
    };
    let (_, none) = once("", of(json!({"prompt_tokens": 0, "completion_tokens": 0})))?;
    assert_eq!(none, usage);
    let (_, half) = once("", of(json!({"prompt_tokens": 0, "completion_tokens": 7})))?;
    assert_eq!((half.input_tokens, half.output_tokens, half.estimated), (usage.input_tokens, 7, true));
    let (_, other_names) = once("", of(json!({"input_tokens": 9, "output_tokens": 7})))?;
    assert_eq!((other_names.input_tokens, other_names.output_tokens, other_names.estimated), (9, 7, false));
    Ok(())
}

/// What stands in the place of thoughts is paid for, and never the answer.
#[test]
fn thoughts_are_no_answer_wherever_they_stand() -> Result<()> {
    let delete = step_text("delete", json!({"tool": "delete"}), 0.9);
    let parts = json!([{"type": "thinking", "text": delete}, {"type": "text", "text": good()}]);
    let messages = [
        json!({"content": good(), "reasoning_content": delete, "reasoning": delete}),
        json!({"content": parts}),
        json!({"content": format!("<think>{delete}</think>{}", good())}),
    ];
    for message in messages {
        let mut body = completion(&[""]);
        (body["choices"][0]["message"], body["usage"]) = (message.clone(), Value::Null);
        let (reply, usage) = once("", move |_| Does::Answers(body.clone()))?;
        ensure!(matches!(&reply, Reply::Step(step) if &*step.step == "look"), "{message}: {reply:?}");
        ensure!(usage.output_tokens >= ((good().len() + delete.len()) as u64).div_ceil(4), "{message}: {usage:?}");
    }
    for message in [json!({"content": null, "reasoning_content": delete}), json!({"content": parts_of(&delete)})] {
        let (reply, _) = once("", move |_| with("message", message.clone()))?;
        ensure!(matches!(&reply, Reply::Invalid { reason, .. } if reason.contains("has no text")), "{reply:?}");
    }
    Ok(())
}

fn parts_of(thought: &str) -> Value {
    json!([{"type": "reasoning", "text": thought}])
}

#[test]
fn the_digest_of_a_request_is_of_the_bytes_that_arrive() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = ChatServer::start(|_| Does::Says(good()))?;
    let client = client(&server, folder.path(), "")?;
    let mut digests = Vec::new();
    for purpose in [Purpose::Step, Purpose::Step, packet()] {
        let (_, _, digest) = called(&client, purpose, 3000, None);
        let sent = server.requests().pop().context("nothing was sent")?;
        assert_eq!(digest.as_ref(), Some(&sent.digest));
        digests.push(digest);
    }
    assert!(digests[0] == digests[1] && digests[1] != digests[2], "{digests:?}");
    // A model that nobody serves was sent nothing.
    let tools = Tools { shown: &[], arguments: &Any };
    let nobody = client.call((Tier::Strong, "none"), &request(Purpose::Step), &tools, 1, &Salt([0; 32]), None);
    assert_eq!(nobody.2, None);
    Ok(())
}

/// What is asked for, of the server and not of the crate: one request of each kind.
#[test]
fn a_request_says_what_the_registry_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sent = |more: &str, purpose: Purpose, reserved: u64| -> Result<Request> {
        let server = ChatServer::start(|_| Does::Says(good()))?;
        ask(&client(&server, folder.path(), more)?, purpose, reserved, None);
        server.requests().pop().context("nothing was sent")
    };
    let plain = sent("", Purpose::Step, 3000)?;
    assert_eq!(plain.path, "/v1/chat/completions");
    assert_eq!(plain.authorization.as_deref(), Some(&*format!("Bearer {KEY}")));
    let form = &plain.body["response_format"];
    assert_eq!((&form["type"], &form["json_schema"]["name"]), (&json!("json_schema"), &json!("step")));
    assert_eq!((plain.model(), &plain.body["max_tokens"]), ("small", &json!(300)));
    assert!(plain.body["messages"][0]["role"] == "system" && plain.told().contains("\"find it\""), "{plain:?}");
    for key in ["n", "logprobs", "top_logprobs", "temperature", "max_completion_tokens", "stream", "tools"] {
        assert!(plain.body.get(key).is_none(), "{key}: {}", plain.body);
    }
    let more = "samples = 3\nlogprobs = true\ntemperature = 0.5\nstructured-output = \"json-object\"\n\
                output-limit-key = \"max_completion_tokens\"";
    let rich = sent(more, Purpose::Step, 600)?.body;
    // What was reserved is for all samples together.
    let wanted = json!({
        "n": 3, "logprobs": true, "top_logprobs": 5, "temperature": 0.5,
        "response_format": {"type": "json_object"}, "max_completion_tokens": 200,
    });
    for (key, value) in wanted.as_object().into_iter().flatten() {
        assert_eq!(&rich[key], value, "{key}");
    }
    assert!(rich.get("max_tokens").is_none());
    assert!(sent("structured-output = \"none\"", Purpose::Step, 600)?.body.get("response_format").is_none());
    // Help is asked for with the packet alone, and in free text.
    let help = sent(more, packet(), 600)?;
    let told: Value = serde_json::from_str(help.told())?;
    assert_eq!(told.as_object().map(|fields| fields.len()), Some(6), "{told}");
    assert_eq!(help.body["max_completion_tokens"], json!(300));
    for key in ["n", "logprobs", "response_format", "tools"] {
        assert!(help.body.get(key).is_none(), "{key}: {}", help.body);
    }
    Ok(())
}

#[test]
fn a_key_that_a_server_repeats_goes_nowhere() -> Result<()> {
    let repeated = || json!({"error": {"message": format!("the key {KEY} in `Authorization: Bearer {KEY}` is bad")}});
    let echo = step_text("look", json!({"ask": format!("is it {KEY}?")}), 0.9);
    let refusal = with("message", json!({"refusal": format!("not with {KEY}")}));
    let cases = [Does::Refuses(500, vec![], repeated()), Does::Answers(repeated()), Does::Says(echo), refusal];
    for does in cases {
        let (reply, _) = once("", move |_| does.clone())?;
        let recorded = serde_json::to_string(&reply)?;
        ensure!(!recorded.contains(KEY) && recorded.contains("[redacted:"), "{recorded}");
    }
    // Cut anywhere, no part of it is left.
    for before in (100..320).step_by(7) {
        let message = format!("{}{KEY}", "x".repeat(before));
        let (reply, _) = once("", move |_| Does::Refuses(401, vec![], json!({"error": {"message": message}})))?;
        let recorded = serde_json::to_string(&reply)?;
        ensure!(!recorded.contains(&KEY[..8]), "{recorded}");
    }
    let long = "x".repeat(100_000);
    let (reply, _) = once("", move |_| Does::Refuses(500, vec![], json!({"error": {"message": long}})))?;
    ensure!(serde_json::to_string(&reply)?.len() < 1000, "{reply:?}");
    Ok(())
}

#[test]
fn a_call_that_is_given_up_does_not_wait_for_its_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = ChatServer::start(|_| Does::Late(Duration::from_secs(300), Box::new(Does::HangsUp)))?;
    let client = client(&server, folder.path(), "time-out = 600000")?;
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    let (parsed, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while server.requests().is_empty() {
                std::thread::sleep(Duration::from_millis(10));
            }
            flag.store(true, Ordering::Relaxed);
        });
        ask(&client, Purpose::Step, 300, Some(&cancel))
    });
    match parsed.reply {
        Reply::Unavailable { reason, .. } if reason.contains("cancelled") => Ok(()),
        other => anyhow::bail!("{other:?}"),
    }
}

/// Where a key is missing nothing is begun, and the error says where it was looked for.
#[test]
fn a_key_is_where_it_is_said_to_be() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let base = "version = 1\n[models.strong]\nname = \"m\"\nendpoint = \"https://example.com/v1\"\ninput-price = 1\n\
                output-price = 1\n";
    std::fs::write(folder.path().join("empty"), " \n")?;
    std::fs::write(folder.path().join("two-lines"), "one\ntwo")?;
    let table = [
        (
            "key-env = \"COUNTERSIGN_NO_SUCH_KEY\"",
            "key `models.strong.key-env`: names `COUNTERSIGN_NO_SUCH_KEY`, which is not set",
        ),
        ("key-file = \"absent\"", "key `models.strong.key-file`: names `absent`"),
        ("key-file = \"empty\"", "key `models.strong.key-file`: is empty"),
        ("key-file = \"two-lines\"", "key `models.strong.key-file`: contains a character"),
    ];
    for (line, part) in table {
        std::fs::write(folder.path().join("countersign.toml"), format!("{base}{line}\n"))?;
        let client = Client::new(&registry(folder.path())?);
        let error = client.map_or_else(|error| error.to_string(), |_| "made".to_owned());
        assert!(error.contains(part) && error.contains("countersign.toml"), "{error}");
    }
    Ok(())
}
