//! What is known of a recorded run's tools: what a gateway knows of the tools of a server.

use std::collections::{BTreeMap, BTreeSet};

use countersign::mcp::rmcp::model::Tool;
use countersign::mcp::{Overrides, ServerSpec, derived};
use countersign::registry::Registry;
use serde_json::json;

use super::{AlarmsError, Told};
use crate::recording::of_tool;

/// How the tools of an agent's own servers are called in its sessions.
const OF_SERVER: &str = "mcp__";

/// The registry of a run. A tool without a name is none, and calls of it are calls of no tool.
pub fn registry(used: &BTreeSet<String>, told: Told, overrides: &Overrides) -> Result<Registry, AlarmsError> {
    let broken = |problem: String| AlarmsError::Tools { problem };
    let server: ServerSpec =
        serde_json::from_value(json!({"command": ["recorded"]})).map_err(|error| broken(error.to_string()))?;
    let mut tools = BTreeMap::new();
    for name in used.iter().filter(|name| !name.is_empty()) {
        let mut tool = json!({"name": name, "inputSchema": {"type": "object"}});
        if told == Told::Reads && !of_tool(name).1 {
            tool["annotations"] = json!({"readOnlyHint": true});
        }
        let tool: Tool = serde_json::from_value(tool).map_err(|error| broken(error.to_string()))?;
        let own = name.strip_prefix(OF_SERVER).unwrap_or(name);
        let over = overrides.get(name).or_else(|| overrides.get(own));
        let entry = derived(name, &server, &tool, over).map_err(|error| broken(error.to_string()))?;
        tools.insert(name.clone(), entry.map_err(broken)?);
    }
    Ok(Registry::new(&tools))
}
