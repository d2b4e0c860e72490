//! What each rule of the kernel blocks, and that without it nothing does: the same script twice,
//! once with the rule's setting and once with it switched off. Beside them, what cannot be switched
//! off.

#[path = "../support/loop.rs"]
mod driven;

mod agent;
mod answers;
mod away;
mod budgets;
mod endings;
mod memory;
mod people;
mod pipeline;
mod plans;
mod routing;
mod scope;
mod threshold;
mod verdicts;

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_kernel::contract::risk::Reversibility;
use countersign_kernel::contract::{Compliance, Dimension, Key, Tier, ToolCategory, Verdict};
use countersign_kernel::{
    Action, Alarm, Answered, Cause, Code, Decision, Effect, Event, IncompleteKind, Input, Observation, Outcome,
    Purpose, Question, Reply, Run, Slot, Status, Touched, Unavailability, Wanted,
};
use countersign_spec::boundary::{DecisionRight, FailClosed, Pattern, PlanRule};
use countersign_spec::host_rules::TerminalTools;
use countersign_spec::plan::PlanStep;
use countersign_spec::routing::{RiskState, Route, Severity, TriggerClass};
use countersign_spec::state::{Memory, StateKind};
use countersign_spec::tool::{ApprovalRule, Freshness, SideEffectClass, ToolLimits};
use countersign_spec::{Criterion, Manifest, ManifestError, Mode, Model, Need, PolicyMode, Verifier};

use driven::{Loop, call, entry, finish, manifest, model, reading, step, writing};

/// Changes a manifest.
type Setting = fn(&mut Manifest);

fn with(change: impl FnOnce(&mut Manifest)) -> Manifest {
    let mut manifest = manifest();
    change(&mut manifest);
    manifest
}

fn add(manifest: &mut Manifest, tool: countersign_spec::Tool) {
    manifest.boundary.tools.push(Arc::clone(&tool.name));
    manifest.tools.push(tool);
}

fn ended(driven: &Loop) -> Option<Code> {
    match driven.status() {
        Status::Ended(code) => Some(code),
        _ => None,
    }
}

fn suspended(driven: &Loop) -> Option<Code> {
    match driven.status() {
        Status::Suspended(code) => Some(code),
        _ => None,
    }
}

fn ok() -> Outcome {
    Outcome::Returned { exit_code: Some(0), ok: true }
}

fn states(facts: &[(&str, &str)]) -> Observation {
    let facts: BTreeMap<Arc<str>, Arc<str>> =
        facts.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Observation { facts, ..Observation::new(ok(), "stated".into()) }
}

fn plan(steps: Vec<PlanStep>) -> Action {
    Action::Plan { steps }
}

fn asking() -> Manifest {
    with(|m| m.tools[1].approval = Some(ApprovalRule::Always))
}

fn with_criteria(ids: &[&str]) -> Manifest {
    with(|m| {
        for id in ids {
            add(m, countersign_spec::Tool { verifier: Some(Verifier::ExitCode(0)), ..reading(id) });
            m.goal.criteria.push(Criterion { id: (*id).into(), text: "c".into(), tool: (*id).into() });
        }
    })
}

/// A manifest whose slots are filled by one policy.
fn filled(slots: &[Slot], mode: PolicyMode, change: impl FnOnce(&mut Manifest)) -> Manifest {
    with(|m| {
        m.entries = vec![entry(slots, mode)];
        change(m);
    })
}
