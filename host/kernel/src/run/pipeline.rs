//! The tool pipeline (specification D13): one stage after the other, each with its own outcome when
//! it fails.

use std::sync::Arc;

use countersign_spec::boundary::{DecisionRight, FailClosed, Pattern, PlanRule};
use countersign_spec::budget::Demand;
use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;
use countersign_spec::tool::{SideEffectClass, Tool, Verifier};

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::RepairCause;
use super::halt::{EscalationCause, StopCause};
use super::handed::CallDecision;
use super::host_asks::{Envelope, host_asks};
use super::joined::SlotVerdict;
use super::model::ACTION_TEXT;
use super::next::Next;
use super::proposals::Proposal;
use super::standing::AsksBeside;
use super::threshold;
use super::used::{Change, OwnCap, Repetition, position};
use super::waiting::Then;
use crate::contract::Question;
use crate::contract::risk::{Novelty, ProposedAction, Reversibility};
use crate::contract::{Compliance, Dimension, ToolCategory, Verdict};
use crate::contract::{Failure, FailureClass, ObservedStep};
use crate::record::effect::Purpose;
use crate::record::event::{Event, Response, Stage};
use crate::record::status::Code;
use crate::record::told::{CameOf, Did};

/// Most bytes of arguments that a policy sees.
const ARGUMENTS_TEXT: usize = 64 << 10;

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
        let Some(proposal) = self.proposals.take_pending() else { return Next::Leave(Exit::Refused) };
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
            let tries = self.progress.deny_tool(&proposal.name);
            return self.deny(proposal, reason, tries);
        }
        if let Some(stop) = self.stop_by_state(&proposal, tool)
            && self.blocks(stop.stage.name(), Verdict::Deny, &stop.reason)
        {
            // What is only under way is no repetition yet: it is told so as often as it is asked.
            if stop.stage == Stage::Repetition && self.under_way(&proposal, tool).is_none() {
                self.progress.refuse_repetition(proposal.key);
            }
            if stop.stage == Stage::Plan && stop.exit == Exit::Doubtful {
                self.models.aim(Purpose::Plan);
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
        if let Err(refused) = self.view.fits(demand) {
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
                self.proposals.propose(proposal);
                return self.over_budget(refused.dimension, reason);
            }
        }
        self.screen_call(proposal)
    }

    /// Registry and schema.
    fn stop_by_form(&self, proposal: &Proposal, index: usize) -> Option<Stop> {
        if self.used.is_set_aside(index) {
            let reason = format!("tool `{}` is set aside: its results no longer have their form", proposal.name);
            return Some(Stop::new(Stage::Registry, Response::Block, Exit::Refused, reason));
        }
        if !proposal.missing.is_empty() && self.progress.failed_attempts() > 0 {
            // The model was told once and still does not know: somebody else may.
            let reason = format!("`{}` needs {}", proposal.name, proposal.missing.join(", "));
            return Some(Stop::new(Stage::Schema, Response::AskUser, Exit::MissingInformation, reason));
        }
        let problem = proposal.invalid.as_ref()?;
        Some(Stop::new(Stage::Schema, Response::Repair, Exit::Malformed, format!("invalid arguments: {problem}")))
    }

    /// Why a tool is not this run's to call.
    pub(super) fn outside(&self, tool: &Tool) -> Option<String> {
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
        if let Some(why) = self.progress.tripped(proposal.key, self.at, rules.repetition_window) {
            return Some(Stop::new(Stage::Repetition, Response::Block, Exit::Refused, why.to_owned()));
        }
        let lacking = match self.manifest.boundary.plans {
            PlanRule::Approved if !self.tasks.is_approved() => Some("an approved plan"),
            PlanRule::Required if self.tasks.plan().is_empty() => Some("a plan"),
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
            && !self.tasks.plan().is_empty()
            && self.tasks.plan().ready_for(name, !tool.mutating()).is_none()
        {
            let reason = format!("`{name}` is not what the plan does next");
            return Some(Stop::new(Stage::Plan, Response::Block, Exit::ReviewRequired, reason));
        }
        if let Some(reason) = self.under_way(proposal, tool) {
            return Some(Stop::new(Stage::Repetition, Response::Block, Exit::Refused, reason));
        }
        if let Some(reason) = self.repetition(proposal, tool)
            && !self.person_decides(proposal)
        {
            return Some(Stop::new(Stage::Repetition, Response::Block, Exit::Refused, reason));
        }
        if rules.fresh_facts
            && let Some(stale) =
                tool.needs_fresh.iter().find(|fresh| !self.evidence.is_fresh(&fresh.fact, self.at, fresh.within))
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
        let open = proposal.tool.map_or(0, |index| self.proposals.open_of(index));
        self.over_own_caps(tool, open)
    }

    /// Why a call is a repetition of one that was made; none where it is not, or may be one.
    fn repetition(&self, proposal: &Proposal, tool: &Tool) -> Option<String> {
        let rules = &self.manifest.rules;
        let name = &proposal.name;
        if rules.duplicate_actions && tool.mutating() && !tool.idempotent {
            let reason = match self.change_before(proposal, tool) {
                Some(Change::Done) => format!("`{name}` has done exactly this already"),
                Some(Change::Uncertain) => {
                    format!("`{name}` may have done exactly this: nobody heard how it ended; look first")
                }
                Some(Change::Forgotten) => {
                    "more changes were made than can be told apart: nobody knows whether this one was".to_owned()
                }
                None => return self.repeated_in_a_row(proposal, tool),
            };
            return Some(reason);
        }
        self.repeated_in_a_row(proposal, tool)
    }

    fn repeated_in_a_row(&self, proposal: &Proposal, tool: &Tool) -> Option<String> {
        let most = self.manifest.rules.repeated_calls;
        let times = self.progress.in_a_row(proposal.key);
        (most > 0 && !tool.poller && times >= most)
            .then(|| format!("`{}` was called like this {times} times in a row", proposal.name))
    }

    /// Why a change cannot be made while the very same one is being made.
    fn under_way(&self, proposal: &Proposal, tool: &Tool) -> Option<String> {
        let changes = self.manifest.rules.duplicate_actions && tool.mutating() && !tool.idempotent;
        (changes && self.proposals.is_under_way(proposal.key))
            .then(|| format!("`{}` is doing exactly this now", proposal.name))
    }

    /// A repetition is a person's to decide where one is asked about the call anyway and the run goes on meanwhile,
    /// and once it was refused and is proposed again: a refusal that nobody can lift would be one for ever.
    fn person_decides(&self, proposal: &Proposal) -> bool {
        let asked = |index| self.agent_drives() && self.host_asks(index, proposal).is_some();
        let by_rule = |index| self.repeats_what_is_done(proposal, index) && self.is_covered(proposal);
        self.progress.insists(proposal.key) || proposal.tool.is_some_and(asked) || proposal.tool.is_some_and(by_rule)
    }

    /// Whether a repetition is one of a change that is known to be made, and not one too many in a row.
    fn repeats_what_is_done(&self, proposal: &Proposal, index: usize) -> bool {
        let tool = &self.manifest.tools[index];
        self.repeated_in_a_row(proposal, tool).is_none()
            && matches!(self.change_before(proposal, tool), None | Some(Change::Done))
    }

    /// What is known of the very same change before this one.
    fn change_before(&self, proposal: &Proposal, tool: &Tool) -> Option<Change> {
        let lasting = tool.reversibility == Reversibility::Irreversible
            || matches!(tool.side_effect, SideEffectClass::Financial | SideEffectClass::Communication);
        let repetition = Repetition { at: self.at, window: self.manifest.rules.repetition_window, lasting };
        self.used.change(proposal.key, repetition)
    }

    /// The caps of the tool itself, with so many of its calls under way.
    pub(super) fn over_own_caps(&self, tool: &Tool, open: u32) -> Option<Stop> {
        let name = &tool.name;
        let index = position(&self.manifest.tools, name)?;
        let (stage, response, reason) = match self.used.over_own_cap(index, tool, open, self.at)? {
            OwnCap::Calls(calls) => {
                (Stage::Budget, Response::Block, format!("`{name}` was called {calls} times, that is all it may be"))
            }
            OwnCap::Cost => (Stage::Budget, Response::Block, format!("`{name}` would cost more than it may")),
            OwnCap::Rate(lately) => {
                (Stage::Rate, Response::Defer, format!("`{name}` was called {lately} times within a minute; later"))
            }
        };
        Some(Stop::new(stage, response, Exit::Refused, reason))
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
        let novelty = if self.used.calls(index) == 0 && self.proposals.open_of(index) == 0 {
            Novelty::NewTool
        } else if self.progress.was_made(proposal.key) {
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
            confidence: self.models.confidence(),
        };
        self.ask(Question::Risk(action), Then::Assess(Box::new(proposal)))
    }

    /// The risk slot has been heard. A call that it may let pass, now or after an approval, is weighed
    /// too, so that a person is asked once for all who want it.
    pub(super) fn risk_heard(&mut self, joined: SlotVerdict, proposal: Proposal) -> Next {
        match joined.verdict() {
            Verdict::Proceed | Verdict::Log | Verdict::Notify | Verdict::Ask => self.weigh_next(joined, proposal),
            _ => self.assessed(joined, proposal),
        }
    }

    pub(super) fn next_weighed(&mut self, mut risk: SlotVerdict, threshold: &SlotVerdict, proposal: Proposal) -> Next {
        let verdict = threshold.verdict();
        if verdict > Verdict::Notify {
            let why = threshold::why(threshold);
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
    pub(super) fn assessed(&mut self, joined: SlotVerdict, proposal: Proposal) -> Next {
        let mut verdict = joined.verdict();
        let mut by = joined.by;
        let mut reason = joined.reason;
        let mut asks = AsksBeside::default();
        if let Some((who, why)) = self.proposals.take_guard_asks() {
            asks.only_the_same = true;
            if verdict < Verdict::Ask {
                by.clear();
                reason = why;
            } else if verdict == Verdict::Ask {
                reason = format!("{reason}; {why}");
            }
            if verdict <= Verdict::Ask {
                verdict = Verdict::Ask;
                by.extend(who);
            }
        }
        if !self.recorded()
            && let Some(index) = proposal.tool
        {
            let repetition = self.repetition(&proposal, &self.manifest.tools[index]).map(|why| ("repetition", why));
            let secret = self.hands_on_a_secret(index, &proposal).map(|why| ("secret", why));
            asks.only_the_same |= secret.is_some();
            asks.unknown = repetition.is_some() && !self.repeats_what_is_done(&proposal, index);
            for (who, why) in [repetition, secret, self.host_asks(index, &proposal)].into_iter().flatten() {
                if !self.blocks(who, Verdict::Ask, &why) {
                    continue;
                }
                if verdict < Verdict::Ask {
                    by.clear();
                    reason = why;
                } else if verdict == Verdict::Ask && matches!(who, "repetition" | "secret") {
                    // Whoever decides must know that it was done already, and that a secret goes along.
                    reason = format!("{why}; {reason}");
                } else if verdict == Verdict::Ask {
                    // A person sees what each of them says.
                    reason = format!("{reason}; {why}");
                }
                if verdict <= Verdict::Ask {
                    verdict = Verdict::Ask;
                    by.push(who.into());
                }
            }
        }
        match self.consequence(Asked::Action, verdict) {
            Consequence::GoOn => self.eligible(proposal),
            Consequence::Replan => {
                self.decide(CallDecision::Refused { stage: None, response: Response::Repair, reason: reason.clone() });
                self.replan(reason);
                self.proposals.repair(RepairCause::Reconsider);
                Next::Leave(Exit::Doubtful)
            }
            Consequence::StrongerModel => {
                let reason = format!("risk: {reason}");
                self.context.signal(&reason);
                self.leave(Exit::ReviewRequired, StopCause::escalation(EscalationCause::Review, reason))
            }
            // What it asks for was given: the very call may be made, once.
            Consequence::CallWaits | Consequence::Approval if self.spend_approval(&proposal, &by, &reason) => {
                self.eligible(proposal)
            }
            // A person has approved such calls beforehand.
            Consequence::CallWaits | Consequence::Approval if self.stands(&proposal, &by, &reason, asks) => {
                self.eligible(proposal)
            }
            Consequence::CallWaits => self.park(&proposal, by, reason),
            Consequence::Deny => self.deny(proposal, reason, 0),
            Consequence::End => match self.fails_closed(FailClosed::SecurityIncident, &reason) {
                Some(next) => next,
                None => self.leave(Exit::Unsafe, StopCause::ended(Code::UnsafeDetection, reason)),
            },
            _ => {
                let state = self.state_of(&proposal);
                let approval = self.approval(&proposal, by, reason.clone());
                self.approvals.ask(approval.clone(), proposal.payload.clone());
                self.proposals.propose(proposal);
                self.leave(Exit::ApprovalRequired, StopCause::approval(reason, state, approval))
            }
        }
    }

    /// A mark in what is judged stands for a secret that the tool gets, or the secret stands there itself: where the call
    /// changes something or reaches outside a person is shown which one goes where, whoever else would let it pass.
    fn hands_on_a_secret(&self, index: usize, proposal: &Proposal) -> Option<String> {
        let tool = &self.manifest.tools[index];
        let secret = proposal.payload.is_some() && (tool.mutating() || tool.external);
        secret.then(|| format!("`{}` gets a secret with its arguments", tool.name))
    }

    /// Whether the host itself wants a person, and why.
    fn host_asks(&self, index: usize, proposal: &Proposal) -> Option<(&'static str, String)> {
        let asks = host_asks(Envelope::of(&self.manifest), &self.manifest.tools[index], proposal.touches)?;
        Some((asks.by(), asks.reason(&proposal.name)))
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
        self.proposals.propose(proposal);
        Next::Leave(Exit::Eligible)
    }

    /// The call does not run, the model is told why, and the doom-loop slot too.
    fn stop(&mut self, proposal: Proposal, stop: Stop) -> Next {
        let Stop { stage, response, exit, reason } = stop;
        self.decide(CallDecision::Refused { stage: Some(stage), response, reason: reason.clone() });
        self.event(Event::Blocked { tool: Arc::clone(&proposal.name), stage, response, reason: reason.clone() });
        self.context.signal(&reason);
        let action = proposal.text();
        self.exchange(Did::Called(action.as_str().into()), CameOf::NotRun { reason: reason.as_str().into() });
        self.context.show(&action);
        self.progress.proposed(proposal.key);
        self.progress.fail();
        self.progress.refuse();
        match exit {
            Exit::MissingInformation => {
                self.halt = Some(StopCause::question(Code::MissingInfo, reason, RiskState::MissingInput));
            }
            Exit::Malformed | Exit::Doubtful => self.proposals.repair(RepairCause::Refused(reason)),
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
            user_boundary: self.progress.take_person_spoke(),
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
        let (tries, all) = self.progress.deny(proposal.key);
        let tries = tries.max(of_tool);
        let limit = self.manifest.rules.denials;
        if limit > 0 && (tries >= limit || all >= limit.saturating_mul(3)) {
            let (stage, response) = (Stage::Permission, Response::FailClosed);
            self.event(Event::Blocked { tool: proposal.name, stage, response, reason: reason.clone() });
            let reason = format!("tried again what was denied: {reason}");
            return self.leave(Exit::Unauthorised, StopCause::ended(Code::PermissionDenied, reason));
        }
        self.stop(proposal, Stop::new(Stage::Permission, Response::Block, Exit::Refused, reason))
    }

    /// The plan says something else: no reflection, somebody else looks (specification D6).
    fn diverges(&mut self, proposal: Proposal, reason: String) -> Next {
        let (stage, response) = (Stage::Plan, Response::Block);
        self.decide(CallDecision::Refused { stage: Some(stage), response, reason: reason.clone() });
        self.event(Event::Blocked { tool: Arc::clone(&proposal.name), stage, response, reason: reason.clone() });
        self.context.signal(&reason);
        self.exchange(Did::Called(proposal.text().into()), CameOf::NotRun { reason: reason.as_str().into() });
        self.leave(Exit::ReviewRequired, StopCause::escalation(EscalationCause::Divergence, reason))
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
