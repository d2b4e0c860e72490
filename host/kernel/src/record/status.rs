use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a run was suspended or ended (specification D15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Every acceptance criterion is verified; with none declared, the model says it is done.
    Success,
    /// Some criteria are verified and the rest will not be.
    PartialSuccess,
    /// The goal cannot be reached with these tools, data, authority or budget.
    Impossible,
    /// Somebody must say more.
    MissingInfo,
    /// The goal can be read in several ways.
    AmbiguousIntent,
    /// An action waits for approval.
    ConfirmRequired,
    /// A person must look at the run.
    ReviewRequired,
    /// A dimension of the budget is used up.
    BudgetExhausted,
    /// The running time is used up.
    Timeout,
    /// Output, arguments or results stay invalid.
    ValidationFail,
    /// Nobody left is sure enough.
    LowConfidence,
    /// Sources contradict each other.
    SourceConflict,
    /// The same thing failed once too often.
    RepeatedFailure,
    /// What the run wants is not allowed.
    PermissionDenied,
    /// A policy stopped the run.
    UnsafeDetection,
    /// A model or tool cannot be reached.
    UnavailableDep,
    /// A person stopped the run.
    UserCancel,
}

impl Code {
    /// All seventeen.
    pub const ALL: [Code; 17] = [
        Code::Success,
        Code::PartialSuccess,
        Code::Impossible,
        Code::MissingInfo,
        Code::AmbiguousIntent,
        Code::ConfirmRequired,
        Code::ReviewRequired,
        Code::BudgetExhausted,
        Code::Timeout,
        Code::ValidationFail,
        Code::LowConfidence,
        Code::SourceConflict,
        Code::RepeatedFailure,
        Code::PermissionDenied,
        Code::UnsafeDetection,
        Code::UnavailableDep,
        Code::UserCancel,
    ];

    /// Whether a run may be suspended with it. With every code a run may end.
    pub fn may_suspend(self) -> bool {
        matches!(
            self,
            Code::MissingInfo
                | Code::AmbiguousIntent
                | Code::ConfirmRequired
                | Code::ReviewRequired
                | Code::LowConfidence
                | Code::SourceConflict
                | Code::BudgetExhausted
        )
    }

    /// As it is written in traces.
    pub fn name(self) -> &'static str {
        match self {
            Code::Success => "SUCCESS",
            Code::PartialSuccess => "PARTIAL_SUCCESS",
            Code::Impossible => "IMPOSSIBLE",
            Code::MissingInfo => "MISSING_INFO",
            Code::AmbiguousIntent => "AMBIGUOUS_INTENT",
            Code::ConfirmRequired => "CONFIRM_REQUIRED",
            Code::ReviewRequired => "REVIEW_REQUIRED",
            Code::BudgetExhausted => "BUDGET_EXHAUSTED",
            Code::Timeout => "TIMEOUT",
            Code::ValidationFail => "VALIDATION_FAIL",
            Code::LowConfidence => "LOW_CONFIDENCE",
            Code::SourceConflict => "SOURCE_CONFLICT",
            Code::RepeatedFailure => "REPEATED_FAILURE",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::UnsafeDetection => "UNSAFE_DETECTION",
            Code::UnavailableDep => "UNAVAILABLE_DEP",
            Code::UserCancel => "USER_CANCEL",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Going on.
    Running,
    /// Waiting for a person.
    Suspended(Code),
    /// Over.
    Ended(Code),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Running => f.pad("running"),
            Status::Suspended(code) => write!(f, "suspended {code}"),
            Status::Ended(code) => write!(f, "ended {code}"),
        }
    }
}
