//! What whoever operates is told while agents work: a line for each ruling, items for people that hold nobody up, lists
//! that find what is looked for.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::countersign;
use super::kept::Kept;
use super::ordinary_work::config;
use super::results::Agent;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn each_ruling_is_one_line_with_time_agent_tool_slot_reason_and_what_to_do() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let more = "[agents.ada]\n[boundary]\ntools = ['fake__echo', 'fake__change']\n";
    let (config, log) = (config(folder.path(), more), folder.path().join("log"));
    let mut agent = Agent::start_logged(&config, &log, "json");
    agent.call("fake__echo", &json!({"text": "fine"}));
    agent.call("fake__change", &json!({"text": "turn \u{202e}left"}));
    agent.call("fake__env", &json!({}));
    agent.call("fake__echo", &json!({"text": 3}));
    agent.call("fake__echo", &json!({"text": "card 4111 1111 1111 1111"}));
    agent.leave();
    let text = read(&log);
    assert!(!text.contains('\u{202e}'), "{text}");
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let rulings: Vec<&Value> = lines.iter().filter(|line| line.get("slot").is_some()).collect();
    let of = |what: &str, tool: &str| rulings.iter().find(|line| line["what"] == what && line["tool"] == tool).copied();
    for (what, tool, slot, next) in [
        ("asks", "fake__change", "risk", "countersign runs show"),
        ("refused", "fake__env", "permission", "countersign mcp explain fake__env"),
        ("refused", "fake__echo", "schema", "countersign mcp explain fake__echo"),
    ] {
        let Some(line) = of(what, tool) else { panic!("{what} {tool}: {text}") };
        let says = |key: &str, part: &str| line[key].as_str().is_some_and(|text| text.contains(part));
        assert!(says("slot", slot) && says("next", next) && says("agent", "ada") && says("at", "T"), "{line}");
        assert!(line["run"].is_string() && line["frame"].is_u64() && !says("reason", "\n"), "{line}");
    }
    assert!(of("redacted", "fake__echo").is_some(), "{text}");
    assert_eq!(rulings.iter().filter(|line| line["what"] == "asks").count(), 1, "{text}");
    // As text each is a line too, and a call that simply runs is none.
    let mut agent = Agent::start_logged(&config, &log, "text");
    agent.call("fake__echo", &json!({"text": "fine"}));
    agent.call("fake__env", &json!({}));
    agent.leave();
    let text = read(&log);
    let refused: Vec<&str> = text.lines().filter(|line| line.contains("refused")).collect();
    assert_eq!(refused.len(), 1, "{text}");
    assert!(refused[0].contains("tool=fake__env") && refused[0].contains("agent=ada"), "{text}");
    assert!(refused[0].get(..2) == Some("20") && refused[0].contains("Z INFO"), "{text}");
    Ok(())
}

/// A webhook that takes connections and never answers.
#[test]
fn a_sink_that_hangs_delays_no_call_and_nothing_is_lost() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = TcpListener::bind("127.0.0.1:0")?;
    let address = server.local_addr()?;
    std::fs::create_dir_all(folder.path().join(".countersign"))?;
    std::fs::write(folder.path().join(".countersign/secret"), "s")?;
    let sink = format!(
        "[[operator.sinks]]\nto = 'webhook'\nurl = 'http://{address}/'\nsecret-file = 'secret'\ntime-out = 3000\nretries = 0"
    );
    let mut agent = Agent::start(&config(folder.path(), &sink));
    agent.call("fake__echo", &json!({"text": "the policies are there"}));
    let began = Instant::now();
    for number in 0..3 {
        let told = agent.call("fake__change", &json!({"text": format!("{number}")})).join("\n");
        assert!(told.contains("a person must approve"), "{told}");
        assert_eq!(agent.call("fake__echo", &json!({"text": "read"})), ["read"]);
    }
    assert!(began.elapsed() < Duration::from_secs(3), "three items of three seconds each: {:?}", began.elapsed());
    // Whoever looks at the connections finds the first item.
    let (mut connection, _) = server.accept()?;
    let mut head = [0; 4];
    while connection.read_exact(&mut head).is_err() {
        // That was the one that tried it out.
        connection = server.accept()?.0;
    }
    assert_eq!(&head, b"POST");
    agent.leave();
    let kept = read(&folder.path().join(".countersign/undelivered.jsonl"));
    assert_eq!(kept.lines().count(), 3, "{kept}");
    Ok(())
}

#[test]
fn what_is_wrong_with_a_sink_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    for (sink, part) in [
        ("to = 'webhook'\nurl = 'http://127.0.0.1:9/'\nsecret-env = 'NO_SUCH_SECRET'", "NO_SUCH_SECRET"),
        ("to = 'webhook'\nurl = 'nowhere'\nsecret-env = 'PATH'", "`url`"),
        ("to = 'command'\nargv = ['./none']", "`argv`"),
    ] {
        let config = config(folder.path(), &format!("[[operator.sinks]]\n{sink}")).display().to_string();
        countersign(["mcp", "--config", &config]).expect(2, part);
    }
    // One that nobody answers is a warning, and holds nothing up.
    let secret = folder.path().join(".countersign/secret");
    std::fs::create_dir_all(folder.path().join(".countersign")).unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(secret, "s").unwrap_or_else(|error| panic!("{error}"));
    let sink = "[[operator.sinks]]\nto = 'webhook'\nurl = 'http://127.0.0.1:9/'\nsecret-file = 'secret'";
    let (config, log) = (config(folder.path(), sink), folder.path().join("log"));
    let mut agent = Agent::start_logged(&config, &log, "text");
    assert_eq!(agent.call("fake__echo", &json!({"text": "read"})), ["read"]);
    agent.leave();
    assert!(read(&log).contains("a sink cannot be reached now"), "{}", read(&log));
}

#[test]
fn a_list_shows_what_is_looked_for() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = config(folder.path(), "[agents.ada]\ntenant = 'team-a'\n[agents.bob]");
    for name in ["ada", "bob"] {
        let mut agent = Agent::start_as(&config, name);
        agent.call("fake__echo", &json!({"text": "x"}));
        if name == "bob" {
            agent.call("fake__change", &json!({"text": "x"}));
        }
        agent.leave();
    }
    let kept = Kept::of_gateway(folder.path());
    let found = |more: &[&str]| {
        let rows = kept.json(&[&["list"], more].concat());
        let agents = rows.as_array().into_iter().flatten().filter_map(|row| row["agent"].as_str());
        agents.map(str::to_owned).collect::<Vec<_>>()
    };
    for (more, agents) in [
        (&["--agent", "ada"][..], &["ada"][..]),
        (&["--tenant", "team-a"], &["ada"]),
        (&["--state", "waiting"], &["bob"]),
        (&["--state", "running"], &["bob", "ada"]),
        (&["--state", "ended"], &[]),
        (&["--since", "1h"], &["bob", "ada"]),
        (&["--code", "CONFIRM_REQUIRED"], &[]),
        (&[], &["bob", "ada"]),
    ] {
        assert_eq!(found(more), agents, "{more:?}");
    }
    kept.runs(&["list", "--state", "ended"]).expect(0, "no run of");
    kept.runs(&["list", "--code", "nonsense"]).expect(2, "is no code");
    kept.runs(&["list", "--since", "soon"]).expect(2, "is no time");
    // Approve and reject take a token in the same forms.
    let (run, token) =
        (kept.ids().pop().unwrap_or_default(), kept.json(&["list"])[0]["parked"][0]["fingerprint"].clone());
    let token = token.as_str().unwrap_or_default();
    kept.runs(&["approve", &run]).expect(2, "FINGERPRINT");
    kept.runs(&["approve", &run, "--fingerprint", token]).expect(0, "in the inbox");
    kept.runs(&["reject", &run, &token[..8]]).expect(0, "in the inbox");
}

#[test]
fn the_bundle_that_the_program_carries_can_be_edited() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let own = folder.path().join("own").display().to_string();
    countersign(["bundle", "init", &own]).expect(0, "bundle.toml");
    countersign(["bundle", "lock", &own, "--check"]).expect(0, "up to date");
    let digest = |arguments: &[&str]| {
        let shown = countersign([&["bundle", "show", "--json"], arguments].concat()).out();
        serde_json::from_str::<Value>(&shown).unwrap_or_default()["digest"].as_str().map(str::to_owned)
    };
    assert!(digest(&[]).is_some() && digest(&[&own]) == digest(&[]), "it is that very bundle");
    countersign(["bundle", "init", &own]).expect(2, "it holds something already");
    let path = folder.path().join("own/bundle.toml");
    let text = read(&path);
    std::fs::write(&path, text.replace("name = \"default\"", "name = \"mine\""))?;
    countersign(["bundle", "lock", &own]).expect(0, "bundle.lock");
    countersign(["bundle", "show", &own]).expect(0, "mine");
    std::fs::write(folder.path().join("file"), "")?;
    countersign(["bundle", "init", &folder.path().join("file").display().to_string()]).expect(2, "file");
    Ok(())
}

/// A kill switch holds an approved call back, and the approval is worth as much once it is lifted.
#[test]
fn a_kill_switch_consumes_no_approval() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let switches = folder.path().join("switches.toml");
    std::fs::write(&switches, "")?;
    let config = config(folder.path(), "[operator]\nswitches = 'switches.toml'");
    let mut agent = Agent::start(&config);
    let left = json!({"text": "left"});
    agent.call("fake__change", &left);
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().unwrap_or_default();
    let token = kept.json(&["list"])[0]["parked"][0]["fingerprint"].as_str().unwrap_or_default().to_owned();
    kept.runs(&["approve", &run, &token]).expect(0, "");
    std::fs::write(&switches, "tools = ['fake__change']\nreason = 'looking at it'")?;
    let told = agent.call("fake__change", &left).join("\n");
    assert!(told.contains("looking at it"), "{told}");
    std::fs::write(&switches, "")?;
    kept.runs(&["go-on", &run]).expect(0, "");
    assert_eq!(agent.call("fake__change", &left), ["changed"]);
    let told = agent.call("fake__change", &left).join("\n");
    assert!(!told.contains("changed\n") && told.contains("orwarded"), "it was used by then: {told}");
    agent.leave();
    kept.trace("replay", &run).expect(0, "came out the same");
    Ok(())
}

/// Who decides sees what each of them says who asks.
#[test]
fn a_person_sees_the_reasons_of_all_who_ask() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), ""));
    agent.call("fake__change", &json!({"text": "left"}));
    agent.leave();
    let kept = Kept::of_gateway(folder.path());
    let run = kept.ids().pop().unwrap_or_default();
    let shown = kept.runs(&["show", &run]).expect(0, "needs approval by its kind").out();
    assert!(shown.contains("irreversible, confidence unknown"), "{shown}");
}

/// A tool that may not be called now is not told of as one whose arguments are wrong.
#[test]
fn a_tool_that_is_withheld_is_told_of_as_that() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let config = config(folder.path(), "");
    let text = read(&config).replace("\"]\n", "\", \"--dies-at\", \"2\"]\nrestarts = 0\n");
    std::fs::write(&config, text).unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config);
    assert_eq!(agent.call("fake__echo", &json!({"text": "one"})), ["one"]);
    agent.call("fake__echo", &json!({"text": "two"}));
    let told = agent.call("fake__echo", &json!({"text": "three"})).join("\n");
    assert!(told.contains("orwarded") && !told.contains("invalid arguments"), "{told}");
    agent.leave();
}

/// One server that does not start takes nothing from the others, whatever the file says of its tools.
#[test]
fn what_is_said_of_the_tools_of_a_server_that_is_away_holds_nobody_up() {
    for key in ["asks", "preauthorised"] {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let more = format!("[boundary]\n{key} = ['b__del']\n[servers.b]\ncommand = ['/no/such/program']\n");
        let (config, log) = (config(folder.path(), &more), folder.path().join("log"));
        let mut agent = Agent::start_logged(&config, &log, "text");
        assert_eq!(agent.call("fake__echo", &json!({"text": "read"})), ["read"], "{key}: {}", read(&log));
        agent.leave();
        let told = read(&log);
        assert!(told.contains(&format!("boundary.{key}")) && told.contains("b__del"), "{key}: {told}");
    }
    // Said of a tool of no server it is a mistake, of which whoever starts the gateway is told.
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    for (key, name) in [("asks", "c__del"), ("preauthorised", "del"), ("tools", "fak__echo")] {
        let config = config(folder.path(), &format!("[boundary]\n{key} = ['{name}']\n")).display().to_string();
        let told = countersign(["mcp", "--config", &config]).expect(2, &format!("key `boundary.{key}`: `{name}`"));
        told.expect(2, "countersign.toml");
    }
}

/// What the agent is told of a call that cannot be made is why.
#[test]
fn an_agent_is_told_the_true_reason() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut agent = Agent::start(&config(folder.path(), ""));
    for (tool, arguments, part) in [
        ("defer_to_human", json!({"reason": "stuck"}), "a reason of at least 20 characters"),
        ("defer_to_human", json!({}), "expected `reason`"),
        ("escalate_to_architect", json!({"reason": "stuck"}), "`severity` warning or critical"),
        ("fake__nope", json!({}), "there is no such tool as `fake__nope`"),
        ("nope", json!({}), "there is no such tool as `nope`"),
        ("other__nope", json!({}), "there is no such tool as `other__nope`"),
    ] {
        let told = agent.call(tool, &arguments).join("\n");
        assert!(told.contains(part) && !told.contains("no longer"), "{tool} {arguments}: {told}");
    }
    agent.leave();
}
