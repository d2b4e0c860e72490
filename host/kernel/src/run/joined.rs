//! The join of a slot's answers.

use std::sync::Arc;

use crate::contract::Verdict;
use crate::contract::classifier::Classification;
use crate::contract::estimator::Interval;
use crate::judgement::Answered;

/// What a slot has said so far.
#[derive(Debug, Default)]
pub(super) struct Joined {
    pub verdict: Option<Verdict>,
    /// The entries that gave the most restrictive verdict.
    pub by: Vec<Arc<str>>,
    pub reason: String,
    /// Lowest confidence score.
    pub score: Option<f64>,
    pub classification: Option<Classification>,
    /// Hull of the estimates.
    pub intervals: Vec<Interval>,
}

impl Joined {
    pub fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Proceed)
    }

    /// The most restrictive verdict counts; among equals all are named and the first gives the
    /// reason.
    pub fn add(&mut self, entry: &Arc<str>, answer: &Answered, failure_verdict: Verdict) {
        let verdict = answer.verdict().unwrap_or(failure_verdict);
        if self.verdict.is_none_or(|so_far| verdict > so_far) {
            self.verdict = Some(verdict);
            self.by.clear();
            self.reason = match answer {
                Answered::Undecided(cause) => format!("undecided: {cause}"),
                answer => answer.reason().to_owned(),
            };
        }
        if self.verdict == Some(verdict) {
            self.by.push(Arc::clone(entry));
        }
        match answer {
            Answered::Confidence(trust) => {
                self.score = match (self.score, trust.score) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            Answered::Classifier(classification) => self.classification = Some(classification.clone()),
            Answered::Estimator(estimate) => {
                for interval in &estimate.intervals {
                    match self.intervals.iter_mut().find(|known| known.dimension == interval.dimension) {
                        Some(known) => {
                            known.lower = known.lower.min(interval.lower);
                            known.upper = known.upper.max(interval.upper);
                        }
                        None => self.intervals.push(*interval),
                    }
                }
            }
            _ => {}
        }
    }
}
