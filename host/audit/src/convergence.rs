//! Do runs get better? Escalations and steps per class of task over a store of runs (specification
//! A6).

use std::collections::BTreeMap;

use countersign_kernel::contract::Dimension;
use countersign_kernel::{Run, Status};
use serde::Serialize;

/// What counts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunFigures {
    /// When it began: anything that puts runs in order.
    pub order: u64,
    /// Class of its task; none where nobody classified it.
    pub class: Option<String>,
    /// Model calls.
    pub steps: u64,
    /// How often a stronger model was asked.
    pub escalations: u32,
    /// Where it stands.
    pub status: Status,
}

impl RunFigures {
    /// Of a run.
    pub fn of(run: &Run, order: u64) -> Self {
        RunFigures {
            order,
            class: run.class().map(str::to_owned),
            steps: run.view().budget(Dimension::Steps).used,
            escalations: run.escalations(),
            status: run.status(),
        }
    }
}

/// The runs of one class: the earlier half against the later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClassReport {
    /// The class.
    pub class: String,
    /// Runs.
    pub runs: u64,
    /// Of the earlier half.
    pub earlier: Half,
    /// Of the later half.
    pub later: Half,
}

/// Sums over half of a class's runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Half {
    /// Runs.
    pub runs: u64,
    /// Runs in which a stronger model was asked.
    pub escalated: u64,
    /// Steps of all of them.
    pub steps: u64,
}

impl Half {
    fn of(runs: &[&RunFigures]) -> Self {
        Half {
            runs: runs.len() as u64,
            escalated: runs.iter().filter(|run| run.escalations > 0).count() as u64,
            steps: runs.iter().map(|run| run.steps).sum(),
        }
    }

    /// Hundredths of a run that escalated; none without runs.
    pub fn escalation_rate(&self) -> Option<u64> {
        (self.escalated * 100).checked_div(self.runs)
    }

    /// Tenths of a step per run; none without runs.
    pub fn steps_per_run(&self) -> Option<u64> {
        (self.steps * 10).checked_div(self.runs)
    }
}

impl ClassReport {
    /// Whether the later half escalates and steps no more than the earlier, and less in one of both.
    pub fn converges(&self) -> bool {
        let rates = (self.earlier.escalation_rate(), self.later.escalation_rate());
        let steps = (self.earlier.steps_per_run(), self.later.steps_per_run());
        rates.1 <= rates.0 && steps.1 <= steps.0 && (rates.1 < rates.0 || steps.1 < steps.0)
    }
}

/// Classes in order of their names. With an odd number of runs the middle one counts as later.
pub fn report(runs: &[RunFigures]) -> Vec<ClassReport> {
    let mut classes: BTreeMap<&str, Vec<&RunFigures>> = BTreeMap::new();
    for run in runs {
        classes.entry(run.class.as_deref().unwrap_or("-")).or_default().push(run);
    }
    classes
        .into_iter()
        .map(|(class, mut runs)| {
            runs.sort_by_key(|run| run.order);
            let (earlier, later) = runs.split_at(runs.len() / 2);
            ClassReport {
                class: class.to_owned(),
                runs: runs.len() as u64,
                earlier: Half::of(earlier),
                later: Half::of(later),
            }
        })
        .collect()
}

/// Why runs of one scenario do not converge; nothing when they do.
pub fn not_converging(figures: &[RunFigures]) -> Option<String> {
    let (first, last) = (figures.first()?, figures.last()?);
    let fewer = last.steps < first.steps && last.escalations < first.escalations;
    (!fewer).then(|| {
        format!(
            "expected the runs to converge: {} steps and {} escalations at first, {} and {} at last",
            first.steps, first.escalations, last.steps, last.escalations
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_kernel::Code;

    #[test]
    fn the_later_half_is_held_against_the_earlier() {
        let run = |order, class: &str, steps, escalations| RunFigures {
            order,
            class: Some(class.to_owned()),
            steps,
            escalations,
            status: Status::Ended(Code::Success),
        };
        // Not in order of time, and two classes.
        let runs = [run(3, "a", 4, 0), run(1, "a", 10, 1), run(2, "a", 8, 1), run(4, "a", 4, 0), run(1, "b", 2, 0)];
        let report = report(&runs);
        assert_eq!(report.len(), 2);
        assert_eq!(report[0].earlier, Half { runs: 2, escalated: 2, steps: 18 });
        assert_eq!(report[0].later, Half { runs: 2, escalated: 0, steps: 8 });
        assert!(report[0].converges());
        assert_eq!((report[0].earlier.escalation_rate(), report[0].later.steps_per_run()), (Some(100), Some(40)));
        assert!(!report[1].converges(), "one run shows nothing");
        assert!(not_converging(&runs[1..4]).is_none());
        assert!(not_converging(&runs[..2]).is_some());
    }
}
