//! Laws of the slot `context`.

use anyhow::{Result, ensure};

use super::{Law, Trial, answered, view};
use crate::generate::{Random, pressure};

pub const LAWS: [Law; 1] =
    [Law { name: "more pressure never gets a milder layer, the items being the same", check: pressure_rises }];

fn pressure_rises(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (pressure(random), view(random));
    let mut after = before.clone();
    let more = if random.toss() { random.amount() } else { (before.window as f64 * random.share()) as u64 };
    after.used = after.used.saturating_add(more);
    let mild = answered!(trial, Context, before.clone(), &view);
    let strict = answered!(trial, Context, after.clone(), &view);
    ensure!(strict.strategy >= mild.strategy, "{mild:?} for {before:?}, but {strict:?} with {} used", after.used);
    Ok(())
}
