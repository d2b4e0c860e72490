//! What holds for every text.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use countersign_patterns::{Kind, Scanner};
use proptest::prelude::*;

/// Scans a text and checks what every answer keeps to.
fn check(scanner: &Scanner, text: &str) {
    let mut phrases = Vec::new();
    let hits = scanner.scan(text, |_, start, end| phrases.push((start, end)));
    let mut last = (0, 0);
    for hit in &hits {
        assert!(hit.start < hit.end && hit.end <= text.len(), "{hit:?}");
        assert!(text.is_char_boundary(hit.start) && text.is_char_boundary(hit.end), "{hit:?} in {text:?}");
        assert!((0.0..=1.0).contains(&hit.score), "{hit:?}");
        assert!(hit.start >= last.0, "{hits:?}");
        if !hit.kind.is_term() {
            assert!(hit.start >= last.1, "{hits:?}");
            last.1 = hit.end;
        }
        last.0 = hit.start;
    }
    for (start, end) in phrases {
        assert!(
            start < end && text.is_char_boundary(start) && text.is_char_boundary(end),
            "{start}..{end} in {text:?}"
        );
    }
    // What stands before it changes nothing when it is a line of its own.
    if hits.iter().all(|hit| hit.kind != Kind::Unread) {
        let shifted = scanner.scan(&format!("\u{1}\n{text}"), |_, _, _| {});
        assert_eq!(shifted.len(), hits.len(), "{text:?}");
        assert!(
            shifted.iter().zip(&hits).all(|(shifted, hit)| shifted.start == hit.start + 2 && shifted.kind == hit.kind)
        );
    }
}

fn scanner() -> Scanner {
    let mut builder = Scanner::builder();
    builder.pattern("ignore|forget all| previous rules", 1);
    builder.phrase("7 of nine", 2).unwrap();
    builder.build()
}

/// Pieces that begin something.
const PIECES: &[&str] = &[
    "a",
    "9",
    " ",
    ".",
    "-",
    "--",
    "@",
    ":",
    "::",
    "//",
    "=",
    "+",
    "(",
    ")",
    "\\",
    "\\n",
    "\"",
    "é",
    "中",
    "\u{200b}",
    "’",
    "\u{1f600}",
    "4111",
    "GB82",
    "ghp_",
    "sk-",
    "eyJ",
    "password",
    "api_key",
    "-----BEGIN PRIVATE KEY-----",
    "-----END",
    "phone",
    "dob",
    "passport",
    "hiv",
    "1980",
    "415",
    "555",
    "0688",
    "ignore",
    "previous",
    "rules",
    "7",
    "nine",
    "diagnosed with",
    "\0",
    "\n",
    "x.y",
    "1234567890123456",
];

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        check(&scanner(), &text);
    }

    #[test]
    fn any_row_of_beginnings(pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        check(&scanner(), &text);
    }

    #[test]
    fn any_cut(pieces in proptest::collection::vec(0..PIECES.len(), 0..20), cut in any::<usize>()) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        check(&scanner(), &text[..text.floor_char_boundary(cut % (text.len() + 1))]);
    }
}

#[test]
fn a_text_made_to_be_hard_to_read_is_read_in_part_and_the_rest_is_a_hit() {
    let scanner = scanner();
    let text = "dob 1/ +1 415 0123 45 67 ".repeat(1300);
    let hits = scanner.scan(&text, |_, _, _| {});
    let last = hits.last().unwrap();
    assert_eq!((last.kind, last.end), (Kind::Unread, text.len()));
    check(&scanner, &text);
}

#[test]
fn every_beginning_over_and_over_is_read_in_no_time() {
    let scanner = scanner();
    for piece in PIECES {
        for text in [piece.repeat(32768 / piece.len()), format!("{piece} ").repeat(32768 / (piece.len() + 1))] {
            let before = std::time::Instant::now();
            scanner.scan(&text, |_, _, _| {});
            assert!(before.elapsed().as_millis() < 500, "{piece:?}");
        }
    }
}
