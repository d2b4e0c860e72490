//! Slot `guard`: the default policy natively, generated questions, laws.

use countersign::kernel::contract::guard as contract;
use countersign::kernel::contract::guard::{Direction, Transit};
use countersign_sdk::guard as sdk;

use crate::generate::{KIB, Random, name, text as some_text, uncut};
use crate::laws::Law;

native!(Guard, countersign_guard::Patterns, sdk::Guard.inspect);

/// A question's record as the SDK has it.
pub fn to_sdk(transit: &contract::Transit) -> sdk::Transit {
    sdk::Transit {
        direction: map_enum!(transit.direction, contract::Direction => sdk::Direction { Input, Output, Call }),
        tool: transit.tool.as_ref().map(ToString::to_string),
        text: transit.text.to_string(),
        bytes: transit.bytes,
    }
}

fn from_sdk(answer: sdk::Inspection) -> contract::Inspection {
    let finding = |finding: sdk::Finding| contract::Finding {
        kind: map_enum!(finding.kind, sdk::FindingKind => contract::FindingKind {
            Injection, PersonalData, Secret, Toxicity, Authorisation,
            Unseen,
        }),
        start: finding.start,
        end: finding.end,
        score: finding.score,
        severity: map_enum!(finding.severity, sdk::Severity => contract::Severity { Low, Medium, Ask, High }),
    };
    contract::Inspection { findings: answer.findings.into_iter().map(finding).collect(), reason: answer.reason }
}

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Transit {
    let text = some_text(random, 32 * KIB);
    Transit {
        direction: random.pick(&[Direction::Input, Direction::Output, Direction::Call]),
        tool: random.maybe(|random| name(random).into()),
        bytes: uncut(random, &text, 32 * KIB),
        text,
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 0] = [];
