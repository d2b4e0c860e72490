//! Slot `sensitivity`.

use countersign::kernel::contract::{SensitivityTag, Span, sensitivity as contract};
use countersign_sdk::sensitivity as sdk;

native!(Sensitivity, sdk::Sensitivity, rate, to_text, rating);

/// A question's record as the SDK has it.
pub fn to_text(text: &contract::Text) -> sdk::Text {
    sdk::Text {
        text: text.text.to_string(),
        bytes: text.bytes,
        present: map_enum!(text.present, SensitivityTag => sdk::SensitivityTag {
            Public, Internal, Confidential, Restricted, Critical
        }),
    }
}

fn rating(answer: sdk::Rating) -> contract::Rating {
    let span = |span: sdk::Span| Span { start: span.start, end: span.end, kind: span.kind, score: span.score };
    contract::Rating {
        tag: map_enum!(answer.tag, sdk::SensitivityTag => SensitivityTag {
            Public, Internal, Confidential, Restricted, Critical
        }),
        spans: answer.spans.into_iter().map(span).collect(),
        reason: answer.reason,
    }
}
