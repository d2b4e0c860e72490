//! The repair node: what failed may be mended a few times, then somebody else takes over
//! (specification D6).

use std::sync::Arc;

use super::halt::{Halt, Trouble};
use super::{Next, Run, cut};
use crate::contract::{Dimension, Verdict};
use crate::event::Event;
use crate::graph::Exit;

/// Why a step is to be repaired.
#[derive(Debug)]
pub(super) enum Mend {
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
    pub(super) fn repair(&mut self) -> Next {
        if let Some(next) = self.weigh_result() {
            return next;
        }
        let mend = self.mend.take().unwrap_or(Mend::Reconsider);
        if let Some(next) = self.loop_verdict() {
            return next;
        }
        let (reason, invalid, counted) = match mend {
            Mend::Failed(reason) => (reason, false, false),
            Mend::Invalid(reason) => (reason, true, false),
            // Counted where it was refused.
            Mend::Refused(reason) => (reason, false, true),
            Mend::Reconsider => return Next::Leave(Exit::Repairable),
        };
        if !counted {
            self.fail();
        }
        self.failures = self.failures.saturating_add(1);
        let failures = u64::from(self.failures);
        let most = self.view.budget(Dimension::Retries).limit.min(u64::from(self.manifest.rules.repairs));
        self.view_mut().budget.level(Dimension::Retries, failures);
        let attempts = self.manifest.escalation.failed_attempts.max(1);
        if (self.attempts.failed >= attempts || failures > most)
            && self.blocks("repairs", Verdict::Escalate, "failed too often")
        {
            let halt = self.failed_too_often();
            self.failures = 0;
            return self.leave(Exit::Exhausted, halt);
        }
        self.event(Event::Repairing { attempt: self.failures, reason: reason.clone() });
        if invalid && self.validation_reflections < self.manifest.rules.validation_reflections {
            self.validation_reflections += 1;
            self.reflect(reason);
        }
        Next::Leave(Exit::Repairable)
    }

    pub(super) fn failed_too_often(&self) -> Halt {
        let step = cut(self.attempts.step.as_deref().unwrap_or_default(), 64);
        let (of_step, in_a_row) = (self.attempts.failed, self.failures.max(self.refused));
        let reason = if of_step >= self.manifest.escalation.failed_attempts.max(1) {
            let times = if of_step == 1 { "once".to_owned() } else { format!("{of_step} times") };
            format!("step `{step}` failed {times}")
        } else {
            format!("failed {in_a_row} times in a row, at last at step `{step}`")
        };
        Halt::trouble(Trouble::RepeatedFailure, reason)
    }

    /// What the doom-loop slot said of the step at hand, where it calls for something.
    pub(super) fn loop_verdict(&mut self) -> Option<Next> {
        let watched = self.watched.take()?;
        let reason = format!("loop: {}", watched.reason);
        Some(match watched.verdict {
            Verdict::Proceed | Verdict::Log | Verdict::Notify => return None,
            Verdict::Terminate | Verdict::Deny => {
                self.polite_loop();
                self.leave(Exit::Hopeless, Halt::ended(crate::status::Code::RepeatedFailure, watched.reason))
            }
            Verdict::Ask => {
                self.polite_loop();
                self.leave(Exit::Stuck, Halt::review(watched.reason, crate::routing::RiskState::LowConfidence))
            }
            Verdict::Escalate => {
                self.signal(&reason);
                if self.stronger_tier().is_none() || self.escalations >= self.max_escalations {
                    self.polite_loop();
                }
                self.leave(Exit::Stuck, Halt::trouble(Trouble::Loop, reason))
            }
            Verdict::Replan => {
                self.signal(&reason);
                if self.agent_drives() {
                    self.trip(watched.reason);
                } else {
                    self.replan(watched.reason);
                }
                Next::Leave(Exit::Looping)
            }
        })
    }

    /// The model asks for reflection by itself.
    pub(super) fn asked_to_reflect(&mut self, about: &Arc<str>) -> Next {
        let refused = if !self.may_decide(crate::boundary::DecisionRight::Reflect) {
            Some("the boundary does not let the model reflect by itself")
        } else if self.manifest.rules.diagnosed_reflection {
            Some("nothing has failed that calls for it")
        } else if !self.reflect(about.to_string()) {
            Some("its passes are used up")
        } else {
            None
        };
        if let Some(reason) = refused {
            self.event(Event::ReflectionRefused { reason: reason.to_owned() });
            self.exchange("reflect", &format!("Not done: {reason}. Act, or finish."));
            self.fail();
        }
        Next::Leave(Exit::Idle)
    }
}
