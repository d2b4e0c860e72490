//! Who does a sub-task: asked for each new one of a valid plan, where there is somebody to choose
//! from (specification B4).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use countersign_spec::graph::Exit;
use countersign_spec::plan::PlanStep;
use countersign_spec::routing::RiskState;

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::StopCause;
use super::joined::SlotVerdict;
use super::next::Next;
use super::waiting::Then;
use crate::contract::Question;
use crate::contract::dispatch::{Assignment, Specialist, SubTask};
use crate::record::event::Event;

/// Most bytes of a sub-task's words that a policy sees.
const DOES_TEXT: usize = 4 << 10;

impl Run {
    /// The new sub-tasks of a plan, in its order.
    pub(super) fn assign_sub_tasks(&mut self) -> Next {
        if self.manifest.specialists.is_empty() || self.recorded() {
            return Next::Leave(Exit::Valid);
        }
        let parents: Vec<&Arc<str>> = self.tasks.plan().steps().filter_map(|(step, _)| step.parent.as_ref()).collect();
        let new = self.tasks.plan().steps().filter(|(step, done)| {
            // A parent is done when its children are: nobody does it.
            !done && !self.tasks.is_assigned(&step.id) && !parents.contains(&&step.id)
        });
        let queue: VecDeque<Arc<str>> = new.map(|(step, _)| Arc::clone(&step.id)).collect();
        self.assign_next(queue)
    }

    fn assign_next(&mut self, queue: VecDeque<Arc<str>>) -> Next {
        let Some(id) = queue.front() else { return Next::Leave(Exit::Valid) };
        let Some(question) = self.sub_task(id) else { return Next::Leave(Exit::Valid) };
        self.ask(Question::Dispatch(question), Then::Assign(queue))
    }

    fn sub_task(&self, id: &Arc<str>) -> Option<SubTask> {
        let step = |id: &Arc<str>| self.tasks.plan().steps().find(|(step, _)| step.id == *id);
        let waits = |one: &PlanStep| one.after.iter().any(|before| step(before).is_some_and(|(_, done)| !done));
        let (own, _) = step(id)?;
        let open: Vec<&PlanStep> = self.tasks.plan().steps().filter(|(_, done)| !done).map(|(step, _)| step).collect();
        let is_parent = |one: &PlanStep| open.iter().any(|other| other.parent.as_ref() == Some(&one.id));
        let parallel = open.iter().filter(|other| !is_parent(other) && !waits(other)).count();
        let (length, reliability) = self.chain(own, &mut BTreeMap::new());
        Some(SubTask {
            does: cut(&own.does, DOES_TEXT).into(),
            independent: !waits(own),
            parallel: u32::try_from(parallel).unwrap_or(u32::MAX).max(1),
            chain_length: length.saturating_add(1),
            chain_reliability: reliability,
            own_reliability: self.manifest.reliability.unwrap_or(1.0),
            specialists: self.manifest.specialists.clone(),
        })
    }

    /// Agents before this step on the longest chain that leads to it, and the product of their
    /// reliabilities. Steps of one agent in a row are one link.
    fn chain(&self, step: &PlanStep, known: &mut BTreeMap<Arc<str>, (u32, f64)>) -> (u32, f64) {
        if let Some(chain) = known.get(&step.id) {
            return *chain;
        }
        // Nothing, should a plan run in a circle where nobody forbids it.
        known.insert(Arc::clone(&step.id), (0, 1.0));
        let mut longest = (0, 1.0);
        for (other, _) in
            step.after.iter().filter_map(|id| self.tasks.plan().steps().find(|(other, _)| other.id == *id))
        {
            let (length, reliability) = self.chain(other, known);
            let by = self.tasks.specialist(&other.id);
            let link = by.and_then(|name| self.specialist(name)).map(|specialist| specialist.reliability);
            let chain = match link {
                Some(own) => (length.saturating_add(1), reliability * own),
                None => (length, reliability),
            };
            if chain.0 > longest.0 || (chain.0 == longest.0 && chain.1 < longest.1) {
                longest = chain;
            }
        }
        known.insert(Arc::clone(&step.id), longest);
        longest
    }

    pub(super) fn specialist(&self, name: &str) -> Option<&Specialist> {
        self.manifest.specialists.iter().find(|specialist| *specialist.name == *name)
    }

    /// The slot has been heard of the first sub-task of the queue.
    pub(super) fn assigned(&mut self, joined: SlotVerdict, mut queue: VecDeque<Arc<str>>) -> Next {
        let Some(id) = queue.pop_front() else { return Next::Leave(Exit::Valid) };
        let (to, parallel) = match joined.assignment.clone().unwrap_or(Assignment::Inline) {
            Assignment::Inline | Assignment::HandOver => (None, false),
            Assignment::Specialist(name) => (Some(Arc::from(name)), false),
            Assignment::FanOut(name) => (Some(Arc::from(name)), true),
        };
        if self.consequence(Asked::SubTask, joined.verdict()) != Consequence::GoOn {
            let reason = format!("step `{id}`: {}", joined.reason);
            return self.leave(Exit::Exhausted, StopCause::review(reason, RiskState::LowConfidence));
        }
        self.event(Event::Assigned { id: Arc::clone(&id), to: to.clone(), parallel });
        self.tasks.assign(id, to);
        self.assign_next(queue)
    }

    /// Whose part the model takes in the next step: the specialist whose sub-task can be begun.
    pub(super) fn acting(&self) -> Option<&Specialist> {
        let ready = self.tasks.plan().next_ready()?;
        self.tasks.specialist(&ready.id).and_then(|name| self.specialist(name))
    }
}
