//! Installed bundles by command: used, rolled back, revoked, and taken by a gateway that runs.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign_tests::root;
use serde_json::{Value, json};

use super::countersign;
use super::kept::Kept;
use super::swap::swapped;

/// A place with a folder for installed bundles.
struct Place {
    folder: tempfile::TempDir,
    bundles: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let bundles = folder.path().join("bundles").display().to_string();
        Place { folder, bundles }
    }

    /// The small bundles, in folders of their own.
    #[cfg(unix)]
    fn small(&self) -> (String, String) {
        let (lenient, cautious) = (self.folder.path().join("lenient"), self.folder.path().join("cautious"));
        countersign_tests::bundles::lenient(&lenient).unwrap_or_else(|error| panic!("{error}"));
        countersign_tests::bundles::cautious(&cautious).unwrap_or_else(|error| panic!("{error}"));
        (lenient.display().to_string(), cautious.display().to_string())
    }

    /// Installs a bundle and makes it current; its digest.
    fn take(&self, source: &str) -> String {
        let out = countersign(["bundle", "use", source, "--bundles", &self.bundles]).expect(0, "current").out();
        let digest = out.lines().next().and_then(|line| line.split(' ').next_back()).unwrap_or_default().to_owned();
        assert_eq!(digest.len(), 71, "{out}");
        digest
    }

    fn installed(&self, digest: &str) -> String {
        Path::new(&self.bundles).join(digest.trim_start_matches("sha256:")).display().to_string()
    }
}

fn default() -> String {
    root().join("plugins/bundle").display().to_string()
}

#[test]
fn a_bundle_is_used_listed_shown_and_rolled_back() {
    let place = Place::new();
    let bundles = place.bundles.as_str();
    let list = || countersign(["bundle", "list", "--bundles", bundles]);
    countersign(["bundle", "rollback", "--bundles", bundles]).expect(2, "no bundle is current here");
    countersign(["run", "tests/scenarios/loop-and-recover.toml", "--bundles", bundles])
        .expect(2, "countersign bundle use FOLDER --bundles");
    let default = place.take(&default());
    countersign(["bundle", "use", "no/such/folder", "--bundles", bundles]).expect(2, "there is no such folder");
    countersign(["bundle", "use", "ffffffffffff", "--bundles", bundles]).expect(2, "`countersign bundle list` shows");
    let cautious = swapped(place.folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let cautious = place.take(&cautious);
    let out = list().expect(0, "1 back").out();
    let line = |digest: &str| out.lines().find(|line| line.contains(&digest[..19])).unwrap_or_default().to_owned();
    assert!(line(&cautious).starts_with("current") && line(&cautious).contains("risk@0.2.0"), "{out}");
    assert!(line(&default).starts_with("1 back") && line(&default).contains("risk@0.1.0"), "{out}");
    let listed: Value = serde_json::from_str(&countersign(["bundle", "list", "--bundles", bundles, "--json"]).out())
        .unwrap_or_default();
    assert_eq!(listed[0]["digest"], cautious);
    assert_eq!((&listed[0]["standing"], &listed[1]["standing"]), (&json!("current"), &json!({"previous": 1})));
    countersign(["bundle", "show", "--bundles", bundles]).expect(0, "risk@0.2.0");
    countersign(["bundle", "show", &default[7..19], "--bundles", bundles]).expect(0, "risk@0.1.0");

    // The cautious one asks, the other does not.
    let run = ["run", "tests/scenarios/loop-and-recover.toml", "-q", "--bundles", bundles];
    countersign(run).expect(3, "suspended CONFIRM_REQUIRED");
    countersign(["bundle", "rollback", "--bundles", bundles]).expect(0, &default);
    countersign(run).expect(0, "ended SUCCESS");
    countersign(["bundle", "rollback", "--bundles", bundles]).expect(2, "there is no bundle before");
    assert_eq!(place.take(&cautious[7..19]), cautious);
}

#[test]
fn a_bundle_that_was_edited_and_not_locked_judges_nothing() {
    let place = Place::new();
    let cautious = swapped(place.folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let path = Path::new(&cautious).join("bundle.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let run = ["run", "tests/scenarios/loop-and-recover.toml", "-q", "--bundle", &cautious];
    assert!(!countersign(run).expect(3, "suspended CONFIRM_REQUIRED").err().contains("warning"));
    let edited = text.replacen("component = \"risk.wasm\"", "component = \"risk.wasm\"\nmode = \"monitor\"", 1);
    assert_ne!(edited, text);
    std::fs::write(&path, &edited).unwrap_or_else(|error| panic!("{error}"));
    countersign(["bundle", "lock", &cautious, "--check"]).expect(3, "is not up to date");
    countersign(["bundle", "use", &cautious, "--bundles", &place.bundles]).expect(2, "run `countersign bundle lock");
    countersign(["bundle", "list", "--bundles", &place.bundles, "--json"]).expect(0, "[]");
    // Nothing is judged by the lock from before; whoever only looks at it is told.
    let recording = "tests/data/openhands/runs.jsonl.gz";
    let commands: [&[&str]; 3] =
        [&run, &["backtest", recording, "--bundle", &cautious], &["eval", "alarms", recording, "--bundle", &cautious]];
    for command in commands {
        let refused = countersign(command).expect(2, "run `countersign bundle lock");
        assert!(refused.err().contains("bundle.toml` away"), "{}", refused.err());
    }
    countersign(["bundle", "show", &cautious]).expect(0, "its lock judges as it is");
    // A lock that fails leaves it so, whatever is wrong.
    for broken in [
        edited.replacen("risk.wasm", "none.wasm", 1),
        "version = ".to_owned(),
        edited.replacen("monitor", "moniter", 1),
    ] {
        std::fs::write(&path, &broken).unwrap_or_else(|error| panic!("{error}"));
        countersign(["bundle", "lock", &cautious]).expect(2, "");
        countersign(run).expect(2, "run `countersign bundle lock");
    }
    // The lock alone is one.
    std::fs::remove_file(&path).unwrap_or_else(|error| panic!("{error}"));
    countersign(run).expect(3, "suspended CONFIRM_REQUIRED");
    // Comments are no change.
    std::fs::write(&path, format!("# Ours.\n{text}")).unwrap_or_else(|error| panic!("{error}"));
    assert!(!countersign(run).expect(3, "suspended CONFIRM_REQUIRED").err().contains("warning"));
    place.take(&cautious);
}

#[test]
fn a_policy_is_revoked_by_the_beginning_of_its_digest() {
    let place = Place::new();
    place.take(&default());
    let shown = countersign(["bundle", "show", "--bundles", &place.bundles, "--json"]).out();
    let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
    let entries = shown["lock"]["entry"].as_array().cloned().unwrap_or_default();
    let risk = entries.iter().find(|entry| entry["name"] == "risk").cloned().unwrap_or_default();
    let digest = risk["component-digest"].as_str().unwrap_or_default().to_owned();
    let switches = place.folder.path().join("switches.toml").display().to_string();
    let bundles = ["--bundles", &place.bundles];
    let revoke = |digest: &str, more: &[&str]| {
        let words = ["bundle", "revoke", digest, "--switches", &switches, "--reason", "too lax"];
        countersign(words.iter().copied().chain(more.iter().copied()))
    };
    revoke(&digest, &[]).expect(2, "is not there; give the file that `[operator]` names");
    std::fs::write(&switches, "# ours\ntools = ['mail']\n").unwrap_or_else(|error| panic!("{error}"));
    revoke("sha256:12", &[]).expect(2, "--bundles to find it by its beginning");
    revoke("ffffffffffffffff", &bundles).expect(2, "no component with a digest that begins with");
    revoke(shown["digest"].as_str().unwrap_or_default(), &bundles).expect(2, "policies are revoked one by one");
    revoke(&digest[7..19], &bundles).expect(0, "revoked").expect(0, "countersign bundle rollback");
    let text = std::fs::read_to_string(&switches).unwrap_or_default();
    assert!(text.contains(&digest) && text.contains("# ours") && text.contains("mail"), "{text}");

    // A run whose operator has that file is not begun.
    let path = place.folder.path().join("task.toml");
    let task = std::fs::read_to_string(root().join("tests/scenarios/loop-and-recover.toml")).unwrap_or_default();
    std::fs::write(&path, format!("{task}\n[operator]\nswitches = 'switches.toml'\n"))
        .unwrap_or_else(|error| panic!("{error}"));
    let path = path.display().to_string();
    let run = [&["run", &path, "-q"], bundles.as_slice()].concat();
    countersign(&run).expect(12, "too lax");
    revoke(&digest, &[]).expect(0, "was revoked before");
    let restore = [&["bundle", "restore", &digest[7..19], "--switches", &switches], bundles.as_slice()].concat();
    countersign(&restore).expect(0, "restored");
    countersign(&run).expect(0, "ended SUCCESS");
}

/// A gateway in front of the fake server, and an agent's end of its pipes.
struct Gateway {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    /// What it says on its standard error.
    says: std::sync::mpsc::Receiver<String>,
    calls: u32,
}

impl Gateway {
    fn start(config: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .env("COUNTERSIGN_CACHE", super::compiled())
            .args(["mcp", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{error}"));
        let (Some(output), Some(error)) = (process.stdout.take(), process.stderr.take()) else { panic!("no pipes") };
        let (heard, says) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(error).lines().map_while(Result::ok).for_each(|line| drop(heard.send(line)));
        });
        let mut gateway = Gateway { process, lines: BufReader::new(output).lines(), says, calls: 0 };
        let client = json!({"name": "t", "version": "1"});
        gateway.send("initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}));
        gateway.answer();
        gateway
    }

    fn send(&mut self, method: &str, params: &Value) {
        self.calls += 1;
        let message = json!({"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params});
        let input = self.process.stdin.as_mut();
        writeln!(input.unwrap_or_else(|| panic!("no pipe")), "{message}").unwrap_or_else(|error| panic!("{error}"));
    }

    /// The answer to what was sent last.
    fn answer(&mut self) -> Value {
        loop {
            let line = self.lines.next().and_then(Result::ok).unwrap_or_else(|| panic!("the gateway has ended"));
            let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if answer["id"] == json!(self.calls) {
                return answer;
            }
        }
    }

    /// Waits until it says this.
    fn hear(&self, part: &str) {
        while !self.says.recv().unwrap_or_else(|_| panic!("it never says `{part}`")).contains(part) {}
    }

    fn hang_up(&self) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -HUP {}", self.process.id())).status();
        assert!(kill.is_ok_and(|status| status.success()));
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().is_ok_and(|status| status.success()));
    }
}

/// The gateway is told of the new bundle while a call is under way: that call's run keeps its own bundle,
/// the next one takes the new one, and the gateway goes on all the while.
#[cfg(unix)]
#[test]
fn a_hang_up_has_a_gateway_take_the_new_bundle_for_its_next_run() {
    let place = Place::new();
    let (lenient, cautious) = place.small();
    let cautious = place.take(&cautious);
    let lenient = place.take(&lenient);
    let config = place.folder.path().join("countersign.toml");
    let command = json!([countersign_tests::fake_mcp_server()]);
    // A call after the last one is over is another run.
    let text = format!(
        "version = 1\n[bundle]\ninstalled = 'bundles'\n[agents.agent]\nidle-end = 1\n[servers.fake]\ncommand = {command}\n\
         [tools.fake__wait]\nside-effect = 'read-only'\ntime-out = 3000\n[tools.fake__echo]\nside-effect = 'read-only'\n"
    );
    std::fs::write(&config, text).unwrap_or_else(|error| panic!("{error}"));
    let mut gateway = Gateway::start(&config);
    gateway.send("tools/call", &json!({"name": "fake__wait", "arguments": {}}));
    gateway.hear("a run begins");
    assert_eq!(place.take(&cautious[7..]), cautious);
    gateway.hang_up();
    gateway.hear("new runs take another bundle");
    assert!(gateway.answer().to_string().contains("3000 ms"));
    gateway.send("tools/call", &json!({"name": "fake__echo", "arguments": {"text": "hello"}}));
    gateway.hear("a run begins");
    let echoed = gateway.answer();
    assert!(echoed.to_string().contains("hello"), "{echoed}");
    gateway.end();

    let kept = Kept::of_gateway(place.folder.path());
    let traces: Vec<(String, String)> =
        kept.ids().into_iter().map(|id| (kept.text(&id).unwrap_or_default(), id)).collect();
    assert_eq!(traces.len(), 2, "{traces:?}");
    for (bundle, tool) in [(&lenient, "fake__wait"), (&cautious, "fake__echo")] {
        let pinned = traces.iter().find(|(text, _)| text.contains(bundle.as_str()));
        let (text, id) = pinned.unwrap_or_else(|| panic!("no run is pinned to {bundle}"));
        assert!(text.contains(&format!("\"tool\":\"{tool}\"")), "{text}");
        countersign(["trace", "replay", id, "--bundle", &place.installed(bundle), "--store", &kept.path()])
            .expect(0, "by the bundle that judged it");
    }
}
