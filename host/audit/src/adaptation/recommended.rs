//! The first third of a triple: from the judgements of a slot to what was recommended.

use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::{Answered, Judgement, Question, Slot};
use countersign_spec::{Manifest, PolicyMode};

use super::triple::{PolicyAnswer, Recommendation};

/// A judgement with what it answers.
pub(super) type Judged<'a> = (&'a Question, &'a Judgement);

/// The judgements of the slot that was heard next, taken off the front: each of its entries once.
pub(super) fn take_heard<'a, 'b>(rest: &mut &'a [Judged<'b>], slot: Slot) -> &'a [Judged<'b>] {
    let own = |at: usize| {
        let (_, judgement) = rest[at];
        // The same entry once more is the next question.
        judgement.slot == slot && rest[..at].iter().all(|(_, before)| before.entry != judgement.entry)
    };
    let heard = (0..rest.len()).take_while(|at| own(*at)).count();
    let (heard, left) = rest.split_at(heard);
    *rest = left;
    heard
}

/// What each policy said.
pub(super) fn policies(manifest: &Manifest, heard: &[Judged<'_>]) -> Vec<PolicyAnswer> {
    let answer = |(_, judgement): &Judged<'_>| {
        let slot = judgement.slot;
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
            component: Arc::clone(&pin.component),
            configuration: Arc::clone(&pin.configuration),
            mode: own.map_or(PolicyMode::Enforce, |pin| pin.mode),
            verdict: judgement.answer.verdict().unwrap_or(failure_verdict),
            undecided,
            answer: judgement.answer.without_words(),
        })
    };
    heard.iter().filter_map(answer).collect()
}

/// What they said together. `verdict` and `by` are those of the slot's event.
pub(super) fn recommendation(
    slot: Slot,
    verdict: Verdict,
    by: &[Arc<str>],
    policies: &[PolicyAnswer],
) -> Recommendation {
    // Where nobody's verdict counts, what the watched ones would have said is what there is.
    let watched = by.is_empty();
    let counts = |policy: &&PolicyAnswer| watched || policy.mode == PolicyMode::Enforce;
    let scores = policies.iter().filter(counts).filter_map(|policy| policy.answer.as_ref()?.score());
    let score = scores.reduce(if slot.lowest_counts() { f64::min } else { f64::max });
    let strictest = policies.iter().map(|policy| policy.verdict).max();
    Recommendation { verdict: if watched { strictest.unwrap_or(verdict) } else { verdict }, score, by: by.to_vec() }
}
