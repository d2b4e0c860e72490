//! What the gateway adds to a call: the same `echo` to the same server, directly and through the
//! gateway, in turn and in one run.
//!
//! ```text
//! cargo bench --bench gateway
//! ```
//!
//! The server is the npm `server-everything` where `tests/parts/install.sh` has installed it; without
//! it the bench says so and measures nothing. The bench is its own gateway process. Bars: the
//! difference of the medians at most 300 µs, that of the 99th percentiles at most 1 ms.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use countersign::engine::EngineOptions;
use countersign_tests::parts::EVERYTHING;
use serde_json::{Value, json};

/// Calls that are measured each way, and those before that are not.
const CALLS: usize = 2000;
const WARM: usize = 200;
/// As which the bench runs its own gateway.
const SERVE: &str = "--serve";
/// Stack of a thread on which no call into a policy has to switch stacks.
const STACK: usize = 80 << 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == SERVE) {
        let file = arguments.get(at + 1).context("expected a deployment's file")?.into();
        let work = move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let options = countersign_gateway::Options {
                file,
                agent: None,
                bundle: None,
                bundles: None,
                monitor: false,
                engine: EngineOptions::default(),
            };
            runtime.block_on(countersign_gateway::serve(&options))?;
            Ok(())
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(work)?;
        return thread.join().map_err(|_| anyhow::anyhow!("the gateway panicked"))?;
    }
    let Some(server) = EVERYTHING.path() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("countersign.toml");
    let command = json!(["node", server, "stdio"]);
    let config = format!(
        "version = 1\n[bundle]\nmodes.doom-loop = 'monitor'\n[budget]\nsteps = 1000000\ntool-calls = 1000000\n\
         [servers.all]\ncommand = {command}\n[tools.all__echo]\nside-effect = 'read-only'\n"
    );
    std::fs::write(&file, config)?;

    let mut direct = Client::start(Command::new("node").arg(&server).arg("stdio"), "echo")?;
    let own = std::env::current_exe()?;
    let mut through = Client::start(Command::new(own).arg(SERVE).arg(&file), "all__echo")?;
    let (mut times, mut times_through) = (Vec::new(), Vec::new());
    for call in 0..WARM + CALLS {
        let (one, other) = (direct.call(call)?, through.call(call)?);
        if call >= WARM {
            times.push(one);
            times_through.push(other);
        }
    }
    let rows = [("directly", quantiles(&mut times)), ("through the gateway", quantiles(&mut times_through))];
    println!("echo, {CALLS} calls each, in turn          p50         p99");
    for (name, (p50, p99)) in rows {
        println!("{name:<32} {:>8.0} µs {:>8.0} µs", micros(p50), micros(p99));
    }
    let added = [rows[1].1.0.saturating_sub(rows[0].1.0), rows[1].1.1.saturating_sub(rows[0].1.1)];
    println!("{:<32} {:>8.0} µs {:>8.0} µs", "added", micros(added[0]), micros(added[1]));
    for (added, bar, name) in [(added[0], 300, "p50"), (added[1], 1000, "p99")] {
        let holds = if micros(added) <= f64::from(bar) { "holds" } else { "MISSED" };
        println!("bar: {name} at most {bar} µs: {holds}");
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn quantiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

/// A client that does as little as can be: one line out, one line in.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    tool: &'static str,
    line: String,
}

impl Client {
    fn start(command: &mut Command, tool: &'static str) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let mut client = Client { child, input, output, tool, line: String::new() };
        let parameters = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        });
        client.ask(0, "initialize", &parameters)?;
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(client)
    }

    fn call(&mut self, number: usize) -> Result<Duration> {
        let parameters = json!({"name": self.tool, "arguments": {"message": format!("call {number}")}});
        let begun = Instant::now();
        let result = self.ask(number + 1, "tools/call", &parameters)?;
        let time = begun.elapsed();
        if !result.to_string().contains("Echo: call") {
            bail!("not an echo: {result}");
        }
        Ok(time)
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        writeln!(self.input, "{message}")?;
        Ok(self.input.flush()?)
    }

    fn ask(&mut self, id: usize, method: &str, parameters: &Value) -> Result<Value> {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": parameters}))?;
        loop {
            self.line.clear();
            if self.output.read_line(&mut self.line)? == 0 {
                bail!("the other side has ended");
            }
            let message: Value = serde_json::from_str(&self.line)?;
            if message["id"] == json!(id) && message.get("method").is_none() {
                return Ok(message["result"].clone());
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
