//! Asks a scanner what it finds.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "not every file of tests asks everything")]

use countersign_patterns::{Kind, Scanner};

/// Kind and text of the hits that count by default.
pub fn found(text: &str) -> Vec<(Kind, &str)> {
    let hits = Scanner::builder().build().scan(text, |_, _, _| {});
    hits.iter().filter(|hit| hit.score >= 0.5).map(|hit| (hit.kind, &text[hit.start..hit.end])).collect()
}

/// The text without its first brackets, and what stood between them as the only hit of that kind.
pub fn finds(kind: Kind, marked: &str) {
    let (before, rest) = marked.split_once('⟦').unwrap();
    let (hit, after) = rest.split_once('⟧').unwrap();
    let text = format!("{before}{hit}{after}");
    let hits: Vec<_> = found(&text).into_iter().filter(|(found, _)| *found == kind).map(|(_, text)| text).collect();
    assert_eq!(hits, [hit], "{kind:?} in {text:?}: {:?}", found(&text));
}

pub fn finds_none(text: &str) {
    assert_eq!(found(text), [], "{text:?}");
}
