use std::sync::Arc;

use countersign_kernel::Touched;
use serde_json::Value;

/// Most bytes of one call's canonical arguments, 1 MiB. What a call says stands several times in its frame, each time with
/// more before its quotes: with more than that no reader might take the frame.
pub const MOST_ARGUMENTS: usize = 1 << 20;

/// What a tool's definition says of arguments.
pub trait Arguments {
    /// Why these do not fit; none when they do, or the tool is unknown.
    fn problem(&self, tool: &str, arguments: &Value) -> Option<String>;

    /// Required arguments that are not there.
    fn missing(&self, _tool: &str, _arguments: &Value) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// What they say that the call touches.
    fn touches(&self, _tool: &str, _arguments: &Value) -> Touched {
        Touched::default()
    }

    /// The arguments that make two calls the same one; none when all of them do.
    fn identity(&self, _tool: &str, _arguments: &Value) -> Option<Value> {
        None
    }
}
