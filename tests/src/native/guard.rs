//! Slot `guard`.

use countersign::kernel::contract::guard as contract;
use countersign_sdk::guard as sdk;

native!(Guard, sdk::Guard, inspect, to_passing, inspection);

/// A question's record as the SDK has it.
pub fn to_passing(passing: &contract::Passing) -> sdk::Passing {
    sdk::Passing {
        passage: map_enum!(passing.passage, contract::Passage => sdk::Passage { Input, Output, Call }),
        tool: passing.tool.as_ref().map(ToString::to_string),
        text: passing.text.to_string(),
        bytes: passing.bytes,
    }
}

fn inspection(answer: sdk::Inspection) -> contract::Inspection {
    let finding = |finding: sdk::Finding| contract::Finding {
        kind: map_enum!(finding.kind, sdk::FindingKind => contract::FindingKind {
            Injection, PersonalData, Secret, Toxicity, Authorisation
        }),
        start: finding.start,
        end: finding.end,
        score: finding.score,
        severity: map_enum!(finding.severity, sdk::Severity => contract::Severity { Low, Medium, High }),
    };
    contract::Inspection { findings: answer.findings.into_iter().map(finding).collect(), reason: answer.reason }
}
