//! Default policy of the slot `sensitivity`: patterns and a dictionary (document 001, part 8.1;
//! specification B8). The first of that part's two passes; a classifier for what patterns cannot
//! reach is a second policy in the same slot.

mod config;
mod rating;

use countersign_patterns::{Kind, PhraseError, Scanner};
use countersign_sdk::sensitivity::{Rating, Sensitivity, SensitivityTag, Text};
use countersign_sdk::{ConfigError, Policy, RunView, log, policy};

use rating::{Evidence, Found};

/// Rates texts by what patterns find in them.
pub struct Patterns {
    scanner: Scanner,
    /// By kind, in their order.
    tags: Vec<SensitivityTag>,
    keyword_tags: Vec<SensitivityTag>,
    least_score: f64,
    several: u32,
    cut_raises: bool,
}

impl Policy for Patterns {
    const NAME: &'static str = "sensitivity";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "raises the tag of a text by the personal data, secrets and words found in it";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let mut tags: Vec<SensitivityTag> = Kind::ALL.iter().map(|kind| config::default_tag(*kind)).collect();
        for (name, tag) in &configuration.tags {
            let kind = Kind::named(name)
                .ok_or_else(|| ConfigError::at(format!("/tags/{name}"), "expected the name of a kind of hit"))?;
            tags[kind as usize] = (*tag).into();
        }
        if !(0.0..=1.0).contains(&configuration.least_score) {
            return Err(ConfigError::at("/least_score", "expected a number from 0 to 1"));
        }
        let confidential = |kind: &Kind| kind.is_personal() && tags[*kind as usize] == SensitivityTag::Confidential;
        if configuration.several > 0 && !Kind::ALL.iter().any(confidential) {
            log::warn("`several` is never reached: no kind of personal data is confidential");
        }
        let (scanner, keyword_tags) = with_keywords(&configuration.keywords)?;
        Ok(Patterns {
            scanner,
            tags,
            keyword_tags,
            least_score: configuration.least_score,
            several: configuration.several,
            cut_raises: configuration.cut_raises,
        })
    }
}

/// A scanner that tells each keyword by its place in the list.
fn with_keywords(keywords: &[config::Keyword]) -> Result<(Scanner, Vec<SensitivityTag>), ConfigError> {
    let mut builder = Scanner::builder();
    for (index, keyword) in keywords.iter().enumerate() {
        match builder.phrase(&keyword.word, index as u16) {
            Ok(()) => {}
            Err(PhraseError::Taken(first)) => {
                log::warn(&format!("keyword {} is never reached: keyword {} takes its words", index + 1, first + 1));
            }
            Err(PhraseError::NoWord) => {
                return Err(ConfigError::at(
                    format!("/keywords/{index}/word"),
                    "expected a word other than `the`, `of`, `my`, `our`, `these`, `those`",
                ));
            }
            Err(PhraseError::TooLong) => {
                return Err(ConfigError::at(format!("/keywords/{index}/word"), "expected eight words at most"));
            }
        }
    }
    Ok((builder.build(), keywords.iter().map(|keyword| keyword.tag.into()).collect()))
}

impl Sensitivity for Patterns {
    fn rate(&mut self, text: Text, _run: &dyn RunView) -> Rating {
        let mut found = Vec::new();
        let mut keywords = Vec::new();
        let hits = self.scanner.scan(&text.text, |keyword, start, end| keywords.push((keyword, start, end)));
        for hit in hits.iter().filter(|hit| hit.score >= self.least_score) {
            let tag = self.tags[hit.kind as usize];
            found.push(Found { kind: Some(hit.kind), start: hit.start, end: hit.end, score: hit.score, tag });
        }
        for (keyword, start, end) in keywords {
            let tag = self.keyword_tags[usize::from(keyword)];
            found.push(Found { kind: None, start, end, score: 1.0, tag });
        }
        found.sort_by_key(|found| found.start);
        let mut evidence = Evidence::new(text.present, found);
        evidence.several(self.several);
        if self.cut_raises && text.bytes > text.text.len() as u64 {
            evidence.cut(text.text.len(), text.bytes);
        }
        evidence.rating()
    }
}

policy!(Patterns: sensitivity);

#[cfg(test)]
mod tests;
