//! The repair node: what failed may be mended a few times, then somebody else takes over
//! (specification D6).

use std::sync::Arc;

use countersign_spec::graph::Exit;

use super::Run;
use super::bounded::cut;
use super::consequence::{Asked, Consequence};
use super::halt::{EscalationCause, RepairCause, StopCause};
use super::next::Next;
use crate::contract::{Dimension, Verdict};
use crate::record::event::Event;
use crate::record::told::{CameOf, Did};

impl Run {
    pub(super) fn repair(&mut self) -> Next {
        if let Some(next) = self.weigh_result() {
            return next;
        }
        let mend = self.proposals.take_repair().unwrap_or(RepairCause::Reconsider);
        if let Some(next) = self.loop_verdict() {
            return next;
        }
        let (reason, invalid, counted) = match mend {
            RepairCause::Failed(reason) => (reason, false, false),
            RepairCause::Invalid(reason) => (reason, true, false),
            // Counted where it was refused.
            RepairCause::Refused(reason) => (reason, false, true),
            RepairCause::Reconsider => return Next::Leave(Exit::Repairable),
        };
        if !counted {
            self.progress.fail();
        }
        let attempt = self.progress.failed_again();
        let failures = u64::from(attempt);
        let most = self.view.budget(Dimension::Retries).limit.min(u64::from(self.manifest.rules.repairs));
        self.view_mut().level(Dimension::Retries, failures);
        let attempts = self.manifest.escalation.failed_attempts.max(1);
        if (self.progress.failed_attempts() >= attempts || failures > most)
            && self.blocks("repairs", Verdict::Escalate, "failed too often")
        {
            let halt = self.failed_too_often();
            self.progress.forget_failures();
            return self.leave(Exit::Exhausted, halt);
        }
        self.event(Event::Repairing { attempt, reason: reason.clone() });
        if invalid && self.progress.may_reflect(self.manifest.rules.validation_reflections) {
            self.reflect(reason);
        }
        Next::Leave(Exit::Repairable)
    }

    pub(super) fn failed_too_often(&self) -> StopCause {
        let step = cut(self.progress.step().unwrap_or_default(), 64);
        let (of_step, in_a_row) =
            (self.progress.failed_attempts(), self.progress.failures().max(self.progress.refused()));
        let reason = if of_step >= self.manifest.escalation.failed_attempts.max(1) {
            let times = if of_step == 1 { "once".to_owned() } else { format!("{of_step} times") };
            format!("step `{step}` failed {times}")
        } else {
            format!("failed {in_a_row} times in a row, at last at step `{step}`")
        };
        StopCause::escalation(EscalationCause::RepeatedFailure, reason)
    }

    /// What the doom-loop slot said of the step at hand, where it calls for something.
    pub(super) fn loop_verdict(&mut self) -> Option<Next> {
        let watched = self.progress.take_watched()?;
        let reason = format!("loop: {}", watched.reason);
        Some(match self.consequence(Asked::Step, watched.verdict) {
            Consequence::GoOn | Consequence::Recorded => return None,
            Consequence::End => {
                self.polite_loop();
                self.leave(
                    Exit::Hopeless,
                    StopCause::ended(crate::record::status::Code::RepeatedFailure, watched.reason),
                )
            }
            Consequence::StrongerModel => {
                self.context.signal(&reason);
                if self.stronger_tier().is_none() || !self.models.may_escalate() {
                    self.polite_loop();
                }
                self.leave(Exit::Stuck, StopCause::escalation(EscalationCause::Loop, reason))
            }
            Consequence::BlockCall => {
                self.context.signal(&reason);
                self.trip(watched.reason);
                Next::Leave(Exit::Looping)
            }
            Consequence::Replan => {
                self.context.signal(&reason);
                self.replan(watched.reason);
                Next::Leave(Exit::Looping)
            }
            _ => {
                self.polite_loop();
                self.leave(
                    Exit::Stuck,
                    StopCause::review(watched.reason, countersign_spec::routing::RiskState::LowConfidence),
                )
            }
        })
    }

    /// The model asks for reflection by itself.
    pub(super) fn asked_to_reflect(&mut self, about: &Arc<str>) -> Next {
        let refused = if !self.may_decide(countersign_spec::boundary::DecisionRight::Reflect) {
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
            self.exchange(Did::Reflected, CameOf::NoReflection { reason: reason.into() });
            self.progress.fail();
        }
        Next::Leave(Exit::Idle)
    }
}
