//! What a person approves beyond one call: rules, what they cover, what they never answer, and how they end. And who may
//! decide, where approvers have keys.

use serde_json::{Value, json};

use super::kept::Kept;
use super::ordinary_work::config;
use super::results::Agent;
use super::runs::Store;
use super::{Run, countersign};

/// An agent, its store, and the run that it is in.
struct Scene {
    folder: tempfile::TempDir,
    config: std::path::PathBuf,
}

impl Scene {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let config = config(folder.path(), more);
        Scene { folder, config }
    }

    fn agent(&self) -> Agent {
        Agent::start(&self.config)
    }

    fn kept(&self) -> Kept {
        Kept::of_gateway(self.folder.path())
    }

    fn run(&self) -> String {
        self.kept().ids().pop().unwrap_or_default()
    }

    fn token(&self) -> String {
        let listed = self.kept().json(&["list"]);
        listed[0]["parked"][0]["fingerprint"].as_str().unwrap_or_default().to_owned()
    }

    fn approve(&self, more: &[&str]) -> Run {
        self.kept().runs(&[&["approve", &self.run(), &self.token()], more].concat())
    }

    fn approvals(&self, arguments: &[&str]) -> Run {
        countersign([&["approvals"], arguments, &["--store", &self.kept().path()]].concat())
    }

    fn rules(&self) -> Value {
        serde_json::from_str(&self.approvals(&["rules", "--json"]).out()).unwrap_or_default()
    }
}

/// What a call of `change` is answered.
fn change(agent: &mut Agent, arguments: &Value) -> String {
    agent.call("fake__change", arguments).join("\n")
}

fn asks(told: &str) -> bool {
    told.contains("a person must approve")
}

#[test]
fn the_same_in_this_run_is_asked_about_once() {
    let scene = Scene::new("");
    let mut agent = scene.agent();
    let (left, right) = (json!({"text": "left"}), json!({"text": "right"}));
    assert!(asks(&change(&mut agent, &left)));
    scene.approve(&["--same"]).expect(0, "`fake__change` with exactly {\"text\":\"left\"}, in this run");
    for _ in 0..2 {
        assert_eq!(change(&mut agent, &left), "changed");
    }
    assert!(asks(&change(&mut agent, &right)), "another call is another question");
    let rules = scene.rules();
    assert_eq!((rules.as_array().map(Vec::len), rules[0]["run"].as_str()), (Some(1), Some(&*scene.run())), "{rules}");
    let id = rules[0]["standing"]["id"].as_str().unwrap_or_default().to_owned();
    scene.kept().runs(&["show", &scene.run()]).expect(0, &id);
    scene.approvals(&["rules"]).expect(0, "fake__change");
    scene.approvals(&["withdraw", &id[..8], "--by", "kim"]).expect(0, "withdrawn");
    assert!(asks(&change(&mut agent, &left)), "it is withdrawn");
    assert_eq!(scene.rules().as_array().map(Vec::len), Some(0));
    agent.leave();
    // All of it stands in the trace, which judges out the same.
    let text = scene.kept().text(&scene.run()).unwrap_or_default();
    for part in ["standing-given", "standing-applied", "standing-withdrawn", "\"kim\""] {
        assert!(text.contains(part), "{part}");
    }
    scene.kept().trace("replay", &scene.run()).expect(0, "came out the same");
}

#[test]
fn below_a_folder_is_no_further() {
    let scene = Scene::new("");
    let mut agent = scene.agent();
    let write = |path: &str, text: &str| json!({"path": path, "text": text});
    assert!(asks(&change(&mut agent, &write("/srv/notes/a.md", "one"))));
    scene.approve(&["--below", "/srv/other"]).expect(2, "no argument of this call is a path below `/srv/other`");
    scene.approve(&["--below", "/srv/notes/.."]).expect(2, "is no folder");
    scene.approve(&["--below", "/srv/notes"]).expect(0, "whose `path` lies below `/srv/notes`, whatever `text` says");
    for (path, text, runs) in [
        ("/srv/notes/a.md", "one", true),
        ("/srv/notes/b.md", "two", true),
        ("/srv/notes/deep/c.md", "three", true),
        ("/srv/notes/../secret.md", "four", false),
        ("/srv/notebook/d.md", "five", false),
        ("/srv/notes/e.md", "/etc/passwd", false),
    ] {
        let told = change(&mut agent, &write(path, text));
        assert_eq!(told == "changed", runs, "{path} {text}: {told}");
    }
    assert!(
        asks(&change(&mut agent, &json!({"path": "/srv/notes/f.md", "text": "x", "mode": "777"}))),
        "one more argument"
    );
    agent.leave();
}

#[test]
fn a_rule_with_a_time_holds_in_later_runs_of_its_agent_and_runs_out() {
    let scene = Scene::new("[agents.ada]\nidle-end = 1\n[agents.bob]\nidle-end = 1");
    let left = json!({"text": "left"});
    let of = |name: &str| {
        let config = scene.config.clone();
        Agent::start_as(&config, name)
    };
    let mut ada = of("ada");
    assert!(asks(&change(&mut ada, &left)));
    scene.approve(&["--for", "1h"]).expect(0, "in runs of `ada` until ");
    ada.leave();
    // Each call begins a run of its own: the one before has been idle.
    for _ in 0..2 {
        let mut ada = of("ada");
        assert_eq!(change(&mut ada, &left), "changed");
        ada.leave();
    }
    let mut bob = of("bob");
    assert!(asks(&change(&mut bob, &left)), "it was given to ada");
    bob.leave();
    let rules = scene.rules();
    assert_eq!((rules[0]["agent"].as_str(), rules[0]["run"].as_str()), (Some("ada"), None), "{rules}");
    let id = rules[0]["standing"]["id"].as_str().unwrap_or_default().to_owned();
    scene.approvals(&["withdraw", &id]).expect(0, "withdrawn");
    let mut ada = of("ada");
    assert!(asks(&change(&mut ada, &left)), "it is withdrawn everywhere");
    scene.approve(&["--for", "1s"]).expect(0, "until ");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(asks(&change(&mut ada, &left)), "its time is over");
    assert_eq!(scene.rules().as_array().map(Vec::len), Some(0));
    ada.leave();
    scene.approve(&["--for", "1 hour"]).expect(2, "is no time");
}

#[test]
fn what_a_rule_never_answers() {
    // A ceiling: no rule can be made for it.
    let scene = Scene::new("[tools.fake__change]\ncompliance = 'pii'");
    let mut agent = scene.agent();
    assert!(asks(&change(&mut agent, &json!({"text": "left"}))));
    scene.approve(&["--same"]).expect(2, "approved one by one");
    scene.approve(&[]).expect(0, "");
    agent.leave();
    // A denial: what is outside the boundary stays there, rule or not.
    let scene = Scene::new("");
    let mut agent = scene.agent();
    assert!(asks(&change(&mut agent, &json!({"text": "left"}))));
    scene.approve(&["--for", "1h"]).expect(0, "");
    assert_eq!(change(&mut agent, &json!({"text": "left"})), "changed");
    agent.leave();
    config(scene.folder.path(), "[boundary]\ntools = ['fake__echo']");
    let mut agent = scene.agent();
    let told = change(&mut agent, &json!({"text": "left"}));
    assert!(told.contains("outside the boundary"), "{told}");
    agent.leave();
    // Another definition of the tool: what the operator says of it now is another tool.
    config(scene.folder.path(), "[tools.fake__change]\nblast-radius = 9000");
    let mut agent = scene.agent();
    let told = change(&mut agent, &json!({"text": "left"}));
    assert!(asks(&told), "{told}");
    agent.leave();
}

const NOTE: &str = r#"
version = 1
title = "A note is written once a person has said so"

[goal]
text = "Write a note."

[[goal.criteria]]
id = "noted"
text = "the note is there"
tool = "note"

[tools.note]
category = "file-system"
reversibility = "reversible"
blast-radius = 1
approval = "always"
command = ["sh", "-c", "mkdir -p notes; echo noted > $1; cat $1", "sh", "{path}"]
verify = { exit-code = 0 }

[models.cheap]
name = "small-1"

[[models.cheap.replies]]
step = { step = "note", tool = "note", arguments = { path = "notes/a.md" }, confidence = 0.95 }
"#;

/// Where the host drives, a rule of an earlier run answers in the place of a person.
#[test]
fn a_task_goes_on_by_a_rule_of_an_earlier_one() -> std::io::Result<()> {
    let store = Store::new(NOTE)?;
    store.start().expect(10, "CONFIRM_REQUIRED");
    let waiting = || {
        let listed = store.kept.json(&["list"]);
        let approval = &listed[0]["report"]["approval"]["fingerprint"];
        (listed[0]["run"].as_str().unwrap_or_default().to_owned(), approval.as_str().unwrap_or_default().to_owned())
    };
    let (run, token) = waiting();
    store
        .kept
        .runs(&["approve", &run, &token, "--below", "notes", "--for", "1h", "--by", "olga"])
        .expect(0, "lies below `notes`");
    store.kept.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    // The next one asks nobody, and says by whose word.
    store.start().expect(0, "ended SUCCESS");
    let again = store.kept.ids().pop().unwrap_or_default();
    assert_ne!(again, run);
    let text = store.kept.text(&again)?;
    assert!(text.contains("standing-applied") && text.contains("\"olga\""), "{text}");
    store.kept.trace("replay", &again).expect(0, "came out the same");
    let rules = countersign(["approvals", "rules", "--json", "--store", &store.path()]).out();
    let rules: Value = serde_json::from_str(&rules).unwrap_or_default();
    let id = rules[0]["standing"]["id"].as_str().unwrap_or_default().to_owned();
    countersign(["approvals", "withdraw", &id, "--store", &store.path()]).expect(0, "withdrawn");
    store.start().expect(10, "CONFIRM_REQUIRED");
    // In one run alone: the next asks again.
    let (run, token) = waiting();
    store.kept.runs(&["approve", &run, &token, "--same"]).expect(0, "in this run");
    store.kept.runs(&["resume", &run]).expect(0, "ended SUCCESS");
    store.start().expect(10, "CONFIRM_REQUIRED");
    Ok(())
}

/// Who has the key of an approver decides; whoever can only write to the store does not.
#[test]
fn where_approvers_have_keys_nobody_else_decides() -> std::io::Result<()> {
    let place = tempfile::tempdir()?;
    let key = |name: &str| {
        let file = place.path().join(format!("{name}.key")).display().to_string();
        let made = countersign(["approvals", "key", name, &file]).expect(0, "[approvers.").out();
        let section: Vec<&str> = made.lines().skip_while(|line| !line.starts_with('[')).collect();
        (file.clone(), section.join("\n"))
    };
    let ((olga, section), (mallory, _)) = (key("olga"), key("mallory"));
    countersign(["approvals", "key", "olga", &olga]).expect(1, "cannot write");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&olga)?.permissions().mode() & 0o777, 0o600);
    }
    let scene = Scene::new(&section);
    let mut agent = scene.agent();
    let left = json!({"text": "left"});
    assert!(asks(&change(&mut agent, &left)));
    scene.approve(&[]).expect(2, "decisions on this run are taken of its approvers alone (olga)");
    scene.approve(&["--by", "olga"]).expect(2, "taken of its approvers alone");
    scene.approve(&["--key", &mallory]).expect(2, "no approver's of this run");
    scene.approve(&["--key", &olga, "--by", "kim"]).expect(2, "it is the key of `olga`");
    scene.approve(&["--key", "/none"]).expect(2, "/none");
    // Whoever writes into the inbox himself is not heard either.
    forge(&scene.kept(), &scene.run(), &scene.token())?;
    assert!(asks(&change(&mut agent, &left)));
    scene.approve(&["--key", &olga, "--same"]).expect(0, "by olga (key checked)");
    assert_eq!(change(&mut agent, &left), "changed");
    assert_eq!(change(&mut agent, &left), "changed");
    // To hold something back needs no key.
    assert!(asks(&change(&mut agent, &json!({"text": "right"}))));
    scene.kept().runs(&["reject", &scene.run(), &scene.token()]).expect(0, "name not checked");
    assert!(change(&mut agent, &json!({"text": "right"})).contains("a person refused it"));
    agent.leave();
    scene
        .kept()
        .runs(&["show", &scene.run()])
        .expect(0, "olga approves `fake__change` with exactly {\"text\":\"left\"} (key checked)");
    Ok(())
}

/// An approval as whoever has the store's file could write it.
fn forge(kept: &Kept, run: &str, token: &str) -> std::io::Result<()> {
    use countersign::kernel::Decision;
    use countersign::store::{Entry, Offer};
    let decision = Decision::Approved { fingerprint: token.into() };
    let claimed = Decision::Signed { key: "ed25519:00".into(), decision: Box::new(decision.clone()) };
    let store = kept.open().map_err(std::io::Error::other)?;
    for (id, wants) in [("forged-1", Offer::Decide(decision)), ("forged-2", Offer::Decide(claimed))] {
        let entry = Entry { version: 1, id: id.to_owned(), by: "olga".to_owned(), at: 1, wants };
        store.offer(run, &entry).map_err(std::io::Error::other)?;
    }
    Ok(())
}

/// A name that nobody checked is said to be one.
#[test]
fn without_keys_the_name_is_said_not_to_be_checked() {
    let scene = Scene::new("");
    let mut agent = scene.agent();
    assert!(asks(&change(&mut agent, &json!({"text": "left"}))));
    scene.approve(&["--by", "olga"]).expect(0, "by olga (name not checked)");
    assert_eq!(change(&mut agent, &json!({"text": "left"})), "changed");
    agent.leave();
    scene.kept().runs(&["show", &scene.run()]).expect(0, "olga approves (name not checked)");
}

/// What a call that waits for an approval was answered with, and how often its server has made it.
struct Slow {
    scene: Scene,
    log: std::path::PathBuf,
}

impl Slow {
    /// `echo` takes a while and changes something, for all that is known.
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let (log, file) = (folder.path().join("calls"), folder.path().join("countersign.toml"));
        let command = json!([countersign_tests::fake_mcp_server(), "--slow", "700", "--log", log]);
        let text = format!(
            "version = 1\n[servers.fake]\ncommand = {command}\n\
             [tools.fake__echo]\nside-effect = 'local-write'\nreversibility = 'reversible'\nblast-radius = 1\n{more}"
        );
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
        Slow { scene: Scene { folder, config: file }, log }
    }

    fn made(&self) -> usize {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|line| line.starts_with("begins")).count()
    }

    fn wait_for(&self, made: usize) {
        let began = std::time::Instant::now();
        while self.made() < made {
            assert!(began.elapsed().as_secs() < 30, "it is never made");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// One approval is one execution: a call that is under way when its run is halted or cancelled was made.
#[test]
fn what_is_under_way_when_a_run_is_halted_was_made() {
    let call = json!({"text": "once"});
    for (how, more, allow) in [
        ("pause", "", Some(&[][..])),
        ("pause", "", Some(&["--same"][..])),
        ("pause", "[boundary]\npreauthorised = ['fake__echo']\n", None),
        ("switch", "[operator]\nswitches = 'switches.toml'\n", Some(&[][..])),
        ("cancel", "", Some(&[][..])),
    ] {
        let slow = Slow::new(if how == "switch" { "" } else { more });
        let scene = &slow.scene;
        let switches = scene.folder.path().join("switches.toml");
        if how == "switch" {
            std::fs::write(&switches, "").unwrap_or_else(|error| panic!("{error}"));
            let text = std::fs::read_to_string(&scene.config).unwrap_or_default() + more;
            std::fs::write(&scene.config, text).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut agent = scene.agent();
        if let Some(more) = allow {
            let told = agent.call("fake__echo", &call).join("\n");
            assert!(asks(&told), "{told}");
            scene.approve(more).expect(0, "");
        }
        let under_way = agent.begin("fake__echo", &call);
        slow.wait_for(1);
        let (run, store) = (scene.run(), scene.kept().path());
        match how {
            "pause" => drop(countersign(["agents", "pause", "agent", "--reason", "keys", "--store", &store])),
            "switch" => std::fs::write(&switches, "all = true").unwrap_or_else(|error| panic!("{error}")),
            _ => drop(scene.kept().runs(&["cancel", &run]).expect(0, "")),
        }
        // Any other call finds out.
        let told = agent.call("fake__env", &json!({})).join("\n");
        assert!(
            told.contains(match how {
                "pause" => "paused",
                "switch" => "switched off",
                _ => "cancelled",
            }),
            "{how}: {told}"
        );
        drop(agent.answer(under_way));
        let text = scene.kept().text(&run).unwrap_or_default();
        assert!(text.contains("\"observed\"") && !text.contains("{\"withdrawn\":"), "{how} {allow:?}");
        assert!(!text.contains("approval-returned"), "{how}");
        match how {
            "pause" => drop(countersign(["agents", "resume", "agent", "--store", &store])),
            "switch" => std::fs::write(&switches, "").unwrap_or_else(|error| panic!("{error}")),
            _ => {}
        }
        if how == "cancel" {
            let told = agent.call("fake__env", &json!({})).join("\n");
            assert!(told.contains("cancelled"), "{told}");
        } else {
            scene.kept().runs(&["go-on", &run]).expect(0, "");
            if allow == Some(&[][..]) {
                let told = agent.call("fake__echo", &call).join("\n");
                assert!(asks(&told), "{how}: {told}");
            }
        }
        agent.leave();
        assert_eq!(slow.made(), 1, "{how} {allow:?}");
        let verified = scene.kept().so_far(&run);
        if how != "cancel" {
            verified.expect(0, "");
        }
    }
}

/// What is decided counts once: the next decision on the same call is refused, and says what waits.
#[test]
fn a_second_approval_never_pretends_to_count() {
    let scene = Scene::new("");
    let mut agent = scene.agent();
    let write = |path: &str| json!({"path": path, "text": "x"});
    assert!(asks(&change(&mut agent, &write("/srv/n/a.md"))));
    scene.approve(&["--below", "/"]).expect(0, "lies below `/`");
    let (run, token) = (scene.run(), scene.token());
    scene.approve(&["--below", "/srv/n/"]).expect(2, "with the rule");
    scene.approve(&["--same"]).expect(2, "lies below `/`");
    scene.approve(&[]).expect(2, "would not count");
    scene.approve(&["--below", "/"]).expect(0, "it counts once");
    let rules = scene.rules();
    assert_eq!((rules.as_array().map(Vec::len), rules[0]["pending"].is_string()), (Some(1), true), "{rules}");
    scene.approvals(&["rules"]).expect(0, "pending");
    let id = rules[0]["standing"]["id"].as_str().unwrap_or_default().to_owned();
    scene.approvals(&["withdraw", &id]).expect(0, "no run has had it");
    assert_eq!(scene.rules().as_array().map(Vec::len), Some(0));
    scene.approve(&["--below", "/srv/n/"]).expect(0, "lies below `/srv/n/`");
    assert_eq!(change(&mut agent, &write("/srv/n/b.md")), "changed");
    assert!(asks(&change(&mut agent, &write("/srv/m/b.md"))), "the first was taken back");
    // The call that was approved with it may be made once, and its token says what became of it.
    scene.kept().runs(&["approve", &run, &token]).expect(2, "with the rule");
    // Whoever holds back is heard beside whoever approves, and nobody approves what somebody has rejected.
    scene.approve(&["--same"]).expect(0, "exactly");
    let token = scene.token();
    scene.kept().runs(&["reject", &run, &token, "--by", "kim"]).expect(0, "waits there too");
    scene.kept().runs(&["approve", &run, &token]).expect(2, "kim");
    assert!(change(&mut agent, &write("/srv/m/b.md")).contains("a person refused it"));
    scene.kept().runs(&["approve", &run, &token]).expect(2, "was rejected by kim");
    agent.leave();
}

#[test]
fn a_token_says_what_became_of_it() {
    let scene = Scene::new("[rules]\napproval-expiry = 1000\napproval-reasks = 0\n");
    let mut agent = scene.agent();
    let (left, right) = (json!({"text": "left"}), json!({"text": "right"}));
    assert!(asks(&change(&mut agent, &left)));
    let (run, token) = (scene.run(), scene.token());
    scene.approve(&["--by", "olga"]).expect(0, "");
    assert_eq!(change(&mut agent, &left), "changed");
    scene.kept().runs(&["approve", &run, &token]).expect(2, "was approved by olga and spent by call 0");
    scene.kept().runs(&["reject", &run, &token]).expect(2, "spent by call 0");
    assert!(asks(&change(&mut agent, &right)));
    let token = scene.token();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.kept().runs(&["approve", &run, &token]).expect(2, "expired at ");
    assert!(!asks(&change(&mut agent, &right)) || scene.token() != token);
    scene.kept().runs(&["approve", &run, &token]).expect(2, "expired at ");
    scene.kept().runs(&["approve", &run, "0123456789abcdef"]).expect(2, "waits for no approval");
    agent.leave();
}

#[test]
fn a_key_that_anybody_can_sign_for_is_none() {
    let scene = Scene::new("");
    for key in ["00".repeat(32), format!("01{}", "00".repeat(31)), format!("ec{}7f", "ff".repeat(30))] {
        super::ordinary_work::config(scene.folder.path(), &format!("[approvers.olga]\nkey = 'ed25519:{key}'"));
        let file = scene.config.display().to_string();
        countersign(["mcp", "--config", &file]).expect(2, "is a key that anybody can sign for");
    }
    // What `init` shows holds no key at all.
    let file = scene.folder.path().join("shown.toml");
    countersign(["init", &file.display().to_string()]).expect(0, "written");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    assert!(text.contains("# key = \"ed25519:…\""), "{text}");
}
