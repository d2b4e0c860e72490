//! Slot `doom-loop`.

use countersign::kernel::contract::doom_loop as contract;
use countersign_sdk::doom_loop as sdk;

use super::shared::to_failure_class;

native!(DoomLoop, sdk::DoomLoop, observe, to_step, signal);

/// A question's record as the SDK has it.
pub fn to_step(step: &contract::ObservedStep) -> sdk::ObservedStep {
    sdk::ObservedStep {
        index: step.index,
        action: step.action.to_string(),
        call_key: step.call_key.map(|key| key.0),
        result_key: step.result_key.map(|key| key.0),
        state_before: step.state_before.map(|key| key.0),
        state_after: step.state_after.map(|key| key.0),
        failure: step
            .failure
            .map(|failure| sdk::Failure { class: to_failure_class(failure.class), key: failure.key.map(|key| key.0) }),
        mutating: step.mutating,
        poller: step.poller,
        internal: step.internal,
        user_boundary: step.user_boundary,
        action_bytes: step.action_bytes,
        result_bytes: step.result_bytes,
        drift: step.drift,
    }
}

fn signal(answer: sdk::Signal) -> contract::Signal {
    match answer {
        sdk::Signal::Steady => contract::Signal::Steady,
        sdk::Signal::Caution(text) => contract::Signal::Caution(text),
        sdk::Signal::Warning(text) => contract::Signal::Warning(text),
        sdk::Signal::Trip(trip) => contract::Signal::Trip(contract::Trip {
            reason: map_enum!(trip.reason, sdk::TripReason => contract::TripReason {
                NoProgress, SameError, ToolThrash, RepeatedMessage, TurnCap
            }),
            evidence: trip.evidence,
            handoff: map_enum!(trip.handoff, sdk::Handoff => contract::Handoff { Replan, Escalate, Ask, Terminate }),
        }),
    }
}
