//! A plan: structured steps with dependencies, never free text (specification D5, B4).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::Key;
use crate::host_rules::HostRules;

/// Most steps of a plan.
pub const MOST_STEPS: usize = 64;

/// One step as a model proposes it. A step with a parent is a sub-task of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlanStep {
    /// Unique within the plan.
    pub id: Arc<str>,
    /// What it is to achieve.
    pub does: Arc<str>,
    /// The tool whose success completes it; none for a step of thought, which any reading completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Arc<str>>,
    /// Steps that must be complete before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Arc<str>>,
    /// The step it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<str>>,
    /// Identity of what it does and by what: equal signatures are one piece of work.
    pub signature: Key,
}

/// A step of the plan as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLine {
    /// Its id.
    pub id: Arc<str>,
    /// What it does.
    pub does: Arc<str>,
    /// With which tool.
    pub tool: Option<Arc<str>>,
    /// How it stands.
    pub state: StepState,
}

/// How a step of the plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// It is complete.
    Done,
    /// It can be begun.
    Next,
    /// It waits for others.
    Waits,
}

impl StepState {
    /// As people and models read it.
    pub fn name(self) -> &'static str {
        match self {
            StepState::Done => "done",
            StepState::Next => "next",
            StepState::Waits => "waits",
        }
    }
}

/// The plan of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<(PlanStep, bool)>,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The plan as it now stands.
    pub plan: Plan,
    /// Ids that were merged into another of the same signature, and that other.
    pub merged: Vec<(Arc<str>, Arc<str>)>,
}

impl Plan {
    /// Whether there is one.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Steps that are complete.
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|(_, done)| *done).count()
    }

    /// Steps in order, and whether each is complete.
    pub fn steps(&self) -> impl Iterator<Item = (&PlanStep, bool)> {
        self.steps.iter().map(|(step, done)| (step, *done))
    }

    /// Adds sub-tasks to the plan, or makes a new one. What was complete stays complete under its
    /// signature.
    ///
    /// # Errors
    /// Everything that is wrong with it, for the model to mend.
    pub fn propose(
        &self,
        steps: &[PlanStep],
        add: bool,
        rules: &HostRules,
        tools: &[Arc<str>],
    ) -> Result<Accepted, Vec<String>> {
        let mut problems = Vec::new();
        if steps.is_empty() {
            problems.push("a plan needs at least one step".to_owned());
        }
        let kept = if add { self.steps.clone() } else { Vec::new() };
        if kept.len() + steps.len() > MOST_STEPS {
            problems.push(format!("a plan has at most {MOST_STEPS} steps"));
        }
        let mut merged: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        let mut all = kept;
        for step in steps {
            if rules.unique_sub_tasks
                && let Some((same, _)) = all.iter().find(|(other, _)| other.signature == step.signature)
            {
                merged.push((Arc::clone(&step.id), Arc::clone(&same.id)));
                continue;
            }
            if all.iter().any(|(other, _)| other.id == step.id) {
                problems.push(format!("step `{}` stands there twice", step.id));
                continue;
            }
            let done = self.steps.iter().any(|(old, done)| *done && old.signature == step.signature);
            all.push((step.clone(), done));
        }
        // Whoever waited for a merged step waits for the one that stands for it.
        let stand_in: BTreeMap<&str, &Arc<str>> = merged.iter().map(|(from, to)| (&**from, to)).collect();
        for (step, _) in &mut all {
            for name in step.after.iter_mut().chain(step.parent.iter_mut()) {
                if let Some(to) = stand_in.get(&**name) {
                    *name = Arc::clone(to);
                }
            }
            let own = Arc::clone(&step.id);
            if step.parent.as_ref() == Some(&own) {
                step.parent = None;
            }
        }
        for (step, _) in &all {
            for name in step.after.iter().chain(step.parent.iter()) {
                if !all.iter().any(|(other, _)| other.id == *name) {
                    problems.push(format!("step `{}` waits for `{name}`, which is not in the plan", step.id));
                }
            }
            if let Some(tool) = &step.tool
                && rules.plan_validation
                && !tools.contains(tool)
            {
                problems.push(format!("step `{}` needs tool `{tool}`, which is outside the task", step.id));
            }
            let depth = depth(&all, step);
            if depth > rules.sub_task_depth {
                problems.push(format!(
                    "step `{}` lies {depth} levels deep, at most {} are allowed",
                    step.id, rules.sub_task_depth
                ));
            }
        }
        if rules.acyclic_plans
            && let Some(step) = all.iter().map(|(step, _)| step).find(|step| waits_for_itself(&all, step))
        {
            problems.push(format!("step `{}` waits for itself", step.id));
        }
        if problems.is_empty() { Ok(Accepted { plan: Plan { steps: all }, merged }) } else { Err(problems) }
    }

    /// The first step that this tool could complete now: everything it waits for is complete, and
    /// it has no sub-tasks left.
    pub fn ready_for(&self, tool: &str, reading: bool) -> Option<&PlanStep> {
        let fits = |step: &PlanStep| match &step.tool {
            Some(name) => **name == *tool,
            None => reading,
        };
        self.steps.iter().find(|(step, done)| !done && fits(step) && self.ready(step)).map(|(step, _)| step)
    }

    /// The first step that can be begun now.
    pub fn next_ready(&self) -> Option<&PlanStep> {
        self.steps.iter().find(|(step, done)| !done && self.ready(step)).map(|(step, _)| step)
    }

    fn ready(&self, step: &PlanStep) -> bool {
        let complete = |id: &Arc<str>| self.steps.iter().any(|(other, done)| other.id == *id && *done);
        step.after.iter().all(complete)
            && !self.steps.iter().any(|(other, done)| other.parent.as_ref() == Some(&step.id) && !done)
            && self.above(step).all(|ancestor| ancestor.after.iter().all(complete))
    }

    /// The steps that a step is a part of, nearest first.
    fn above<'a>(&'a self, step: &'a PlanStep) -> impl Iterator<Item = &'a PlanStep> {
        let parent = |step: &PlanStep| {
            let parent = step.parent.as_ref()?;
            self.steps.iter().map(|(other, _)| other).find(|other| other.id == *parent)
        };
        // No deeper than there are steps, whatever the rule against circles says.
        std::iter::successors(parent(step), move |step| parent(step)).take(self.steps.len())
    }

    /// Marks a step complete, and with it each step without a tool of its own whose last part it
    /// was. All that are complete now.
    pub fn complete(&mut self, id: &str) -> Vec<Arc<str>> {
        let mut completed = Vec::new();
        let mut next = Some(Arc::<str>::from(id));
        while let Some(id) = next.take() {
            let Some(at) = self.steps.iter().position(|(step, done)| step.id == id && !done) else { break };
            self.steps[at].1 = true;
            completed.push(id);
            let Some(parent) = self.steps[at].0.parent.clone() else { break };
            let whole = self.steps.iter().any(|(step, _)| step.id == parent && step.tool.is_none())
                && self.steps.iter().all(|(step, done)| *done || step.parent.as_ref() != Some(&parent));
            next = whole.then_some(parent);
        }
        completed
    }

    /// Whether something is left and nothing of it can be begun.
    pub fn stalled(&self) -> bool {
        let mut left = self.steps.iter().filter(|(_, done)| !done).peekable();
        left.peek().is_some() && !left.any(|(step, _)| self.ready(step))
    }

    /// Each step as it stands.
    pub fn lines(&self) -> Vec<PlanLine> {
        let line = |(step, done): &(PlanStep, bool)| PlanLine {
            id: Arc::clone(&step.id),
            does: Arc::clone(&step.does),
            tool: step.tool.clone(),
            state: match done {
                true => StepState::Done,
                false if self.ready(step) => StepState::Next,
                false => StepState::Waits,
            },
        };
        self.steps.iter().map(line).collect()
    }

    /// It as one text, for whoever approves it.
    pub fn outline(&self) -> String {
        let lines = self.lines();
        let lines = lines.iter().map(|line| {
            let tool = line.tool.as_ref().map_or_else(String::new, |tool| format!(" ({tool})"));
            format!("{} {}: {}{tool}", line.state.name(), line.id, line.does)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn depth(all: &[(PlanStep, bool)], step: &PlanStep) -> u32 {
    let mut depth = 0;
    let mut parent = step.parent.as_ref();
    while let Some(id) = parent {
        depth += 1;
        if depth as usize > all.len() {
            break;
        }
        parent = all.iter().find(|(other, _)| other.id == *id).and_then(|(other, _)| other.parent.as_ref());
    }
    depth
}

/// Whether a step can be reached again by what it waits for, be it a dependency or a part of it.
fn waits_for_itself(all: &[(PlanStep, bool)], step: &PlanStep) -> bool {
    let mut seen: Vec<&Arc<str>> = Vec::new();
    let mut open: Vec<&Arc<str>> = step.after.iter().collect();
    while let Some(id) = open.pop() {
        if *id == step.id {
            return true;
        }
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        if let Some((other, _)) = all.iter().find(|(other, _)| other.id == *id) {
            open.extend(&other.after);
        }
        open.extend(all.iter().filter(|(other, _)| other.parent.as_ref() == Some(id)).map(|(other, _)| &other.id));
    }
    false
}
