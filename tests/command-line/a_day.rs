//! A day's ordinary work: an agent with files and a shell behind the gateway, and a task whose model is interrupted. Nobody
//! is asked for anything but to send commits away.

use std::path::Path;
use std::process::Command;

use countersign_tests::chat::{ChatServer, Does, step_text};
use countersign_tests::parts::FILESYSTEM;
use countersign_tests::shell_mcp_server;
use serde_json::{Value, json};

use super::client::{Client, gateway};
use super::kept::Kept;
use super::models::Place;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// What an operator writes of the two servers: the folder is the agent's own, and what it does there can be undone.
const OWN_FOLDER: &str = "
[tools.files__write_file]
category = 'file-system'
reversibility = 'reversible'
blast-radius = 1
approval = 'never'
[tools.files__edit_file]
category = 'file-system'
reversibility = 'reversible'
blast-radius = 1
approval = 'never'
[tools.shell__run]
category = 'sandbox'
reversibility = 'reversible'
blast-radius = 1
approval = 'never'
[tools.shell__start]
category = 'sandbox'
reversibility = 'reversible'
blast-radius = 1
approval = 'never'
[tools.shell__poll]
poller = true
";

/// A repository with a program, a test that fails, and a remote to push to.
fn repository(folder: &Path) -> std::io::Result<()> {
    let source = folder.join("src");
    std::fs::create_dir_all(&source)?;
    for number in 0..40 {
        let text = format!("def part_{number}(value):\n    # TODO {number}: names\n    return value + {number}\n");
        std::fs::write(source.join(format!("part_{number}.py")), text)?;
    }
    std::fs::write(
        source.join("sum.sh"),
        "total=0\nfor n in \"$@\"; do total=$((total - n)); done\necho \"total: $total\"\n",
    )?;
    std::fs::write(
        folder.join("test.sh"),
        "got=$(sh src/sum.sh 1 2 3)\n[ \"$got\" = 'sum: 6' ] && echo '1 passed' || { echo \"1 failed: expected sum: 6, got $got\"; exit 1; }\n",
    )?;
    let words = "git init -q -b main . && git config user.name Ada && git config user.email ada@example.org && git add -A && \
                 git commit -q -m begin && git init -q --bare ../origin.git && git remote add origin ../origin.git";
    let made = Command::new("sh").args(["-c", words]).current_dir(folder).status()?;
    assert!(made.success(), "no repository");
    Ok(())
}

/// The agent and what it has been told that was no answer of a tool.
struct Day {
    agent: Client,
    stopped: Vec<String>,
}

impl Day {
    fn calls(&mut self, tool: &str, arguments: Value) -> std::io::Result<String> {
        let shown = format!("{tool} {arguments}");
        let told = self.agent.call(tool, arguments)?;
        for word in ["orwarded", "gets nowhere", "not worth", "Token", "[secret]", "[redacted", "withheld"] {
            if told.contains(word) {
                self.stopped.push(format!("{shown}: {told}"));
                break;
            }
        }
        Ok(told)
    }

    fn runs(&mut self, command: &str) -> std::io::Result<String> {
        self.calls("shell__run", json!({"command": command}))
    }
}

#[test]
fn an_agent_works_all_day_and_asks_for_the_push_alone() -> Tested {
    let Some(files) = FILESYSTEM.path() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let work = folder.path().join("work");
    repository(&work)?;
    let command = |words: &[&str]| json!(words).to_string();
    let place = work.display().to_string();
    let text = format!(
        "version = 1\n[servers.files]\ncommand = {}\n[servers.shell]\ncommand = {}\n{OWN_FOLDER}",
        command(&["node", &files.display().to_string(), &place]),
        command(&[&shell_mcp_server(), &place]),
    );
    std::fs::write(folder.path().join("countersign.toml"), text)?;
    let mut day = Day { agent: Client::start(gateway(folder.path()))?, stopped: Vec::new() };
    let path = |name: &str| work.join(name).display().to_string();

    // Looks around, reads, tests.
    assert!(day.calls("files__list_directory", json!({"path": place}))?.contains("test.sh"));
    assert!(day.calls("files__read_text_file", json!({"path": path("src/sum.sh")}))?.contains("total - n"));
    assert!(day.runs("sh test.sh")?.contains("1 failed"));
    // Edits and tests until it passes; the same command each time.
    for (old, new, expected) in [
        ("total - n", "total + n", "got total: 6"),
        ("total: $total", "sum:  $total", "got sum:  6"),
        ("sum:  $total", "sum: $total", "1 passed"),
    ] {
        let edits = json!([{"oldText": old, "newText": new}]);
        let told = day.calls("files__edit_file", json!({"path": path("src/sum.sh"), "edits": edits}))?;
        assert!(told.contains(new), "{told}");
        let told = day.runs("sh test.sh")?;
        assert!(told.contains(expected), "{told}");
    }
    // A file read and written back is what it was.
    let whole = std::fs::read_to_string(work.join("src/part_7.py"))?;
    let read = day.calls("files__read_text_file", json!({"path": path("src/part_7.py")}))?;
    let changed = read.replace("TODO 7: names", "done");
    day.calls("files__write_file", json!({"path": path("src/part_7.py"), "content": changed}))?;
    assert_eq!(std::fs::read_to_string(work.join("src/part_7.py"))?, whole.replace("TODO 7: names", "done"));
    // Commits.
    assert!(day.runs("git status --short")?.contains("src/sum.sh"));
    assert!(day.runs("git diff")?.contains("total + n"));
    assert!(day.runs("git add -A && git commit -m 'Sums add up'")?.contains("exit code 0"));
    // Forty searches, most of which find nothing.
    for number in 0..40 {
        let told = day.runs(&format!("grep -rn 'def piece_{number}\\b' src || grep -c TODO src/part_{number}.py"))?;
        assert!(told.contains("exit code"), "{told}");
    }
    // A network that is not there: tried again, left for something else, and tried again later.
    for number in 0..3 {
        for _ in 0..2 {
            let told = day.runs("git ls-remote git://127.0.0.1:9/upstream.git")?;
            assert!(told.contains("exit code 128"), "{told}");
        }
        let told = day.runs(&format!("git log --oneline -- src/part_{number}.py"))?;
        assert!(told.contains("exit code 0"), "{told}");
    }
    // A build of ten minutes, asked for every half minute.
    let told = day.calls("shell__start", json!({"command": "echo built", "seconds": 600}))?;
    assert!(told.contains("job 1"), "{told}");
    let mut polls = 0;
    loop {
        let told = day.calls("shell__poll", json!({"job": 1}))?;
        polls += 1;
        if told.contains("built") {
            break;
        }
        assert!(told.contains("running") && polls < 30, "{told}");
    }
    assert_eq!(polls, 20);
    // Tests once more, as the last thing before it sends its work away.
    assert!(day.runs("sh test.sh")?.contains("1 passed"));
    assert!(day.stopped.is_empty(), "{}", day.stopped.join("\n"));

    // The push alone is a person's to decide, and one approval is one push.
    let kept = Kept::of_gateway(folder.path());
    let push = json!({"remote": "origin", "branch": "main"});
    let told = day.agent.call("shell__push", push.clone())?;
    assert!(told.contains("a person must approve"), "{told}");
    let listed = kept.json(&["list"]);
    assert_eq!(listed[0]["parked"].as_array().map(Vec::len), Some(1), "{listed}");
    let (run, token) = (listed[0]["run"].clone(), listed[0]["parked"][0]["fingerprint"].clone());
    let (run, token) = (run.as_str().unwrap_or_default(), token.as_str().unwrap_or_default());
    kept.runs(&["approve", run, token, "--by", "ada"]).expect(0, "the agent's next call");
    assert!(day.agent.call("shell__push", push)?.contains("exit code 0"));
    let pushed = Command::new("git")
        .args(["--git-dir", "../origin.git", "log", "--oneline", "main"])
        .current_dir(&work)
        .output()?;
    assert!(String::from_utf8_lossy(&pushed.stdout).contains("Sums add up"));
    day.agent.leave()?;

    assert_eq!(kept.ids().len(), 1, "a day is one run");
    kept.so_far(run).expect(0, "open");
    kept.trace("replay", run).expect(0, "came out the same");
    let asked = kept.text(run)?.matches("\"approval-requested\"").count();
    assert_eq!(asked, 1, "nothing but the push was asked for");
    Ok(())
}

const INTERRUPTED: &str = r#"
version = 1
title = "A number is written and tested"

[goal]
text = "Write 6 into answer.txt and test it."

[[goal.criteria]]
id = "written"
text = "the number is there"
tool = "files__write_file"

[boundary]
tools = ["files__write_file", "files__read_text_file", "shell__run"]

[rules]
stop-when-complete = false
retry = { base = 1, most = 20 }

[servers.files]
command = FILES

[servers.shell]
command = SHELL

[tools.files__write_file]
category = "file-system"
reversibility = "reversible"
blast-radius = 1
approval = "never"

[tools.files__write_file.verify.read-back]
tool = "files__read_text_file"
arguments = ["path"]
shows = "{content}"

[tools.shell__run]
category = "sandbox"
reversibility = "reversible"
blast-radius = 1
approval = "never"
"#;

/// A task over the same two servers, whose model is cut off, hangs up and is busy on the way.
#[test]
fn a_task_whose_model_is_interrupted_is_finished() -> Tested {
    let Some(files) = FILESYSTEM.path() else { return Ok(()) };
    let server = ChatServer::start(|request| {
        let step = |name: &str, action: Value| Does::Says(step_text(name, action, 0.95));
        let told = request.told();
        match request.number {
            // In the middle of an answer, before one, with a page of an overloaded proxy.
            1 => return Does::Truncated,
            3 => return Does::HangsUp,
            5 => return Does::Refuses(503, vec![("retry-after", "0".to_owned())], json!({"error": "overloaded"})),
            _ => {}
        }
        if told.contains("1 passed") {
            return step("done", json!({"finish": "the test passes", "claims": ["files__write_file"]}));
        }
        let calls = told.matches("files__write_file {").count();
        match (told.contains("shell__run {"), calls) {
            (_, 0) => {
                step("write", json!({"tool": "files__write_file", "arguments": {"path": "answer.txt", "content": "6"}}))
            }
            _ => step(
                "test",
                json!({"tool": "shell__run", "arguments": {"command": "grep -qx 6 answer.txt && echo '1 passed'"}}),
            ),
        }
    })?;
    let task = INTERRUPTED
        .replace("FILES", &json!(["node", files.display().to_string(), "{workspace}"]).to_string())
        .replace("SHELL", &json!([shell_mcp_server(), "{workspace}"]).to_string());
    let place = Place::new(&server, &task, "")?;
    place.run().expect(0, "ended SUCCESS");
    let trace = place.trace()?;
    assert!(!trace.contains("\"approval-requested\"") && !trace.contains("\"suspended\""), "nobody was asked");
    assert!(server.requests().len() >= 5, "{}", server.requests().len());
    Ok(())
}
