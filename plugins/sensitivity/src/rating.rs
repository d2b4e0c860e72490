//! From what was found to a tag, and what to say of it.

use countersign_patterns::Kind;
use countersign_sdk::sensitivity::{Rating, SensitivityTag, Span};

/// What an answer may hold.
const MOST_SPANS: usize = 256;

/// One hit, and what it makes of the text.
pub struct Found {
    /// None for a keyword of the configuration.
    pub kind: Option<Kind>,
    pub start: usize,
    pub end: usize,
    pub score: f64,
    pub tag: SensitivityTag,
}

impl Found {
    fn name(&self) -> &'static str {
        self.kind.map_or("keyword", Kind::name)
    }

    fn is_one_of_several(&self) -> bool {
        self.tag == SensitivityTag::Confidential && self.kind.is_some_and(Kind::is_personal)
    }
}

/// What raises a text above the tag that the run has already.
pub struct Evidence {
    present: SensitivityTag,
    tag: SensitivityTag,
    found: Vec<Found>,
    /// What raises beside single hits, in words.
    notes: Vec<String>,
    together: bool,
}

impl Evidence {
    pub fn new(present: SensitivityTag, found: Vec<Found>) -> Self {
        let tag = found.iter().map(|found| found.tag).fold(present, SensitivityTag::max);
        Evidence { present, tag, found, notes: Vec::new(), together: false }
    }

    /// Many names are a list of people, whatever each of them is.
    pub fn several(&mut self, least: u32) {
        let count = self.found.iter().filter(|found| found.is_one_of_several()).count();
        if least > 0 && count >= least as usize && self.present < SensitivityTag::Restricted {
            self.together = true;
            self.tag = self.tag.max(SensitivityTag::Restricted);
            self.notes.push(format!("{count} hits of personal data together"));
        }
    }

    pub fn cut(&mut self, seen: usize, bytes: u64) {
        if self.present < SensitivityTag::Confidential {
            self.tag = self.tag.max(SensitivityTag::Confidential);
            self.notes.push(format!("{seen} of {bytes} bytes seen"));
        }
    }

    pub fn rating(mut self) -> Rating {
        let (present, together) = (self.present, self.together);
        self.found.retain(|found| found.tag > present || (together && found.is_one_of_several()));
        let reason = self.reason();
        self.keep_the_strongest();
        let span = |found: Found| Span {
            start: found.start as u32,
            end: found.end as u32,
            kind: found.name().to_owned(),
            score: found.score,
        };
        Rating { tag: self.tag, spans: self.found.into_iter().map(span).collect(), reason }
    }

    /// Kinds with how often each was found; never what was found.
    fn reason(&self) -> String {
        if self.tag == self.present {
            return format!("stays {}", name(self.tag));
        }
        let mut counts = vec![0_u32; Kind::ALL.len() + 1];
        for found in &self.found {
            counts[found.kind.map_or(Kind::ALL.len(), |kind| kind as usize)] += 1;
        }
        let names = Kind::ALL.iter().map(|kind| kind.name()).chain(["keyword"]);
        let mut parts: Vec<String> = counts
            .iter()
            .zip(names)
            .filter(|(count, _)| **count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        parts.extend(self.notes.iter().cloned());
        format!("{}: {}", name(self.tag), parts.join(", "))
    }

    /// Of too many spans, those with the highest tags, and of these the first.
    fn keep_the_strongest(&mut self) {
        let mut room = MOST_SPANS;
        let mut quotas = [0; 5];
        for tag in (0..5).rev() {
            let count = self.found.iter().filter(|found| found.tag as usize == tag).count();
            quotas[tag] = count.min(room);
            room -= quotas[tag];
        }
        self.found.retain(|found| {
            let quota = &mut quotas[found.tag as usize];
            let keep = *quota > 0;
            *quota = quota.saturating_sub(1);
            keep
        });
    }
}

fn name(tag: SensitivityTag) -> &'static str {
    match tag {
        SensitivityTag::Public => "public",
        SensitivityTag::Internal => "internal",
        SensitivityTag::Confidential => "confidential",
        SensitivityTag::Restricted => "restricted",
        SensitivityTag::Critical => "critical",
    }
}
