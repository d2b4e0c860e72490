//! What a bundle's author should know of it: entries that are nowhere stricter than others, entries that
//! overlap, answers that a slot does not give, cases that an entry cannot decide, and what the policies
//! themselves remark about their configurations.
//!
//! The slots whose questions are few enough are asked every combination of the values at which thresholds
//! lie: `grid`. What was not asked was not tried, and each finding says so: all questions of the slot `risk`
//! are of one tool without arguments, so that they tell nothing of a policy that looks at names or
//! arguments. No error: a bundle with findings is a good bundle.

mod answers;
mod compare;
mod grid;

use std::fmt;

use countersign_contract::Slot;
use countersign_engine::{Level, OpenError, Policy};
use serde::Serialize;

use crate::folder::Bundle;
use crate::lock::Entry;
use crate::mode::EntryMode;
use answers::{Answers, answers};

/// Something to know of a bundle. Counts are of cases of the slot's grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Finding {
    /// An entry whose verdict counts in no case that was tried: without it the slot's verdict is the same in each.
    NowhereStricter {
        /// The slot.
        slot: Slot,
        /// The entry.
        entry: String,
        /// Those that are at least as strict in every case: one, or several together.
        beside: Vec<String>,
        /// Its verdict is the very same as theirs in every case.
        same: bool,
        /// Cases in which its score counts all the same: the lowest confidence, the highest risk.
        score_counts: u64,
        /// Cases.
        cases: u64,
        /// What all of them have in common, and what was therefore not tried.
        untried: &'static str,
    },
    /// An entry that cannot decide some cases. After 64 of them no more are asked.
    Undecided {
        /// The slot.
        slot: Slot,
        /// The entry.
        entry: String,
        /// The policy and its version.
        policy: String,
        /// Cases that it cannot decide.
        undecided: u64,
        /// Cases that it was asked.
        cases: u64,
        /// The first of them.
        example: String,
        /// Why: the author's own message first, else the cause.
        failure: String,
    },
    /// What a policy remarks about its configuration.
    Remark {
        /// The entry.
        entry: String,
        /// The policy and its version.
        policy: String,
        /// In its own words.
        message: String,
    },
    /// Two entries that both decide. For information.
    Overlap {
        /// The slot.
        slot: Slot,
        /// The entries, in lock order.
        entries: [String; 2],
        /// Cases in which the slot's verdict is more than `proceed` and the first alone gives it.
        first: u64,
        /// In which the second alone does.
        second: u64,
        /// In which both do.
        both: u64,
        /// Cases in which the slot's verdict is more than `proceed`.
        cases: u64,
    },
    /// Answers that the slot gives in no case that was tried. For information.
    NeverAnswers {
        /// The slot.
        slot: Slot,
        /// The answers, least restrictive first.
        answers: Vec<&'static str>,
        /// Cases.
        cases: u64,
    },
    /// An entry that is not asked, since what it answers depends on what it was asked before. For
    /// information.
    NotAsked {
        /// The slot.
        slot: Slot,
        /// The entry.
        entry: String,
        /// The policy and its version.
        policy: String,
    },
}

impl Finding {
    /// As it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Finding::NowhereStricter { .. } => "nowhere-stricter",
            Finding::Undecided { .. } => "undecided",
            Finding::Remark { .. } => "remark",
            Finding::Overlap { .. } => "overlap",
            Finding::NeverAnswers { .. } => "never-answers",
            Finding::NotAsked { .. } => "not-asked",
        }
    }

    /// Where: the slot, or the entry where it is about no slot.
    pub fn place(&self) -> &str {
        match self {
            Finding::Remark { entry, .. } => entry,
            Finding::NowhereStricter { slot, .. }
            | Finding::Undecided { slot, .. }
            | Finding::Overlap { slot, .. }
            | Finding::NeverAnswers { slot, .. }
            | Finding::NotAsked { slot, .. } => slot.name(),
        }
    }

    /// Nothing that anybody should look into.
    pub fn is_informational(&self) -> bool {
        matches!(self, Finding::Overlap { .. } | Finding::NeverAnswers { .. } | Finding::NotAsked { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::NowhereStricter { entry, beside, same, score_counts, cases, untried, .. } => {
                let names = quoted(beside);
                if *same {
                    write!(f, "`{entry}` says the same as {names} in all {cases} cases that were tried")?;
                } else {
                    let together = if beside.len() > 1 { " together" } else { "" };
                    write!(f, "`{entry}` is stricter than {names}{together} in none of {cases} cases that were tried")?;
                }
                if *score_counts > 0 {
                    write!(f, "; its score counts in {score_counts}")?;
                }
                write!(f, "; {untried}")
            }
            Finding::Undecided { entry, policy, undecided, cases, example, failure, .. } => {
                write!(
                    f,
                    "`{entry}` ({policy}) cannot decide {undecided} of {cases} cases, such as {example}: {failure}"
                )
            }
            Finding::Remark { policy, message, .. } => write!(f, "{policy}: {message}"),
            Finding::Overlap { entries: [a, b], first, second, both, cases, .. } => write!(
                f,
                "of {cases} cases that were tried and are above `proceed`, `{a}` decides {first} alone, `{b}` {second} alone, both {both}"
            ),
            Finding::NeverAnswers { answers, cases, .. } => {
                write!(f, "{} in none of {cases} cases that were tried", answers.join(", "))
            }
            Finding::NotAsked { entry, policy, .. } => {
                write!(f, "`{entry}` ({policy}) keeps state from call to call, and is not compared")
            }
        }
    }
}

/// Names as a sentence has them.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Asks the policies of a bundle, some ten thousand questions each, and says what there is to know. What
/// somebody should look into comes first.
///
/// # Errors
/// When a policy cannot be opened, which loading the bundle would have said.
pub fn findings(bundle: &Bundle) -> Result<Vec<Finding>, OpenError> {
    let mut found = remarks(bundle)?;
    for slot in Slot::ALL {
        let Some(questions) = grid::questions(slot) else { continue };
        let mut given: Vec<(&Entry, Answers)> = Vec::new();
        let mut all = true;
        for (entry, policy) in deciding(bundle, slot) {
            let (name, label) = (entry.name.clone(), policy.label().to_string());
            if !policy.descriptor().stateless {
                found.push(Finding::NotAsked { slot, entry: name, policy: label });
                all = false;
                continue;
            }
            let answers = answers(entry, policy, slot, &questions)?;
            if let Some((at, failure)) = &answers.failure {
                found.push(Finding::Undecided {
                    slot,
                    entry: name,
                    policy: label,
                    undecided: answers.undecided,
                    cases: answers.given.len() as u64,
                    example: grid::in_words(&questions[*at]),
                    failure: failure.clone(),
                });
            }
            if answers.given.len() == questions.len() {
                given.push((entry, answers));
            } else {
                all = false;
            }
        }
        found.extend(compare::compare(slot, &given, all));
    }
    found.sort_by_key(Finding::is_informational);
    Ok(found)
}

/// Entries whose verdicts count in a slot, in lock order.
fn deciding(bundle: &Bundle, slot: Slot) -> impl Iterator<Item = (&Entry, &Policy)> {
    let decides = move |entry: &Entry| entry.slot.iter().any(|own| own.slot == slot && own.mode == EntryMode::Enforce);
    bundle.lock().entry.iter().zip(bundle.policies()).filter(move |(entry, _)| decides(entry))
}

/// What policies warn of while they are configured.
fn remarks(bundle: &Bundle) -> Result<Vec<Finding>, OpenError> {
    let mut found = Vec::new();
    for (entry, policy) in bundle.lock().entry.iter().zip(bundle.policies()) {
        let log = policy.remarks(&entry.configuration, &entry.limits.into())?;
        found.extend(log.into_iter().filter(|line| line.level >= Level::Warn).map(|line| Finding::Remark {
            entry: entry.name.clone(),
            policy: policy.label().to_string(),
            message: line.message,
        }));
    }
    Ok(found)
}
