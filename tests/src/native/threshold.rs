//! Slot `threshold`.

use countersign::kernel::contract::threshold as contract;
use countersign_sdk::threshold as sdk;

use super::shared::{to_dimension, to_reversibility};

native!(Threshold, sdk::Threshold, weigh, to_ledger, weighing);

/// A question's record as the SDK has it.
pub fn to_ledger(ledger: &contract::Ledger) -> sdk::Ledger {
    sdk::Ledger {
        at: ledger.at,
        since: ledger.since,
        actions: ledger.actions,
        returns: ledger.returns.iter().map(to_return).collect(),
        criteria_met: ledger.criteria_met,
        criteria: ledger.criteria,
        gap: ledger.gap.as_ref().map(|gap| sdk::AuthorityGap {
            tool: gap.tool.to_string(),
            who: gap.who.to_string(),
            what: gap.what.to_string(),
        }),
        costs: ledger
            .costs
            .iter()
            .map(|line| sdk::CostLine { dimension: to_dimension(line.dimension), used: line.used, limit: line.limit })
            .collect(),
        next: ledger.next.as_ref().map(|next| sdk::NextAction {
            tool: next.tool.to_string(),
            reversibility: to_reversibility(next.reversibility),
            mutating: next.mutating,
            idempotent: next.idempotent,
            risk: next.risk,
        }),
    }
}

fn to_return(call: &contract::ActionReturn) -> sdk::ActionReturn {
    sdk::ActionReturn {
        at: call.at,
        advanced: call.advanced,
        changed: call.changed,
        novel: call.novel,
        confirmed: call.confirmed,
        failed: call.failed,
        neutral: call.neutral,
        repeated: call.repeated,
    }
}

fn weighing(answer: sdk::Weighing) -> contract::Weighing {
    contract::Weighing {
        decision: match answer.decision {
            sdk::Decision::Continue => contract::Decision::Continue,
            sdk::Decision::Escalate(trigger) => {
                contract::Decision::Escalate(map_enum!(trigger, sdk::Trigger => contract::Trigger {
                    AuthorityGap, ConfidenceCollapse, IrreversibleAction, BudgetExhausted
                }))
            }
        },
        value: answer.value,
        risk: answer.risk,
        cost: answer.cost,
        irreversibility: answer.irreversibility,
        authority_gap: answer.authority_gap,
        reason: answer.reason,
    }
}
