//! From the goal to a run that is ready: intake, classification, the envelope.

use std::sync::Arc;

use countersign_spec::boundary::FailClosed;
use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::StopCause;
use super::joined::SlotVerdict;
use super::next::Next;
use super::waiting::Then;
use crate::contract::Question;
use crate::contract::Reversibility;
use crate::contract::Tier;
use crate::contract::classifier::{SideEffect, Task, TierOffer};
use crate::record::effect::{ModelRequest, Purpose};
use crate::record::event::Event;
use crate::record::status::Code;

/// Most bytes of a goal that policies see.
const GOAL_TEXT: usize = 16 << 10;
/// Most bytes of a prompt that they see.
const PROMPT_TEXT: usize = 64 << 10;

impl Run {
    pub(super) fn intake(&mut self) -> Next {
        if self.manifest.goal.text.trim().is_empty() && !self.recorded() {
            let halt = StopCause::question(Code::MissingInfo, "the goal is empty".to_owned(), RiskState::MissingInput);
            return self.leave(Exit::Refused, halt);
        }
        self.screen_task()
    }

    pub(super) fn classify(&mut self) -> Next {
        let goal: Arc<str> = cut(&self.manifest.goal.text, GOAL_TEXT).into();
        let reachable = self.manifest.tools.iter().filter(|tool| self.manifest.boundary.tools.contains(&tool.name));
        let side_effects = reachable
            .map(|tool| match (tool.mutating(), tool.reversibility) {
                (false, _) => SideEffect::None,
                (true, Reversibility::Reversible) => SideEffect::Reversible,
                (true, _) => SideEffect::Irreversible,
            })
            .max();
        // A filter before any scoring: whom the run may not tell is not offered.
        let tiers = if self.recorded() || self.agent_drives() {
            self.manifest.models.iter().map(|model| model.tier).collect()
        } else {
            self.eligible_tiers()
        };
        let Some(weakest) = tiers.first() else {
            return self.nobody_may_be_told(self.models.tier());
        };
        if !tiers.contains(&self.models.tier()) {
            self.models.start_at(*weakest);
        }
        let request = self.compose(Purpose::Step);
        let cheapest = |tier: &Tier| {
            let own = self.manifest.models.iter().filter(|model| model.tier == *tier);
            own.map(|model| model.cost(self.tokens(&request), model.max_output_tokens)).min()
        };
        let task = Task {
            prompt: prompt(&request).into(),
            goal,
            tools: self.manifest.boundary.tools.clone(),
            step_estimate: self.manifest.goal.step_estimate,
            side_effects: side_effects.unwrap_or(SideEffect::None),
            tiers: tiers
                .iter()
                .map(|tier| TierOffer { tier: *tier, cheapest_call: cheapest(tier).unwrap_or(0) })
                .collect(),
            past: self.manifest.past.clone(),
        };
        self.ask(Question::Classifier(task), Then::Route)
    }

    pub(super) fn route(&mut self, joined: SlotVerdict) -> Next {
        let verdict = joined.verdict();
        self.models.classified(joined.classification);
        let class = self.models.class().map(str::to_owned);
        self.event(Event::Classified { class, tier: self.models.tier(), planning: self.models.planning() });
        match self.consequence(Asked::Task, verdict) {
            Consequence::End => self.leave(Exit::Refused, StopCause::ended(Code::UnsafeDetection, joined.reason)),
            Consequence::GoOn => Next::Leave(Exit::Classified),
            _ => {
                if let Some(next) = self.fails_closed(FailClosed::AmbiguousGoal, &joined.reason) {
                    return next;
                }
                let halt = StopCause::question(Code::AmbiguousIntent, joined.reason, RiskState::AmbiguousGoal);
                self.leave(Exit::Ambiguous, halt)
            }
        }
    }

    pub(super) fn initialise(&mut self) -> Next {
        self.event(Event::Bounded {
            autonomy: self.manifest.boundary.autonomy,
            least_autonomy: self.manifest.boundary.least_autonomy,
            boundary: Arc::clone(&self.manifest.boundary.digest),
            graph: Arc::clone(&self.manifest.graph_digest),
        });
        if self.tasks.plan().is_empty() && !self.manifest.plan.is_empty() {
            let manifest = Arc::clone(&self.manifest);
            match self.tasks.plan().propose(&manifest.plan, false, &manifest.rules, &manifest.boundary.tools) {
                Ok(accepted) => {
                    self.tasks.begin(accepted.plan);
                    let steps = self.tasks.plan().steps().map(|(step, _)| step.clone()).collect();
                    self.event(Event::Planned { steps });
                }
                Err(problems) => {
                    let reason = format!("the task's own plan is not valid: {}", problems.join("; "));
                    self.event(Event::PlanRefused { problems });
                    return self.leave(Exit::Refused, StopCause::ended(Code::ValidationFail, reason));
                }
            }
        }
        Next::Leave(Exit::Initialised)
    }
}

/// The words of the first request, as a classifier sees them.
fn prompt(request: &ModelRequest) -> String {
    let mut prompt = cut(&request.goal, GOAL_TEXT).to_owned();
    for constraint in &request.constraints {
        prompt.push('\n');
        prompt.push_str(constraint);
    }
    cut(&prompt, PROMPT_TEXT).to_owned()
}
