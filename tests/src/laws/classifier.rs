//! Laws of the slot `classifier`.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{Law, Trial, View, answered, view};
use crate::generate::{CostLeft, Random, task};

pub const LAWS: [Law; 2] = [
    Law { name: "less money left never gets a stronger tier", check: less_money },
    Law { name: "the order of the tiers on offer makes no difference", check: order },
];

fn less_money(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (task, view) = (task(random), view(random));
    let left = |left| Arc::new(CostLeft(Arc::clone(&view), left)) as View;
    let offers: Vec<u64> = task.tiers.iter().map(|offer| offer.cheapest_call).collect();
    let much = if random.toss() { random.amount() } else { random.pick(&offers) };
    let less = much.saturating_sub((much as f64 * random.share()) as u64);
    let rich = answered!(trial, Classifier, task.clone(), &left(much));
    let poor = answered!(trial, Classifier, task.clone(), &left(less));
    ensure!(
        poor.tier <= rich.tier,
        "{} with {much} left, but {} with {less}, of {:?}",
        rich.tier,
        poor.tier,
        task.tiers
    );
    Ok(())
}

fn order(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (task(random), view(random));
    let mut after = before.clone();
    random.shuffle(&mut after.tiers);
    let one = answered!(trial, Classifier, before.clone(), &view);
    let other = answered!(trial, Classifier, after, &view);
    ensure!(one == other, "{one:?} for {:?}, but {other:?} in another order", before.tiers);
    Ok(())
}
