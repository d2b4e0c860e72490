//! An agent behind the gateway: calls of every kind, to a server that does what its tools' names say.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use countersign_tests::fake_mcp_server;
use serde_json::{Value, json};

use super::material::{Watched, watch};
use crate::kept::Kept;

/// What its operator says of the server's tools. The others are as the server declares them.
const CONFIG: &str = r#"
version = 1

[agents.tables]
goal = "Say again what the user writes, and report what does not work"

[boundary]
blast-radius-limit = 10
working-context = "a workspace for tests"
preauthorised = ["fake__fail", "fake__refuse"]

[budget]
tool-calls = 40

[tools.fake__fail]
category = "live-api"
reversibility = "reversible"
blast-radius = 1

[tools.fake__refuse]
category = "database"
side-effect = "read-only"
reversibility = "reversible"
blast-radius = 0
"#;

/// One session of an agent, as its trace has it.
pub fn session() -> Result<Watched> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("countersign.toml");
    let config = format!("{CONFIG}\n[servers.fake]\ncommand = {}\n", json!([fake_mcp_server()]));
    std::fs::write(&file, config)?;
    let mut agent = Agent::start(&file)?;
    for text in ["one", "two", "", "my address is alice@example.com"] {
        agent.call("fake__echo", json!({"text": text}))?;
    }
    for text in ["a", "a", "b"] {
        agent.call("fake__fail", json!({"text": text}))?;
    }
    agent.call("fake__env", json!({}))?;
    agent.call("fake__refuse", json!({"text": 7}))?;
    // Changes something, and nobody said that it may: it waits for a person.
    agent.call("fake__change", json!({}))?;
    agent.call("fake__echo", json!({"text": ["not", "a", "text"]}))?;
    agent.call("fake__nothing", json!({}))?;
    agent.call("defer_to_human", json!({"reason": "the tool `fail` does not work, whatever it is given"}))?;
    for _ in 0..4 {
        agent.call("fake__echo", json!({"text": "the same again"}))?;
    }
    agent.leave()?;
    let kept = Kept::of_gateway(folder.path());
    let id = kept.ids().pop().context("the gateway has left no run")?;
    watch(&kept.export(&id, folder.path()))
}

/// An MCP client that does as little as can be: one line out, one line in.
struct Agent {
    gateway: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    calls: u64,
}

impl Agent {
    fn start(config: &std::path::Path) -> Result<Self> {
        let mut gateway = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["mcp", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = BufReader::new(gateway.stdout.take().context("no output")?);
        let input = gateway.stdin.take();
        let mut agent = Agent { gateway, input, output, calls: 0 };
        let client = json!({"name": "tables", "version": "1"});
        agent.ask("initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}))?;
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(agent)
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Result<()> {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Result<()> {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}))?;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the gateway has ended");
            }
            let message: Value = serde_json::from_str(&line)?;
            if message["id"] == json!(id) && message.get("method").is_none() {
                return Ok(());
            }
        }
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let input = self.input.as_mut().context("the gateway is left")?;
        writeln!(input, "{message}")?;
        Ok(input.flush()?)
    }

    /// Hangs up; the gateway gives its run back.
    fn leave(mut self) -> Result<()> {
        drop(self.input.take());
        self.gateway.wait()?;
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}
