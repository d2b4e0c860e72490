//! The join of a slot's answers.
//!
//! Each part of an answer has a join of its own (design §3): verdicts, trust and tags by the maximum,
//! confidence by the minimum, estimates by the hull, findings by the union. None of them depends on
//! the order in which the policies of a slot answer: who is named among equals, and whose reason is
//! given, goes by name.

use std::sync::Arc;

use crate::contract::classifier::Classification;
use crate::contract::context::Strategy;
use crate::contract::dispatch::Assignment;
use crate::contract::estimator::Interval;
use crate::contract::remediation::{Authority, Remediability};
use crate::contract::threshold::{Decision, Trigger};
use crate::contract::{Answered, Finding};
use crate::contract::{SensitivityTag, Verdict};

/// What a slot has said so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SlotVerdict {
    pub verdict: Option<Verdict>,
    /// The entries that gave the most restrictive verdict, by name.
    pub by: Vec<Arc<str>>,
    /// In their words, each once, by the name of the first that says so.
    pub reason: String,
    /// Theirs one by one, in the order of `by`.
    reasons: Vec<String>,
    /// Lowest confidence score.
    pub score: Option<f64>,
    /// Highest risk score.
    pub risk: Option<f64>,
    pub classification: Option<Classification>,
    /// Hull of the estimates, by dimension.
    pub intervals: Vec<Interval>,
    /// Highest tag.
    pub tag: Option<SensitivityTag>,
    /// Union of what was found, in order.
    pub findings: Vec<Finding>,
    /// Who could mend an error that the agent cannot; of several the first by name of their entry.
    pub authority: Option<Authority>,
    authority_by: Option<Arc<str>>,
    /// The first trigger in the order of the contract.
    pub trigger: Option<Trigger>,
    trigger_by: Option<Arc<str>>,
    /// In the words of the first entry that gave it.
    pub trigger_reason: String,
    /// Whoever holds the run up does so because nothing is left to find out; none where nobody does.
    pub collapse_alone: Option<bool>,
    pub assignment: Option<Assignment>,
    pub strategy: Option<Strategy>,
}

impl SlotVerdict {
    pub fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Proceed)
    }

    /// Takes an answer in.
    pub fn add(&mut self, entry: &Arc<str>, answer: &Answered, failure_verdict: Verdict) {
        let verdict = answer.verdict().unwrap_or(failure_verdict);
        self.add_verdict(entry, answer, verdict);
        if verdict > Verdict::Notify {
            let collapse = matches!(
                answer,
                Answered::Threshold(assessment) if assessment.decision == Decision::Escalate(Trigger::ConfidenceCollapse)
            );
            self.collapse_alone = Some(collapse && self.collapse_alone.unwrap_or(true));
        }
        match answer {
            Answered::Confidence(trust) => self.score = fold(self.score, trust.score, f64::min),
            Answered::Risk(assessment) => self.risk = fold(self.risk, Some(assessment.score), f64::max),
            Answered::Classifier(classification) => self.classification = Some(classification.clone()),
            Answered::Estimator(estimate) => estimate.intervals.iter().for_each(|interval| self.widen(interval)),
            Answered::Sensitivity(rating) => self.tag = self.tag.max(Some(rating.tag)),
            Answered::Guard(inspection) => {
                for finding in &inspection.findings {
                    let place = |other: &Finding| (other.start, other.end, other.kind, other.severity);
                    match self.findings.binary_search_by_key(&place(finding), place) {
                        // The same twice: as sure as the surer.
                        Ok(at) => self.findings[at].score = self.findings[at].score.max(finding.score),
                        Err(at) => self.findings.insert(at, *finding),
                    }
                }
            }
            Answered::Remediation(remedy) => {
                if let Remediability::Irremediable(authority) = &remedy.remediability
                    && self.authority_by.as_ref().is_none_or(|by| entry < by)
                {
                    self.authority = Some(authority.clone());
                    self.authority_by = Some(Arc::clone(entry));
                }
            }
            Answered::Threshold(assessment) => {
                if let Decision::Escalate(trigger) = assessment.decision
                    && self.trigger.is_none_or(|so_far| (trigger, Some(entry)) < (so_far, self.trigger_by.as_ref()))
                {
                    self.trigger = Some(trigger);
                    self.trigger_by = Some(Arc::clone(entry));
                    self.trigger_reason.clone_from(&assessment.reason);
                }
            }
            Answered::Dispatch(assigned) => self.assignment = Some(assigned.assignment.clone()),
            Answered::Context(compaction) => self.strategy = Some(compaction.strategy),
            _ => {}
        }
    }

    /// The most restrictive verdict counts.
    fn add_verdict(&mut self, entry: &Arc<str>, answer: &Answered, verdict: Verdict) {
        if self.verdict.is_some_and(|so_far| verdict < so_far) {
            return;
        }
        if self.verdict != Some(verdict) {
            self.verdict = Some(verdict);
            self.by.clear();
            self.reasons.clear();
        }
        let at = self.by.partition_point(|other| other < entry);
        self.by.insert(at, Arc::clone(entry));
        let reason = match answer {
            Answered::Undecided(cause) => format!("undecided: {cause}"),
            answer => answer.reason().to_owned(),
        };
        self.reasons.insert(at, reason);
        // Where nothing is held up, one reason is enough; whoever decides sees all.
        let told = if verdict >= Verdict::Replan { self.reasons.len() } else { 1 };
        self.reason.clear();
        for (index, reason) in self.reasons.iter().take(told).enumerate() {
            if !reason.is_empty() && !self.reasons[..index].contains(reason) {
                self.reason.push_str(if self.reason.is_empty() { "" } else { "; " });
                self.reason.push_str(reason);
            }
        }
    }

    fn widen(&mut self, interval: &Interval) {
        match self.intervals.binary_search_by_key(&interval.dimension, |known| known.dimension) {
            Ok(at) => {
                let known = &mut self.intervals[at];
                known.lower = known.lower.min(interval.lower);
                known.upper = known.upper.max(interval.upper);
            }
            Err(at) => self.intervals.insert(at, *interval),
        }
    }
}

fn fold(a: Option<f64>, b: Option<f64>, join: impl Fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
