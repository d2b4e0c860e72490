//! `wit/v0.1/guard.wit`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::violation::{self, Violation};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passage {
    Input,
    Output,
    Call,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Passing {
    pub passage: Passage,
    pub tool: Option<Arc<str>>,
    pub text: Arc<str>,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    Injection,
    PersonalData,
    Secret,
    Toxicity,
    Authorisation,
}

impl FindingKind {
    /// As traces and texts name it.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Injection => "injection",
            FindingKind::PersonalData => "personal-data",
            FindingKind::Secret => "secret",
            FindingKind::Toxicity => "toxicity",
            FindingKind::Authorisation => "authorisation",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Finding {
    pub kind: FindingKind,
    pub start: u32,
    pub end: u32,
    pub score: f64,
    pub severity: Severity,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inspection {
    pub findings: Vec<Finding>,
    pub reason: String,
}

impl Inspection {
    /// What the host does, as the slot documents it.
    pub fn verdict(&self) -> Verdict {
        match self.findings.iter().map(|finding| finding.severity).max() {
            None => Verdict::Proceed,
            Some(Severity::Low) => Verdict::Log,
            Some(Severity::Medium) => Verdict::Notify,
            Some(Severity::High) => Verdict::Terminate,
        }
    }

    /// Whether the contract allows it as an answer to this question.
    ///
    /// # Errors
    /// The first field that breaks it.
    pub fn check(&self, asked: &Passing) -> Result<(), Violation> {
        violation::parts("findings", &asked.text, self.findings.iter().map(|found| (found.start, found.end)))?;
        for (index, finding) in self.findings.iter().enumerate() {
            violation::unit(&format!("findings[{index}].score"), finding.score)?;
        }
        violation::text("reason", &self.reason)
    }
}
