//! Slot `estimator`.

use countersign::kernel::contract::estimator as contract;
use countersign_sdk::estimator as sdk;

use super::shared::{dimension, to_dimension};

native!(Estimator, sdk::Estimator, estimate, to_progress, estimate);

/// A question's record as the SDK has it.
pub fn to_progress(progress: &contract::Progress) -> sdk::Progress {
    let spent = |spent: &contract::Spent| sdk::Spent {
        dimension: to_dimension(spent.dimension),
        used: spent.used,
        left: spent.left,
    };
    sdk::Progress { done: progress.done, total: progress.total, spent: progress.spent.iter().map(spent).collect() }
}

fn estimate(answer: sdk::Forecast) -> contract::Estimate {
    let interval = |interval: sdk::Interval| contract::Interval {
        dimension: dimension(interval.dimension),
        lower: interval.lower,
        upper: interval.upper,
    };
    contract::Estimate { intervals: answer.intervals.into_iter().map(interval).collect(), reason: answer.reason }
}
