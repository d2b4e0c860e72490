//! `wit/v0.1/threshold.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::violation::{self, Violation};
use crate::{Dimension, Reversibility, Verdict};

record! {
    /// Sixteen of them stand in a trace twice an action, most with one flag set: what is false is left out.
    #[derive(Copy)]
    pub struct ActionReturn {
        pub at: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub advanced: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub changed: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub novel: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub confirmed: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub failed: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub neutral: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub repeated: bool,
    }
}

record! {
    pub struct AuthorityGap {
        pub tool: Arc<str>,
        pub who: Arc<str>,
        pub what: Arc<str>,
    }
}

record! {
    #[derive(Copy)]
    pub struct CostLine {
        pub dimension: Dimension,
        pub used: u64,
        pub limit: u64,
    }
}

record! {
    pub struct NextAction {
        pub tool: Arc<str>,
        pub reversibility: Reversibility,
        pub mutating: bool,
        pub idempotent: bool,
        pub risk: Option<f64>,
    }
}

record! {
    pub struct Ledger {
        pub at: u64,
        pub since: u64,
        pub actions: u32,
        pub returns: Vec<ActionReturn>,
        pub criteria_met as "criteria-met": u32,
        pub criteria: u32,
        pub gap: Option<AuthorityGap>,
        pub costs: Vec<CostLine>,
        pub next: Option<NextAction>,
    }
}

cases! {
    pub enum Trigger {
        AuthorityGap = "authority-gap",
        ConfidenceCollapse = "confidence-collapse",
        IrreversibleAction = "irreversible-action",
        BudgetExhausted = "budget-exhausted",
    }
}

variant! {
    #[derive(Copy, Eq, PartialOrd, Ord)]
    pub enum Decision {
        Continue = "continue",
        Escalate(Trigger) = "escalate",
    }
}

record! {
    pub struct Assessment {
        pub decision: Decision,
        pub value: f64,
        pub risk: f64,
        pub cost: f64,
        pub irreversibility: f64,
        pub authority_gap as "authority-gap": f64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl crate::Answer for Assessment {
    type Question = Ledger;

    fn check(&self, _: &Ledger) -> Result<(), Violation> {
        violation::unit("value", self.value)?;
        violation::unit("risk", self.risk)?;
        violation::unit("cost", self.cost)?;
        violation::unit("irreversibility", self.irreversibility)?;
        violation::unit("authority-gap", self.authority_gap)?;
        violation::text("reason", &self.reason)
    }

    fn verdict(&self) -> Verdict {
        match self.decision {
            Decision::Continue => Verdict::Proceed,
            Decision::Escalate(_) => Verdict::Ask,
        }
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Assessment { reason: String::new(), ..self.clone() }
    }
}
