//! What `cases.toml` says, natively, and the laws.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use countersign_sdk::Policy;
use countersign_sdk::sensitivity::{Rating, Sensitivity, SensitivityTag, Text};
use countersign_sdk::testing::TestRun;
use proptest::prelude::*;

use crate::Patterns;
use crate::config::{Configuration, Keyword, Tag};

const TAGS: [SensitivityTag; 5] = [
    SensitivityTag::Public,
    SensitivityTag::Internal,
    SensitivityTag::Confidential,
    SensitivityTag::Restricted,
    SensitivityTag::Critical,
];

fn policy(configuration: Configuration) -> Patterns {
    Patterns::configure(configuration).unwrap()
}

fn rate_at(policy: &mut Patterns, text: &str, present: SensitivityTag) -> Rating {
    let text = Text { text: text.to_owned(), bytes: text.len() as u64, present };
    policy.rate(text, &TestRun::default())
}

fn rate(policy: &mut Patterns, text: &str) -> Rating {
    rate_at(policy, text, SensitivityTag::Public)
}

fn kinds(rating: &Rating) -> Vec<&str> {
    rating.spans.iter().map(|span| span.kind.as_str()).collect()
}

#[test]
fn the_highest_tag_of_what_is_found_counts() {
    let mut policy = policy(Configuration::default());
    for (text, tag) in [
        ("nothing to see", SensitivityTag::Public),
        ("write to ada@example.org", SensitivityTag::Confidential),
        ("ada@example.org, 078-05-1120", SensitivityTag::Restricted),
        ("078-05-1120, password=hunter22", SensitivityTag::Critical),
        ("strictly confidential", SensitivityTag::Confidential),
        ("HIV", SensitivityTag::Restricted),
    ] {
        assert_eq!(rate(&mut policy, text).tag, tag, "{text}");
    }
}

#[test]
fn the_tag_never_falls_and_only_what_raises_is_told() {
    let mut policy = policy(Configuration::default());
    let text = "ada@example.org, 078-05-1120";
    assert_eq!(kinds(&rate(&mut policy, text)), ["email-address", "us-ssn"]);
    assert_eq!(kinds(&rate_at(&mut policy, text, SensitivityTag::Confidential)), ["us-ssn"]);
    let rating = rate_at(&mut policy, text, SensitivityTag::Critical);
    assert_eq!(
        (rating.tag, rating.spans.len(), rating.reason.as_str()),
        (SensitivityTag::Critical, 0, "stays critical")
    );
}

#[test]
fn several_hits_of_personal_data_are_more_than_one() {
    let list = |count: usize| "ada@example.org ".repeat(count);
    let mut default = policy(Configuration::default());
    assert_eq!(rate(&mut default, &list(9)).tag, SensitivityTag::Confidential);
    let rating = rate(&mut default, &list(10));
    assert_eq!(rating.tag, SensitivityTag::Restricted);
    assert_eq!(rating.reason, "restricted: 10 email-address, 10 hits of personal data together");
    let rating = rate_at(&mut default, &list(10), SensitivityTag::Confidential);
    assert_eq!((rating.tag, rating.spans.len()), (SensitivityTag::Restricted, 10));
    assert_eq!(rate(&mut default, &"strictly confidential. ".repeat(20)).tag, SensitivityTag::Confidential);
    let mut off = policy(Configuration { several: 0, ..Configuration::default() });
    assert_eq!(rate(&mut off, &list(100)).tag, SensitivityTag::Confidential);
}

#[test]
fn tags_scores_and_keywords_are_configuration() {
    let keyword = |word: &str, tag| Keyword { word: word.to_owned(), tag };
    let mut policy = policy(Configuration {
        tags: [("email-address".to_owned(), Tag::Public), ("ip-address".to_owned(), Tag::Critical)].into(),
        least_score: 0.55,
        keywords: vec![
            keyword("Project Falcon", Tag::Critical),
            keyword("roadmap", Tag::Internal),
            keyword("ROADMAP", Tag::Critical),
        ],
        ..Configuration::default()
    });
    assert_eq!(rate(&mut policy, "ada@example.org").tag, SensitivityTag::Public);
    // An address of the internet scores 0.5.
    assert_eq!(rate(&mut policy, "203.0.113.7").tag, SensitivityTag::Public);
    let rating = rate(&mut policy, "the project\nfalcon plan");
    assert_eq!((rating.tag, kinds(&rating)), (SensitivityTag::Critical, vec!["keyword"]));
    assert_eq!((rating.spans[0].start, rating.spans[0].end), (4, 18));
    // The first of two keywords of the same words counts.
    assert_eq!(rate(&mut policy, "our roadmap").tag, SensitivityTag::Internal);
}

#[test]
fn a_text_that_was_cut_is_raised_where_that_is_wanted() {
    let cut = || Text { text: "start".to_owned(), bytes: 6, present: SensitivityTag::Public };
    let mut off = policy(Configuration::default());
    assert_eq!(off.rate(cut(), &TestRun::default()).tag, SensitivityTag::Public);
    let mut on = policy(Configuration { cut_raises: true, ..Configuration::default() });
    let rating = on.rate(cut(), &TestRun::default());
    assert_eq!((rating.tag, rating.reason.as_str()), (SensitivityTag::Confidential, "confidential: 5 of 6 bytes seen"));
    assert_eq!(rate(&mut on, "start").tag, SensitivityTag::Public);
    let restricted = Text { present: SensitivityTag::Restricted, ..cut() };
    assert_eq!(on.rate(restricted, &TestRun::default()).reason, "stays restricted");
}

#[test]
fn of_too_many_spans_the_strongest_are_told() {
    let mut policy = policy(Configuration::default());
    let text = format!("{}078-05-1120", "ada@example.org ".repeat(300));
    let rating = rate(&mut policy, &text);
    assert_eq!(rating.spans.len(), 256);
    assert_eq!(rating.spans.last().unwrap().kind, "us-ssn");
    assert!(rating.reason.starts_with("restricted: 300 email-address, 1 us-ssn"), "{}", rating.reason);
}

#[test]
fn what_the_schema_cannot_say_is_refused() {
    let refused = |configuration| Patterns::configure(configuration).err().unwrap().key;
    let keywords = |word: &str| Configuration {
        keywords: vec![Keyword { word: word.to_owned(), tag: Tag::Internal }],
        ..Configuration::default()
    };
    assert_eq!(refused(keywords("...")), "/keywords/0/word");
    assert_eq!(refused(keywords("one two three four five six seven eight nine")), "/keywords/0/word");
    assert_eq!(
        refused(Configuration { tags: [("e-mail".to_owned(), Tag::Public)].into(), ..Configuration::default() }),
        "/tags/e-mail"
    );
    assert_eq!(refused(Configuration { least_score: f64::NAN, ..Configuration::default() }), "/least_score");
}

#[test]
fn the_schema_knows_every_kind() {
    let schema = Patterns::CONFIGURATION_SCHEMA;
    for kind in countersign_patterns::Kind::ALL {
        assert!(schema.contains(&format!("\"{}\":", kind.name())), "{kind:?}");
    }
}

proptest! {
    #[test]
    fn every_answer_keeps_to_the_contract(text in "([ -~é\n]|ada@example.org |078-05-1120 |hiv |password=hunter22 ){0,60}", present in 0_usize..5) {
        let mut policy = policy(Configuration::default());
        let rating = rate_at(&mut policy, &text, TAGS[present]);
        prop_assert!(rating.tag >= TAGS[present]);
        prop_assert!(rating.reason.len() <= 1024 && rating.spans.len() <= 256);
        prop_assert!(rating.spans.is_sorted_by_key(|span| span.start));
        prop_assert_eq!(rating.tag == TAGS[present], rating.spans.is_empty());
        for span in &rating.spans {
            prop_assert!(span.start < span.end && text.get(span.start as usize..span.end as usize).is_some());
            prop_assert!((0.0..=1.0).contains(&span.score) && span.kind.len() <= 64);
        }
        // More text never lowers the tag.
        let more = rate_at(&mut policy, &format!("{text}\nada@example.org"), TAGS[present]);
        prop_assert!(more.tag >= rating.tag);
    }
}
