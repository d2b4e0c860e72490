//! Runs with models behind HTTP: they escalate and finish, and an outage is an outage and not a loop.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign::store::RegisterName;
use countersign_tests::chat::{ChatServer, Does, Request, completion};
use countersign_tests::root;
use serde_json::{Value, json};

use super::countersign;
use super::kept::Kept;

type Tested = Result<(), Box<dyn std::error::Error>>;

const KEY: &str = "nobody-may-see-this-key-7f3a9c21";

/// A folder with a task, a registry of two models at one server, and their key.
pub(super) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new(server: &ChatServer, task: &str, more: &str) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let model = |tier: &str, name: &str, prices: (u32, u32)| {
            format!(
                "[models.{tier}]\nname = \"{name}\"\nendpoint = \"{}\"\ninput-price = {}\noutput-price = {}\n\
                 max-output-tokens = 400\nkey-file = \"key.txt\"\n{more}\n",
                server.endpoint(),
                prices.0,
                prices.1
            )
        };
        let (cheap, strong) = (model("cheap", "small-1", (100, 400)), model("strong", "large-1", (3000, 15_000)));
        std::fs::write(folder.path().join("countersign.toml"), format!("version = 1\n{cheap}{strong}"))?;
        std::fs::write(folder.path().join("key.txt"), format!("{KEY}\n"))?;
        std::fs::write(folder.path().join("task.toml"), task)?;
        Ok(Place { folder })
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn arguments(&self) -> [String; 6] {
        let (task, config, store) = (self.path("task.toml"), self.path("countersign.toml"), self.kept().path());
        ["run".to_owned(), task, "--config".to_owned(), config, "--store".to_owned(), store]
    }

    pub fn run(&self) -> super::Run {
        countersign(self.arguments())
    }

    pub fn kept(&self) -> Kept {
        Kept::new(&self.folder.path().join("kept"))
    }

    /// The only run.
    pub fn id(&self) -> std::io::Result<String> {
        let mut ids = self.kept().ids();
        assert!(ids.len() < 2, "{ids:?}");
        ids.pop().ok_or_else(|| std::io::Error::other("there is no run"))
    }

    /// Its trace, which is whole and comes out the same; nothing that is kept holds the key.
    pub fn trace(&self) -> std::io::Result<String> {
        let (kept, id) = (self.kept(), self.id()?);
        kept.trace("verify", &id).expect(0, "complete");
        kept.trace("replay", &id).expect(0, "came out the same");
        without_key(&self.folder.path().join("kept"))?;
        kept.text(&id)
    }

    /// What is known of the health of the agent.
    fn health(&self) -> Value {
        let listed = countersign(["agents", "list", "--json", "--store", &self.kept().path()]).expect(0, "");
        serde_json::from_str(&listed.out()).unwrap_or_default()
    }
}

fn without_key(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            without_key(&path)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        assert!(!bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "`{}` has the key", path.display());
    }
    Ok(())
}

/// A task that a small model does with help: the one of the first scenario, without its scripted models
/// and other tables.
fn task(without: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(root().join("tests/scenarios/loop-and-recover.toml"))?;
    let mut table: toml::Table = toml::from_str(&text)?;
    table.retain(|key, _| key != "models" && !without.contains(&key));
    Ok(table.to_string())
}

/// How it ended, for whoever runs the tests with `--nocapture`.
fn told(run: &super::Run) {
    let out = run.out();
    let end = out.lines().skip_while(|line| !line.starts_with("ended"));
    println!("exit code {}\n{}{}", run.code(), end.collect::<Vec<_>>().join("\n"), run.err());
}

/// The small model searches in circles until it is told what to do; the large one tells it.
fn goes_in_circles(request: &Request) -> Does {
    let told = request.told();
    if request.model() == "large-1" {
        return Does::Says("Write the line `hello, world` into src/greeting.txt, then run the check.".to_owned());
    }
    let advised = told.contains("Write the line");
    if advised && told.contains("write-file {") {
        return Does::step("check", json!({"tool": "run-check"}), 0.95);
    }
    if advised {
        let arguments = json!({"path": "src/greeting.txt", "text": "hello, world"});
        return Does::step("fix the greeting", json!({"tool": "write-file", "arguments": arguments}), 0.9);
    }
    if told.contains("\"purpose\":\"replan\"") || told.contains("list-files {") {
        return Does::step("look around", json!({"tool": "list-files", "arguments": {"folder": "src"}}), 0.8);
    }
    Does::step("find the greeting", json!({"tool": "search", "arguments": {"pattern": "hello"}}), 0.86)
}

#[test]
fn a_run_escalates_with_a_compact_packet_and_finishes() -> Tested {
    // Its first answer fails, and repeats the key that it was sent.
    let server = ChatServer::start(|request| match request.number {
        0 => Does::Refuses(500, vec![], json!({"error": {"message": format!("cannot check {KEY} now")}})),
        _ => goes_in_circles(request),
    })?;
    let place = Place::new(&server, &task(&[])?, "")?;
    let run = place.run().expect(0, "ended SUCCESS");
    for part in ["escalate    cheap → strong", "criterion   check-passes is verified", "packet  "] {
        assert!(run.out().contains(part), "expected `{part}` in:\n{}", run.out());
    }
    let requests = server.requests();
    let wanted = format!("Bearer {KEY}");
    assert!(requests.iter().all(|request| request.authorization.as_deref() == Some(&*wanted)));
    // The large model is told the packet alone, a fraction of what the small one was told.
    let packets: Vec<&Request> = requests.iter().filter(|request| request.model() == "large-1").collect();
    assert_eq!(packets.len(), 1);
    let packet: Value = serde_json::from_str(packets[0].told())?;
    let fields: Vec<&String> = packet.as_object().into_iter().flat_map(|fields| fields.keys()).collect();
    let known = ["constraints", "error-signals", "failure-point", "goal", "last-valid-state", "snippet"];
    assert_eq!(fields, known);
    let steps = requests.iter().filter(|request| request.model() == "small-1");
    let whole: usize = steps.map(|request| request.told().len()).sum();
    assert!(packets[0].told().len() * 10 < whole, "{} of {whole}", packets[0].told().len());
    let trace = place.trace()?;
    assert!(trace.contains("[redacted:model-key]") && trace.contains("\"input-tokens\":120"));
    // Where the models come from is kept, so that the run can be taken up again; the key is not.
    let name = RegisterName::of(&["tasks", &place.id()?])?;
    let task = place.kept().open()?.register(&name)?.ok_or("its task is not kept")?;
    let task = String::from_utf8(task.value)?;
    assert!(task.contains(&place.path("key.txt")), "{task}");
    told(&run);
    Ok(())
}

#[test]
fn an_endpoint_that_dies_is_an_outage_and_not_a_loop() -> Tested {
    let server = ChatServer::start(|request| match request.number {
        2 => Does::Dies,
        _ => goes_in_circles(request),
    })?;
    let place = Place::new(&server, &task(&["expect"])?, "")?;
    let run = place.run().expect(13, "ended UNAVAILABLE_DEP");
    assert_eq!(server.requests().len(), 3);
    // Tried again twice, and then given up: no verdict of the loop detector is in the way of anything.
    let trace = place.trace()?;
    assert_eq!(trace.matches("\"retrying\"").count(), 2, "{trace}");
    for verdict in ["caution", "warning", "replan", "escalate", "terminate", "trip"] {
        assert!(!run.out().contains(&format!("doom-loop   {verdict}")), "{}", run.out());
    }
    told(&run);
    Ok(())
}

/// A task of one call, expecting nothing.
pub(super) const ONE: &str = r#"
version = 1
title = "Look once"

[goal]
text = "Look at it."

[[goal.criteria]]
id = "seen"
text = "it was looked at"
tool = "look"

[tools.look]
category = "read-only-lookup"
reversibility = "reversible"
blast-radius = 0
command = ["echo", "there it is"]
verify = { exit-code = 0 }
"#;

fn looks() -> Does {
    Does::step("look", json!({"tool": "look"}), 0.95)
}

#[test]
fn what_a_busy_server_asks_for_is_waited_for() -> Tested {
    let busy = || Does::Refuses(429, vec![("retry-after", "1".to_owned())], json!({"error": {"message": "busy"}}));
    let server = ChatServer::start(move |request| if request.number == 0 { busy() } else { looks() })?;
    let place = Place::new(&server, ONE, "")?;
    place.run().expect(0, "ended SUCCESS");
    let trace = place.trace()?;
    assert!(trace.contains("\"retry-after\":1000"), "{trace}");
    // The wait is recorded with what it had to be at least.
    let waited = trace.lines().filter_map(|line| line.split("\"retrying\":").nth(1));
    let waits: Vec<&str> = waited.filter_map(|rest| rest.split("\"wait\":").nth(1)).collect();
    assert!(waits.len() == 1 && waits[0].starts_with("1000"), "{waits:?}");
    // One that wants to be left alone for an hour is not sat out: the run ends, and its agent rests.
    let gone = || Does::Refuses(503, vec![("retry-after", "3600".to_owned())], json!({}));
    let server = ChatServer::start(move |_| gone())?;
    let place = Place::new(&server, ONE, "")?;
    place.run().expect(13, "ended UNAVAILABLE_DEP");
    assert_eq!(server.requests().len(), 1);
    place.run().expect(12, "is not dispatched until");
    assert_eq!(server.requests().len(), 1);
    Ok(())
}

#[test]
fn refused_credentials_pause_the_agent() -> Tested {
    let refused = || Does::Refuses(401, vec![], json!({"error": {"message": format!("bad key {KEY}")}}));
    let server = ChatServer::start(move |_| refused())?;
    let operator = "\n[operator.health]\nauth-failure-pause = 7200000\n";
    let place = Place::new(&server, &format!("{ONE}{operator}"), "")?;
    place.run().expect(13, "ended UNAVAILABLE_DEP");
    assert_eq!(place.health()["agent"]["paused-reason"], "auth-failure", "{}", place.health());
    assert!(!place.trace()?.contains("\"retrying\""));
    // The next run of the agent is not begun, and nothing is sent.
    let run = place.run().expect(12, "agent `agent` is not dispatched until");
    assert_eq!(server.requests().len(), 1);
    told(&run);
    Ok(())
}

#[test]
#[cfg(unix)]
fn ctrl_c_breaks_a_call_off() -> Tested {
    let late = || Does::Late(Duration::from_secs(120), Box::new(looks()));
    let server = ChatServer::start(move |_| late())?;
    let place = Place::new(&server, ONE, "time-out = 600000")?;
    let begun = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .current_dir(root())
        .env("COUNTERSIGN_CACHE", super::compiled())
        .args(place.arguments())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    while server.requests().is_empty() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let output = child.wait_with_output()?;
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("ended USER_CANCEL"), "{out}{}", String::from_utf8_lossy(&output.stderr));
    // Well before the server would have answered.
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
    // What a person broke off says nothing of the model.
    assert_eq!(place.health(), json!({}));
    place.trace()?;
    Ok(())
}

/// A run that waits for a person is taken up by the registry that it was begun with, and no model is asked
/// again what it has answered.
#[test]
fn a_run_is_taken_up_with_its_own_models() -> Tested {
    let server = ChatServer::start(|_| Does::step("look", json!({"tool": "look"}), 0.95))?;
    let asking =
        ONE.replace("read-only-lookup", "payment").replace("blast-radius = 0", "blast-radius = 1\nmutating = true");
    let place = Place::new(&server, &asking, "")?;
    place.run().expect(10, "suspended CONFIRM_REQUIRED");
    assert_eq!(server.requests().len(), 1);
    // The registry moves on; its key stays where it was.
    std::fs::remove_file(place.path("countersign.toml"))?;
    let kept = place.kept();
    let list = kept.json(&["list"]);
    let id = list[0]["run"].as_str().unwrap_or_default();
    let fingerprint = list[0]["report"]["approval"]["fingerprint"].as_str().unwrap_or_default();
    kept.runs(&["approve", id, fingerprint]).expect(0, "is in the inbox");
    kept.runs(&["resume", id]).expect(0, "ended SUCCESS");
    assert_eq!(server.requests().len(), 1);
    place.trace()?;
    Ok(())
}

/// Samples that agree and tokens that are sure reach the policy as signals.
#[test]
fn signals_reach_the_confidence_policy() -> Tested {
    let server = ChatServer::start(|_| {
        let Does::Says(text) = looks() else { return Does::HangsUp };
        let mut body = completion(&[&text, &text]);
        let top = json!([{"token": "a", "logprob": -0.01}, {"token": "b", "logprob": -4.6}]);
        body["choices"][0]["logprobs"] = json!({"content": [{"token": "a", "logprob": -0.01, "top_logprobs": top}]});
        Does::Answers(body)
    })?;
    let place = Place::new(&server, ONE, "logprobs = true\nsamples = 2")?;
    place.run().expect(0, "ended SUCCESS");
    let trace = place.trace()?;
    for part in ["logprob_entropy", "self_consistency", "\"signals-used\":[\"logprob_entropy\"]"] {
        assert!(trace.contains(part), "expected `{part}` in:\n{trace}");
    }
    Ok(())
}

#[test]
fn what_cannot_work_is_said_before_anything_is_begun() -> Tested {
    let server = ChatServer::start(|_| looks())?;
    let place = Place::new(&server, ONE, "")?;
    countersign(["run", &place.path("task.toml")]).expect(2, "key `models`: expected a table such as `[models.cheap]`");
    let good = std::fs::read_to_string(place.path("countersign.toml"))?;
    let table = [
        (good.replace("key.txt", "absent.txt"), "key `models.cheap.key-file`: names `absent.txt`"),
        (
            good.replace("key-file = \"key.txt\"", "key-env = \"COUNTERSIGN_NO_KEY\""),
            "`COUNTERSIGN_NO_KEY`, which is not set",
        ),
        (good.replace("[models.strong]", "[models.stronger]"), "unknown field `stronger`"),
        (good.replace("http://127.0.0.1", "http://example.com"), "would send the key in clear text"),
        (String::new(), "missing field `version`"),
    ];
    for (text, part) in table {
        std::fs::write(place.path("countersign.toml"), text)?;
        let run = place.run().expect(2, part);
        assert!(run.err().contains("countersign.toml"), "{}", run.err());
    }
    std::fs::remove_file(place.path("countersign.toml"))?;
    place.run().expect(2, "countersign.toml`: No such file");
    assert!(server.requests().is_empty() && place.kept().ids().is_empty());
    assert!(!Path::new(&place.path("kept/workspaces")).exists());
    Ok(())
}

/// Where the command does not say otherwise, the file's store keeps the run and the file's bundle judges it.
#[test]
fn one_file_says_which_models_bundle_and_store() -> Tested {
    let server = ChatServer::start(|_| looks())?;
    let place = Place::new(&server, ONE, "")?;
    let bundle = super::swap::swapped(place.folder.path())?;
    let text = std::fs::read_to_string(place.path("countersign.toml"))?;
    let more = format!("[store]\nfile = \"of-the-file.db\"\n[bundle]\nfolder = \"{bundle}\"\n");
    std::fs::write(place.path("countersign.toml"), text + &more)?;
    let own = || ["run".to_owned(), place.path("task.toml"), "--config".to_owned(), place.path("countersign.toml")];
    countersign(own()).expect(0, "ended SUCCESS").expect(0, "risk@0.2.0");
    assert!(place.kept().ids().is_empty());
    countersign(["runs", "list", "--store", &place.path("of-the-file.db")]).expect(0, "ended SUCCESS");
    // The command's own words count before the file's.
    place.run().expect(0, "ended SUCCESS");
    assert_eq!(place.kept().ids().len(), 1);
    Ok(())
}

/// The two files of the documentation, word for word but for the address.
#[test]
fn the_documented_files_work() -> Tested {
    let server = ChatServer::start(|request| {
        let told = request.told();
        let arguments = json!({"path": "greeting.txt", "text": "hello, world"});
        match told.contains("write-file {") {
            true => Does::step("check", json!({"tool": "run-check"}), 0.95),
            false => Does::step("write", json!({"tool": "write-file", "arguments": arguments}), 0.95),
        }
    })?;
    let text = std::fs::read_to_string(root().join("host/cli/README.md"))?;
    let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [models, task] = blocks[..] else { return Err(format!("{} files", blocks.len()).into()) };
    let place = Place::new(&server, task, "")?;
    std::fs::write(place.path("countersign.toml"), models.replace("http://127.0.0.1:8080/v1", &server.endpoint()))?;
    place.run().expect(0, "ended SUCCESS");
    Ok(())
}

#[test]
fn a_run_that_is_taken_up_without_its_key_names_key_and_variable() -> Tested {
    let pays = || Does::step("pay", json!({"tool": "pay", "arguments": {"amount": 700}}), 0.95);
    let server = ChatServer::start(move |_| pays())?;
    let task = super::runs::PAY.split("[models.cheap]").next().unwrap_or_default();
    let place = Place::new(&server, task, "")?;
    let config = std::fs::read_to_string(place.path("countersign.toml"))?;
    let config = config.replace("key-file = \"key.txt\"", "key-env = \"COUNTERSIGN_TEST_KEY\"");
    std::fs::write(place.path("countersign.toml"), config)?;
    let key = [("COUNTERSIGN_TEST_KEY", KEY)];
    super::countersign_with(&key, place.arguments()).expect(10, "suspended CONFIRM_REQUIRED");
    let (kept, id) = (place.kept(), place.id()?);
    let fingerprint = kept.json(&["show", &id])["report"]["approval"]["fingerprint"].as_str().unwrap_or("").to_owned();
    kept.runs(&["approve", &id, &fingerprint]).expect(0, "is in the inbox");
    let run = kept
        .runs(&["resume", &id])
        .expect(2, "key `models.cheap.key-env`: names `COUNTERSIGN_TEST_KEY`, which is not set");
    assert!(run.err().contains(&id) && !run.err().contains("/tmp"), "{}", run.err());
    super::countersign_with(&key, ["runs", "resume", &id, "--store", &kept.path()]).expect(0, "ended SUCCESS");
    Ok(())
}
