//! Laws of the slot `dispatch`.

use anyhow::{Result, ensure};
use countersign::kernel::contract::dispatch::Assignment;

use super::{Law, Trial, answered, view};
use crate::generate::{Random, sub_task};

pub const LAWS: [Law; 2] = [
    Law { name: "a longer or weaker chain never takes a sub-task back from a person", check: weaker_chain },
    Law { name: "the order of the specialists on offer makes no difference", check: order },
];

fn weaker_chain(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (sub_task(random), view(random));
    let mut after = before.clone();
    after.chain_length = after.chain_length.saturating_add(random.below(3) as u32);
    after.chain_reliability *= random.share();
    let strong = answered!(trial, Dispatch, before.clone(), &view);
    let weak = answered!(trial, Dispatch, after.clone(), &view);
    let holds = strong.assignment != Assignment::HandOver || weak.assignment == Assignment::HandOver;
    ensure!(holds, "{strong:?} for {before:?}, but {weak:?} for {after:?}");
    Ok(())
}

fn order(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (sub_task(random), view(random));
    let mut after = before.clone();
    random.shuffle(&mut after.specialists);
    let one = answered!(trial, Dispatch, before.clone(), &view);
    let other = answered!(trial, Dispatch, after, &view);
    ensure!(one.assignment == other.assignment, "{one:?} for {before:?}, but {other:?} in another order");
    Ok(())
}
