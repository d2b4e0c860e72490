//! Exit codes.

use countersign::SessionError;
use countersign::bundle::BundleError;
use countersign::engine::{LoadError, OpenError};
use countersign::kernel::{Code, Status};
use countersign::operate::{StateError, SwitchError};
use countersign::session::TakeUpError;
use countersign::settings::SettingsError;
use countersign::store::{
    BeginError, FindError, InboxError, OpenError as RunOpenError, ShadowError, StorageError, TraceError,
};
use countersign::{HostError, TransferError};
use countersign_audit::RecordingError;
use countersign_audit::adaptation::AdaptationError;
use countersign_audit::alarms::AlarmsError;
use countersign_audit::backtest::BacktestError;
use countersign_audit::replay::ReplayError;
use countersign_gateway::GatewayError;
use countersign_scenario::{RunError, ScenarioError};

use crate::style;

/// Success.
pub const OK: u8 = 0;
/// Something that should not happen.
pub const INTERNAL: u8 = 1;
/// Usage or bad input.
pub const BAD_INPUT: u8 = 2;
/// A trace does not verify, verdicts differ, or expectations are not met.
pub const DIFFERS: u8 = 3;

/// Stopped by policy, or by an operator.
pub const STOPPED: u8 = 12;

/// Says what went wrong and gives the code.
pub fn code(done: anyhow::Result<u8>) -> u8 {
    match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => OK,
        Err(error) => {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            let mut text = String::new();
            for cause in causes {
                // A cause that its context has already told is not told again.
                if !text.contains(&cause) {
                    if !text.is_empty() {
                        text.push_str(": ");
                    }
                    text.push_str(cause.trim_end());
                }
            }
            anstream::eprintln!("{}error:{} {text}", style::BAD, style::BAD.render_reset());
            of(&error)
        }
    }
}

/// Whoever read our output has had enough of it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<TraceError>() {
            return of_trace(error);
        }
        if let Some(ReplayError::Trace(error)) = cause.downcast_ref() {
            return of_trace(error);
        }
        if let Some(TransferError::Trace(error)) = cause.downcast_ref() {
            return of_trace(error);
        }
        if let Some(TakeUpError::Trace(error)) = cause.downcast_ref() {
            return of_trace(error);
        }
        if let Some(AdaptationError::Trace(error)) = cause.downcast_ref() {
            return of_trace(error);
        }
        if matches!(cause.downcast_ref(), Some(GatewayError::Session(SessionError::NotDispatched(_)))) {
            return STOPPED;
        }
        // Its agent is paused, or something is switched off: an operator's decision.
        if matches!(cause.downcast_ref(), Some(RunError::NotDispatched(_))) {
            return STOPPED;
        }
        let bad_input = cause.is::<ScenarioError>()
            || cause.is::<RecordingError>()
            || cause.is::<BundleError>()
            || cause.is::<LoadError>()
            || cause.is::<OpenError>()
            || cause.is::<StorageError>()
            || cause.is::<BeginError>()
            || cause.is::<FindError>()
            || cause.is::<InboxError>()
            || cause.is::<RunOpenError>()
            || cause.is::<TransferError>()
            || cause.is::<TakeUpError>()
            || cause.is::<ShadowError>()
            || cause.is::<BadInput>()
            || cause.is::<SettingsError>()
            || cause.is::<SwitchError>()
            || cause.is::<StateError>()
            || matches!(
                cause.downcast_ref(),
                Some(
                    RunError::Manifest { .. }
                        | RunError::Export(_)
                        | RunError::Kept(_)
                        | RunError::Settings(_)
                        | RunError::Session(SessionError::TakeUp(_) | SessionError::Begin(_) | SessionError::Store(_))
                        | RunError::Sink { .. }
                        | RunError::Mcp { .. }
                        | RunError::NotResumable { .. }
                )
            )
            || matches!(cause.downcast_ref(), Some(HostError::Bundle(_) | HostError::Open(_)))
            || matches!(
                cause.downcast_ref(),
                Some(
                    GatewayError::Settings(_)
                        | GatewayError::Mcp(_)
                        | GatewayError::NoServer { .. }
                        | GatewayError::NoTool { .. }
                        | GatewayError::Pins(_)
                        | GatewayError::Sink(_)
                        | GatewayError::Host(HostError::Bundle(_))
                )
            )
            || matches!(
                cause.downcast_ref(),
                Some(AlarmsError::Recording(_) | AlarmsError::Settings(_) | AlarmsError::Tools { .. })
            )
            || matches!(
                cause.downcast_ref(),
                Some(
                    BacktestError::Recording(_)
                        | BacktestError::Store(_)
                        | BacktestError::Export(_)
                        | BacktestError::Folder { .. }
                )
            );
        if bad_input {
            return BAD_INPUT;
        }
    }
    INTERNAL
}

fn of_trace(error: &TraceError) -> u8 {
    match error {
        // Of a run in a store it is the store that tells.
        TraceError::Io { source, .. } if is_damaged(source) => DIFFERS,
        TraceError::Io { .. } | TraceError::NotATrace { .. } => BAD_INPUT,
        TraceError::Broken { .. } => DIFFERS,
    }
}

fn is_damaged(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<StorageError>());
    matches!(inner, Some(StorageError::Damaged { .. }))
}

/// What the user gave cannot be used.
#[derive(Debug)]
pub struct BadInput(pub String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// The code of a run.
pub fn of_status(status: Status) -> u8 {
    match status {
        Status::Running => INTERNAL,
        Status::Suspended(_) => 10,
        Status::Ended(code) => match code {
            Code::Success | Code::PartialSuccess => OK,
            Code::BudgetExhausted | Code::Timeout => 11,
            Code::PermissionDenied | Code::UnsafeDetection | Code::ConfirmRequired | Code::ReviewRequired => 12,
            Code::Impossible
            | Code::MissingInfo
            | Code::AmbiguousIntent
            | Code::ValidationFail
            | Code::LowConfidence
            | Code::SourceConflict
            | Code::RepeatedFailure
            | Code::UnavailableDep
            | Code::UserCancel => 13,
        },
    }
}
