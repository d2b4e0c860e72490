//! Slot `estimator`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::estimator::{Progress, Spent};
use countersign::kernel::contract::{Dimension, estimator as contract};
use countersign_sdk::estimator as sdk;

use crate::generate::Random;
use crate::laws::{Law, Trial, answered, view};
use crate::native::shared::{dimension, to_dimension};

native!(Estimator, countersign_estimator::RateInterval, sdk::Estimator.estimate);

/// A question's record as the SDK has it.
pub fn to_sdk(progress: &contract::Progress) -> sdk::Progress {
    let spent = |spent: &contract::Spent| sdk::Spent {
        dimension: to_dimension(spent.dimension),
        used: spent.used,
        left: spent.left,
    };
    sdk::Progress { done: progress.done, total: progress.total, spent: progress.spent.iter().map(spent).collect() }
}

fn from_sdk(answer: sdk::Forecast) -> contract::Forecast {
    let interval = |interval: sdk::Interval| contract::Interval {
        dimension: dimension(interval.dimension),
        lower: interval.lower,
        upper: interval.upper,
    };
    contract::Forecast { intervals: answer.intervals.into_iter().map(interval).collect(), reason: answer.reason }
}

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> Progress {
    let total = random.count().max(1);
    let done = if random.toss() { random.below(4) as u32 } else { (f64::from(total) * random.share()) as u32 };
    let dimensions = Dimension::ALL.into_iter().filter(|_| random.toss()).collect::<Vec<_>>();
    Progress {
        done: done.min(total),
        total,
        spent: dimensions
            .into_iter()
            .map(|dimension| Spent { dimension, used: random.amount(), left: random.amount() })
            .collect(),
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 1] = [Law { name: "more units left never lower either end of an interval", check: more_left }];

fn more_left(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
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
