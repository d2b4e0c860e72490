//! A view of the run for native tests.

use std::collections::BTreeMap;

use crate::{Boundary, BudgetLine, Dimension, Phase, RunView, StepSummary};

/// A view that answers what it was given and `None` to everything else.
///
/// ```
/// use countersign_sdk::{RunView, testing::TestRun};
/// let run = TestRun { step_index: Some(7), ..TestRun::default() };
/// assert_eq!(run.step_index(), Some(7));
/// assert_eq!(run.goal(), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct TestRun {
    /// Answer to `goal`.
    pub goal: Option<String>,
    /// Answer to `step_index`.
    pub step_index: Option<u32>,
    /// Answer to `phase`.
    pub phase: Option<Phase>,
    /// Answers to `budget`.
    pub budget: Vec<(Dimension, BudgetLine)>,
    /// Answer to `recent_steps`, newest last.
    pub recent_steps: Option<Vec<StepSummary>>,
    /// Answers to `fact`.
    pub facts: BTreeMap<String, String>,
    /// Answer to `boundary`.
    pub boundary: Option<Boundary>,
}

impl RunView for TestRun {
    fn goal(&self) -> Option<String> {
        self.goal.clone()
    }
    fn step_index(&self) -> Option<u32> {
        self.step_index
    }
    fn phase(&self) -> Option<Phase> {
        self.phase
    }
    fn budget(&self, of: Dimension) -> Option<BudgetLine> {
        self.budget.iter().find(|(dimension, _)| *dimension == of).map(|(_, line)| *line)
    }
    fn recent_steps(&self, count: u32) -> Option<Vec<StepSummary>> {
        let steps = self.recent_steps.as_ref()?;
        let from = steps.len().saturating_sub(count as usize);
        Some(steps[from..].to_vec())
    }
    fn fact(&self, name: &str) -> Option<String> {
        self.facts.get(name).cloned()
    }
    fn boundary(&self) -> Option<Boundary> {
        self.boundary
    }
}
