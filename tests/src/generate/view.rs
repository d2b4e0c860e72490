//! Views of a run.

use std::sync::Arc;

use countersign::kernel::contract::view::{Answer, Boundary, Query, RunView, StepSummary};
use countersign::kernel::contract::{BudgetLine, Dimension, Phase};

use super::{Random, texts};

/// A view that says anything or nothing, and to the same question always the same.
#[derive(Debug, Clone, Copy)]
pub struct GeneratedView(pub u64);

impl RunView for GeneratedView {
    fn read(&self, query: &Query) -> Option<Answer> {
        let mut random = Random::named(&format!("{query:?} {}", self.0));
        let random = &mut random;
        Some(match query {
            Query::Goal => Answer::Goal(random.maybe(|random| texts::text(random, 16 << 10))),
            Query::StepIndex => Answer::StepIndex(random.maybe(Random::count)),
            Query::Phase => {
                Answer::Phase(random.maybe(|random| random.pick(&[Phase::Intake, Phase::Proposal, Phase::Observation])))
            }
            Query::Budget(_) => Answer::Budget(random.maybe(|random| BudgetLine {
                limit: random.amount(),
                used: random.amount(),
                reserved: random.amount(),
            })),
            Query::RecentSteps(count) => {
                let most = (*count).min(32) as usize;
                Answer::RecentSteps(random.maybe(|random| random.some(most, summary)))
            }
            Query::Fact(_) => Answer::Fact(random.maybe(|random| texts::text(random, 4 << 10))),
            Query::Boundary => {
                Answer::Boundary(random.maybe(|random| Boundary {
                    blast_radius_limit: random.maybe(Random::amount),
                    tools: random.count(),
                }))
            }
        })
    }
}

fn summary(random: &mut Random) -> StepSummary {
    StepSummary {
        index: random.count(),
        call_key: random.maybe(Random::key),
        result_key: random.maybe(Random::key),
        failed: random.toss(),
        mutating: random.toss(),
    }
}

/// Another view, with so much left of the cost.
pub struct CostLeft(pub Arc<dyn RunView + Send + Sync>, pub u64);

impl RunView for CostLeft {
    fn read(&self, query: &Query) -> Option<Answer> {
        match query {
            Query::Budget(Dimension::Cost) => {
                Some(Answer::Budget(Some(BudgetLine { limit: self.1, used: 0, reserved: 0 })))
            }
            other => self.0.read(other),
        }
    }
}
