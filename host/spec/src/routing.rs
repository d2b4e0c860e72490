//! To whom authority passes: five classes of trigger, eleven states, each with a severity, an
//! endpoint and a way back (document 003, escalation; specification D16, D20). The table is data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A state that calls for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskState {
    /// An action of high impact waits.
    HighImpactMutation,
    /// Money would be committed.
    FinancialCommitment,
    /// Somebody outside would be written to.
    ExternalCommunication,
    /// Something must be said first.
    MissingInput,
    /// The goal can be read in several ways.
    AmbiguousGoal,
    /// Nobody is sure enough, or sources conflict.
    LowConfidence,
    /// Tools keep failing.
    ToolFailure,
    /// The budget is used up.
    BudgetLimit,
    /// A provider is down.
    ProviderOutage,
    /// A rule of security was broken.
    SecurityBreach,
    /// What was denied is tried again.
    RepeatedDenial,
}

impl RiskState {
    /// All eleven.
    pub const ALL: [RiskState; 11] = [
        RiskState::HighImpactMutation,
        RiskState::FinancialCommitment,
        RiskState::ExternalCommunication,
        RiskState::MissingInput,
        RiskState::AmbiguousGoal,
        RiskState::LowConfidence,
        RiskState::ToolFailure,
        RiskState::BudgetLimit,
        RiskState::ProviderOutage,
        RiskState::SecurityBreach,
        RiskState::RepeatedDenial,
    ];

    /// The class of its trigger.
    pub fn class(self) -> TriggerClass {
        match self {
            RiskState::SecurityBreach | RiskState::RepeatedDenial => TriggerClass::Security,
            RiskState::HighImpactMutation | RiskState::FinancialCommitment | RiskState::ExternalCommunication => {
                TriggerClass::Approval
            }
            RiskState::MissingInput | RiskState::AmbiguousGoal => TriggerClass::Clarification,
            RiskState::LowConfidence => TriggerClass::Review,
            RiskState::ToolFailure | RiskState::BudgetLimit | RiskState::ProviderOutage => TriggerClass::Degradation,
        }
    }
}

/// A class of triggers, each with its own kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerClass {
    /// Fails closed; security is told.
    Security,
    /// A person approves or does not.
    Approval,
    /// The user says more.
    Clarification,
    /// A stronger model, else a review queue.
    Review,
    /// Less is done, later or by other means.
    Degradation,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Can wait.
    Low,
    /// Should be looked at.
    Moderate,
    /// Must be looked at.
    High,
    /// At once.
    Critical,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Route {
    /// The state.
    pub state: RiskState,
    /// How bad it is.
    pub severity: Severity,
    /// Who receives authority.
    pub endpoint: Arc<str>,
    /// How the run goes on from there.
    pub recovery: Arc<str>,
}

/// Who receives authority over a run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Authority {
    /// The state that called for it.
    pub state: RiskState,
    /// Its class.
    pub class: TriggerClass,
    /// How bad it is.
    pub severity: Severity,
    /// Who.
    pub endpoint: Arc<str>,
    /// How the run goes on from there.
    pub recovery: Arc<str>,
}

/// The row of a state; a table that lacks it gets a person and the highest severity.
pub fn route(table: &[Route], state: RiskState) -> Authority {
    let class = state.class();
    match table.iter().find(|route| route.state == state) {
        Some(route) => Authority {
            state,
            class,
            severity: route.severity,
            endpoint: Arc::clone(&route.endpoint),
            recovery: Arc::clone(&route.recovery),
        },
        None => Authority {
            state,
            class,
            severity: Severity::Critical,
            endpoint: "operator".into(),
            recovery: "decide how the run goes on".into(),
        },
    }
}
