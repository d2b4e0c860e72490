use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use countersign_spec::budget::Demand;
use countersign_spec::{Driver, Manifest, Mode};

use super::bounded::push_bounded;
use super::budget::{Budget, Refused, Reservation};
use crate::contract::view::{Answer, Boundary, Query, RunView, StepSummary};
use crate::contract::{Dimension, Phase};

/// Steps that `recent-steps` can give.
const STEPS: usize = 32;
/// Facts kept; the one committed longest ago goes first.
const FACTS: usize = 256;

/// What policies see of a run.
#[derive(Debug, Clone)]
pub struct View {
    goal: Arc<str>,
    step_index: u32,
    phase: Phase,
    budget: Budget,
    recent: VecDeque<StepSummary>,
    facts: BTreeMap<Arc<str>, Arc<str>>,
    facts_by_age: VecDeque<Arc<str>>,
    /// None where a recording does not say.
    boundary: Option<Boundary>,
    show_budget: bool,
    show_steps: bool,
}

impl View {
    pub(super) fn new(manifest: &Manifest) -> Self {
        View {
            goal: Arc::clone(&manifest.goal.text),
            step_index: 0,
            phase: Phase::Intake,
            budget: Budget::new(&manifest.limits),
            recent: VecDeque::new(),
            facts: BTreeMap::new(),
            facts_by_age: VecDeque::new(),
            boundary: (manifest.mode != Mode::Recorded).then(|| Boundary {
                blast_radius_limit: manifest.boundary.blast_radius_limit,
                tools: u32::try_from(manifest.boundary.tools.len()).unwrap_or(u32::MAX),
            }),
            show_budget: manifest.show_budget,
            // An agent that owns its loop has no cap of steps that its index would give away.
            show_steps: manifest.show_budget || manifest.driver == Driver::Agent,
        }
    }

    /// One line of the budget.
    pub fn budget(&self, dimension: Dimension) -> crate::contract::BudgetLine {
        self.budget.line(dimension)
    }

    /// Model calls so far.
    pub fn step_index(&self) -> u32 {
        self.step_index
    }

    /// The index as policies are told it.
    pub(super) fn shown_index(&self) -> Option<u32> {
        self.show_budget.then_some(self.step_index)
    }

    /// Committed facts, by name.
    pub(super) fn facts(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.facts.iter()
    }

    pub(super) fn at(&mut self, step_index: u32, phase: Phase) {
        self.step_index = step_index;
        self.phase = phase;
    }

    pub(super) fn reserve(&mut self, demand: Demand) -> Result<Reservation, Refused> {
        self.budget.reserve(demand)
    }

    /// Whether a demand would fit.
    pub(super) fn fits(&self, demand: Demand) -> Result<(), Refused> {
        self.budget.fits(demand)
    }

    pub(super) fn settle(&mut self, reservation: Reservation, used: Demand) {
        self.budget.settle(reservation, used);
    }

    pub(super) fn book(&mut self, used: Demand) {
        self.budget.book(used);
    }

    pub(super) fn level(&mut self, dimension: Dimension, used: u64) {
        self.budget.level(dimension, used);
    }

    pub(super) fn release(&mut self, dimension: Dimension, extra: u64, ceiling: u64) -> u64 {
        self.budget.release(dimension, extra, ceiling)
    }

    /// Nobody drove the run for a while. True while some running time is left.
    pub(super) fn lie_dead(&mut self) -> bool {
        self.budget.lie_dead()
    }

    /// How often in a row it was taken up without anything else happening.
    pub(super) fn taken_up(&self) -> u32 {
        self.budget.taken_up()
    }

    pub(super) fn run_for(&mut self, milliseconds: u64) -> bool {
        self.budget.run_for(milliseconds)
    }

    pub(super) fn push_step(&mut self, step: StepSummary) {
        push_bounded(&mut self.recent, STEPS, step);
    }

    pub(super) fn commit(&mut self, name: &Arc<str>, text: Arc<str>) {
        if self.facts.insert(Arc::clone(name), text).is_some() {
            self.facts_by_age.retain(|other| other != name);
        } else if self.facts.len() > FACTS
            && let Some(oldest) = self.facts_by_age.pop_front()
        {
            self.facts.remove(&oldest);
        }
        self.facts_by_age.push_back(Arc::clone(name));
    }
}

impl RunView for View {
    fn read(&self, query: &Query) -> Option<Answer> {
        Some(match query {
            Query::Goal => Answer::Goal(Some(Arc::clone(&self.goal))),
            Query::StepIndex => Answer::StepIndex(self.shown_index()),
            Query::Phase => Answer::Phase(Some(self.phase)),
            Query::Budget(dimension) => Answer::Budget(self.show_budget.then(|| self.budget.line(*dimension))),
            Query::RecentSteps(count) => {
                let from = self.recent.len().saturating_sub(*count as usize);
                Answer::RecentSteps(self.show_steps.then(|| self.recent.range(from..).copied().collect()))
            }
            Query::Fact(name) => Answer::Fact(self.facts.get(name.as_str()).cloned()),
            Query::Boundary => Answer::Boundary(self.boundary),
        })
    }
}
