//! What of a result a model may see. The guard looks at a text in which the host has put marks in the
//! places of secrets; what both have found is to be taken out of the text that the tool gave.

use std::sync::Arc;

use crate::redact::{Found, Salt, found, replaced};
use countersign_kernel::contract::{Finding, FindingKind};

/// What of a result a model may see, in bytes of all that stands in it (`ToolResult::all`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// What it must not see, first to last; no two overlap.
    pub hidden: Vec<Hidden>,
    /// How much of the text was looked at: nobody has judged what comes behind.
    pub seen: usize,
}

/// A part of a text that a model must not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What is to stand in its place.
    pub instead: Arc<str>,
}

/// A text as it is observed, and what stood where.
#[derive(Debug)]
pub(super) struct Look {
    /// With marks for secrets, cut to size.
    pub text: Arc<str>,
    marks: Vec<Found>,
    sight: Sight,
}

impl Look {
    /// Looks at the first `most` bytes of a text, secrets replaced.
    pub fn at(all: &str, most: usize, salt: &Salt) -> Self {
        let marks = found(all, salt);
        // Cut after replacing: a secret must not lose the part by which it is known.
        let cleaned = replaced(all, &marks);
        let text: Arc<str> = cleaned[..cleaned.floor_char_boundary(most)].into();
        let mut look = Look { text, marks, sight: Sight::default() };
        look.sight.seen =
            if look.text.len() == cleaned.len() { all.len() } else { look.origin(look.text.len(), false) };
        let seen = look.sight.seen;
        let shown = look.marks.iter().filter(|found| found.start < seen);
        let hidden =
            shown.map(|found| Hidden { start: found.start, end: found.end, instead: found.mark.as_str().into() });
        look.sight.hidden = hidden.collect();
        look
    }

    /// Personal data and secrets that a guard has found in the observed text.
    pub fn hide(&mut self, findings: &[Finding]) {
        for finding in findings {
            if !matches!(finding.kind, FindingKind::PersonalData | FindingKind::Secret) {
                continue;
            }
            let start = self.origin(finding.start as usize, false);
            let end = self.origin(finding.end as usize, true);
            let instead = format!("[{}]", finding.kind.name()).into();
            self.sight.hidden.push(Hidden { start, end, instead });
        }
    }

    /// What may be seen, by all that was found.
    pub fn sight(&self) -> Sight {
        let mut all = self.sight.hidden.clone();
        all.sort_by_key(|hidden| (hidden.start, std::cmp::Reverse(hidden.end)));
        let mut hidden: Vec<Hidden> = Vec::new();
        for next in all.into_iter().filter(|next| next.start < next.end) {
            match hidden.last_mut() {
                // What overlaps the last one is hidden with it.
                Some(last) if next.start < last.end => last.end = last.end.max(next.end),
                _ => hidden.push(next),
            }
        }
        Sight { hidden, seen: self.sight.seen }
    }

    /// Where a place of the observed text is in the text that the tool gave. A place within a mark is
    /// where its secret begins, or `behind` it.
    fn origin(&self, at: usize, behind: bool) -> usize {
        let (mut given, mut observed) = (0, 0);
        for Found { start, end, mark } in &self.marks {
            let begins = observed + (start - given);
            if at <= begins {
                break;
            }
            if at < begins + mark.len() {
                return if behind { *end } else { *start };
            }
            (given, observed) = (*end, begins + mark.len());
        }
        given + (at - observed)
    }
}

#[cfg(test)]
mod tests {
    use countersign_kernel::contract::guard::Severity;

    use super::*;

    const SALT: Salt = Salt([7; 32]);

    fn finding(kind: FindingKind, start: usize, end: usize) -> Finding {
        let at = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        Finding { kind, start: at(start), end: at(end), score: 1.0, severity: Severity::Low }
    }

    /// The parts that are hidden, as the tool gave them.
    fn parts<'a>(all: &'a str, sight: &Sight) -> Vec<&'a str> {
        sight.hidden.iter().map(|hidden| &all[hidden.start..hidden.end]).collect()
    }

    #[test]
    fn what_is_found_is_hidden_where_the_tool_said_it() {
        let all = "key AKIAIOSFODNN7EXAMPLE of ada@example.org";
        let mut look = Look::at(all, 1 << 10, &SALT);
        assert!(look.text.starts_with("key [redacted:aws-key:"), "{}", look.text);
        let at = look.text.find("ada").unwrap_or_default();
        let within = look.text.find("aws").unwrap_or_default();
        look.hide(&[
            finding(FindingKind::PersonalData, at, look.text.len()),
            // A part of a mark is the whole secret, and words are no data.
            finding(FindingKind::Secret, within, within + 3),
            finding(FindingKind::Injection, 0, 3),
        ]);
        let sight = look.sight();
        assert_eq!(parts(all, &sight), ["AKIAIOSFODNN7EXAMPLE", "ada@example.org"]);
        assert!(sight.hidden[0].instead.starts_with("[redacted:aws-key:"), "{sight:?}");
        assert_eq!((&*sight.hidden[1].instead, sight.seen), ("[personal-data]", all.len()));
    }

    #[test]
    fn what_was_not_looked_at_is_not_seen() {
        let look = Look::at("äöü", 3, &SALT);
        assert_eq!((&*look.text, look.sight().seen), ("ä", 2));
        // Cut within a mark: nothing of the secret is left.
        let all = "key AKIAIOSFODNN7EXAMPLE and more";
        let sight = Look::at(all, 10, &SALT).sight();
        assert_eq!((sight.seen, sight.hidden), (4, Vec::new()));
    }
}
