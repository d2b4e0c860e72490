//! Plans: asked for, validated, sent back a bounded number of times (specification D5).

use std::sync::Arc;

use countersign_spec::boundary::{DecisionRight, PlanRule};
use countersign_spec::graph::Exit;

use super::Run;
use super::halt::{EscalationCause, StopCause};
use super::next::Next;
use super::tasks::Draft;
use crate::contract::{Dimension, Verdict};
use crate::record::effect::Purpose;
use crate::record::event::Event;
use crate::record::told::{CameOf, Did, Notice};

impl Run {
    /// The plan node: calls a model where a plan is wanted and none is at hand.
    pub(super) fn draft_plan(&mut self) -> Next {
        if self.recorded() || self.tasks.has_draft() {
            return Next::Leave(Exit::Drafted);
        }
        let wanted = *self.models.purpose() == Purpose::Plan
            || (self.tasks.plan().is_empty() && self.manifest.boundary.plans != PlanRule::Optional);
        if wanted { self.call_model(Purpose::Plan) } else { Next::Leave(Exit::Drafted) }
    }

    pub(super) fn validate_plan(&mut self) -> Next {
        let Some(draft) = self.tasks.take_draft() else { return Next::Leave(Exit::Valid) };
        let (steps, add) = match draft {
            Draft::Whole(steps) => (steps, false),
            Draft::More(steps) => (steps, true),
            Draft::None(problem) => return self.send_back(vec![problem]),
            Draft::Unreadable(problem) => return self.unreadable(&problem),
        };
        let right = if add { DecisionRight::SplitWork } else { DecisionRight::Plan };
        if self.withholds(right) {
            return self.send_back(vec!["the boundary does not let the model plan".to_owned()]);
        }
        let manifest = Arc::clone(&self.manifest);
        match self.tasks.plan().propose(&steps, add, &manifest.rules, &manifest.boundary.tools) {
            Ok(accepted) => {
                let calls = accepted.plan.steps().filter(|(step, done)| step.tool.is_some() && !done).count() as u64;
                let left = self.view.budget(Dimension::ToolCalls).left();
                if manifest.rules.plan_validation && calls > left {
                    return self.send_back(vec![format!("it needs {calls} tool calls, {left} are left")]);
                }
                for (id, into) in accepted.merged {
                    self.event(Event::Merged { id, into });
                }
                self.tasks.accept(accepted.plan);
                self.models.aim(Purpose::Step);
                let steps = self.tasks.plan().steps().map(|(step, _)| step.clone()).collect();
                self.event(Event::Planned { steps });
                self.exchange(Did::Planned, CameOf::Plan(self.tasks.plan().lines()));
                self.assign_sub_tasks()
            }
            Err(problems) => self.send_back(problems),
        }
    }

    /// No answer could be read, and the model was asked again as often as it may be.
    fn unreadable(&mut self, problem: &str) -> Next {
        self.models.aim(Purpose::Step);
        let reason = format!("invalid schema: {problem}");
        if !self.blocks("plan", Verdict::Replan, &reason) {
            return Next::Leave(Exit::Valid);
        }
        self.leave(Exit::Exhausted, StopCause::escalation(EscalationCause::InvalidSchema, reason))
    }

    /// The plan does not count; the model may mend it, a few times.
    fn send_back(&mut self, problems: Vec<String>) -> Next {
        let reason = format!("the plan is not valid: {}", problems.join("; "));
        if !self.blocks("plan", Verdict::Replan, &reason) {
            // Nothing is blocked: the run goes on as if nobody had looked at the plan.
            self.models.aim(Purpose::Step);
            return Next::Leave(Exit::Valid);
        }
        self.event(Event::PlanRefused { problems: problems.clone() });
        self.context.signal(&reason);
        self.context.notice(Notice::PlanRefused { problems });
        if !self.tasks.send_back(self.manifest.rules.plan_repairs) {
            self.models.aim(Purpose::Step);
            return self.leave(Exit::Exhausted, StopCause::escalation(EscalationCause::Divergence, reason));
        }
        self.models.aim(Purpose::Plan);
        Next::Leave(Exit::Invalid)
    }

    /// A call has done what a step of the plan asks for.
    pub(super) fn complete_step(&mut self, tool: &str, reading: bool) {
        let Some(id) = self.tasks.plan().ready_for(tool, reading).map(|step| Arc::clone(&step.id)) else { return };
        for id in self.tasks.complete(&id) {
            self.note_advance();
            self.context.at_boundary();
            self.event(Event::PlanStepDone { id });
        }
    }

    /// Whether the boundary leaves this decision to the model.
    pub(super) fn may_decide(&self, right: DecisionRight) -> bool {
        self.manifest.boundary.decisions.contains(&right)
    }

    /// Whether the boundary withholds this decision from the model, which is then told.
    pub(super) fn withholds(&mut self, right: DecisionRight) -> bool {
        if self.may_decide(right) || self.recorded() {
            return false;
        }
        if !self.blocks("decision right", Verdict::Deny, "the boundary does not leave this to the model") {
            return false;
        }
        self.event(Event::RightWithheld { right });
        true
    }

    /// Asks for another plan.
    pub(super) fn replan(&mut self, reason: String) {
        self.event(Event::Replanned { reason: reason.clone() });
        self.progress.another_way();
        self.new_boundary();
        self.context.notice(Notice::AnotherPlan { reason: reason.into() });
        self.models.aim(if self.tasks.plan().is_empty() { Purpose::Replan } else { Purpose::Plan });
    }
}
