//! Why a run is on its way to somebody else, or to its end.

use std::sync::Arc;

use countersign_spec::boundary::FailClosed;
use countersign_spec::graph::Exit;
use countersign_spec::routing::RiskState;

use super::Run;
use super::next::Next;
use crate::contract::Dimension;
use crate::record::event::Event;
use crate::record::packet::{Approval, Wanted};
use crate::record::status::Code;

/// Why, and what would help.
#[derive(Debug)]
pub(super) struct StopCause {
    /// What the run is suspended or ended with.
    pub code: Code,
    pub reason: String,
    pub state: RiskState,
    /// A stronger model may help, before a person is asked.
    pub trouble: Option<EscalationCause>,
    pub wanted: Wanted,
    pub approval: Option<Approval>,
    pub dimension: Option<Dimension>,
    /// Who receives authority, where the table does not say.
    pub endpoint: Option<Arc<str>>,
}

/// What a stronger model may help with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EscalationCause {
    LowConfidence,
    Confused,
    Blocked,
    InvalidSchema,
    RepeatedFailure,
    Loop,
    Review,
    Divergence,
}

impl EscalationCause {
    /// What becomes of the run when no stronger model may be asked.
    fn code(self) -> Code {
        match self {
            EscalationCause::LowConfidence => Code::LowConfidence,
            EscalationCause::Confused => Code::AmbiguousIntent,
            EscalationCause::Blocked => Code::MissingInfo,
            EscalationCause::InvalidSchema => Code::ValidationFail,
            EscalationCause::RepeatedFailure => Code::RepeatedFailure,
            EscalationCause::Loop | EscalationCause::Review | EscalationCause::Divergence => Code::ReviewRequired,
        }
    }

    fn state(self) -> RiskState {
        match self {
            EscalationCause::Confused => RiskState::AmbiguousGoal,
            EscalationCause::Blocked => RiskState::MissingInput,
            EscalationCause::RepeatedFailure => RiskState::ToolFailure,
            _ => RiskState::LowConfidence,
        }
    }

    fn wanted(self) -> Wanted {
        match self {
            EscalationCause::Confused | EscalationCause::Blocked => Wanted::Answer,
            _ => Wanted::Review,
        }
    }
}

impl StopCause {
    fn new(code: Code, reason: String, state: RiskState, wanted: Wanted) -> Self {
        StopCause { code, reason, state, trouble: None, wanted, approval: None, dimension: None, endpoint: None }
    }

    /// The end, with this code.
    pub fn ended(code: Code, reason: String) -> Self {
        StopCause::new(code, reason, state_of(code).unwrap_or(RiskState::LowConfidence), Wanted::Review)
    }

    /// A stronger model may help, else the code that goes with the trouble.
    pub fn escalation(trouble: EscalationCause, reason: String) -> Self {
        StopCause {
            trouble: Some(trouble),
            ..StopCause::new(trouble.code(), reason, trouble.state(), trouble.wanted())
        }
    }

    /// A person must look.
    pub fn review(reason: String, state: RiskState) -> Self {
        StopCause::new(Code::ReviewRequired, reason, state, Wanted::Review)
    }

    /// A person must say something.
    pub fn question(code: Code, reason: String, state: RiskState) -> Self {
        StopCause::new(code, reason, state, Wanted::Answer)
    }

    /// A person must approve an action.
    pub fn approval(reason: String, state: RiskState, approval: Approval) -> Self {
        StopCause { approval: Some(approval), ..StopCause::new(Code::ConfirmRequired, reason, state, Wanted::Approval) }
    }

    /// The budget is used up.
    pub fn budget(reason: String, dimension: Option<Dimension>) -> Self {
        let code = if dimension == Some(Dimension::RunningTime) { Code::Timeout } else { Code::BudgetExhausted };
        StopCause { dimension, ..StopCause::new(code, reason, RiskState::BudgetLimit, Wanted::Release) }
    }

    /// A bucket above the run is empty: its operator fills it, then the run goes on.
    pub fn bucket(reason: String) -> Self {
        StopCause::new(Code::BudgetExhausted, reason, RiskState::BudgetLimit, Wanted::Resumption)
    }

    /// An operator's switch, or a credential that ran out.
    pub fn halted(reason: String) -> Self {
        StopCause::new(Code::ReviewRequired, reason, RiskState::ProviderOutage, Wanted::Resumption)
    }
}

/// The state of the table that an end calls for; none after a success, or when a person ended it.
pub(super) fn state_of(code: Code) -> Option<RiskState> {
    Some(match code {
        Code::Success | Code::PartialSuccess | Code::UserCancel => return None,
        Code::UnsafeDetection => RiskState::SecurityBreach,
        Code::PermissionDenied => RiskState::RepeatedDenial,
        Code::UnavailableDep => RiskState::ProviderOutage,
        Code::RepeatedFailure => RiskState::ToolFailure,
        Code::BudgetExhausted | Code::Timeout => RiskState::BudgetLimit,
        Code::MissingInfo => RiskState::MissingInput,
        Code::AmbiguousIntent => RiskState::AmbiguousGoal,
        Code::ConfirmRequired => RiskState::HighImpactMutation,
        Code::Impossible | Code::ReviewRequired | Code::ValidationFail | Code::LowConfidence | Code::SourceConflict => {
            RiskState::LowConfidence
        }
    })
}

/// Why a step is to be repaired.
#[derive(Debug)]
pub(super) enum RepairCause {
    /// A tool failed.
    Failed(String),
    /// A verifier did not hold.
    Invalid(String),
    /// The pipeline did not let the call pass.
    Refused(String),
    /// A policy wants another plan: nothing has failed.
    Reconsider,
}

impl Run {
    /// The run is to end or to be handed over for this.
    pub(super) fn leave(&mut self, on: Exit, halt: StopCause) -> Next {
        self.halt = Some(halt);
        Next::Leave(on)
    }

    /// Its running time is used up.
    pub(super) fn out_of_time(&mut self) -> Next {
        self.halt = Some(StopCause::budget("the running time is used up".to_owned(), Some(Dimension::RunningTime)));
        Next::Interrupt(Exit::TimedOut)
    }

    /// A dimension of its budget is used up.
    pub(super) fn over_budget(&mut self, dimension: Dimension, reason: String) -> Next {
        if let Some(next) = self.fails_closed(FailClosed::BudgetBreach, &reason) {
            return next;
        }
        self.halt = Some(StopCause::budget(reason, Some(dimension)));
        Next::Interrupt(Exit::OverBudget)
    }

    /// Ends the run at once, where its boundary says so for this condition.
    pub(super) fn fails_closed(&mut self, condition: FailClosed, reason: &str) -> Option<Next> {
        let listed = self.manifest.boundary.fail_closed.contains(&condition);
        if !listed || !self.blocks(condition.name(), crate::contract::Verdict::Terminate, reason) {
            return None;
        }
        self.event(Event::FailedClosed { condition, reason: reason.to_owned() });
        let code = match condition {
            FailClosed::UnauthorisedAccess => Code::PermissionDenied,
            FailClosed::SourceConflict => Code::SourceConflict,
            FailClosed::UngroundedClaim | FailClosed::FailedCheckAfterChange => Code::ValidationFail,
            FailClosed::BudgetBreach => Code::BudgetExhausted,
            FailClosed::MissingApproval => Code::ConfirmRequired,
            FailClosed::AmbiguousGoal => Code::AmbiguousIntent,
            _ => Code::UnsafeDetection,
        };
        self.halt = Some(StopCause::ended(code, format!("{}: {reason}", condition.name())));
        Some(Next::Interrupt(Exit::Unsafe))
    }
}
