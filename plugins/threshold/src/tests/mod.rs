//! The policy natively: its rules one by one, and what holds for every ledger.

mod budget;
mod healthy;
mod laws;
mod rules;

use countersign_sdk::Policy;
use countersign_sdk::testing::TestRun;
use countersign_sdk::threshold::{
    ActionReturn, Assessment, AuthorityGap, CostLine, Decision, Dimension, Ledger, NextAction, Reversibility,
    Threshold, Trigger,
};

use crate::Inequality;
use crate::config::Configuration;

const NOTHING: ActionReturn = ActionReturn {
    at: 0,
    advanced: false,
    changed: false,
    novel: false,
    confirmed: false,
    failed: false,
    neutral: false,
    repeated: false,
};
const NEW: ActionReturn = ActionReturn { novel: true, ..NOTHING };
const CHANGED: ActionReturn = ActionReturn { changed: true, ..NOTHING };
const CONFIRMED: ActionReturn = ActionReturn { confirmed: true, ..NOTHING };
const REPEATED: ActionReturn = ActionReturn { repeated: true, ..NOTHING };
const NEUTRAL: ActionReturn = ActionReturn { neutral: true, ..NOTHING };
/// With an error that was not seen before.
const FAILED: ActionReturn = ActionReturn { failed: true, novel: true, ..NOTHING };
/// With an error that was.
const FAILED_AGAIN: ActionReturn = ActionReturn { failed: true, ..NOTHING };

fn ledger(returns: &[ActionReturn]) -> Ledger {
    Ledger {
        at: 60_000,
        since: 0,
        actions: returns.len() as u32,
        returns: returns.to_vec(),
        criteria_met: 0,
        criteria: 0,
        gap: None,
        costs: Vec::new(),
        next: None,
    }
}

fn gap() -> AuthorityGap {
    AuthorityGap {
        tool: "gmail_list".to_owned(),
        who: "user".to_owned(),
        what: "authorise the account again in a browser".to_owned(),
    }
}

fn next() -> NextAction {
    NextAction {
        tool: "write-file".to_owned(),
        reversibility: Reversibility::Reversible,
        mutating: true,
        idempotent: false,
        risk: Some(0.1),
    }
}

fn irreversible() -> NextAction {
    NextAction { reversibility: Reversibility::Irreversible, ..next() }
}

fn costs(dimension: Dimension, used: u64, limit: u64) -> Vec<CostLine> {
    vec![CostLine { dimension, used, limit }]
}

fn policy(configuration: Configuration) -> Inequality {
    Inequality::configure(configuration).unwrap_or_else(|error| panic!("{error:?}"))
}

fn assess(ledger: &Ledger) -> Assessment {
    assess_with(Configuration::default(), ledger)
}

fn assess_with(configuration: Configuration, ledger: &Ledger) -> Assessment {
    policy(configuration).assess(ledger.clone(), &TestRun::default())
}

fn decides(ledger: &Ledger) -> Decision {
    assess(ledger).decision
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

const COLLAPSE: Decision = Decision::Escalate(Trigger::ConfidenceCollapse);
const GAP: Decision = Decision::Escalate(Trigger::AuthorityGap);
const IRREVERSIBLE: Decision = Decision::Escalate(Trigger::IrreversibleAction);
const BUDGET: Decision = Decision::Escalate(Trigger::BudgetExhausted);
