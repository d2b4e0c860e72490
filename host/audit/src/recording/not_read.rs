//! What is told of a file that is left out whole.

use serde::Serialize;

/// A file or folder that was named, or was found below one, and is no recording that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotRead {
    /// As it was named.
    pub file: String,
    /// Why.
    pub problem: String,
}
