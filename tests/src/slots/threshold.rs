//! Slot `threshold`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::threshold::{
    ActionReturn, AuthorityGap, CostLine, Decision, Ledger, NextAction, Trigger,
};
use countersign::kernel::contract::{Dimension, Reversibility, threshold as contract};
use countersign_sdk::threshold as sdk;

use crate::generate::{Random, name, text as some_text};
use crate::laws::{Law, Trial, answered, view};
use crate::native::shared::{to_dimension, to_reversibility};

native!(Threshold, countersign_threshold::Inequality, sdk::Threshold.assess);

/// A question's record as the SDK has it.
pub fn to_sdk(ledger: &contract::Ledger) -> sdk::Ledger {
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

fn from_sdk(answer: sdk::Assessment) -> contract::Assessment {
    contract::Assessment {
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

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Ledger {
    let since = random.amount() / 2;
    let at = since.saturating_add(random.amount() / 2);
    let returns = random.some(16, action_return);
    let criteria = random.below(5) as u32;
    let dimensions = Dimension::ALL.into_iter().filter(|_| random.once_in(4)).collect::<Vec<_>>();
    Ledger {
        at,
        since,
        actions: (returns.len() as u32).max(random.below(40) as u32),
        returns,
        criteria_met: random.below(criteria as usize + 1) as u32,
        criteria,
        gap: random.once_in(4).then(|| gap(random)),
        costs: dimensions
            .into_iter()
            .map(|dimension| {
                let limit = random.amount().max(1);
                let used = if random.once_in(4) { random.amount() } else { (limit as f64 * random.share()) as u64 };
                CostLine { dimension, used, limit }
            })
            .collect(),
        next: random.maybe(|random| NextAction {
            tool: name(random).into(),
            reversibility: random.pick(&Reversibility::ALL),
            mutating: random.toss(),
            idempotent: random.toss(),
            risk: random.maybe(Random::share),
        }),
    }
}

/// What one call brought.
fn action_return(random: &mut Random) -> ActionReturn {
    ActionReturn {
        at: random.amount(),
        advanced: random.once_in(4),
        changed: random.once_in(3),
        novel: random.toss(),
        confirmed: random.once_in(4),
        failed: random.once_in(3),
        neutral: random.once_in(5),
        repeated: random.once_in(3),
    }
}

/// An error that the agent cannot mend.
fn gap(random: &mut Random) -> AuthorityGap {
    AuthorityGap { tool: name(random).into(), who: some_text(random, 64), what: some_text(random, 256) }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 3] = [
    Law { name: "a gap always escalates", check: a_gap_escalates },
    Law { name: "one more productive return never lowers the value", check: productive_return },
    Law { name: "more spent never lowers the cost", check: more_spent },
];

fn a_gap_escalates(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let asked = Ledger { gap: Some(gap(random)), ..question(random) };
    let assessment = answered!(trial, Threshold, asked.clone(), &view(random));
    let expected = Decision::Escalate(Trigger::AuthorityGap);
    ensure!(assessment.decision == expected, "{assessment:?} for {asked:?}");
    Ok(())
}

fn productive_return(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (mut before, view) = (question(random), view(random));
    before.returns.truncate(15);
    // As the contract has it: an error is news, and no progress.
    let open = before.criteria == 0 || before.criteria_met < before.criteria;
    let productive =
        |call: &ActionReturn| call.confirmed || call.advanced || call.changed || (call.novel && !call.failed && open);
    let mut last = action_return(random);
    while !productive(&last) {
        last = action_return(random);
    }
    let mut after = before.clone();
    after.returns.push(last);
    after.actions += 1;
    let low = answered!(trial, Threshold, before.clone(), &view);
    let high = answered!(trial, Threshold, after, &view);
    ensure!(high.value >= low.value, "{low:?} for {before:?}, but {high:?} after {last:?}");
    Ok(())
}

fn more_spent(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    for line in &mut after.costs {
        line.used = line.used.saturating_add(random.amount());
    }
    let low = answered!(trial, Threshold, before.clone(), &view);
    let high = answered!(trial, Threshold, after.clone(), &view);
    ensure!(high.cost >= low.cost, "{low:?} for {:?}, but {high:?} for {:?}", before.costs, after.costs);
    Ok(())
}
