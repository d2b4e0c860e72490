//! An MCP server with a shell, as coding agents have one: `run` runs a command in its folder and gives what it printed,
//! `start` begins a long one, `poll` asks how far it is, `push` sends commits away.
//!
//! A long job takes time of its own: every `poll` is half a minute of it, so that nobody waits for real.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// How far one poll brings a job, in seconds.
const POLLED: u64 = 30;

/// A job that was started: its words, its length and how far it is, in seconds.
struct Job {
    words: String,
    length: u64,
    passed: u64,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = words.next().unwrap_or_else(|| ".".to_owned());
    let mut jobs = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        if message.get("id").is_none() {
            continue;
        }
        let mut answer = json!({"jsonrpc": "2.0", "id": message["id"]});
        match answered(&folder, &mut jobs, message["method"].as_str().unwrap_or_default(), &message["params"]) {
            Ok(result) => answer["result"] = result,
            Err(problem) => answer["error"] = json!({"code": -32602, "message": problem}),
        }
        println!("{answer}");
        let _ = std::io::stdout().flush();
    }
}

fn answered(folder: &str, jobs: &mut Vec<Job>, method: &str, params: &Value) -> Result<Value, String> {
    Ok(match method {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "shell", "version": "1.0.0"},
        }),
        "tools/list" => tools(),
        "tools/call" => {
            let text = |key: &str| params["arguments"][key].as_str().map(str::to_owned);
            let wanted = |key: &str| text(key).ok_or_else(|| format!("`{key}`: expected a text"));
            match params["name"].as_str().unwrap_or_default() {
                "run" => ran(folder, &["sh", "-c", &wanted("command")?]),
                "push" => ran(folder, &["git", "push", &wanted("remote")?, &wanted("branch")?]),
                "start" => {
                    let length = params["arguments"]["seconds"].as_u64().unwrap_or(600);
                    jobs.push(Job { words: wanted("command")?, length, passed: 0 });
                    said(&format!("job {} is started", jobs.len()), false)
                }
                "poll" => {
                    let number = params["arguments"]["job"].as_u64().and_then(|number| usize::try_from(number).ok());
                    let job = number.and_then(|number| jobs.get_mut(number.checked_sub(1)?));
                    let job = job.ok_or_else(|| "`job`: there is no such job".to_owned())?;
                    polled(folder, job)
                }
                other => return Err(format!("no tool {other}")),
            }
        }
        "ping" => json!({}),
        other => return Err(format!("no method {other}")),
    })
}

fn tools() -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    let tool = |name: &str, description: &str, properties: Value, required: &[&str], hints: Value| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
            "annotations": hints,
        })
    };
    let tools = [
        tool(
            "run",
            "Runs a command of a shell in the working folder; gives its exit code and what it printed.",
            json!({"command": text("The command")}),
            &["command"],
            json!({"readOnlyHint": false, "destructiveHint": true, "openWorldHint": true}),
        ),
        tool(
            "start",
            "Starts a command that takes long; gives the number of the job.",
            json!({"command": text("The command"), "seconds": {"type": "integer", "description": "How long it takes"}}),
            &["command"],
            json!({"readOnlyHint": false}),
        ),
        tool(
            "poll",
            "Says how far a job is, and what it printed once it is done.",
            json!({"job": {"type": "integer", "description": "Its number"}}),
            &["job"],
            json!({"readOnlyHint": true}),
        ),
        tool(
            "push",
            "Sends the commits of a branch to a remote.",
            json!({"remote": text("The remote"), "branch": text("The branch")}),
            &["remote", "branch"],
            json!({"readOnlyHint": false, "destructiveHint": true, "openWorldHint": true}),
        ),
    ];
    json!({"tools": tools})
}

fn ran(folder: &str, words: &[&str]) -> Value {
    let output = Command::new(words[0]).args(&words[1..]).current_dir(folder).stdin(Stdio::null()).output();
    match output {
        Ok(output) => {
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let code = output.status.code().unwrap_or(-1);
            said(&format!("exit code {code}\n{out}{err}"), !output.status.success())
        }
        Err(error) => said(&format!("it does not start: {error}"), true),
    }
}

fn polled(folder: &str, job: &mut Job) -> Value {
    job.passed = job.length.min(job.passed + POLLED);
    if job.passed < job.length {
        return said(&format!("running: {} s of about {} s", job.passed, job.length), false);
    }
    ran(folder, &["sh", "-c", &job.words])
}

fn said(text: &str, failed: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": failed})
}
