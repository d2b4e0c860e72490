//! What no model is to see, and the marks that stand in its place: in the text it was found in, and wherever it turns up
//! again, in what a verifier says of a result, in facts that were read from it, in memories.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::bounded::push_bounded;
use super::handed::Withheld;
use crate::contract::{Finding, FindingKind};

/// Texts that are kept; of more the oldest are forgotten, and get another number when they come again.
const MOST: usize = 256;
/// Bytes of the shortest that is looked for elsewhere: what is shorter stands in too many other words.
const SHORTEST: usize = 4;
/// Kinds that marks name.
const KINDS: [FindingKind; 4] =
    [FindingKind::Secret, FindingKind::PersonalData, FindingKind::Injection, FindingKind::Unseen];
/// Most bytes of a text that looks like a mark, and the largest number that is passed over.
const MARK: usize = 64;
const LARGEST: u64 = 1 << 48;

/// What was withheld, with the marks in its place: the name of what it is and a number, equal for equal texts, such as
/// `[personal-data:3]`.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden {
    texts: VecDeque<(Arc<str>, FindingKind, Arc<str>)>,
    /// The largest number that was given, or that stands in a text which looks like a mark.
    numbers: u64,
}

impl Hidden {
    fn mark(&mut self, part: &str, kind: FindingKind) -> Arc<str> {
        if let Some((.., mark)) = self.texts.iter().find(|(known, of, _)| **known == *part && *of == kind) {
            return Arc::clone(mark);
        }
        self.numbers += 1;
        let mark: Arc<str> = format!("[{}:{}]", kind.name(), self.numbers).into();
        push_bounded(&mut self.texts, MOST, (part.into(), kind, Arc::clone(&mark)));
        mark
    }

    /// Words of a text that look like marks keep their meaning: no mark that is given from now on has their number.
    fn pass_over(&mut self, text: &str) {
        for (at, _) in text.match_indices('[') {
            let head = &text[at + 1..text.floor_char_boundary((at + MARK).min(text.len()))];
            let Some((name, number)) = head.split_once(']').and_then(|(words, _)| words.split_once(':')) else {
                continue;
            };
            let is_name = KINDS.iter().any(|kind| kind.name() == name);
            if is_name && let Ok(number) = number.parse::<u64>() {
                self.numbers = self.numbers.max(number.min(LARGEST));
            }
        }
    }

    /// Puts marks in the places of those findings of a text that are wanted: the text with them, and where each stands in
    /// the text without. None where nothing is to be replaced.
    pub fn withhold(
        &mut self,
        text: &str,
        findings: &[Finding],
        wanted: impl Fn(&Finding) -> bool,
    ) -> Option<(String, Vec<Withheld>)> {
        self.pass_over(text);
        let mut spans: Vec<(usize, usize, FindingKind)> = Vec::new();
        let mut found: Vec<&Finding> = findings.iter().filter(|finding| wanted(finding)).collect();
        found.sort_by_key(|finding| (finding.start, finding.end));
        for finding in found {
            let (start, end) = (finding.start as usize, finding.end as usize);
            if text.get(start..end).is_none_or(str::is_empty) {
                continue;
            }
            match spans.last_mut() {
                // What overlaps the last one is withheld with it, as the weightier of the two.
                Some(last) if start < last.1 => {
                    last.1 = last.1.max(end);
                    last.2 = weightier(last.2, finding.kind);
                }
                _ => spans.push((start, end, finding.kind)),
            }
        }
        let (mut out, mut parts, mut from) = (String::with_capacity(text.len()), Vec::new(), 0);
        for (start, end, kind) in spans {
            let mark = self.mark(&text[start..end], kind);
            out.push_str(&text[from..start]);
            out.push_str(&mark);
            from = end;
            parts.push(Withheld { start, end, kind, mark });
        }
        out.push_str(&text[from..]);
        (!parts.is_empty()).then_some((out, parts))
    }

    /// A text without it.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        let mut texts: Vec<_> = self.texts.iter().filter(|(part, ..)| part.len() >= SHORTEST).collect();
        // What lies within another part goes with it.
        texts.sort_by_key(|(part, ..)| std::cmp::Reverse(part.len()));
        for (part, _, mark) in texts {
            if out.contains(&**part) {
                out = Cow::Owned(out.replace(&**part, mark));
            }
        }
        out
    }

    /// The same, of a text that is shared.
    pub fn hidden(&self, text: &Arc<str>) -> Arc<str> {
        match self.hide(text) {
            Cow::Borrowed(_) => Arc::clone(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// Of two kinds in one place the one that is handed on with more care.
fn weightier(one: FindingKind, other: FindingKind) -> FindingKind {
    let weight = |kind: FindingKind| match kind {
        FindingKind::Secret => 3,
        FindingKind::PersonalData => 2,
        FindingKind::Injection => 1,
        _ => 0,
    };
    if weight(other) > weight(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::guard::Severity;

    fn finding(kind: FindingKind, start: u32, end: u32) -> Finding {
        Finding { kind, start, end, score: 1.0, severity: Severity::Medium }
    }

    fn withheld(hidden: &mut Hidden, text: &str, findings: &[Finding]) -> Option<String> {
        hidden.withhold(text, findings, Finding::is_withheld).map(|(text, _)| text)
    }

    #[test]
    fn equal_texts_have_one_mark_and_others_another() {
        let mut hidden = Hidden::default();
        let mut of = |text: &str, findings: &[Finding]| withheld(&mut hidden, text, findings);
        let (data, secret) = (FindingKind::PersonalData, FindingKind::Secret);
        assert_eq!(of("ada, bob", &[finding(data, 0, 3)]).as_deref(), Some("[personal-data:1], bob"));
        assert_eq!(
            of("bob, ada", &[finding(data, 0, 3), finding(data, 5, 8)]).as_deref(),
            Some("[personal-data:2], [personal-data:1]")
        );
        assert_eq!(of("ada", &[finding(secret, 0, 3)]).as_deref(), Some("[secret:3]"), "another kind");
        // What overlaps goes together, as the weightier; what is shown is not replaced.
        assert_eq!(of("abcdef", &[finding(data, 1, 3), finding(secret, 2, 5)]).as_deref(), Some("a[secret:4]f"));
        assert_eq!(of("ada", &[]), None);
        let low = Finding { severity: Severity::Low, ..finding(FindingKind::Injection, 0, 3) };
        assert_eq!(of("ada", &[low]), None, "is shown, and judged");
        assert_eq!(of("ada", &[finding(FindingKind::Injection, 0, 3)]).as_deref(), Some("[injection:5]"));
        assert_eq!(of("aé", &[finding(data, 2, 3)]), None, "inside a character");
    }

    #[test]
    fn what_turns_up_again_is_withheld_there_too() {
        let mut hidden = Hidden::default();
        withheld(
            &mut hidden,
            "ada@example.org x",
            &[finding(FindingKind::PersonalData, 0, 15), finding(FindingKind::Secret, 16, 17)],
        );
        assert_eq!(hidden.hide("of ada@example.org, x"), "of [personal-data:1], x");
        assert_eq!(hidden.hide("nobody"), "nobody");
    }

    #[test]
    fn a_number_that_stands_in_a_text_is_given_to_nothing_else() {
        let data = FindingKind::PersonalData;
        for (text, expected) in [
            ("[personal-data:1] ada", "[personal-data:2]"),
            ("[secret:7][injection:3] ada", "[personal-data:8]"),
            ("[unseen:41], [unseen:x], [other:99], [secret: 9] ada", "[personal-data:42]"),
            ("[secret:99999999999999999999] ada", "[personal-data:1]"),
            ("[é[secret:5] ada", "[personal-data:6]"),
            ("[secret:5 ada", "[personal-data:1]"),
        ] {
            let end = u32::try_from(text.len()).unwrap_or_default();
            let told = withheld(&mut Hidden::default(), text, &[finding(data, end - 3, end)]).unwrap_or_default();
            assert!(told.ends_with(expected), "{text}: {told}");
        }
    }
}
