//! A gateway in front of the fake server, and an MCP client that does as little as can be.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use countersign_tests::fake_mcp_server;
use serde_json::{Value, json};

use super::compiled;

/// A folder with a gateway's file, whose server runs these words of a shell before `echo` answers.
pub fn place(words: &str, more: &str) -> std::io::Result<tempfile::TempDir> {
    served(&["--does", words], more, "")
}

/// A folder with a gateway's file. The server behind is told these words; the file says `more`, and `own` of the server.
pub fn served(words: &[&str], more: &str, own: &str) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().display().to_string();
    let mut command = vec![fake_mcp_server()];
    command.extend(words.iter().map(|word| word.replace("PLACE", &place)));
    command.extend(["--log".to_owned(), format!("{place}/heard")]);
    let text = format!("version = 1\n{more}\n[servers.fake]\ncommand = {}\n{own}\n", json!(command));
    std::fs::write(folder.path().join("countersign.toml"), text)?;
    Ok(folder)
}

/// What the server has written down.
pub fn heard(folder: &Path) -> Vec<String> {
    let heard = std::fs::read_to_string(folder.join("heard")).unwrap_or_default();
    heard.lines().map(str::to_owned).collect()
}

/// How many calls the server has heard.
pub fn made(folder: &Path) -> usize {
    heard(folder).iter().filter(|method| *method == "tools/call").count()
}

pub fn gateway(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.env("COUNTERSIGN_CACHE", compiled()).args(["mcp", "--config"]).arg(folder.join("countersign.toml"));
    command.stderr(Stdio::null());
    command
}

/// An MCP client that does as little as can be.
pub struct Client {
    gateway: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked: u64,
    /// Answers that nobody has asked for yet, by their requests.
    answers: BTreeMap<u64, Value>,
    /// Answers to nothing that was asked.
    pub strays: Vec<Value>,
    /// The methods of what was said beside answers.
    pub notices: Vec<String>,
    /// How far calls were said to be.
    pub progress: Vec<Value>,
}

impl Client {
    pub fn start(mut command: Command) -> std::io::Result<Self> {
        let mut gateway = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || std::io::Error::other("no pipes");
        let output = BufReader::new(gateway.stdout.take().ok_or_else(missing)?);
        let input = gateway.stdin.take();
        let mut client = Client {
            gateway,
            input,
            output,
            asked: 0,
            answers: BTreeMap::new(),
            strays: Vec::new(),
            notices: Vec::new(),
            progress: Vec::new(),
        };
        let own = json!({"name": "t", "version": "1"});
        client.ask("initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": own}))?;
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(client)
    }

    pub fn send(&mut self, message: &Value) -> std::io::Result<()> {
        self.write(&message.to_string())
    }

    /// Sends a line as it stands.
    pub fn write(&mut self, line: &str) -> std::io::Result<()> {
        let input = self.input.as_mut().ok_or_else(|| std::io::Error::other("it has hung up"))?;
        writeln!(input, "{line}")?;
        input.flush()
    }

    pub fn hear(&mut self) -> std::io::Result<()> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the gateway has ended"));
        }
        let message: Value = serde_json::from_str(&line)?;
        match (message["method"].as_str(), message["id"].as_u64()) {
            (Some("notifications/progress"), None) => self.progress.push(message["params"].clone()),
            (Some(method), None) => self.notices.push(method.to_owned()),
            (None, Some(id)) => drop(self.answers.insert(id, message)),
            _ => self.strays.push(message),
        }
        Ok(())
    }

    /// Hears until somebody has said this beside answers.
    pub fn hear_of(&mut self, method: &str) -> std::io::Result<()> {
        while !self.notices.iter().any(|notice| notice == method) {
            self.hear()?;
        }
        Ok(())
    }

    /// Asks, and waits for nothing: the number of the request.
    pub fn begin(&mut self, method: &str, parameters: &Value) -> std::io::Result<u64> {
        self.asked += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": parameters}))?;
        Ok(self.asked)
    }

    /// The whole answer to a request.
    pub fn answer(&mut self, request: u64) -> std::io::Result<Value> {
        loop {
            match self.answers.remove(&request) {
                Some(answer) => return Ok(answer),
                None => self.hear()?,
            }
        }
    }

    pub fn ask(&mut self, method: &str, parameters: &Value) -> std::io::Result<Value> {
        let request = self.begin(method, parameters)?;
        self.answer(request)
    }

    /// What a call's answer says, be it a result or an error.
    pub fn call(&mut self, tool: &str, arguments: Value) -> std::io::Result<String> {
        Ok(told(&self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))?))
    }

    pub fn tools(&mut self) -> std::io::Result<Vec<String>> {
        let listed = self.ask("tools/list", &json!({}))?;
        let tools = listed["result"]["tools"].as_array().into_iter().flatten();
        Ok(tools.filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect())
    }

    /// Hangs up; the gateway gives its run back.
    pub fn leave(mut self) -> std::io::Result<()> {
        drop(self.input.take());
        self.gateway.wait().map(drop)
    }
}

/// What an answer to a call says, be it a result or an error.
pub fn told(answer: &Value) -> String {
    let texts = answer["result"]["content"].as_array().into_iter().flatten();
    let said: Vec<&str> = texts.filter_map(|block| block["text"].as_str()).collect();
    format!("{}{}", said.join("\n"), answer["error"]["message"].as_str().unwrap_or_default())
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}
