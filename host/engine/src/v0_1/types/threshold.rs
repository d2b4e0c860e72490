//! Slot `threshold`.

use std::sync::Arc;

use countersign_kernel::contract::threshold;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Dimension, Reversibility};

twin!(Trigger, threshold::Trigger {
    AuthorityGap = "authority-gap", ConfidenceCollapse = "confidence-collapse",
    IrreversibleAction = "irreversible-action", BudgetExhausted = "budget-exhausted",
});

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct ActionReturn {
    at: u64,
    advanced: bool,
    changed: bool,
    novel: bool,
    confirmed: bool,
    failed: bool,
    neutral: bool,
    repeated: bool,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct AuthorityGap {
    tool: Arc<str>,
    who: Arc<str>,
    what: Arc<str>,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct CostLine {
    dimension: Dimension,
    used: u64,
    limit: u64,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct NextAction {
    tool: Arc<str>,
    reversibility: Reversibility,
    mutating: bool,
    idempotent: bool,
    risk: Option<f64>,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Ledger {
    at: u64,
    since: u64,
    actions: u32,
    returns: Vec<ActionReturn>,
    #[component(name = "criteria-met")]
    criteria_met: u32,
    criteria: u32,
    gap: Option<AuthorityGap>,
    costs: Vec<CostLine>,
    next: Option<NextAction>,
}

impl From<&threshold::Ledger> for Ledger {
    fn from(ledger: &threshold::Ledger) -> Self {
        let brought = |one: &threshold::ActionReturn| ActionReturn {
            at: one.at,
            advanced: one.advanced,
            changed: one.changed,
            novel: one.novel,
            confirmed: one.confirmed,
            failed: one.failed,
            neutral: one.neutral,
            repeated: one.repeated,
        };
        let cost = |line: &threshold::CostLine| CostLine {
            dimension: line.dimension.into(),
            used: line.used,
            limit: line.limit,
        };
        Ledger {
            at: ledger.at,
            since: ledger.since,
            actions: ledger.actions,
            returns: ledger.returns.iter().map(brought).collect(),
            criteria_met: ledger.criteria_met,
            criteria: ledger.criteria,
            gap: ledger.gap.as_ref().map(|gap| AuthorityGap {
                tool: Arc::clone(&gap.tool),
                who: Arc::clone(&gap.who),
                what: Arc::clone(&gap.what),
            }),
            costs: ledger.costs.iter().map(cost).collect(),
            next: ledger.next.as_ref().map(|next| NextAction {
                tool: Arc::clone(&next.tool),
                reversibility: next.reversibility.into(),
                mutating: next.mutating,
                idempotent: next.idempotent,
                risk: next.risk,
            }),
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum Decision {
    #[component(name = "continue")]
    Continue,
    #[component(name = "escalate")]
    Escalate(Trigger),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Weighing {
    decision: Decision,
    value: f64,
    risk: f64,
    cost: f64,
    irreversibility: f64,
    #[component(name = "authority-gap")]
    authority_gap: f64,
    reason: String,
}

impl From<Weighing> for threshold::Weighing {
    fn from(answer: Weighing) -> Self {
        threshold::Weighing {
            decision: match answer.decision {
                Decision::Continue => threshold::Decision::Continue,
                Decision::Escalate(trigger) => threshold::Decision::Escalate(trigger.into()),
            },
            value: answer.value,
            risk: answer.risk,
            cost: answer.cost,
            irreversibility: answer.irreversibility,
            authority_gap: answer.authority_gap,
            reason: answer.reason,
        }
    }
}
