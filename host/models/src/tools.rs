use countersign_tools::Arguments;
use serde_json::Value;

/// What a model is told of its tools, and what they say of arguments.
pub struct Tools<'a> {
    /// As the request shows them.
    pub shown: &'a [Value],
    /// As an answer is checked.
    pub arguments: &'a dyn Arguments,
}
