//! The view of a run, for a native policy and for a component.

use countersign::kernel::contract::view::{Answer, Boundary as HostBoundary, Query, RunView as HostView};
use countersign::kernel::contract::{self};
use countersign_sdk::testing::TestRun;
use countersign_sdk::{Boundary, BudgetLine, Dimension, RunView};

use super::shared::to_dimension;

/// A view with a boundary and what is left of the cost.
pub fn view(blast_radius_limit: Option<u64>, cost_left: Option<u64>) -> TestRun {
    TestRun {
        boundary: Some(Boundary { blast_radius_limit, tools: 3 }),
        budget: cost_left
            .map(|left| (Dimension::Cost, BudgetLine { limit: left + 10, used: 7, reserved: 3 }))
            .into_iter()
            .collect(),
        ..TestRun::default()
    }
}

/// The same view for a component.
pub struct Served(pub TestRun);

impl HostView for Served {
    fn read(&self, query: &Query) -> Option<Answer> {
        Some(match query {
            Query::Goal => Answer::Goal(self.0.goal().map(Into::into)),
            Query::StepIndex => Answer::StepIndex(self.0.step_index()),
            Query::Phase => Answer::Phase(None),
            Query::Budget(of) => {
                let line = self.0.budget(to_dimension(*of));
                Answer::Budget(line.map(|line| contract::BudgetLine {
                    limit: line.limit,
                    used: line.used,
                    reserved: line.reserved,
                }))
            }
            Query::RecentSteps(_) => Answer::RecentSteps(None),
            Query::Fact(name) => Answer::Fact(self.0.fact(name).map(Into::into)),
            Query::Boundary => Answer::Boundary(self.0.boundary().map(|boundary| HostBoundary {
                blast_radius_limit: boundary.blast_radius_limit,
                tools: boundary.tools,
            })),
        })
    }
}
