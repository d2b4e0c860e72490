//! The tool pipeline (specification D13): one stage after the other, each with its own outcome when
//! it fails.

use std::sync::Arc;

use super::halt::{Halt, Trouble};
use super::joined::Joined;
use super::model::ACTION_TEXT;
use super::repair::Mend;
use super::{Next, Run, Then, cut, weighing};
use crate::boundary::{DecisionRight, FailClosed, Pattern, PlanRule};
use crate::budget::Demand;
use crate::contract::risk::{Novelty, ProposedAction, Reversibility};
use crate::contract::{Compliance, Dimension, Key, ToolCategory, Verdict};
use crate::contract::{Failure, FailureClass, ObservedStep, Question};
use crate::effect::Purpose;
use crate::event::{Event, Response, Stage};
use crate::graph::Exit;
use crate::input::Touched;
use crate::routing::RiskState;
use crate::status::Code;
use crate::tool::{ApprovalRule, SideEffectClass, Tool, Verifier};

/// Most bytes of arguments that a policy sees.
const ARGUMENTS_TEXT: usize = 64 << 10;
/// Milliseconds of the window in which a tool's rate is counted.
const MINUTE: u64 = 60_000;

/// A tool call that a model wants.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// Position in the registry; none for a tool that nobody registered.
    pub tool: Option<usize>,
    pub name: Arc<str>,
    pub arguments: Arc<str>,
    pub key: Key,
    pub invalid: Option<String>,
    pub missing: Vec<Arc<str>>,
    pub payload: Option<Arc<str>>,
    pub touches: Touched,
}

/// A stage that does not let a call pass.
pub(super) struct Stop {
    stage: Stage,
    response: Response,
    exit: Exit,
    reason: String,
}

impl Stop {
    fn new(stage: Stage, response: Response, exit: Exit, reason: String) -> Self {
        Stop { stage, response, exit, reason }
    }
}

impl Run {
    /// The tool-eligibility node.
    pub(super) fn eligibility(&mut self) -> Next {
        let Some(proposal) = self.pending.take() else { return Next::Leave(Exit::Refused) };
        if self.recorded() {
            return if proposal.tool.is_some() { self.screen_call(proposal) } else { self.eligible(proposal) };
        }
        // A tool that the host brings itself is known by its arguments alone. It is the way out of a
        // hold: what is wrong with them is told first.
        if let (None, Some(problem)) = (proposal.tool, &proposal.invalid) {
            let reason = format!("invalid arguments: {problem}");
            return self.stop(proposal, Stop::new(Stage::Schema, Response::Repair, Exit::Malformed, reason));
        }
        if let Some(next) = self.stop_by_hold(&proposal) {
            return next;
        }
        let Some(index) = proposal.tool else {
            let reason = format!("no tool `{}` is registered", proposal.name);
            return self.stop(proposal, Stop::new(Stage::Registry, Response::Repair, Exit::Malformed, reason));
        };
        let manifest = Arc::clone(&self.manifest);
        let tool = &manifest.tools[index];
        if let Some(stop) = self.stop_by_form(&proposal, index)
            && self.blocks(stop.stage.name(), Verdict::Deny, &stop.reason)
        {
            return self.stop(proposal, stop);
        }
        if let Some(reason) = self.outside(tool)
            && self.blocks("permission", Verdict::Deny, &reason)
        {
            // No arguments would make it this run's to call.
            let tries = self.denied_tools.entry(Arc::clone(&proposal.name)).or_default();
            *tries += 1;
            let tries = *tries;
            return self.deny(proposal, reason, tries);
        }
        if let Some(stop) = self.stop_by_state(&proposal, tool)
            && self.blocks(stop.stage.name(), Verdict::Deny, &stop.reason)
        {
            if stop.stage == Stage::Plan && stop.exit == Exit::Doubtful {
                self.purpose = Purpose::Plan;
            } else if stop.stage == Stage::Plan {
                return self.diverges(proposal, stop.reason);
            }
            return self.stop(proposal, stop);
        }
        let compliance = tool.compliance.max(manifest.goal.compliance);
        if let Some((condition, reason)) = closed_condition(tool, compliance, &proposal, &manifest.boundary.fail_closed)
            && let Some(next) = self.fails_closed(condition, &reason)
        {
            return next;
        }
        let demand = self.demand(&proposal);
        if let Err(refused) = self.view.budget.clone().reserve(demand).map(drop) {
            // A cap of 0 forbids such calls; it does not stop the run.
            let reason = format!("{} used up: `{}` needs {}", refused.dimension, tool.name, refused.demand);
            let none = format!("this run may use no {}", refused.dimension);
            if refused.limit == 0 && self.blocks("budget", Verdict::Deny, &none) {
                let reason = none;
                return self.stop(proposal, Stop::new(Stage::Budget, Response::Block, Exit::Refused, reason));
            }
            self.event(Event::BudgetRefused {
                dimension: refused.dimension,
                demand: refused.demand,
                left: refused.left,
            });
            if self.blocks("budget", Verdict::Terminate, &reason) {
                self.pending = Some(proposal);
                return self.over_budget(refused.dimension, reason);
            }
        }
        self.screen_call(proposal)
    }

    /// Registry and schema.
    fn stop_by_form(&self, proposal: &Proposal, index: usize) -> Option<Stop> {
        if self.records[index].set_aside {
            let reason = format!("tool `{}` is set aside: its results no longer have their form", proposal.name);
            return Some(Stop::new(Stage::Registry, Response::Block, Exit::Refused, reason));
        }
        if !proposal.missing.is_empty() && self.attempts.failed > 0 {
            // The model was told once and still does not know: somebody else may.
            let reason = format!("`{}` needs {}", proposal.name, proposal.missing.join(", "));
            return Some(Stop::new(Stage::Schema, Response::AskUser, Exit::MissingInformation, reason));
        }
        let problem = proposal.invalid.as_ref()?;
        Some(Stop::new(Stage::Schema, Response::Repair, Exit::Malformed, format!("invalid arguments: {problem}")))
    }

    /// Why a tool is not this run's to call.
    fn outside(&self, tool: &Tool) -> Option<String> {
        let boundary = &self.manifest.boundary;
        if !boundary.tools.contains(&tool.name) {
            return Some(format!("tool `{}` is outside the boundary", tool.name));
        }
        match &tool.permission {
            Some(scope) if !boundary.permissions.contains(scope) => {
                Some(format!("tool `{}` needs the permission `{scope}`", tool.name))
            }
            _ => None,
        }
    }

    /// Plan, repetition, freshness, cheaper means, the tool's own caps.
    fn stop_by_state(&self, proposal: &Proposal, tool: &Tool) -> Option<Stop> {
        let rules = &self.manifest.rules;
        let name = &proposal.name;
        if let Some((key, why)) = &self.tripped
            && *key == proposal.key
        {
            return Some(Stop::new(Stage::Repetition, Response::Block, Exit::Refused, why.clone()));
        }
        let lacking = match self.manifest.boundary.plans {
            PlanRule::Approved if !self.plan_approved => Some("an approved plan"),
            PlanRule::Required if self.plan.is_empty() => Some("a plan"),
            _ => None,
        };
        if let Some(lacking) = lacking {
            let reason = format!("nothing is called before {lacking}");
            return Some(Stop::new(Stage::Plan, Response::Repair, Exit::Doubtful, reason));
        }
        // Where the model may not choose, and where workers have the tools of their own steps, even a
        // reading follows the plan.
        let bound =
            !self.may_decide(DecisionRight::ChooseTool) || self.manifest.boundary.pattern == Pattern::SupervisorWorker;
        let acts = tool.mutating() || tool.external || bound;
        if rules.plan_adherence
            && acts
            && !self.plan.is_empty()
            && self.plan.ready_for(name, !tool.mutating()).is_none()
        {
            let reason = format!("`{name}` is not what the plan does next");
            return Some(Stop::new(Stage::Plan, Response::Block, Exit::ReviewRequired, reason));
        }
        if rules.duplicate_actions && tool.mutating() && !tool.idempotent {
            let reason = if self.done.contains(&proposal.key) {
                Some(format!("`{name}` has done exactly this already"))
            } else if self.uncertain.contains(&proposal.key) {
                Some(format!("`{name}` may have done exactly this: it did not answer in time; look first"))
            } else {
                None
            };
            if let Some(reason) = reason {
                return Some(Stop::new(Stage::Repetition, Response::Block, Exit::Refused, reason));
            }
        }
        if rules.repeated_calls > 0
            && !tool.poller
            && self.repeated.0 == Some(proposal.key)
            && self.repeated.1 >= rules.repeated_calls
        {
            let reason = format!("`{name}` was called like this {} times in a row", self.repeated.1);
            return Some(Stop::new(Stage::Repetition, Response::Block, Exit::Refused, reason));
        }
        if rules.fresh_facts
            && let Some(stale) = tool.needs_fresh.iter().find(|fresh| !self.is_fresh(&fresh.fact, fresh.within))
        {
            let reason = format!("`{name}` needs `{}` read within {} ms", stale.fact, stale.within);
            return Some(Stop::new(Stage::Freshness, Response::Repair, Exit::Doubtful, reason));
        }
        if rules.least_tool
            && let Some(cheaper) = &tool.cheaper
            && !self.was_used(cheaper)
        {
            let reason = format!("`{cheaper}` does the same for less than `{name}`; try it first");
            return Some(Stop::new(Stage::LeastTool, Response::Substitute, Exit::Doubtful, reason));
        }
        self.over_own_caps(tool)
    }

    /// The caps of the tool itself.
    pub(super) fn over_own_caps(&self, tool: &Tool) -> Option<Stop> {
        let name = &tool.name;
        let index = self.manifest.tools.iter().position(|known| known.name == *name)?;
        let record = &self.records[index];
        if tool.limits.calls.is_some_and(|most| record.calls >= most) {
            let reason = format!("`{name}` was called {} times, that is all it may be", record.calls);
            return Some(Stop::new(Stage::Budget, Response::Block, Exit::Refused, reason));
        }
        if tool.limits.cost.is_some_and(|most| record.cost.saturating_add(tool.cost) > most) {
            let reason = format!("`{name}` would cost more than it may");
            return Some(Stop::new(Stage::Budget, Response::Block, Exit::Refused, reason));
        }
        let lately = record.times.iter().filter(|at| self.at - **at < MINUTE).count();
        if tool.limits.calls_per_minute.is_some_and(|most| lately >= most as usize) {
            let reason = format!("`{name}` was called {lately} times within a minute; later");
            return Some(Stop::new(Stage::Rate, Response::Defer, Exit::Refused, reason));
        }
        None
    }

    /// What a call may use at most.
    pub(super) fn demand(&self, proposal: &Proposal) -> Demand {
        let mut demand = Demand::default().with(Dimension::ToolCalls, 1);
        let Some(tool) = proposal.tool.map(|index| &self.manifest.tools[index]) else { return demand };
        if let Some(Verifier::ReadBack(reader)) = &tool.verifier {
            let reader = self.manifest.tool(reader);
            let external = u64::from(reader.is_some_and(|reader| reader.external));
            demand = demand
                .with(Dimension::ToolCalls, 1)
                .with(Dimension::ExternalCalls, external)
                .with(Dimension::Cost, reader.map_or(0, |reader| reader.cost));
        }
        if tool.external {
            demand = demand.with(Dimension::ExternalCalls, 1);
        }
        demand = demand
            .with(Dimension::Cost, tool.cost)
            .with(Dimension::MoneyMoved, proposal.touches.money.unwrap_or(0))
            .with(Dimension::RecipientsReached, proposal.touches.recipients.unwrap_or(0));
        if tool.mutating() {
            let records = proposal.touches.records.max(tool.blast_radius).unwrap_or(0);
            demand = demand.with(Dimension::SideEffects, 1).with(Dimension::RecordsTouched, records);
        }
        demand
    }

    /// The risk slot.
    pub(super) fn assess(&mut self, proposal: Proposal) -> Next {
        let Some(index) = proposal.tool else { return self.eligible(proposal) };
        let tool = &self.manifest.tools[index];
        let novelty = if self.records[index].calls == 0 {
            Novelty::NewTool
        } else if self.calls_seen.contains(&proposal.key) {
            Novelty::Repeated
        } else {
            Novelty::NewArguments
        };
        let arguments = if proposal.arguments.len() <= ARGUMENTS_TEXT {
            Arc::clone(&proposal.arguments)
        } else {
            cut(&proposal.arguments, ARGUMENTS_TEXT).into()
        };
        let action = ProposedAction {
            tool: Arc::clone(&proposal.name),
            category: tool.category,
            arguments,
            reversibility: tool.reversibility,
            blast_radius: proposal.touches.records.max(tool.blast_radius),
            compliance: tool.compliance.max(self.manifest.goal.compliance),
            novelty,
            working_context: Arc::clone(&self.manifest.boundary.working_context),
            confidence: self.confidence,
        };
        self.ask(Question::Risk(action), Then::Assess(Box::new(proposal)))
    }

    /// The risk slot has been heard. A call that it may let pass, now or after an approval, is weighed
    /// too, so that a person is asked once for all who want it.
    pub(super) fn risk_heard(&mut self, joined: Joined, proposal: Proposal) -> Next {
        match joined.verdict() {
            Verdict::Proceed | Verdict::Log | Verdict::Notify | Verdict::Ask => self.weigh_next(joined, proposal),
            _ => self.assessed(joined, proposal),
        }
    }

    pub(super) fn next_weighed(&mut self, mut risk: Joined, threshold: &Joined, proposal: Proposal) -> Next {
        let verdict = threshold.verdict();
        if verdict > Verdict::Notify {
            let why = weighing::why(threshold);
            if verdict > risk.verdict() {
                risk.by.clear();
                risk.reason = why;
            } else if verdict == risk.verdict() {
                risk.reason = format!("{}; {why}", risk.reason);
            }
            if verdict >= risk.verdict() {
                risk.verdict = Some(verdict);
                risk.by.extend(threshold.by.iter().cloned());
            }
        }
        self.assessed(risk, proposal)
    }

    /// Everybody has been heard; the host's own rules join them, and an approval may be spent.
    pub(super) fn assessed(&mut self, joined: Joined, proposal: Proposal) -> Next {
        let mut verdict = joined.verdict();
        let mut by = joined.by;
        let mut reason = joined.reason;
        if let Some((who, why)) = self.asked_by_guard.take() {
            if verdict < Verdict::Ask {
                by.clear();
                reason = why;
            }
            if verdict <= Verdict::Ask {
                verdict = Verdict::Ask;
                by.extend(who);
            }
        }
        if !self.recorded()
            && let Some(index) = proposal.tool
            && let Some((who, why)) = self.host_asks(index, &proposal)
            && self.blocks(who, Verdict::Ask, &why)
        {
            if verdict < Verdict::Ask {
                by.clear();
                reason = why;
            }
            if verdict <= Verdict::Ask {
                verdict = Verdict::Ask;
                by.push(who.into());
            }
        }
        match verdict {
            Verdict::Proceed | Verdict::Log | Verdict::Notify => self.eligible(proposal),
            Verdict::Replan => {
                self.replan(reason);
                self.mend = Some(Mend::Reconsider);
                Next::Leave(Exit::Doubtful)
            }
            Verdict::Escalate => {
                let reason = format!("risk: {reason}");
                self.signal(&reason);
                self.leave(Exit::ReviewRequired, Halt::trouble(Trouble::Review, reason))
            }
            Verdict::Ask => {
                if self.spend_approval(&proposal, &by) {
                    return self.eligible(proposal);
                }
                if self.agent_drives() {
                    return self.park(&proposal, by, reason);
                }
                let state = self.state_of(&proposal);
                let approval = self.approval(&proposal, by, reason.clone());
                self.pending = Some(proposal);
                self.leave(Exit::ApprovalRequired, Halt::approval(reason, state, approval))
            }
            Verdict::Deny => self.deny(proposal, reason, 0),
            Verdict::Terminate => match self.fails_closed(FailClosed::SecurityIncident, &reason) {
                Some(next) => next,
                None => self.leave(Exit::Unsafe, Halt::ended(Code::UnsafeDetection, reason)),
            },
        }
    }

    /// Whether the host itself wants a person: ceilings first, they yield to nothing (design §7).
    fn host_asks(&self, index: usize, proposal: &Proposal) -> Option<(&'static str, String)> {
        let tool = &self.manifest.tools[index];
        let boundary = &self.manifest.boundary;
        let name = &tool.name;
        let tagged = tool.compliance != Compliance::None
            || (tool.mutating() && self.manifest.goal.compliance != Compliance::None);
        if tagged {
            return Some(("ceiling", format!("`{name}` is tagged for compliance")));
        }
        if tool.side_effect == SideEffectClass::Financial || (tool.mutating() && tool.category == ToolCategory::Payment)
        {
            return Some(("ceiling", format!("`{name}` commits money")));
        }
        if tool.side_effect == SideEffectClass::Communication
            || (tool.mutating() && tool.category == ToolCategory::Communication)
        {
            return Some(("ceiling", format!("`{name}` writes to people")));
        }
        if boundary.asks.contains(name) {
            return Some(("boundary", format!("the boundary wants approval for `{name}`")));
        }
        if boundary.preauthorised.contains(name) {
            return None;
        }
        let by_category = self.manifest.rules.approvals.get(&tool.category).copied();
        let rule = tool.approval.or(by_category).unwrap_or(ApprovalRule::Mutating);
        // Arguments may say more than the registry, never less.
        let blast = proposal.touches.records.max(tool.blast_radius);
        let wide = boundary.blast_radius_limit.is_some_and(|limit| blast.is_none_or(|blast| blast > limit));
        let asks = match rule {
            ApprovalRule::Never => false,
            ApprovalRule::Destructive => tool.mutating() && (tool.reversibility != Reversibility::Reversible || wide),
            ApprovalRule::Mutating => tool.mutating(),
            ApprovalRule::Always => true,
        };
        asks.then(|| ("category", format!("`{name}` needs approval by its kind")))
    }

    fn state_of(&self, proposal: &Proposal) -> RiskState {
        let tool = proposal.tool.map(|index| &self.manifest.tools[index]);
        match tool.map(|tool| (tool.side_effect, tool.category)) {
            Some((SideEffectClass::Financial, _) | (_, ToolCategory::Payment)) => RiskState::FinancialCommitment,
            Some((SideEffectClass::Communication, _)) => RiskState::ExternalCommunication,
            _ => RiskState::HighImpactMutation,
        }
    }

    fn eligible(&mut self, proposal: Proposal) -> Next {
        self.pending = Some(proposal);
        Next::Leave(Exit::Eligible)
    }

    /// The call does not run, the model is told why, and the doom-loop slot too.
    fn stop(&mut self, proposal: Proposal, stop: Stop) -> Next {
        let Stop { stage, response, exit, reason } = stop;
        self.event(Event::Blocked { tool: Arc::clone(&proposal.name), stage, response, reason: reason.clone() });
        self.signal(&reason);
        let action = format!("{} {}", proposal.name, proposal.arguments);
        self.exchange(&action, &format!("Not run: {reason}."));
        self.snippet = cut(&action, 1024).to_owned();
        self.repeats(proposal.key);
        self.fail();
        self.refused = self.refused.saturating_add(1);
        match exit {
            Exit::MissingInformation => {
                self.halt = Some(Halt::question(Code::MissingInfo, reason, RiskState::MissingInput));
            }
            Exit::Malformed | Exit::Doubtful => self.mend = Some(Mend::Refused(reason)),
            _ => {}
        }
        let step = ObservedStep {
            index: self.view.shown_index(),
            action: cut(&action, ACTION_TEXT).into(),
            call_key: Some(proposal.key.0),
            result_key: None,
            state_before: None,
            state_after: None,
            failure: Some(Failure { class: FailureClass::Rejected, key: None }),
            mutating: false,
            poller: false,
            internal: false,
            user_boundary: std::mem::take(&mut self.user_boundary),
            action_bytes: action.len() as u64,
            result_bytes: 0,
            drift: None,
        };
        self.summarise(Some(proposal.key), None, true, false);
        self.ask(Question::DoomLoop(step), Then::Watch(exit))
    }

    /// Blocked for lack of permission: one try too many of the same call, or of a tool that is not
    /// the run's at all, ends the run; and so does trying one thing after the other.
    pub(super) fn deny(&mut self, proposal: Proposal, reason: String, of_tool: u32) -> Next {
        if let Some(next) = self.fails_closed(FailClosed::UnauthorisedAccess, &reason) {
            return next;
        }
        let tries = self.denied.entry(proposal.key).or_default();
        *tries += 1;
        let tries = (*tries).max(of_tool);
        let all: u32 = self.denied.values().sum();
        let limit = self.manifest.rules.denials;
        if limit > 0 && (tries >= limit || all >= limit.saturating_mul(3)) {
            let (stage, response) = (Stage::Permission, Response::FailClosed);
            self.event(Event::Blocked { tool: proposal.name, stage, response, reason: reason.clone() });
            let reason = format!("tried again what was denied: {reason}");
            return self.leave(Exit::Unauthorised, Halt::ended(Code::PermissionDenied, reason));
        }
        self.stop(proposal, Stop::new(Stage::Permission, Response::Block, Exit::Refused, reason))
    }

    /// The plan says something else: no reflection, somebody else looks (specification D6).
    fn diverges(&mut self, proposal: Proposal, reason: String) -> Next {
        let (stage, response) = (Stage::Plan, Response::Block);
        self.event(Event::Blocked { tool: Arc::clone(&proposal.name), stage, response, reason: reason.clone() });
        self.signal(&reason);
        self.exchange(&format!("{} {}", proposal.name, proposal.arguments), &format!("Not run: {reason}."));
        self.leave(Exit::ReviewRequired, Halt::trouble(Trouble::Divergence, reason))
    }
}

/// The first condition of the boundary that a call would meet by itself.
fn closed_condition(
    tool: &Tool,
    compliance: Compliance,
    proposal: &Proposal,
    listed: &[FailClosed],
) -> Option<(FailClosed, String)> {
    let name = &tool.name;
    let infrastructure =
        tool.side_effect == SideEffectClass::Infrastructure || tool.category == ToolCategory::Infrastructure;
    let met = |condition: &FailClosed| match condition {
        FailClosed::SecretExposure => {
            proposal.payload.is_some() && (tool.external || tool.side_effect >= SideEffectClass::ExternalWrite)
        }
        FailClosed::ProductionChange => tool.mutating() && infrastructure,
        FailClosed::RegulatedData => compliance == Compliance::Regulated,
        FailClosed::PaymentChange => tool.mutating() && tool.category == ToolCategory::Payment,
        FailClosed::DestructiveAction => tool.mutating() && tool.reversibility == Reversibility::Irreversible,
        FailClosed::UncertainBlastRadius => {
            tool.mutating() && proposal.touches.records.is_none() && tool.blast_radius.is_none()
        }
        _ => false,
    };
    listed.iter().find(|condition| met(condition)).map(|condition| (*condition, format!("`{name}` was proposed")))
}
