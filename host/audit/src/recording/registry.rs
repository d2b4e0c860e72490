//! What a recorded run could do: the tools of OpenHands, and an envelope that holds it to nothing.

use std::sync::Arc;

use countersign::settings::{SettingsError, sealed, the_default_graph};
use countersign_kernel::contract::{Reversibility, ToolCategory};
use countersign_spec::graph::Graph;
use countersign_spec::tool::SideEffectClass;
use countersign_spec::{Boundary, Tool};

/// What every run of a backtest is pinned to alike.
pub struct Envelope {
    pub tools: Vec<Tool>,
    pub boundary: Boundary,
    pub graph: Arc<Graph>,
    pub graph_digest: Arc<str>,
}

impl Envelope {
    pub fn new() -> Result<Self, SettingsError> {
        let tools = tools();
        let (graph, digest) = the_default_graph()?;
        let boundary = sealed(Boundary {
            autonomy: 7,
            exchanges: 0,
            ..Boundary::new("recording", tools.iter().map(|tool| Arc::clone(&tool.name)).collect())
        });
        Ok(Envelope { tools, boundary, graph: Arc::new(graph), graph_digest: Arc::clone(digest.as_str()) })
    }
}

/// The tools that recordings of OpenHands use.
fn tools() -> Vec<Tool> {
    let tool = |name: &str, category, mutating, internal| Tool {
        definition: "recording".into(),
        side_effect: if mutating { SideEffectClass::ExternalWrite } else { SideEffectClass::ReadOnly },
        reversibility: if mutating { Reversibility::Unknown } else { Reversibility::Reversible },
        external: false,
        internal,
        time_out: 0,
        ..Tool::new(name, category)
    };
    vec![
        tool("execute_bash", ToolCategory::Sandbox, true, false),
        tool("execute_ipython_cell", ToolCategory::Sandbox, true, false),
        tool("str_replace_editor", ToolCategory::FileSystem, true, false),
        tool("browser", ToolCategory::LiveApi, true, false),
        tool("web_read", ToolCategory::ReadOnlyLookup, false, false),
        tool("chat", ToolCategory::Communication, true, false),
        tool("think", ToolCategory::Sandbox, false, true),
    ]
}
