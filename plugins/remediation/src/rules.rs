//! Rules in their fast form.

use countersign_sdk::remediation::Authority;
use countersign_sdk::{ConfigError, log};

use crate::config::{Class, Configuration, Rule};
use crate::phrases::{Phrases, words};

/// Phrases of all rules together.
const MOST_PHRASES: usize = 256;
/// Words of one phrase.
const MOST_WORDS: usize = 12;
/// Bytes that the contract allows of who and what.
const WHO_BYTES: usize = 64;
const WHAT_BYTES: usize = 256;

/// What a rule says.
#[derive(Debug)]
pub struct Compiled {
    pub class: Class,
    /// Given where the class is irremediable.
    pub authority: Option<Authority>,
    pub unless_worked_before: bool,
}

/// All rules, those that are tried first first.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Compiled>,
    /// Text and rule of each phrase.
    phrases: Vec<(String, u32)>,
    automaton: Phrases,
}

impl Rules {
    pub fn new(configuration: &Configuration) -> Result<Self, ConfigError> {
        let mut rules = Vec::new();
        let mut phrases = Vec::new();
        for (key, list) in [("extra_rules", &configuration.extra_rules), ("rules", &configuration.rules)] {
            for (index, rule) in list.iter().enumerate() {
                let at = format!("/{key}/{index}");
                for (phrase, text) in rule.any.iter().enumerate() {
                    if !(1..=MOST_WORDS).contains(&words(text).count()) {
                        let message = format!("expected 1 to {MOST_WORDS} words");
                        return Err(ConfigError::at(format!("{at}/any/{phrase}"), message));
                    }
                    phrases.push((text.clone(), rules.len() as u32));
                }
                rules.push(compile(rule, &at)?);
            }
        }
        if phrases.len() > MOST_PHRASES {
            return Err(ConfigError::at("", format!("expected at most {MOST_PHRASES} phrases in all rules")));
        }
        let unconditional = |rule: u32| !rules[rule as usize].unless_worked_before;
        let automaton = Phrases::new(phrases.iter().map(|(text, rule)| (text.as_str(), unconditional(*rule))));
        let this = Rules { rules, phrases, automaton };
        for line in this.never_reached(configuration.extra_rules.len() as u32) {
            log::warn(&line);
        }
        Ok(this)
    }

    /// The first rule that matches, and the phrase by which it does.
    pub fn first_in(&self, text: &str, worked_before: bool) -> Option<Match> {
        self.automaton.first_in(text, worked_before).map(Match)
    }

    pub fn rule(&self, found: Match) -> &Compiled {
        &self.rules[self.phrases[found.0 as usize].1 as usize]
    }

    pub fn phrase(&self, found: Match) -> &str {
        &self.phrases[found.0 as usize].0
    }

    /// A line for each phrase that an earlier rule takes always. That an extra rule takes what a
    /// rule of the list has is what extra rules are for.
    pub fn never_reached(&self, extra: u32) -> Vec<String> {
        let name = |rule: u32| {
            if rule < extra { format!("extra_rules/{rule}") } else { format!("rules/{}", rule - extra) }
        };
        let taken = |(text, rule): &(String, u32)| {
            let (first_text, first) = &self.phrases[self.automaton.first_in(text, true)? as usize];
            let meant = *first < extra && *rule >= extra;
            (first < rule && !meant).then(|| {
                let (rule, first) = (name(*rule), name(*first));
                format!("`{text}` of {rule} is never reached: {first} takes `{first_text}`")
            })
        };
        self.phrases.iter().filter_map(taken).collect()
    }
}

/// A phrase found, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match(u32);

fn compile(rule: &Rule, at: &str) -> Result<Compiled, ConfigError> {
    let authority = match (rule.class, &rule.who, &rule.what) {
        (Class::Irremediable, Some(who), Some(what)) => {
            for (key, text, most) in [("who", who, WHO_BYTES), ("what", what, WHAT_BYTES)] {
                if text.is_empty() || text.len() > most {
                    return Err(ConfigError::at(format!("{at}/{key}"), format!("expected 1 to {most} bytes")));
                }
            }
            Some(Authority { who: who.clone(), what: what.clone() })
        }
        (Class::Irremediable, ..) => {
            return Err(ConfigError::at(at, "expected who could mend it, and what they would have to do"));
        }
        (_, None, None) => None,
        _ => {
            return Err(ConfigError::at(at, "expected who and what only where the class is irremediable"));
        }
    };
    Ok(Compiled { class: rule.class, authority, unless_worked_before: rule.unless_worked_before })
}
