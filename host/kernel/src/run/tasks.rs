//! The plan, what nobody has looked at yet of a new one, who does which sub-task, and whether a person has
//! approved it.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_spec::plan::{Plan, PlanStep};

#[derive(Debug, Default)]
pub(super) struct Tasks {
    plan: Plan,
    draft: Option<Draft>,
    repairs: u32,
    approved: bool,
    /// Who does which sub-task; none for the run itself. Only steps of the plan at hand.
    assigned: BTreeMap<Arc<str>, Option<Arc<str>>>,
}

/// A plan, or sub-tasks to be added, that nobody has looked at; or why there is none.
#[derive(Debug)]
pub(super) enum Draft {
    Whole(Vec<PlanStep>),
    More(Vec<PlanStep>),
    None(String),
    /// What the model answered could not be read, however often it was asked.
    Unreadable(String),
}

impl Tasks {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan that comes with the task.
    pub fn begin(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// A valid plan counts from here. Another plan is another thing to approve.
    pub fn accept(&mut self, plan: Plan) {
        self.assigned.retain(|id, _| plan.steps().any(|(step, _)| step.id == *id));
        self.plan = plan;
        self.repairs = 0;
        self.approved = false;
    }

    /// A person refuses the plan.
    pub fn drop_plan(&mut self) {
        self.plan = Plan::default();
        self.assigned.clear();
    }

    pub fn draft(&mut self, draft: Draft) {
        self.draft = Some(draft);
    }

    pub fn has_draft(&self) -> bool {
        self.draft.is_some()
    }

    pub fn take_draft(&mut self) -> Option<Draft> {
        self.draft.take()
    }

    /// A plan is sent back; whether the model may mend it once more.
    pub fn send_back(&mut self, most: u32) -> bool {
        self.repairs += 1;
        let may = self.repairs <= most;
        if !may {
            self.repairs = 0;
        }
        may
    }

    pub fn approve(&mut self) {
        self.approved = true;
    }

    pub fn is_approved(&self) -> bool {
        self.approved
    }

    /// Marks a step complete; all that are complete by it.
    pub fn complete(&mut self, id: &str) -> Vec<Arc<str>> {
        self.plan.complete(id)
    }

    pub fn assign(&mut self, id: Arc<str>, to: Option<Arc<str>>) {
        self.assigned.insert(id, to);
    }

    pub fn is_assigned(&self, id: &Arc<str>) -> bool {
        self.assigned.contains_key(id)
    }

    /// The specialist that does a step; none for the run itself, and for what nobody was asked about.
    pub fn specialist(&self, id: &Arc<str>) -> Option<&Arc<str>> {
        self.assigned.get(id)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_mended_so_often_and_then_the_count_begins_anew() {
        let mut tasks = Tasks::default();
        assert_eq!([1, 2, 3, 4].map(|_| tasks.send_back(2)), [true, true, false, true]);
    }

    #[test]
    fn another_plan_keeps_no_approval_and_no_assignment_of_steps_that_are_gone() {
        let mut tasks = Tasks::default();
        tasks.approve();
        tasks.assign("old".into(), Some("Ada".into()));
        tasks.accept(Plan::default());
        assert!(!tasks.is_approved() && !tasks.is_assigned(&"old".into()));
    }
}
