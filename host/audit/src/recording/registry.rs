//! What a recorded run could do: the tools that it used, and an envelope that holds it to nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::settings::{SettingsError, sealed, the_default_graph};
use countersign_kernel::contract::{Reversibility, ToolCategory};
use countersign_spec::graph::Graph;
use countersign_spec::tool::SideEffectClass;
use countersign_spec::{Boundary, Tool};

use super::nature::of_tool;

/// What every run of a backtest is pinned to alike.
pub struct Envelope {
    pub graph: Arc<Graph>,
    pub graph_digest: Arc<str>,
}

impl Envelope {
    pub fn new() -> Result<Self, SettingsError> {
        let (graph, digest) = the_default_graph()?;
        Ok(Envelope { graph: Arc::new(graph), graph_digest: Arc::clone(digest.as_str()) })
    }

    /// The boundary of a run with these tools: it allows all of them.
    pub fn boundary(&self, tools: &[Tool]) -> Boundary {
        let names = tools.iter().map(|tool| Arc::clone(&tool.name)).collect();
        sealed(Boundary { autonomy: 7, exchanges: 0, ..Boundary::new("recording", names) })
    }
}

/// The tools of a run by the names that it called. Where it is one of OpenHands, all of its tools are there.
pub fn tools(used: &BTreeSet<String>) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    if OPENHANDS.iter().any(|(name, ..)| used.contains(*name)) {
        tools.extend(OPENHANDS.map(|(name, category, mutating, internal)| tool(name, category, mutating, internal)));
    }
    for name in used.iter().filter(|name| !OPENHANDS.iter().any(|(known, ..)| known == name)) {
        let (category, mutating) = of_tool(name);
        tools.push(tool(name, category, mutating, false));
    }
    tools
}

fn tool(name: &str, category: ToolCategory, mutating: bool, internal: bool) -> Tool {
    Tool {
        definition: "recording".into(),
        side_effect: if mutating { SideEffectClass::ExternalWrite } else { SideEffectClass::ReadOnly },
        reversibility: if mutating { Reversibility::Unknown } else { Reversibility::Reversible },
        external: false,
        internal,
        time_out: 0,
        ..Tool::new(name, category)
    }
}

/// What OpenHands offers: name, category, whether it may change something, whether it stays within the agent.
const OPENHANDS: [(&str, ToolCategory, bool, bool); 7] = [
    ("execute_bash", ToolCategory::Sandbox, true, false),
    ("execute_ipython_cell", ToolCategory::Sandbox, true, false),
    ("str_replace_editor", ToolCategory::FileSystem, true, false),
    ("browser", ToolCategory::LiveApi, true, false),
    ("web_read", ToolCategory::ReadOnlyLookup, false, false),
    ("chat", ToolCategory::Communication, true, false),
    ("think", ToolCategory::Sandbox, false, true),
];
