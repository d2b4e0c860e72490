//! MCP servers as the host meets them: well-behaved ones by others, and one that is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fake;
mod real;
mod tasks;

use std::path::Path;
use std::time::Duration;

use countersign::mcp::rmcp::model::CallToolRequestParams;
use countersign::mcp::{Connection, McpError, Quiet, ServerSpec};
use countersign::registry::ToolResult;
use serde_json::Value;

/// A server as a file would name it.
fn server(command: &[String], more: &str) -> ServerSpec {
    toml::from_str(&format!("command = {}\n{more}", serde_json::to_string(command).unwrap())).unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

async fn connect(spec: &ServerSpec) -> Result<Connection, McpError> {
    Connection::start("s", spec, Path::new("."), Quiet::default()).await
}

async fn call(connection: &Connection, tool: &str, arguments: Value, time_out: u64) -> ToolResult {
    let Value::Object(arguments) = arguments else { panic!("expected an object") };
    let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
    connection.call(params, Duration::from_millis(time_out)).await.result(false)
}
