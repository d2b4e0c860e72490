//! What an operator should know of the rules: which can never decide, and between which nothing but
//! their order does.

use crate::Rule;
use crate::implication::Comparison;

/// One line for each remark; rules are counted from 1, as their classes are.
pub fn of(rules: &[Rule]) -> Vec<String> {
    let mut comparison = Comparison::default();
    let mut lines = Vec::new();
    let mut reached = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        if comparison.cut_short() {
            break;
        }
        if comparison.never(&rule.condition) {
            lines.push(format!("rule {} is never reached: no task fits it", at + 1));
            continue;
        }
        let mut before = rules.iter().enumerate().filter(|(other, taker)| decides_before(taker, *other, rule, at));
        match before.find(|(_, taker)| comparison.implies(&rule.condition, &taker.condition)) {
            Some((taker, _)) => {
                lines.push(format!(
                    "rule {} is never reached: rule {} takes every task that fits it",
                    at + 1,
                    taker + 1
                ));
            }
            None => reached.push(at),
        }
    }
    // A class that nobody named is nothing that the order could get wrong.
    reached.retain(|at| rules[*at].class != crate::unnamed_class(*at));
    for (position, &second) in reached.iter().enumerate() {
        for &first in &reached[..position] {
            let (one, other) = (&rules[first], &rules[second]);
            if !comparison.cut_short()
                && (one.priority, one.tier) == (other.priority, other.tier)
                && one.class != other.class
                && comparison.overlap(&one.condition, &other.condition)
            {
                lines.push(format!(
                    "rules {} and {} fit the same tasks with equal priority and tier: the order alone makes the \
                     class `{}` and not `{}`",
                    first + 1,
                    second + 1,
                    one.class,
                    other.class,
                ));
            }
        }
    }
    if comparison.cut_short() {
        lines.push("the rules are too many to compare each with each other".to_owned());
    }
    lines
}

/// Whether one rule decides where both fit: the highest priority, then the highest tier, then the
/// earlier rule.
fn decides_before(rule: &Rule, at: usize, other: &Rule, other_at: usize) -> bool {
    let rank = |rule: &Rule| (rule.priority, rule.tier);
    at != other_at && (rank(rule) > rank(other) || (rank(rule) == rank(other) && at < other_at))
}

#[cfg(test)]
mod tests;
