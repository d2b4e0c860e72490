//! Laws of the slot `estimator`.

use anyhow::{Result, ensure};

use super::{Law, Trial, answered, view};
use crate::generate::{Random, progress};

pub const LAWS: [Law; 1] = [Law { name: "more units left never lower either end of an interval", check: more_left }];

fn more_left(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (progress(random), view(random));
    let mut after = before.clone();
    after.total = after.total.saturating_add(random.count());
    let few = answered!(trial, Estimator, before.clone(), &view);
    let many = answered!(trial, Estimator, after.clone(), &view);
    for interval in &few.intervals {
        let other = many.intervals.iter().find(|other| other.dimension == interval.dimension);
        let holds = other.is_some_and(|other| other.lower >= interval.lower && other.upper >= interval.upper);
        ensure!(holds, "{interval:?} for {before:?}, but {other:?} for {} units", after.total);
    }
    Ok(())
}
