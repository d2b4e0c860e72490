//! What one condition says of another. Only what is certain is said: `false` may mean that it was
//! not seen.

use crate::condition::{Compare, Condition, Quantity};
use crate::features;

/// Steps of comparing that one configuration is worth: it is read anew for every run, and shares
/// its fuel with everything else that is done then.
const STEPS: usize = 8_000;

/// Compares conditions until the steps are used up.
pub struct Comparison {
    left: usize,
}

impl Default for Comparison {
    fn default() -> Self {
        Comparison { left: STEPS }
    }
}

impl Comparison {
    /// Whether something may have been missed.
    pub fn cut_short(&self) -> bool {
        self.left == 0
    }

    /// Whether every task that fits `narrow` fits `wide`.
    pub fn implies(&mut self, narrow: &Condition, wide: &Condition) -> bool {
        use Condition::{And, ContainsCodeBlock, HasKeyword, LanguageIn, Not, Number, Or};
        if !self.spend(1) {
            return false;
        }
        match (narrow, wide) {
            (_, And(parts)) => parts.iter().all(|part| self.implies(narrow, part)),
            (Or(parts), _) => parts.iter().all(|part| self.implies(part, wide)),
            (And(parts), _) if parts.iter().any(|part| self.implies(part, wide)) => true,
            (_, Or(parts)) => parts.iter().any(|part| self.implies(narrow, part)),
            (Not(narrow), Not(wide)) => self.implies(wide, narrow),
            (_, Number(_, Compare::GreaterOrEqual, 0)) => true,
            (Number(a, compare, number), Number(b, other, limit)) => {
                a == b && number_implies((*compare, *number), (*other, *limit))
            }
            // A language is only ever found at a code block.
            (ContainsCodeBlock | LanguageIn(_), ContainsCodeBlock) => true,
            (LanguageIn(some), LanguageIn(all)) => self.all_in(some, all, |a, b| a == b),
            (HasKeyword(some), HasKeyword(all)) => self.all_in(some, all, str::eq_ignore_ascii_case),
            _ => false,
        }
    }

    /// Whether there are tasks that fit both. Told of single tests and of what implies the other.
    pub fn overlap(&mut self, one: &Condition, other: &Condition) -> bool {
        if self.implies(one, other) || self.implies(other, one) {
            return true;
        }
        match (one, other) {
            (Condition::Number(a, compare, number), Condition::Number(b, with, limit)) if a == b => {
                match (range(*compare, *number), range(*with, *limit)) {
                    (Some(one), Some(other)) => one.0.max(other.0) <= one.1.min(other.1),
                    _ => false,
                }
            }
            (Condition::LanguageIn(some), Condition::LanguageIn(others)) => {
                self.spend(some.len() * others.len()) && some.iter().any(|word| others.contains(word))
            }
            (Condition::HasKeyword(some), Condition::HasKeyword(others)) => {
                self.spend(some.len() * others.len())
                    && some.iter().any(|a| others.iter().any(|b| a.eq_ignore_ascii_case(b)))
            }
            _ => false,
        }
    }

    /// Whether no task fits.
    pub fn never(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::Or(parts) => parts.iter().all(|part| self.never(part)),
            Condition::And(_) => {
                let mut parts = Vec::new();
                flatten(condition, &mut parts);
                parts.iter().any(|part| self.never(part)) || self.contradict(&parts)
            }
            Condition::Not(part) => matches!(**part, Condition::Number(_, Compare::GreaterOrEqual, 0)),
            Condition::Number(_, compare, number) => range(*compare, *number).is_some_and(|(low, high)| low > high),
            Condition::ContainsCodeBlock => false,
            Condition::LanguageIn(languages) => languages.iter().all(|word| features::language(word) != *word),
            Condition::HasKeyword(keywords) => keywords.iter().all(|keyword| !features::is_findable(keyword)),
        }
    }

    /// Whether parts that must all hold cannot.
    fn contradict(&mut self, parts: &[&Condition]) -> bool {
        let empty = |wanted: Quantity| {
            let ranges = parts.iter().filter_map(|part| match part {
                Condition::Number(quantity, compare, number) if *quantity == wanted => range(*compare, *number),
                _ => None,
            });
            let (low, high) = ranges.fold((0, u64::MAX), |all, one| (one.0.max(all.0), one.1.min(all.1)));
            low > high
        };
        if empty(Quantity::Length) || empty(Quantity::ToolsNamed) {
            return true;
        }
        parts.iter().any(|part| match part {
            Condition::Not(denied) => parts.iter().any(|other| self.implies(other, denied)),
            _ => false,
        })
    }

    fn all_in(&mut self, some: &[String], all: &[String], same: fn(&str, &str) -> bool) -> bool {
        self.spend(some.len() * all.len()) && some.iter().all(|word| all.iter().any(|other| same(word, other)))
    }

    fn spend(&mut self, steps: usize) -> bool {
        let enough = steps < self.left;
        self.left = if enough { self.left - steps } else { 0 };
        enough
    }
}

fn flatten<'a>(condition: &'a Condition, parts: &mut Vec<&'a Condition>) {
    match condition {
        Condition::And(inner) => inner.iter().for_each(|part| flatten(part, parts)),
        other => parts.push(other),
    }
}

fn number_implies((compare, number): (Compare, u64), (wide, limit): (Compare, u64)) -> bool {
    match (range(compare, number), range(wide, limit)) {
        (Some(narrow), Some(wide)) => wide.0 <= narrow.0 && narrow.1 <= wide.1,
        // All but the limit.
        (Some(narrow), None) => limit < narrow.0 || narrow.1 < limit,
        (None, None) => number == limit,
        (None, Some(_)) => false,
    }
}

/// The numbers that fit, first and last; the first above the last where none does. None for all but
/// one.
fn range(compare: Compare, number: u64) -> Option<(u64, u64)> {
    const NOTHING: (u64, u64) = (1, 0);
    Some(match compare {
        Compare::Less => number.checked_sub(1).map_or(NOTHING, |last| (0, last)),
        Compare::LessOrEqual => (0, number),
        Compare::Equal => (number, number),
        Compare::NotEqual => return None,
        Compare::GreaterOrEqual => (number, u64::MAX),
        Compare::Greater => number.checked_add(1).map_or(NOTHING, |first| (first, u64::MAX)),
    })
}
