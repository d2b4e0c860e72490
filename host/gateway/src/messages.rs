//! What an agent is told in place of, or beside, a tool's result. The words stand with all others for models: their digest is in
//! each run's manifest.

use countersign::kernel::{Approval, Hold, Response, Stage};
use countersign::mcp::LeftOut;
use countersign::models::words::{self, STOP, fill};
use countersign::session::{Refusal, Stop};

/// What an agent is told of the gateway when it connects.
pub const INSTRUCTIONS: &str = words::GATEWAY;

/// The host took a call itself.
pub fn noted(text: &str) -> String {
    fill(words::TAKEN, &[text])
}

/// A call was not forwarded.
pub fn refused(refusal: &Refusal) -> String {
    if let Some(stop) = refusal.stop() {
        return stop;
    }
    let next = match refusal.response {
        Response::Repair => words::MEND,
        Response::Defer => words::LATER,
        Response::Substitute => words::OTHER_MEANS,
        Response::AskUser => words::ASK_USER,
        _ => words::SOMETHING_OTHER,
    };
    fill(words::REFUSED_WITH_NEXT, &[&refusal.reason, next])
}

/// Nothing is forwarded before the agent has reported.
pub fn held(hold: &Hold) -> String {
    refused(&Refusal { stage: Some(Stage::Threshold), response: Response::Block, reason: hold.reason.clone() })
}

/// A tool whose definition nobody has accepted, or that cannot be used.
pub fn left_out(out: &LeftOut) -> String {
    if out.acceptable {
        return fill(words::LEFT_OUT_ACCEPTABLE, &[&out.tool, &out.reason, &out.tool]);
    }
    fill(words::LEFT_OUT, &[&out.tool, &out.reason])
}

/// The agent is paused, something it needs is switched off, or another process stands in the way.
pub fn not_dispatched(refused: &dyn std::error::Error) -> String {
    fill(words::REFUSED_WITH_NEXT, &[&refused.to_string(), STOP])
}

/// An argument is a number that programs round.
pub fn unkept(number: &str) -> String {
    let reason = fill(words::ROUNDED, &[number]);
    refused(&Refusal { stage: None, response: Response::Repair, reason })
}

/// A tool that only the next run can know.
pub fn came_later(tool: &str) -> String {
    let reason = fill(words::CAME_LATER, &[tool]);
    refused(&Refusal { stage: None, response: Response::Defer, reason })
}

/// A call was made, and nobody will find what came of it.
pub fn unrecorded(why: &dyn std::error::Error) -> String {
    fill(words::UNRECORDED, &[&why.to_string(), STOP])
}

/// A call waits for a person.
pub fn parked(approval: &Approval) -> String {
    fill(words::PARKED_WITH_TOKEN, &[&approval.reason, &approval.fingerprint])
}

/// Nothing is forwarded any more.
pub fn stopped(stop: &Stop) -> String {
    if stop.ended {
        return fill(words::RUN_OVER, &[stop.code.name(), &stop.reason, STOP]);
    }
    fill(words::RUN_WAITS, &[stop.code.name(), &stop.reason, STOP])
}
