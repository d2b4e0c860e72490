use std::time::Duration;

use countersign_engine::Outcome;
use countersign_kernel::{Closed, Run};
use countersign_mcp::ToolsReport;

/// Watches a run. It sees everything and changes nothing.
pub trait Observer {
    /// Something about the tools of MCP servers that a person should know before the run begins.
    fn tools(&mut self, _report: &ToolsReport) {}

    /// A policy has answered, `took` after it was asked.
    fn judged(&mut self, _entry: &str, _outcome: &Outcome, _took: Duration) {}

    /// A frame is durable.
    fn frame(&mut self, _run: &Run, _closed: &Closed) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {}
