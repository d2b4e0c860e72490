//! What an entry answers to every question of a grid.

use std::sync::Arc;

use countersign_contract::view::{Answer, Query, RunView};
use countersign_contract::{Answered, Question, Slot, Verdict};
use countersign_engine::{NoHistory, OpenError, Policy};

use crate::lock::Entry;

/// After so many cases that it cannot decide an entry is not asked any more: each of them may cost all the
/// fuel of a call.
const MOST_UNDECIDED: u64 = 64;

/// What an entry answers.
pub(super) struct Answers {
    /// In the order of the questions; fewer where it was not asked all of them.
    pub given: Vec<Given>,
    /// Cases that it cannot decide.
    pub undecided: u64,
    /// The first of them, and why.
    pub failure: Option<(usize, String)>,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Given {
    /// The slot's failure verdict where it cannot decide.
    pub verdict: Verdict,
    pub score: Option<f64>,
    /// The contract's word for it; none where it cannot decide.
    pub word: Option<&'static str>,
}

/// Asks an entry every question. Only for one whose answers depend on nothing but the question.
pub(super) fn answers(
    entry: &Entry,
    policy: &Policy,
    slot: Slot,
    questions: &[Question],
) -> Result<Answers, OpenError> {
    let open = || policy.open(Arc::from(entry.configuration.as_str()), entry.limits.into());
    let own = entry.slot.iter().find(|own| own.slot == slot);
    let failure_verdict = own.map_or(Verdict::Ask, |own| own.failure_verdict);
    let mut answers = Answers { given: Vec::with_capacity(questions.len()), undecided: 0, failure: None };
    let mut session = open()?;
    for (at, question) in questions.iter().enumerate() {
        let outcome = session.judge(question, Arc::new(Nothing), &mut NoHistory);
        answers.given.push(given(&outcome.judged.answer, failure_verdict));
        if let Some(failure) = outcome.failure {
            answers.undecided += 1;
            answers.failure.get_or_insert((at, failure));
            if answers.undecided == MOST_UNDECIDED {
                break;
            }
            // The next question finds an instance that nothing has happened to.
            session = open()?;
        }
    }
    Ok(answers)
}

fn given(answer: &Answered, failure_verdict: Verdict) -> Given {
    Given { verdict: answer.verdict().unwrap_or(failure_verdict), score: answer.score(), word: answer.word() }
}

/// A run of which the host says nothing.
struct Nothing;

impl RunView for Nothing {
    fn read(&self, query: &Query) -> Option<Answer> {
        Some(match query {
            Query::Goal => Answer::Goal(None),
            Query::StepIndex => Answer::StepIndex(None),
            Query::Phase => Answer::Phase(None),
            Query::Budget(_) => Answer::Budget(None),
            Query::RecentSteps(_) => Answer::RecentSteps(None),
            Query::Fact(_) => Answer::Fact(None),
            Query::Boundary => Answer::Boundary(None),
        })
    }
}
