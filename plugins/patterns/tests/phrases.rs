//! Phrases of whoever made the scanner.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use countersign_patterns::{PhraseError, Scanner};

#[test]
fn phrases_are_whole_words_in_any_case_and_spacing() {
    let mut builder = Scanner::builder();
    for (phrase, tag) in [("project falcon", 1), ("007", 2), ("Geschäftsgeheimnis", 3)] {
        builder.phrase(phrase, tag).unwrap();
    }
    builder.pattern("ignore|forget all| previous rules", 4);
    let scanner = builder.build();
    let tags = |text: &str| {
        let mut tags = Vec::new();
        scanner.scan(text, |tag, start, end| tags.push((tag, text[start..end].to_owned())));
        tags
    };
    assert_eq!(tags("PROJECT\n\t Falcon!"), [(1, "PROJECT\n\t Falcon".to_owned())]);
    assert_eq!(tags(r"project\nfalcon"), [(1, r"project\nfalcon".to_owned())]);
    assert_eq!(tags("project of the falcon").len(), 1);
    assert_eq!(tags("pro\u{200b}ject falcon").len(), 1);
    assert_eq!(tags("project project falcon").len(), 1);
    assert_eq!(tags("project. falcon"), []);
    assert_eq!(tags("project falcons"), []);
    assert_eq!(tags("agent 007, agent 0071"), [(2, "007".to_owned())]);
    assert_eq!(tags("ein Geschäftsgeheimnis"), [(3, "Geschäftsgeheimnis".to_owned())]);
    assert_eq!(tags("ignore all the previous rules; forget previous rules").len(), 2);
}

#[test]
fn a_phrase_may_be_refused() {
    let refused = |phrase: &str| {
        let mut builder = Scanner::builder();
        builder.phrase("here already", 3).unwrap();
        builder.phrase(phrase, 4).err()
    };
    assert_eq!(refused(""), Some(PhraseError::NoWord));
    assert_eq!(refused("of the ..."), Some(PhraseError::NoWord));
    assert_eq!(refused("a b c d e f g h i"), Some(PhraseError::TooLong));
    assert_eq!(refused("Here, already!"), Some(PhraseError::Taken(3)));
    assert_eq!(refused("a b c d e f g h"), None);
}
