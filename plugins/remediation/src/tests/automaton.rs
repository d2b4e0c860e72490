//! The automaton finds what the obvious way finds.

use proptest::prelude::*;

use crate::phrases::{Phrases, ends, words};

/// Every phrase at every word.
fn obvious(phrases: &[(String, bool)], text: &str, unconditional: bool) -> Option<u32> {
    let text: Vec<u64> = words(text).collect();
    let stands = |phrase: &str| {
        let phrase: Vec<u64> = words(phrase).collect();
        !phrase.is_empty() && text.windows(phrase.len()).any(|window| window == phrase)
    };
    let found = phrases.iter().position(|(phrase, always)| (*always || !unconditional) && stands(phrase));
    found.map(|index| index as u32)
}

#[test]
fn words_of_a_text() {
    let same = |left: &str, right: &str| words(left).eq(words(right));
    assert!(same("Re-Authorization_required", "re authorization REQUIRED"));
    assert!(same("a\\nb\\tc\\rd", "a b c d"));
    assert!(same("“a”…b", "a b"));
    assert!(same(" \u{a0}a\u{3000}b\u{ff0c}c\u{2009}", "a b c"));
    assert!(!same("café", "caf"));
    assert_eq!(words("¡ — … \\n ../").count(), 0);
    assert_eq!(words("令牌 已过期").count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn it_finds_the_first_phrase(
        phrases in prop::collection::vec(("[ab_]{1,7}|[abc] [ab]{1,2} ?[ac]?", any::<bool>()), 0..12),
        text in "[abc _é—]{0,40}",
        unconditional: bool,
    ) {
        let automaton = Phrases::new(phrases.iter().map(|(text, always)| (text.as_str(), *always)));
        prop_assert_eq!(automaton.first_in(&text, unconditional), obvious(&phrases, &text, unconditional));
    }

    #[test]
    fn ends_are_whole_words_of_the_text(text in "[ab é—.]{0,60}", bytes in 1_usize..20) {
        let (head, tail) = ends(&text, bytes);
        prop_assert!(text.starts_with(head) && text.ends_with(tail));
        if text.len() <= 2 * bytes {
            prop_assert_eq!(head, text.as_str());
        } else {
            prop_assert!(head.len() <= bytes && tail.len() <= bytes);
            let all: Vec<u64> = words(&text).collect();
            let (head, tail): (Vec<u64>, Vec<u64>) = (words(head).collect(), words(tail).collect());
            prop_assert!(all.starts_with(&head) && all.ends_with(&tail));
        }
    }
}
