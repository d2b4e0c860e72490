//! Slot `sensitivity`.

use std::sync::Arc;

use countersign_kernel::contract::{self, sensitivity};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::SensitivityTag;

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Span {
    start: u32,
    end: u32,
    kind: String,
    score: f64,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Text {
    text: Arc<str>,
    bytes: u64,
    present: SensitivityTag,
}

impl From<&sensitivity::Text> for Text {
    fn from(text: &sensitivity::Text) -> Self {
        Text { text: Arc::clone(&text.text), bytes: text.bytes, present: text.present.into() }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Rating {
    tag: SensitivityTag,
    spans: Vec<Span>,
    reason: String,
}

impl From<Rating> for sensitivity::Rating {
    fn from(answer: Rating) -> Self {
        let span = |span: Span| contract::Span { start: span.start, end: span.end, kind: span.kind, score: span.score };
        sensitivity::Rating {
            tag: answer.tag.into(),
            spans: answer.spans.into_iter().map(span).collect(),
            reason: answer.reason,
        }
    }
}
