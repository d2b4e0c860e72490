//! What no model is to see, wherever it turns up again: in what a verifier says of a result, in facts
//! that were read from it, in memories.

use crate::contract::{Finding, FindingKind};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

/// Texts that are kept; of more the oldest are forgotten.
const MOST: usize = 256;
/// Bytes of the shortest: what is shorter stands in too many other words.
const SHORTEST: usize = 4;

/// Personal data and secrets that were found, and what stands in their place.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden(VecDeque<(Arc<str>, FindingKind)>);

impl Hidden {
    /// What the findings say of a text.
    pub fn add(&mut self, text: &str, findings: &[Finding]) {
        for finding in findings {
            if !matches!(finding.kind, FindingKind::PersonalData | FindingKind::Secret) {
                continue;
            }
            let Some(part) = text.get(finding.start as usize..finding.end as usize) else { continue };
            if part.len() >= SHORTEST && !self.0.iter().any(|(known, _)| **known == *part) {
                super::push_bounded(&mut self.0, MOST, (part.into(), finding.kind));
            }
        }
    }

    /// A text without it.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        let mut parts: Vec<&(Arc<str>, FindingKind)> = self.0.iter().collect();
        // What lies within another part goes with it.
        parts.sort_by_key(|(part, _)| std::cmp::Reverse(part.len()));
        for (part, kind) in parts {
            if out.contains(&**part) {
                out = Cow::Owned(out.replace(&**part, &format!("[{}]", kind.name())));
            }
        }
        out
    }

    /// The same, of a text that is shared.
    pub fn hidden(&self, text: &Arc<str>) -> Arc<str> {
        match self.hide(text) {
            Cow::Borrowed(_) => Arc::clone(text),
            Cow::Owned(text) => text.into(),
        }
    }
}
