//! Laws of the slot `threshold`.

use anyhow::{Result, ensure};
use countersign::kernel::contract::threshold::{ActionReturn, Decision, Ledger, Trigger};

use super::{Law, Trial, answered, view};
use crate::generate::{Random, action_return, gap, ledger};

pub const LAWS: [Law; 3] = [
    Law { name: "a gap always escalates", check: a_gap_escalates },
    Law { name: "one more productive return never lowers the value", check: productive_return },
    Law { name: "more spent never lowers the cost", check: more_spent },
];

fn a_gap_escalates(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let asked = Ledger { gap: Some(gap(random)), ..ledger(random) };
    let weighing = answered!(trial, Threshold, asked.clone(), &view(random));
    let expected = Decision::Escalate(Trigger::AuthorityGap);
    ensure!(weighing.decision == expected, "{weighing:?} for {asked:?}");
    Ok(())
}

fn productive_return(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (mut before, view) = (ledger(random), view(random));
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
    let (before, view) = (ledger(random), view(random));
    let mut after = before.clone();
    for line in &mut after.costs {
        line.used = line.used.saturating_add(random.amount());
    }
    let low = answered!(trial, Threshold, before.clone(), &view);
    let high = answered!(trial, Threshold, after.clone(), &view);
    ensure!(high.cost >= low.cost, "{low:?} for {:?}, but {high:?} for {:?}", before.costs, after.costs);
    Ok(())
}
