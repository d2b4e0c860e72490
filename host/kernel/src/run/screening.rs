//! Texts on their way: how sensitive they are, and whether they are hostile or leak (specification
//! B8, B14).

use std::sync::Arc;

use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;
use countersign_spec::state::StateKind;

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::StopCause;
use super::handed::Withheld;
use super::joined::SlotVerdict;
use super::next::Next;
use super::proposals::Proposal;
use super::waiting::Then;
use crate::contract::SensitivityTag;
use crate::contract::guard::{Direction, Finding, FindingKind, Transit};
use crate::contract::sensitivity::Text;
use crate::contract::{Question, Slot};
use crate::record::effect::Purpose;
use crate::record::event::Event;
use crate::record::input::Action;
use crate::record::status::Code;

/// Most bytes of a text that these slots see.
const TEXT: usize = 32 << 10;

impl Run {
    /// Whether anybody serves a slot.
    pub(super) fn serves(&self, slot: Slot) -> bool {
        self.manifest.entries_in(slot).next().is_some()
    }

    /// How sensitive the run's texts are so far.
    pub fn sensitivity(&self) -> SensitivityTag {
        self.models.tag()
    }

    /// The task, before any model is told of it.
    pub(super) fn screen_task(&mut self) -> Next {
        // An agent's goal is its operator's own words, and the agent brings its own model.
        if self.agent_drives() || self.recorded() {
            return Next::Leave(Exit::Accepted);
        }
        let text = self.task_text();
        self.inspect(Direction::Input, None, &text, Then::ScreenedTask)
    }

    /// The task, and what earlier runs left for it.
    fn task_text(&self) -> Arc<str> {
        let (goal, memory) = (&self.manifest.goal, &self.manifest.memory);
        if goal.constraints.is_empty() && memory.is_empty() {
            return Arc::clone(&goal.text);
        }
        let mut text = self.own_text();
        for memory in memory {
            text.push('\n');
            text.push_str(&memory.text);
        }
        text.into()
    }

    /// What whoever set the task has written.
    fn own_text(&self) -> String {
        let goal = &self.manifest.goal;
        let mut text = goal.text.to_string();
        for constraint in &goal.constraints {
            text.push('\n');
            text.push_str(constraint);
        }
        text
    }

    pub(super) fn screened_task(&mut self, joined: &SlotVerdict) -> Next {
        let mut text = self.task_text();
        if let Some(next) = self.stopped_by_guard(joined, &text) {
            return next;
        }
        if self.enforces() {
            // The task stays in the words of who set it; of memories a model sees what it may.
            let own = self.own_text().len();
            let of_memory = |finding: &Finding| finding.start as usize > own && finding.is_withheld();
            let told = self.context.hidden_mut().withhold(&text, &joined.findings, of_memory);
            text = told.map_or(text, |(told, _)| told.into());
        }
        // What a model is told of is rated, not what a mark stands for.
        self.rate(&text, Then::RatedTask)
    }

    pub(super) fn rated_task(&mut self, joined: &SlotVerdict) -> Next {
        self.raise_tag(joined);
        Next::Leave(Exit::Accepted)
    }

    /// What people have said since the last request, before a model is told of it.
    pub(super) fn rate_words(&mut self, purpose: Purpose) -> Next {
        let Some(text) = self.context.take_unrated().filter(|_| !self.recorded() && self.serves(Slot::Sensitivity))
        else {
            return self.relieve_and_call(purpose);
        };
        let text = text.into();
        self.rate(&text, Then::RatedWords(Box::new(purpose)))
    }

    pub(super) fn rated_words(&mut self, joined: &SlotVerdict, purpose: Purpose) -> Next {
        self.raise_tag(joined);
        self.relieve_and_call(purpose)
    }

    /// Asks how sensitive a text is.
    pub(super) fn rate(&mut self, text: &Arc<str>, then: Then) -> Next {
        let question = Text { text: seen(text), bytes: text.len() as u64, present: self.models.tag() };
        self.ask(Question::Sensitivity(question), then)
    }

    /// Asks whether a text is hostile or leaks.
    pub(super) fn inspect(
        &mut self,
        direction: Direction,
        tool: Option<Arc<str>>,
        text: &Arc<str>,
        then: Then,
    ) -> Next {
        let question = Transit { direction, tool, text: seen(text), bytes: text.len() as u64 };
        self.ask(Question::Guard(question), then)
    }

    /// The tag only rises.
    pub(super) fn raise_tag(&mut self, joined: &SlotVerdict) {
        // Nobody could say: it counts as the most sensitive that may still be asked about anywhere.
        let undecided = self.consequence(Asked::Rating, joined.verdict()) == Consequence::MostSensitive;
        let tag =
            joined.tag.unwrap_or_default().max(if undecided { SensitivityTag::Restricted } else { self.models.tag() });
        if self.models.raise(tag) {
            self.event(Event::TagRaised { tag, reason: joined.reason.clone() });
        }
    }

    /// Parts of the observed text that a model may not see.
    pub(super) fn hide(&mut self, parts: Vec<Withheld>) {
        if let Some(open) = &mut self.open {
            open.hidden = parts;
        }
    }

    /// What the guard's verdict on a text does. None lets it pass.
    pub(super) fn stopped_by_guard(&mut self, joined: &SlotVerdict, text: &str) -> Option<Next> {
        let reason = format!("guard: {}", joined.reason);
        match self.consequence(Asked::Text, joined.verdict()) {
            Consequence::GoOn => None,
            Consequence::Review if self.context.looked().has_passed(text) => None,
            Consequence::End => {
                self.halt = Some(StopCause::ended(Code::UnsafeDetection, reason));
                Some(Next::Interrupt(Exit::Unsafe))
            }
            _ => {
                self.context.looked().ask(text);
                self.halt = Some(StopCause::review(reason, RiskState::SecurityBreach));
                Some(Next::Interrupt(Exit::Halted))
            }
        }
    }

    /// What people are about to see of a model's words, where the action is only words; else the action
    /// goes on at once.
    pub(super) fn screen_words(&mut self, action: Action) -> Next {
        let Some(text) = words_of(&action).cloned() else { return self.act(action) };
        if self.recorded() && !self.serves(Slot::Guard) {
            return self.act(action);
        }
        self.inspect(Direction::Output, None, &text, Then::ScreenedWords(Box::new(action)))
    }

    pub(super) fn screened_words(&mut self, joined: &SlotVerdict, mut action: Action) -> Next {
        let Some(text) = words_of(&action).cloned() else { return self.act(action) };
        let kept_in = |finding: &Finding| finding.is_kept_in();
        if self.enforces()
            && let Some((told, parts)) = self.context.hidden_mut().withhold(&text, &joined.findings, kept_in)
        {
            let told: Arc<str> = told.into();
            self.event(Event::Redacted { tool: None, parts: counted(&parts) });
            if let Some(open) = &mut self.open {
                open.said = Some(Arc::clone(&told));
            }
            if let Some(words) = words_of_mut(&mut action) {
                *words = told;
            }
        }
        match self.stopped_by_guard(joined, &text) {
            Some(next) => next,
            None => self.act(action),
        }
    }

    /// A call that everything but the slots let pass.
    pub(super) fn screen_call(&mut self, proposal: Proposal) -> Next {
        if self.recorded() && !self.serves(Slot::Guard) {
            return self.assess(proposal);
        }
        let text: Arc<str> = proposal.text().into();
        let tool = Some(Arc::clone(&proposal.name));
        self.inspect(Direction::Call, tool, &text, Then::ScreenedCall(Box::new(proposal)))
    }

    pub(super) fn screened_call(&mut self, joined: SlotVerdict, proposal: Proposal) -> Next {
        match self.consequence(Asked::Call, joined.verdict()) {
            Consequence::GoOn => self.assess(proposal),
            // Asked together with the risk, and approved together with it.
            Consequence::Approval | Consequence::CallWaits => {
                self.proposals.guard_asks(joined.by, format!("guard: {}", joined.reason));
                self.assess(proposal)
            }
            Consequence::Deny => self.deny(proposal, format!("guard: {}", joined.reason), 0),
            _ => {
                let text = proposal.text();
                match self.stopped_by_guard(&joined, &text) {
                    Some(next) => next,
                    None => self.assess(proposal),
                }
            }
        }
    }
}

/// What people are about to see of an action, where it is only words; none where it is none.
fn words_of(action: &Action) -> Option<&Arc<str>> {
    match action {
        Action::Finish { summary: text, .. }
        | Action::Say { text, .. }
        | Action::Ask { question: text }
        | Action::Abandon { reason: text }
        | Action::Defer { reason: text }
        | Action::EscalateToArchitect { reason: text, .. }
        // People see it when it is approved, and later runs are told of it.
        | Action::Write { state: StateKind::Memory, text, .. } => Some(text),
        _ => None,
    }
}

fn words_of_mut(action: &mut Action) -> Option<&mut Arc<str>> {
    match action {
        Action::Finish { summary: text, .. }
        | Action::Say { text, .. }
        | Action::Ask { question: text }
        | Action::Abandon { reason: text }
        | Action::Defer { reason: text }
        | Action::EscalateToArchitect { reason: text, .. }
        | Action::Write { state: StateKind::Memory, text, .. } => Some(text),
        _ => None,
    }
}

/// How much of what kind is withheld, by name.
pub(super) fn counted(parts: &[Withheld]) -> Vec<(Arc<str>, u32)> {
    let count = |kind: FindingKind| {
        let number = parts.iter().filter(|part| part.kind == kind).count();
        (number > 0).then(|| (Arc::from(kind.name()), u32::try_from(number).unwrap_or(u32::MAX)))
    };
    [FindingKind::PersonalData, FindingKind::Secret, FindingKind::Injection, FindingKind::Unseen]
        .into_iter()
        .filter_map(count)
        .collect()
}

/// As much of a text as a policy sees.
fn seen(text: &Arc<str>) -> Arc<str> {
    if text.len() <= TEXT { Arc::clone(text) } else { cut(text, TEXT).into() }
}
