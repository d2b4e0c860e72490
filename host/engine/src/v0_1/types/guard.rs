//! Slot `guard`.

use std::sync::Arc;

use countersign_kernel::contract::guard;
use wasmtime::component::{ComponentType, Lift, Lower};

twin!(Passage, guard::Passage { Input = "input", Output = "output", Call = "call" });
twin!(FindingKind, guard::FindingKind {
    Injection = "injection", PersonalData = "personal-data", Secret = "secret", Toxicity = "toxicity",
    Authorisation = "authorisation",
});
twin!(Severity, guard::Severity { Low = "low", Medium = "medium", High = "high" });

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Passing {
    passage: Passage,
    tool: Option<Arc<str>>,
    text: Arc<str>,
    bytes: u64,
}

impl From<&guard::Passing> for Passing {
    fn from(passing: &guard::Passing) -> Self {
        Passing {
            passage: passing.passage.into(),
            tool: passing.tool.clone(),
            text: Arc::clone(&passing.text),
            bytes: passing.bytes,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Finding {
    kind: FindingKind,
    start: u32,
    end: u32,
    score: f64,
    severity: Severity,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Inspection {
    findings: Vec<Finding>,
    reason: String,
}

impl From<Inspection> for guard::Inspection {
    fn from(answer: Inspection) -> Self {
        let finding = |found: Finding| guard::Finding {
            kind: found.kind.into(),
            start: found.start,
            end: found.end,
            score: found.score,
            severity: found.severity.into(),
        };
        guard::Inspection { findings: answer.findings.into_iter().map(finding).collect(), reason: answer.reason }
    }
}
