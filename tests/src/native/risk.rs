//! Slot `risk`.

use countersign::kernel::contract::risk as contract;
use countersign_sdk::risk as sdk;

use super::shared::{to_category, to_compliance, to_reversibility, verdict};

native!(Risk, sdk::Risk, judge, to_action, assessment);

/// A question's record as the SDK has it.
pub fn to_action(action: &contract::ProposedAction) -> sdk::ProposedAction {
    sdk::ProposedAction {
        tool: action.tool.to_string(),
        category: to_category(action.category),
        arguments: action.arguments.to_string(),
        reversibility: to_reversibility(action.reversibility),
        blast_radius: action.blast_radius,
        compliance: to_compliance(action.compliance),
        novelty: map_enum!(action.novelty, contract::Novelty => sdk::Novelty { NewTool, NewArguments, Repeated }),
        working_context: action.working_context.to_string(),
        confidence: action.confidence,
    }
}

fn assessment(answer: sdk::Assessment) -> contract::Assessment {
    contract::Assessment { verdict: verdict(answer.verdict), score: answer.score, reason: answer.reason }
}
