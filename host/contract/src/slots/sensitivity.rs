//! `wit/v0.1/sensitivity.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::violation::{self, Violation};
use crate::{SensitivityTag, Span, Verdict};

record! {
    /// A text on its way to a model.
    pub struct Text {
        pub text: Arc<str>,
        pub bytes: u64,
        pub present: SensitivityTag,
    }
}

record! {
    pub struct Rating {
        pub tag: SensitivityTag,
        pub spans: Vec<Span>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

/// Most bytes of a span's kind.
const KIND: usize = 64;

impl crate::Answer for Rating {
    type Question = Text;

    fn check(&self, asked: &Text) -> Result<(), Violation> {
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

    fn verdict(&self) -> Verdict {
        // A tag stops nothing, it decides who may be asked.
        Verdict::Proceed
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Rating { reason: String::new(), ..self.clone() }
    }
}
