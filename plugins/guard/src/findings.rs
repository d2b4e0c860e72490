//! What was found in one direction, and how it is told.

use countersign_sdk::guard::{Direction, Finding, FindingKind, Inspection, Severity};

use crate::rules::Rule;

/// What an answer may hold.
const MOST_FINDINGS: usize = 256;
const MOST_REASON: usize = 1024;

/// Severities by rule, of one direction; none where a rule is off.
pub type Severities = Vec<Option<Severity>>;

/// Findings under way.
pub struct Findings<'a> {
    direction: Direction,
    severities: &'a Severities,
    least_score: f64,
    /// How often each rule found something.
    counts: Vec<u32>,
    findings: Vec<Finding>,
    /// What is found in a command put together from a list is told of the list.
    list: Option<(usize, usize)>,
}

impl<'a> Findings<'a> {
    pub fn new(direction: Direction, severities: &'a Severities, least_score: f64) -> Self {
        Findings {
            direction,
            severities,
            least_score,
            counts: vec![0; severities.len()],
            findings: Vec::new(),
            list: None,
        }
    }

    pub fn severity(&self, rule: Rule) -> Option<Severity> {
        self.severities[rule.index()]
    }

    /// From now on everything is told of these bytes; of its own with none.
    pub fn of_list(&mut self, list: Option<(usize, usize)>) {
        self.list = list;
    }

    pub fn add(&mut self, rule: Rule, start: usize, end: usize, score: f64) {
        self.add_as(rule, start, end, score, self.severity(rule));
    }

    pub fn add_as(&mut self, rule: Rule, start: usize, end: usize, score: f64, severity: Option<Severity>) {
        let Some(severity) = severity else { return };
        if score < self.least_score || start >= end {
            return;
        }
        self.counts[rule.index()] += 1;
        let (start, end) = self.list.unwrap_or((start, end));
        let kind = rule.kind(self.direction);
        self.findings.push(Finding { kind, start: start as u32, end: end as u32, score, severity });
    }

    /// The same rule, or another, has found more in what was told last.
    pub fn again(&mut self, rule: Rule, start: usize, severity: Option<Severity>) {
        let (Some(severity), Some(last)) = (severity, self.findings.last_mut()) else { return };
        if last.start as usize == start {
            self.counts[rule.index()] += 1;
            last.severity = last.severity.max(severity);
        }
    }

    pub fn inspection(mut self) -> Inspection {
        self.findings.sort_by_key(|finding| finding.start);
        // Nothing that was found is left out: what is too much is told together with its neighbour.
        while self.findings.len() > MOST_FINDINGS {
            let pairs = self.findings.chunks(2);
            self.findings = pairs.map(|pair| pair.iter().cloned().reduce(join).unwrap_or(pair[0])).collect();
        }
        Inspection { reason: self.reason(), findings: self.findings }
    }

    /// Rules with how often each found something; never what was found.
    fn reason(&self) -> String {
        let found = Rule::all().filter(|rule| self.counts[rule.index()] > 0);
        let parts: Vec<String> = found.map(|rule| format!("{} {}", self.counts[rule.index()], rule.name())).collect();
        let mut reason = if parts.is_empty() { "nothing found".to_owned() } else { parts.join(", ") };
        reason.truncate(reason.floor_char_boundary(MOST_REASON));
        reason
    }
}

/// One finding that covers two. What is to be replaced stays so.
fn join(one: Finding, other: Finding) -> Finding {
    let weight = |kind: FindingKind| match kind {
        FindingKind::Secret => 5,
        FindingKind::PersonalData => 4,
        FindingKind::Injection => 3,
        FindingKind::Unseen => 2,
        FindingKind::Authorisation => 1,
        FindingKind::Toxicity => 0,
    };
    Finding {
        kind: if weight(one.kind) >= weight(other.kind) { one.kind } else { other.kind },
        start: one.start,
        end: one.end.max(other.end),
        score: one.score.max(other.score),
        severity: one.severity.max(other.severity),
    }
}
