//! What an agent is told. Texts for a model: short, and with what to do next.

use countersign_kernel::Stage;

use super::{CallDecision, Refusal, Standing, Stop};
use countersign_models::words::{self, REPORT, STOP, fill};

impl CallDecision {
    /// What the agent is told in place of a result where its call is not made; none with a permit.
    pub fn told(&self) -> Option<String> {
        Some(match self {
            CallDecision::Permitted(_) => return None,
            CallDecision::Parked(approval) => fill(words::PARKED, &[&approval.reason]),
            CallDecision::Refused(refusal) => {
                refusal.stop().unwrap_or_else(|| fill(words::REFUSED, &[&refusal.reason]))
            }
            CallDecision::Noted(text) => text.clone(),
            CallDecision::Stopped(stop) => fill(words::STOPPED, &[&stop.reason, stop.code.name()]),
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
            return Some(fill(words::REFUSED_BY_HOLD, &[reason, STOP, REPORT]));
        }
        self.is_loop().then(|| fill(words::REFUSED_AS_LOOP, &[reason, STOP]))
    }
}

impl Standing {
    /// What the agent is told in place of a call's result, where the run takes no proposals any more:
    /// nobody has let it pass.
    pub fn instead(&self) -> Option<String> {
        let Stop { code, ended, reason, .. } = self.stop.as_ref()?;
        let template = if *ended { words::OVER_INSTEAD } else { words::WAITS_INSTEAD };
        Some(fill(template, &[code.name(), reason, STOP]))
    }

    /// What the agent is told beside a call's result; none where there is nothing to say.
    pub fn told(&self) -> Option<String> {
        if let Some(hold) = &self.hold {
            return Some(fill(words::HELD, &[&hold.reason, STOP, REPORT]));
        }
        let reason = self.notice.as_ref()?;
        Some(fill(words::GETS_NOWHERE, &[reason, STOP]))
    }
}
