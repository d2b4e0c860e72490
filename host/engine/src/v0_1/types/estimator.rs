//! Slot `estimator`.

use countersign_kernel::contract::estimator;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::Dimension;

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Spent {
    dimension: Dimension,
    used: u64,
    left: u64,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Progress {
    done: u32,
    total: u32,
    spent: Vec<Spent>,
}

impl From<&estimator::Progress> for Progress {
    fn from(progress: &estimator::Progress) -> Self {
        Progress {
            done: progress.done,
            total: progress.total,
            spent: progress
                .spent
                .iter()
                .map(|spent| Spent { dimension: spent.dimension.into(), used: spent.used, left: spent.left })
                .collect(),
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Interval {
    dimension: Dimension,
    lower: u64,
    upper: u64,
}

/// The kernel's `Estimate`: in the contract `estimate` is the function.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Forecast {
    intervals: Vec<Interval>,
    reason: String,
}

impl From<Forecast> for estimator::Estimate {
    fn from(answer: Forecast) -> Self {
        estimator::Estimate {
            intervals: answer
                .intervals
                .into_iter()
                .map(|interval| estimator::Interval {
                    dimension: interval.dimension.into(),
                    lower: interval.lower,
                    upper: interval.upper,
                })
                .collect(),
            reason: answer.reason,
        }
    }
}
