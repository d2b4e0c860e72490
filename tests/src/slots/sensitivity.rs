//! Slot `sensitivity`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::sensitivity::Text;
use countersign::kernel::contract::{SensitivityTag, Span, sensitivity as contract};
use countersign_sdk::sensitivity as sdk;

use crate::generate::{KIB, Random, text as some_text, uncut};
use crate::laws::{Law, Trial, answered, view};

native!(Sensitivity, countersign_sensitivity::Patterns, sdk::Sensitivity.rate);

/// A question's record as the SDK has it.
pub fn to_sdk(text: &contract::Text) -> sdk::Text {
    sdk::Text {
        text: text.text.to_string(),
        bytes: text.bytes,
        present: map_enum!(text.present, SensitivityTag => sdk::SensitivityTag {
            Public, Internal, Confidential, Restricted, Critical
        }),
    }
}

fn from_sdk(answer: sdk::Rating) -> contract::Rating {
    let span = |span: sdk::Span| Span { start: span.start, end: span.end, kind: span.kind, score: span.score };
    contract::Rating {
        tag: map_enum!(answer.tag, sdk::SensitivityTag => SensitivityTag {
            Public, Internal, Confidential, Restricted, Critical
        }),
        spans: answer.spans.into_iter().map(span).collect(),
        reason: answer.reason,
    }
}

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Text {
    let text = some_text(random, 32 * KIB);
    Text { bytes: uncut(random, &text, 32 * KIB), text, present: random.pick(&SensitivityTag::ALL) }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 1] =
    [Law { name: "the tag is never lowered, and a higher one never gets a lower one", check: never_lowered }];

fn never_lowered(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    after.present = higher(before.present);
    let low = answered!(trial, Sensitivity, before.clone(), &view);
    let high = answered!(trial, Sensitivity, after, &view);
    ensure!(low.tag >= before.present && high.tag >= low.tag, "{} then {} for {before:?}", low.tag, high.tag);
    Ok(())
}

/// The next higher tag; the highest stays.
fn higher(tag: SensitivityTag) -> SensitivityTag {
    SensitivityTag::ALL.into_iter().find(|other| *other > tag).unwrap_or(tag)
}
