//! What policies logged, beside the trace: never in a frame, never compared.

use serde::{Deserialize, Serialize};

/// One judgement's diagnostics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Diagnostic {
    /// The frame.
    pub frame: u64,
    /// The bundle entry.
    pub entry: String,
    /// Why it could not decide; none when it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Level and line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<(String, String)>,
}

impl Diagnostic {
    /// What there is to keep of a judgement; none where its policy logged nothing and could decide.
    pub fn of(frame: u64, entry: &str, failure: Option<&str>, lines: Vec<(String, String)>) -> Option<Self> {
        let nothing = lines.is_empty() && failure.is_none();
        (!nothing).then(|| Diagnostic { frame, entry: entry.to_owned(), failure: failure.map(str::to_owned), lines })
    }
}
