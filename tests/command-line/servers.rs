//! Tasks whose tools MCP servers have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use countersign_tests::{fake_mcp_server, parts::FILESYSTEM, root};
use serde_json::json;

use super::countersign;

#[test]
fn a_server_writes_once_a_person_has_approved() {
    if FILESYSTEM.path().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl").display().to_string();
    let run = countersign(["run", "tests/parts/files.toml", "--trace", &trace]).expect(0, "ended SUCCESS");
    let out = run.out();
    for part in ["wants       files__write_file", "approve", "Successfully wrote", "holds", r#"{"content":"ready"}"#] {
        assert!(out.contains(part), "expected `{part}` in:\n{out}");
    }
    countersign(["trace", "verify", &trace]).expect(0, "");
    countersign(["trace", "replay", &trace]).expect(0, "");
}

#[test]
fn a_tool_that_is_not_what_was_accepted_is_named_and_can_be_accepted() {
    let Some(server) = FILESYSTEM.path() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (task, pins) = (folder.path().join("files.toml"), folder.path().join("files.tools.lock"));
    let text = std::fs::read_to_string(root().join("tests/parts/files.toml")).unwrap();
    let relative = text.split('"').find(|part| part.ends_with("/dist/index.js")).unwrap();
    std::fs::write(&task, text.replace(relative, &server.display().to_string())).unwrap();
    let task = task.display().to_string();
    let first = countersign(["run", &task, "-q"]).expect(0, "ended SUCCESS");
    assert!(first.err().contains("files: seen for the first time, its 14 tools are pinned in"), "{}", first.err());
    assert_eq!(countersign(["run", &task, "-q"]).expect(0, "ended SUCCESS").err(), "");

    // As if the server had described it otherwise when it was accepted.
    let pinned = std::fs::read_to_string(&pins).unwrap();
    let line = pinned.lines().find(|line| line.starts_with("write_file = ")).unwrap();
    let other = format!("write_file = \"sha256:{}\"", "0".repeat(64));
    std::fs::write(&pins, pinned.replace(line, &other)).unwrap();
    let err = countersign(["run", &task, "-q"]).err();
    assert!(err.contains("files__write_file is not used: it is not what was accepted"), "{err}");
    assert!(err.contains("--accept-tools=files__write_file"), "{err}");
    let wrong = countersign(["run", &task, "--accept-tools=files__wirte_file"]);
    wrong.expect(
        2,
        "cannot accept `files__wirte_file`: no MCP server has this tool; the nearest is `files__write_file`",
    );
    let accepted = countersign(["run", &task, "-q", "--accept-tools=files__write_file"]).expect(0, "ended SUCCESS");
    assert!(accepted.err().contains("accepted as they are now: files__write_file"), "{}", accepted.err());
    assert_eq!(std::fs::read_to_string(&pins).unwrap(), pinned);
    std::fs::write(&pins, "version = 1\nservers = 3\n").unwrap();
    countersign(["run", &task, "--accept-tools"]).expect(2, "files.tools.lock` is damaged");
}

#[test]
fn a_server_that_does_not_start_takes_its_own_tools_away_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let task = folder.path().join("task.toml");
    let text = |more: &str, gone: &str| {
        format!(
            "version = 1\ntitle = \"Two servers\"\n[goal]\ntext = \"Say hello.\"\n{more}\n\
             [boundary]\ntools = [\"fake__echo\", \"gone__look\"]\n\
             [servers.fake]\ncommand = {}\n[servers.gone]\ncommand = {gone}\n\
             [tools.gone__look]\nblast-radius = 0\n\
             [models.cheap]\nname = \"small-1\"\n[[models.cheap.replies]]\ntimes = 1\n\
             step = {{ step = \"say\", tool = \"fake__echo\", arguments = {{ text = \"hello\" }}, confidence = 0.95 }}\n\
             [[models.cheap.replies]]\nstep = {{ step = \"done\", finish = \"said\", confidence = 0.95 }}\n",
            json!([fake_mcp_server()])
        )
    };
    for gone in [r#"["/no/such/program"]"#, r#"["sh", "-c", "exit 3"]"#, r#"["sh", "-c", "echo no protocol; exit 0"]"#]
    {
        let run = |more: &str| {
            std::fs::write(&task, text(more, gone)).unwrap();
            countersign(["run", &task.display().to_string()])
        };
        let told = run("").expect(0, "ended SUCCESS").expect(0, "hello");
        assert!(
            told.err().contains("gone__*") && told.err().contains("its server does not start"),
            "{gone}: {}",
            told.err()
        );
        // What the task comes to nothing without is told before a model is asked.
        let criterion = "[[goal.criteria]]\nid = \"seen\"\ntext = \"it was looked at\"\ntool = \"gone__look\"";
        let refused = run(criterion).expect(2, "gone");
        assert!(!refused.out().contains("hello"), "{gone}: {}", refused.out());
    }
}
