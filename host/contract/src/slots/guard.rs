//! `wit/v0.1/guard.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::Verdict;
use crate::violation::{self, Violation};

cases! {
    pub enum Direction {
        Input = "input",
        Output = "output",
        Call = "call",
    }
}

record! {
    pub struct Transit {
        pub direction: Direction,
        pub tool: Option<Arc<str>>,
        pub text: Arc<str>,
        pub bytes: u64,
    }
}

cases! {
    pub enum FindingKind {
        Injection = "injection",
        PersonalData = "personal-data",
        Secret = "secret",
        Toxicity = "toxicity",
        Authorisation = "authorisation",
        Unseen = "unseen",
    }
}

cases! {
    pub enum Severity {
        Low = "low",
        Medium = "medium",
        Ask = "ask",
        High = "high",
    }
}

record! {
    #[derive(Copy)]
    pub struct Finding {
        pub kind: FindingKind,
        pub start: u32,
        pub end: u32,
        pub score: f64,
        pub severity: Severity,
    }
}

record! {
    pub struct Inspection {
        pub findings: Vec<Finding>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl Severity {
    /// What a finding of this severity asks for.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Severity::Low => Verdict::Log,
            Severity::Medium => Verdict::Notify,
            Severity::Ask => Verdict::Ask,
            Severity::High => Verdict::Terminate,
        }
    }
}

impl Finding {
    /// Whether a mark takes its place before a model sees the text it stands in.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        match self.kind {
            FindingKind::PersonalData | FindingKind::Secret | FindingKind::Unseen => true,
            FindingKind::Injection => self.severity >= Severity::Medium,
            FindingKind::Toxicity | FindingKind::Authorisation => false,
        }
    }

    /// Whether a mark takes its place before people see it in the words of a model.
    #[must_use]
    pub fn is_kept_in(&self) -> bool {
        match self.kind {
            FindingKind::Secret => true,
            FindingKind::PersonalData => self.severity >= Severity::Medium,
            _ => false,
        }
    }
}

impl crate::Answer for Inspection {
    type Question = Transit;

    fn check(&self, asked: &Transit) -> Result<(), Violation> {
        violation::parts("findings", &asked.text, self.findings.iter().map(|found| (found.start, found.end)))?;
        for (index, finding) in self.findings.iter().enumerate() {
            violation::unit(&format!("findings[{index}].score"), finding.score)?;
        }
        violation::text("reason", &self.reason)
    }

    fn verdict(&self) -> Verdict {
        match self.findings.iter().map(|finding| finding.severity).max() {
            None => Verdict::Proceed,
            Some(severity) => severity.verdict(),
        }
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Inspection { reason: String::new(), ..self.clone() }
    }
}
