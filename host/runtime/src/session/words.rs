//! What an agent is told. Texts for a model: short, and with what to do next.

use countersign_kernel::Stage;

use super::{CallDecision, Refusal, Standing, Stop};

/// What becomes of an agent whose next call is not worth it (specification C4).
const STOP: &str = "Stop here: report to your user what you found out and what is in the way, and take the next task.";
/// How an agent that was told to stop may go on.
const REPORT: &str = "Nothing is forwarded before you have reported: call defer_to_human with your diagnosis as its \
reason; after that the next task can begin.";

impl CallDecision {
    /// What the agent is told in place of a result where its call is not made; none with a permit.
    pub fn told(&self) -> Option<String> {
        Some(match self {
            CallDecision::Permitted(_) => return None,
            CallDecision::Parked(approval) => format!("Not forwarded yet: {}", approval.reason),
            CallDecision::Refused(refusal) => {
                refusal.stop().unwrap_or_else(|| format!("Not forwarded: {}", refusal.reason))
            }
            CallDecision::Noted(text) => text.clone(),
            CallDecision::Stopped(stop) => format!("Not forwarded: {} ({})", stop.reason, stop.code),
        })
    }
}

impl Refusal {
    /// Whether the agent goes in circles: it should stop, say what is wrong, and take the next task
    /// (specification C4).
    pub fn is_loop(&self) -> bool {
        self.stage == Some(Stage::Repetition)
    }

    /// Whether nothing at all is forwarded before the agent has reported: the next action is not worth
    /// it (specification C4).
    pub fn is_hold(&self) -> bool {
        self.stage == Some(Stage::Threshold)
    }

    /// What the agent is told where it is to stop, in place of the call's result; none where only this
    /// call was refused.
    pub fn stop(&self) -> Option<String> {
        let reason = &self.reason;
        if self.is_hold() {
            return Some(format!("Not forwarded: {reason}. {STOP} {REPORT}"));
        }
        self.is_loop()
            .then(|| format!("Not forwarded: this call gets nowhere ({reason}). {STOP} Do not make this call again."))
    }
}

impl Standing {
    /// What the agent is told in place of a call's result, where the run takes no proposals any more:
    /// nobody has let it pass.
    pub fn instead(&self) -> Option<String> {
        let Stop { code, ended, reason, .. } = self.stop.as_ref()?;
        let state = if *ended { "is over with" } else { "waits for a person," };
        Some(format!("The call was made; its result is not shown: this run {state} {code} ({reason}). {STOP}"))
    }

    /// What the agent is told beside a call's result; none where there is nothing to say.
    pub fn told(&self) -> Option<String> {
        if let Some(hold) = &self.hold {
            return Some(format!("The next action is not worth it ({}). {STOP} {REPORT}", hold.reason));
        }
        let reason = self.notice.as_ref()?;
        Some(format!("This gets nowhere: {reason}. {STOP} The same call will not be forwarded again."))
    }
}

/// The same words for whoever refuses an agent's calls for reasons of its own.
pub fn stop_here() -> &'static str {
    STOP
}
