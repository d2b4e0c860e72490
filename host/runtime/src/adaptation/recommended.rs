//! The first third of a triple: from the judgements of a slot to what was recommended.

use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::contract::doom_loop::Signal;
use countersign_kernel::contract::remediation::Remediability;
use countersign_kernel::contract::threshold;
use countersign_kernel::{Answered, Judgement, Manifest, PolicyMode, Question, Slot};

use super::triple::{About, Numbers, PolicyAnswer, Recommendation, Remediable};

/// The judgements of the slot that was heard next, taken off the front: each of its entries once.
pub(super) fn take_heard<'a>(rest: &mut &'a [Judgement], slot: Slot) -> &'a [Judgement] {
    let own = |at: usize| {
        let judgement = &rest[at];
        // The same entry once more is the next question.
        judgement.question.slot() == slot && rest[..at].iter().all(|before| before.entry != judgement.entry)
    };
    let heard = (0..rest.len()).take_while(|at| own(*at)).count();
    let (heard, left) = rest.split_at(heard);
    *rest = left;
    heard
}

/// What each policy said.
pub(super) fn policies(manifest: &Manifest, heard: &[Judgement]) -> Vec<PolicyAnswer> {
    let answer = |judgement: &Judgement| {
        let slot = judgement.question.slot();
        let pin = manifest.entries.iter().find(|pin| pin.name == judgement.entry)?;
        let own = pin.slots.iter().find(|pin| pin.slot == slot);
        let failure_verdict = own.map_or(Verdict::Ask, |pin| pin.failure_verdict);
        let undecided = match &judgement.answer {
            Answered::Undecided(cause) => Some(Arc::from(cause.name())),
            _ => None,
        };
        Some(PolicyAnswer {
            entry: Arc::clone(&judgement.entry),
            policy: Arc::clone(&pin.policy),
            component: Arc::clone(&judgement.policy),
            configuration: Arc::clone(&pin.configuration),
            mode: own.map_or(PolicyMode::Enforce, |pin| pin.mode),
            verdict: judgement.answer.verdict().unwrap_or(failure_verdict),
            undecided,
            answer: numbers(&judgement.answer),
        })
    };
    heard.iter().filter_map(answer).collect()
}

/// What they said together. `verdict` and `by` are those of the slot's event.
pub(super) fn recommendation(verdict: Verdict, by: &[Arc<str>], policies: &[PolicyAnswer]) -> Recommendation {
    // Where nobody's verdict counts, what the watched ones would have said is what there is.
    let watched = by.is_empty();
    let counts = |policy: &&PolicyAnswer| watched || policy.mode == PolicyMode::Enforce;
    let scores = policies.iter().filter(counts).filter_map(|policy| match policy.answer {
        Some(Numbers::Confidence { score: Some(score), .. }) => Some((score, true)),
        Some(Numbers::Risk { score }) => Some((score, false)),
        _ => None,
    });
    let score = scores
        .reduce(|so_far, (score, lowest)| (if lowest { so_far.0.min(score) } else { so_far.0.max(score) }, lowest));
    let strictest = policies.iter().map(|policy| policy.verdict).max();
    Recommendation {
        verdict: if watched { strictest.unwrap_or(verdict) } else { verdict },
        score: score.map(|(score, _)| score),
        by: by.to_vec(),
    }
}

/// An answer without its words; none for one of a slot that has no triples.
fn numbers(answer: &Answered) -> Option<Numbers> {
    Some(match answer {
        Answered::Classifier(answer) => Numbers::Classifier {
            tier: answer.tier,
            planning: answer.planning,
            ambiguity: answer.ambiguity,
            escalate_below: answer.cascade.map(|cascade| cascade.escalate_below),
        },
        Answered::Confidence(answer) => Numbers::Confidence { score: answer.score, action: answer.action },
        Answered::Risk(answer) => Numbers::Risk { score: answer.score },
        Answered::DoomLoop(Signal::Trip(trip)) => {
            Numbers::DoomLoop { trip: Some(trip.reason), handoff: Some(trip.handoff) }
        }
        Answered::DoomLoop(_) => Numbers::DoomLoop { trip: None, handoff: None },
        Answered::Threshold(answer) => Numbers::Threshold {
            trigger: match answer.decision {
                threshold::Decision::Continue => None,
                threshold::Decision::Escalate(trigger) => Some(trigger),
            },
            value: answer.value,
            risk: answer.risk,
            cost: answer.cost,
            irreversibility: answer.irreversibility,
            authority_gap: answer.authority_gap,
        },
        Answered::Remediation(answer) => Numbers::Remediation {
            remediable: match answer.remediability {
                Remediability::Retryable => Remediable::Retryable,
                Remediability::SelfRemediable => Remediable::SelfRemediable,
                Remediability::Irremediable(_) => Remediable::Irremediable,
            },
        },
        Answered::Estimator(answer) => Numbers::Estimator { intervals: answer.intervals.clone() },
        Answered::Sensitivity(_)
        | Answered::Guard(_)
        | Answered::Dispatch(_)
        | Answered::Context(_)
        | Answered::Undecided(_) => return None,
    })
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
