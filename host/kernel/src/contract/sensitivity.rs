//! `wit/v0.1/sensitivity.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::violation::{self, Violation};
use super::{SensitivityTag, Span};

/// A text on its way to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Text {
    pub text: Arc<str>,
    pub bytes: u64,
    pub present: SensitivityTag,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rating {
    pub tag: SensitivityTag,
    pub spans: Vec<Span>,
    pub reason: String,
}

/// Most bytes of a span's kind.
const KIND: usize = 64;

impl Rating {
    /// Whether the contract allows it as an answer to this question.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self, asked: &Text) -> Result<(), Violation> {
        if self.tag < asked.present {
            return Err(violation::other("tag", "the present tag or a higher one"));
        }
        violation::parts("spans", &asked.text, self.spans.iter().map(|span| (span.start, span.end)))?;
        for (index, span) in self.spans.iter().enumerate() {
            violation::unit(&format!("spans[{index}].score"), span.score)?;
            if span.kind.is_empty() || span.kind.len() > KIND {
                return Err(violation::other(&format!("spans[{index}].kind"), "1 to 64 bytes"));
            }
        }
        violation::text("reason", &self.reason)
    }
}
