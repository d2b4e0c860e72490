//! What an agent is told in place of, or beside, a tool's result. Texts for a model: short, and with
//! what to do next.

use std::path::Path;

use countersign::kernel::{Approval, Hold, Response, Stage};
use countersign::mcp::LeftOut;
use countersign::session::{Refusal, Stop, stop_here};

/// What an agent is told of the gateway when it connects.
pub const INSTRUCTIONS: &str = "Tool calls go through a gateway that may hold one back: its result then says why and \
what to do. A call that needs a person's approval is not lost: make the very same call again once it is approved. \
Call defer_to_human when a task needs a person, escalate_to_architect when something larger is wrong.";

/// The host took a call itself.
pub fn noted(text: &str) -> String {
    format!("Noted: {text}. Leave this task as it is and take the next one.")
}

/// A call was not forwarded.
pub fn refused(refusal: &Refusal) -> String {
    let reason = &refusal.reason;
    if let Some(stop) = refusal.stop() {
        return stop;
    }
    let next = match refusal.response {
        Response::Repair => "Mend the call, or do something else.",
        Response::Defer => "Try again later.",
        Response::Substitute => "Use the other means first.",
        Response::AskUser => "Ask your user.",
        _ => "Do something else; if the task cannot go on without it, call defer_to_human.",
    };
    format!("Not forwarded: {reason}. {next}")
}

/// Nothing is forwarded before the agent has reported.
pub fn held(hold: &Hold) -> String {
    refused(&Refusal { stage: Some(Stage::Threshold), response: Response::Block, reason: hold.reason.clone() })
}

/// A tool whose definition nobody has accepted, or that cannot be used.
pub fn left_out(out: &LeftOut) -> String {
    let (tool, reason) = (&out.tool, &out.reason);
    let next = if out.acceptable {
        format!(" An operator accepts it with `countersign mcp accept {tool}`.")
    } else {
        String::new()
    };
    format!("Not forwarded: `{tool}` {reason}.{next} Do something else.")
}

/// The agent is paused, something it needs is switched off, or another process stands in the way.
pub fn not_dispatched(refused: &dyn std::error::Error) -> String {
    format!("Not forwarded: {refused}. {}", stop_here())
}

/// A call waits for a person.
pub fn parked(run: &str, store: &Path, approval: &Approval) -> String {
    let (token, store) = (&approval.fingerprint, store.display());
    format!(
        "Not forwarded yet: a person must approve this call ({}). Token: {token}. Whoever may, approves it with \
         `countersign runs approve {run} {token} --store {store}`. Go on with something else; once it is approved, make exactly this \
         call again, with the very same arguments. It then runs once.",
        approval.reason
    )
}

/// Nothing is forwarded any more.
pub fn stopped(run: &str, store: &Path, stop: &Stop) -> String {
    let (code, reason, store) = (stop.code, &stop.reason, store.display());
    if stop.ended {
        return format!("Not forwarded: this run is over with {code} ({reason}). {}", stop_here());
    }
    format!(
        "Not forwarded: this run waits for a person, {code} ({reason}). {} Whoever may, lets it go on: \
         `countersign runs show {run} --store {store}`.",
        stop_here()
    )
}
