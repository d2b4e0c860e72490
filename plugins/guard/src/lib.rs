//! Default policy of the slot `guard`: patterns for the three layers of document 001, part 8.3
//! (specification B14). A classifier that sees what is paraphrased is a second policy in the slot.

mod config;
mod findings;
mod injection;
mod keys;
mod lists;
mod marks;
mod paths;
mod phrases;
mod rules;
mod shell;

use countersign_patterns::{Builder, Kind, PhraseError, Scanner, eights};
use countersign_sdk::guard::{Direction, Guard, Inspection, Transit};
use countersign_sdk::{ConfigError, Policy, RunView, log, policy};

use findings::{Findings, Severities};
use phrases::{CALL, TAGS, TEXT, Tag};
use rules::Rule;

/// The service that gives a machine in a cloud its credentials.
const METADATA_SERVICE: &str = "169.254.169.254";
/// What follows `metadata` in its name.
const METADATA_HOST: &[u8] = b".google.internal";
/// Commands and paths that are looked at in one call; what is behind them is told as unread.
const MOST_LOOKS: u32 = 500;
const DIRECTIONS: [Direction; 3] = [Direction::Input, Direction::Output, Direction::Call];

/// Inspects texts and calls by patterns.
pub struct Patterns {
    /// For what comes in and goes out.
    texts: Scanner,
    calls: Scanner,
    /// How many of the configuration's phrases are for injections; the others are toxic.
    injections: usize,
    /// By direction, then by rule.
    severities: [Severities; 3],
    least_score: f64,
}

impl Policy for Patterns {
    const NAME: &'static str = "guard";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str =
        "finds injections, personal data, secrets, threats and calls that reach for credentials";
    const STATELESS: bool = true;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&configuration.least_score) {
            return Err(ConfigError::at("/least_score", "expected a number from 0 to 1"));
        }
        let mut severities = DIRECTIONS.map(|direction| {
            let of = |rule: Rule| if rule.is_in(direction) { rule.severity(direction) } else { None };
            Rule::all().map(of).collect::<Severities>()
        });
        for (name, level) in &configuration.severity {
            let rule = Rule::named(name)
                .ok_or_else(|| ConfigError::at(format!("/severity/{name}"), "expected the name of a rule"))?;
            for (direction, severities) in DIRECTIONS.iter().zip(&mut severities) {
                if rule.is_in(*direction) {
                    severities[rule.index()] = level.severity();
                }
            }
        }
        for severities in &mut severities {
            severities[Rule::Cut.index()] = configuration.cut.severity();
        }
        let mut texts = Scanner::builder();
        add_all(&mut texts, TEXT);
        let mut next = TAGS.len();
        add(&mut texts, "injection_phrases", &configuration.injection_phrases, &mut next)?;
        add(&mut texts, "toxic_words", &configuration.toxic_words, &mut next)?;
        let mut calls = Scanner::builder();
        add_all(&mut calls, CALL);
        Ok(Patterns {
            texts: texts.build(),
            calls: calls.build(),
            injections: configuration.injection_phrases.len(),
            severities,
            least_score: configuration.least_score,
        })
    }
}

fn add_all(builder: &mut Builder, patterns: &[(&str, Tag)]) {
    for (pattern, tag) in patterns {
        builder.pattern(pattern, *tag as u16);
    }
}

/// Adds the phrases of a list of the configuration, numbered on from `next`.
fn add(builder: &mut Builder, key: &str, phrases: &[String], next: &mut usize) -> Result<(), ConfigError> {
    for (index, phrase) in phrases.iter().enumerate() {
        match builder.phrase(phrase, *next as u16) {
            Ok(()) => {}
            Err(PhraseError::Taken(_)) => {
                log::warn(&format!("`{key}` {} is never reached: another phrase takes its words", index + 1));
            }
            Err(PhraseError::NoWord) => {
                let message = "expected a word other than `the`, `of`, `my`, `our`, `these`, `those`";
                return Err(ConfigError::at(format!("/{key}/{index}"), message));
            }
            Err(PhraseError::TooLong) => {
                return Err(ConfigError::at(format!("/{key}/{index}"), "expected eight words at most"));
            }
        }
        *next += 1;
    }
    Ok(())
}

impl Guard for Patterns {
    fn inspect(&mut self, transit: Transit, _run: &dyn RunView) -> Inspection {
        let direction = transit.direction;
        let mut findings = Findings::new(direction, &self.severities[direction as usize], self.least_score);
        match direction {
            Direction::Input | Direction::Output => self.inspect_text(&transit, &mut findings),
            Direction::Call => self.inspect_call(&transit, &mut findings),
        }
        // A model needs the mark to hand a secret on, and people see no more than the mark.
        if direction == Direction::Call {
            marks::tell(transit.text.as_bytes(), &mut findings);
        }
        let seen = transit.text.len();
        if transit.bytes > seen as u64 {
            let last = transit.text.char_indices().next_back().map_or(0, |(start, _)| start);
            findings.add(Rule::Cut, last, seen, 1.0);
        }
        findings.inspection()
    }
}

impl Patterns {
    fn inspect_text(&self, transit: &Transit, findings: &mut Findings) {
        let text = transit.text.as_bytes();
        let mut told = injection::Told::default();
        let input = transit.direction == Direction::Input;
        let hits = self.texts.scan(&transit.text, |number, start, end| match Tag::of(number) {
            Some(Tag::Store) if input => told.store(paths::store(text, start, end)),
            Some(Tag::Toxic) => findings.add(Rule::Toxicity, start, end, 0.8),
            Some(tag) => told.hear(tag, text, start, end, findings),
            None if usize::from(number) < TAGS.len() + self.injections => {
                told.hear(Tag::Override, text, start, end, findings);
            }
            None => findings.add(Rule::Toxicity, start, end, 0.8),
        });
        for hit in hits {
            findings.add(Rule::Found(hit.kind), hit.start, hit.end, hit.score);
        }
        if transit.direction == Direction::Input {
            told.tell(text, findings);
            injection::hidden(&transit.text, findings);
        }
    }

    fn inspect_call(&self, transit: &Transit, findings: &mut Findings) {
        let plain = shell::plain::plain(&transit.text);
        let text = plain.as_bytes();
        let lists = lists::lists(&transit.text);
        let mut shell = shell::Shell::default();
        let mut looks = 0;
        let mut unread = None;
        let hits = self.calls.scan(&plain, |number, start, end| {
            looks += 1;
            if looks > MOST_LOOKS {
                unread = unread.or(Some(start));
            } else if !lists.iter().any(|list| (list.start..list.end).contains(&start)) {
                command(&mut shell, number, text, start, end, findings);
            }
        });
        for list in &lists {
            findings.of_list(Some((list.start, list.end)));
            let plain = shell::plain::plain(&list.line);
            let mut shell = shell::Shell::default();
            self.calls.scan(&plain, |number, start, end| {
                command(&mut shell, number, plain.as_bytes(), start, end, findings);
            });
        }
        findings.of_list(None);
        for hit in hits {
            if hit.kind == Kind::IpAddress
                && !shell.is_told(hit.start)
                && transit.text.get(hit.start..hit.end) == Some(METADATA_SERVICE)
            {
                findings.add(Rule::MetadataService, hit.start, hit.end, 0.9);
            }
            let rule = Rule::Found(hit.kind);
            // What only stands under a name such as `api_key` is no more than a suspicion.
            let guessed = hit.kind == Kind::ApiKey && !hit.is_issued_key();
            let severity = findings.severity(if guessed { Rule::Found(Kind::PasswordAssignment) } else { rule });
            findings.add_as(rule, hit.start, hit.end, hit.score, severity.min(findings.severity(rule)));
        }
        let mut at = 0;
        while let Some(found) = eights::find_pair(text, at, *b"..", *b"()") {
            if text[found] == b'.' {
                at = paths::traversal(text, found, findings);
                continue;
            }
            at = found + 2;
            if text[..found].ends_with(b":") {
                looks += 1;
                if looks > MOST_LOOKS {
                    unread = unread.or(Some(found));
                    break;
                }
                shell::fork_bomb(text, found, findings);
            }
        }
        if let Some(start) = unread {
            findings.add(Rule::Found(Kind::Unread), start, text.len(), 0.5);
        }
    }
}

/// Hears of a word of a call's commands.
fn command(shell: &mut shell::Shell, number: u16, text: &[u8], start: usize, end: usize, findings: &mut Findings) {
    if shell.is_told(start) {
        return;
    }
    match Tag::of(number) {
        Some(Tag::Store) => {
            if let Some((from, to)) = paths::store(text, start, end) {
                if !keys::is_used(text, from) {
                    findings.add(Rule::CredentialStore, from, to, 0.8);
                }
            } else if keys::takes_folder(text, start, end) {
                findings.add(Rule::CredentialStore, start - 1, end, 0.8);
            }
        }
        Some(Tag::Export) => findings.add(Rule::CredentialStore, start, end, 0.8),
        Some(Tag::Metadata) if text[end..].starts_with(METADATA_HOST) => {
            findings.add(Rule::MetadataService, start, end + METADATA_HOST.len(), 0.9);
        }
        Some(tag) => {
            let takes = match tag {
                Tag::Cd => keys::reads_in(text, end),
                Tag::Download => keys::sends(text, start, end),
                _ => false,
            };
            if takes {
                findings.add(Rule::CredentialStore, start, end, 0.8);
            }
            shell.hear(tag, text, start, end, findings);
        }
        None => {}
    }
}

policy!(Patterns: guard);

#[cfg(test)]
mod tests;
