//! What is particular to a slot in the log: when it has a line, what it was asked about, whose outcome is awaited,
//! and which of the host's doings come from its answer.

use std::sync::Arc;

use countersign_kernel::contract::{Verdict, threshold};
use countersign_kernel::{Answered, Event, Question, Slot};
use countersign_spec::Manifest;

use super::triple::{About, PolicyAnswer};

/// What comes of what was recommended.
pub(super) enum Awaited {
    /// The call that is proposed.
    Call,
    /// Whatever the model's answer proposes.
    Answer,
    /// The next call of a tool.
    NextCall(Arc<str>),
    /// The run.
    Run,
}

pub(super) fn awaited(question: &Question) -> Awaited {
    match question {
        Question::Confidence(_) => Awaited::Answer,
        Question::Remediation(failed) => Awaited::NextCall(Arc::clone(&failed.tool)),
        Question::Risk(_) | Question::Threshold(threshold::Ledger { next: Some(_), .. }) => Awaited::Call,
        _ => Awaited::Run,
    }
}

/// Whether a slot's recommendation has a line.
pub(super) fn has_line(slot: Slot, verdict: Verdict, policies: &[PolicyAnswer]) -> bool {
    let says_more = verdict > Verdict::Proceed;
    let estimates = |policy: &PolicyAnswer| matches!(&policy.answer, Some(Answered::Estimator(forecast)) if !forecast.intervals.is_empty());
    match slot {
        Slot::Classifier | Slot::Confidence | Slot::Risk | Slot::Remediation => true,
        // They hear of every step, and have nothing to say of most.
        Slot::DoomLoop | Slot::Threshold => says_more,
        Slot::Estimator => says_more || policies.iter().any(estimates),
        _ => false,
    }
}

/// Whether a verdict is one that somebody must react to.
pub(super) fn is_loud(slot: Slot, verdict: Verdict) -> bool {
    // Nothing is done because of a remedy: it is told to the threshold slot.
    verdict > Verdict::Notify && slot != Slot::Remediation
}

/// Whether what the host does about it shows only later.
pub(super) fn shows_later(slot: Slot) -> bool {
    matches!(slot, Slot::Confidence | Slot::Estimator)
}

/// Whether the host does this because of the slot's answer, although its verdict asks for nothing. `below` is
/// whether its score is below the cascade's gate.
pub(super) fn answers_to(slot: Slot, event: &Event, below: bool) -> bool {
    match (slot, event) {
        (Slot::Confidence, Event::Escalated { .. }) => below,
        (Slot::Estimator, Event::WillNotSuffice { .. }) => true,
        _ => false,
    }
}

/// Confidence below which the classifier's cascade asks a stronger model; none in other slots.
pub(super) fn gate(slot: Slot, policies: &[PolicyAnswer]) -> Option<f64> {
    let own = |policy: &PolicyAnswer| match &policy.answer {
        Some(Answered::Classifier(answer)) => answer.cascade.map(|cascade| cascade.escalate_below),
        _ => None,
    };
    (slot == Slot::Classifier).then(|| policies.iter().rev().find_map(own).unwrap_or(0.0))
}

/// Whether the slot gives the run its class.
pub(super) fn classifies(slot: Slot) -> bool {
    slot == Slot::Classifier
}

/// Whether an agent that owns its loop is held up by the slot.
pub(super) fn holds(slot: Slot) -> bool {
    slot == Slot::Threshold
}

/// Whether what was judged is not used where it is not trusted.
pub(super) fn is_of_an_answer(slot: Slot) -> bool {
    slot == Slot::Confidence
}

/// What a slot was asked about. `tool` is that of the call at hand.
pub(super) fn about(manifest: &Manifest, question: &Question, tool: Option<&Arc<str>>) -> About {
    // The name of a tool that nobody registered is a model's text.
    let registered = |name: &Arc<str>| manifest.tool(name).map(|tool| Arc::clone(&tool.name));
    let own = About { tool: tool.and_then(registered), ..About::default() };
    match question {
        Question::Risk(action) => About {
            tool: registered(&action.tool),
            category: Some(action.category),
            reversibility: Some(action.reversibility),
            blast_radius: action.blast_radius,
            compliance: Some(action.compliance),
            confidence: action.confidence,
            ..About::default()
        },
        Question::Confidence(answer) => {
            About { compliance: Some(answer.compliance), stakes: Some(answer.stakes), ..own }
        }
        Question::Remediation(failed) => {
            About { tool: registered(&failed.tool), category: failed.category, ..About::default() }
        }
        Question::Threshold(threshold::Ledger { next: Some(next), .. }) => {
            About { tool: registered(&next.tool), reversibility: Some(next.reversibility), ..About::default() }
        }
        Question::Threshold(_) | Question::DoomLoop(_) => own,
        _ => About::default(),
    }
}
