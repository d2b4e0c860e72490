//! Slot `doom-loop`.

use std::sync::Arc;

use countersign_kernel::contract::doom_loop;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::FailureClass;

twin!(TripReason, doom_loop::TripReason {
    NoProgress = "no-progress", SameError = "same-error", ToolThrash = "tool-thrash",
    RepeatedMessage = "repeated-message", TurnCap = "turn-cap",
});
twin!(Handoff, doom_loop::Handoff {
    Replan = "replan", Escalate = "escalate", Ask = "ask", Terminate = "terminate",
});

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct Failure {
    class: FailureClass,
    key: Option<u64>,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct ObservedStep {
    index: Option<u32>,
    action: Arc<str>,
    #[component(name = "call-key")]
    call_key: Option<u64>,
    #[component(name = "result-key")]
    result_key: Option<u64>,
    #[component(name = "state-before")]
    state_before: Option<u64>,
    #[component(name = "state-after")]
    state_after: Option<u64>,
    failure: Option<Failure>,
    mutating: bool,
    poller: bool,
    internal: bool,
    #[component(name = "user-boundary")]
    user_boundary: bool,
    #[component(name = "action-bytes")]
    action_bytes: u64,
    #[component(name = "result-bytes")]
    result_bytes: u64,
    drift: Option<f64>,
}

impl From<&doom_loop::ObservedStep> for ObservedStep {
    fn from(step: &doom_loop::ObservedStep) -> Self {
        ObservedStep {
            index: step.index,
            action: Arc::clone(&step.action),
            call_key: step.call_key.map(|key| key.0),
            result_key: step.result_key.map(|key| key.0),
            state_before: step.state_before.map(|key| key.0),
            state_after: step.state_after.map(|key| key.0),
            failure: step
                .failure
                .map(|failure| Failure { class: failure.class.into(), key: failure.key.map(|key| key.0) }),
            mutating: step.mutating,
            poller: step.poller,
            internal: step.internal,
            user_boundary: step.user_boundary,
            action_bytes: step.action_bytes,
            result_bytes: step.result_bytes,
            drift: step.drift,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Trip {
    reason: TripReason,
    evidence: String,
    handoff: Handoff,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum DoomLoopSignal {
    #[component(name = "steady")]
    Steady,
    #[component(name = "caution")]
    Caution(String),
    #[component(name = "warning")]
    Warning(String),
    #[component(name = "trip")]
    Trip(Trip),
}

impl From<DoomLoopSignal> for doom_loop::Signal {
    fn from(answer: DoomLoopSignal) -> Self {
        match answer {
            DoomLoopSignal::Steady => doom_loop::Signal::Steady,
            DoomLoopSignal::Caution(text) => doom_loop::Signal::Caution(text),
            DoomLoopSignal::Warning(text) => doom_loop::Signal::Warning(text),
            DoomLoopSignal::Trip(trip) => doom_loop::Signal::Trip(doom_loop::Trip {
                reason: trip.reason.into(),
                evidence: trip.evidence,
                handoff: trip.handoff.into(),
            }),
        }
    }
}
