//! What of a result a model may see. The guard looks at a text in which the host has put marks in the
//! places of secrets; what both have found is to be taken out of the text that the tool gave.

use std::borrow::Cow;
use std::sync::Arc;

use countersign_kernel::{Outcome, Withheld};

use crate::redact::{Found, Salt, found, replaced};
use crate::registry::ToolResult;

/// How a note ends that stands in the place of bytes that nobody has looked at. A text with it is not whole.
pub const NOT_SHOWN: &str = " bytes not shown: longer than what the guard looks at.";

/// What of a result a model may see, in bytes of all that stands in it (`ToolResult::all`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
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

/// A result as a model may see it. The text that the tool gave cannot be had from it.
#[derive(Debug, Clone)]
pub struct VisibleResult {
    outcome: Outcome,
    text: String,
    /// None where no guard decides what may be seen, and all of it may.
    redaction: Option<Redaction>,
}

impl VisibleResult {
    /// A result of which so much may be seen; of one that no guard looked at, all.
    pub fn new(result: ToolResult, redaction: Option<Redaction>) -> Self {
        let ToolResult { outcome, text, all, .. } = result;
        // What the guard looked at is all that stands in the result; without one the plain text is what there is.
        let text = if redaction.is_some() { all.unwrap_or(text) } else { text };
        VisibleResult { outcome, text, redaction }
    }

    /// How the call went.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The text with what is hidden replaced, and without what nobody has looked at.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.redaction {
            Some(redaction) => Cow::Owned(redaction.apply(&self.text)),
            None => Cow::Borrowed(&self.text),
        }
    }

    /// What is hidden, for whoever shows a result in a form of its own; none where nothing is.
    pub fn redaction(&self) -> Option<&Redaction> {
        self.redaction.as_ref()
    }
}

impl Redaction {
    /// A text of which this is the redaction, as it may be seen.
    pub fn apply(&self, all: &str) -> String {
        let mut out = self.shown(all);
        let unseen = all.len() - self.reach(all);
        if unseen > 0 {
            out.push('\n');
            out.push_str(&Redaction::note(unseen));
        }
        out
    }

    /// Where what may be seen ends: a secret that begins within it goes to its own end.
    fn reach(&self, all: &str) -> usize {
        let seen = all.floor_char_boundary(self.seen);
        let last = self.hidden.iter().rfind(|hidden| hidden.start < seen);
        last.map_or(seen, |hidden| seen.max(hidden.end.min(all.len())))
    }

    /// The same without a word on what it leaves out.
    pub fn shown(&self, all: &str) -> String {
        let seen = all.floor_char_boundary(self.seen);
        let mut out = String::with_capacity(seen);
        let mut from = 0;
        for Hidden { start, end, instead } in self.hidden.iter().filter(|hidden| hidden.start < seen) {
            out.push_str(&all[from..*start]);
            out.push_str(instead);
            from = *end;
        }
        if from < seen {
            out.push_str(&all[from..seen]);
        }
        out
    }

    /// What stands in the place of bytes that nobody has looked at.
    pub fn note(unseen: usize) -> String {
        format!("… {unseen}{NOT_SHOWN}")
    }

    /// Whether words that gave orders were withheld.
    pub fn withholds_orders(&self) -> bool {
        self.hidden.iter().any(|hidden| hidden.instead.starts_with("[injection:"))
    }
}

/// A text as it is observed, and what stood where.
#[derive(Debug)]
pub struct Inspected {
    /// With marks for secrets, cut to size.
    pub text: Arc<str>,
    marks: Vec<Found>,
    redaction: Redaction,
}

impl Inspected {
    /// Looks at the first `most` bytes of a text, secrets replaced, and what else of it is to be.
    pub fn of(all: &str, most: usize, salt: &Salt, more: Vec<Found>) -> Self {
        let mut marks = found(all, salt);
        for one in more {
            // What lies in something else goes with it.
            let next = marks.partition_point(|found| found.end <= one.start);
            if marks.get(next).is_none_or(|found| one.end <= found.start) {
                marks.insert(next, one);
            }
        }
        // Cut after replacing: a secret must not lose the part by which it is known.
        let cleaned = replaced(all, &marks);
        let text: Arc<str> = cleaned[..cleaned.floor_char_boundary(most)].into();
        let mut look = Inspected { text, marks, redaction: Redaction::default() };
        look.redaction.seen =
            if look.text.len() == cleaned.len() { all.len() } else { look.origin(look.text.len(), false) };
        let seen = look.redaction.seen;
        let shown = look.marks.iter().filter(|found| found.start < seen);
        let hidden =
            shown.map(|found| Hidden { start: found.start, end: found.end, instead: found.mark.as_str().into() });
        look.redaction.hidden = hidden.collect();
        look
    }

    /// Parts of the observed text that the run withholds from its model.
    pub fn hide(&mut self, parts: &[Withheld]) {
        for part in parts {
            let (start, end) = (self.origin(part.start, false), self.origin(part.end, true));
            self.redaction.hidden.push(Hidden { start, end, instead: Arc::clone(&part.mark) });
        }
    }

    /// What the run itself has put in the places of parts of the observed text, with where those stand in the text that
    /// the tool gave.
    pub fn replaced(&self) -> &[Hidden] {
        &self.redaction.hidden
    }

    /// What may be seen, by all that was found.
    pub fn redaction(&self) -> Redaction {
        let mut all = self.redaction.hidden.clone();
        all.sort_by_key(|hidden| (hidden.start, std::cmp::Reverse(hidden.end)));
        let mut hidden: Vec<Hidden> = Vec::new();
        for next in all.into_iter().filter(|next| next.start < next.end) {
            match hidden.last_mut() {
                // What overlaps the last one is hidden with it.
                Some(last) if next.start < last.end => last.end = last.end.max(next.end),
                _ => hidden.push(next),
            }
        }
        Redaction { hidden, seen: self.redaction.seen }
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
    use countersign_kernel::contract::FindingKind;

    use super::*;

    const SALT: Salt = Salt([7; 32]);

    fn withheld(kind: FindingKind, start: usize, end: usize) -> Withheld {
        Withheld { start, end, kind, mark: format!("[{}:1]", kind.name()).into() }
    }

    /// The parts that are hidden, as the tool gave them.
    fn parts<'a>(all: &'a str, redaction: &Redaction) -> Vec<&'a str> {
        redaction.hidden.iter().map(|hidden| &all[hidden.start..hidden.end]).collect()
    }

    #[test]
    fn what_is_found_is_hidden_where_the_tool_said_it() {
        let all = "key AKIAIOSFODNN7QXAMPLE of ada@example.org";
        let mut look = Inspected::of(all, 1 << 10, &SALT, Vec::new());
        assert!(look.text.starts_with("key [redacted:api-key:"), "{}", look.text);
        let at = look.text.find("ada").unwrap_or_default();
        let within = look.text.find("api").unwrap_or_default();
        look.hide(&[
            withheld(FindingKind::PersonalData, at, look.text.len()),
            // A part of a mark is the whole secret.
            withheld(FindingKind::Secret, within, within + 3),
        ]);
        let redaction = look.redaction();
        assert_eq!(parts(all, &redaction), ["AKIAIOSFODNN7QXAMPLE", "ada@example.org"]);
        assert!(redaction.hidden[0].instead.starts_with("[redacted:api-key:"), "{redaction:?}");
        assert_eq!((&*redaction.hidden[1].instead, redaction.seen), ("[personal-data:1]", all.len()));
    }

    #[test]
    fn what_was_not_looked_at_is_not_seen() {
        let look = Inspected::of("äöü", 3, &SALT, Vec::new());
        assert_eq!((&*look.text, look.redaction().seen), ("ä", 2));
        // Cut within a mark: nothing of the secret is left.
        let all = "key AKIAIOSFODNN7QXAMPLE and more";
        let redaction = Inspected::of(all, 10, &SALT, Vec::new()).redaction();
        assert_eq!((redaction.seen, redaction.hidden), (4, Vec::new()));
    }
}
