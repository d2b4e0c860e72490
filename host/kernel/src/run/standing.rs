//! Rules that people gave: what they answer, and what they never do.
//!
//! A rule answers whoever asks a person about a call that it covers. It never answers a denial, never a ceiling, never the
//! question whether a change of which nobody knows what became may be made again. One that covers more than the very call
//! does not answer a guard, which asks about what a call says.

use std::sync::Arc;

use super::Run;
use super::asked::Asked;
use super::handed::InputError;
use super::next::Next;
use super::proposals::Proposal;
use crate::record::event::Event;
use crate::record::standing::{CEILING, Covers, StandingApproval};

/// What is asked of a person about a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AsksBeside {
    /// The guard is among those who ask, or a secret goes along: a rule answers for that very call alone.
    pub only_the_same: bool,
    /// It repeats a change of which nobody knows whether it was made, or more in a row than may be.
    pub unknown: bool,
}

impl Run {
    /// UTC milliseconds of the last input, by the run's own record.
    fn utc(&self) -> u64 {
        self.manifest.started.saturating_add(self.at)
    }

    /// Rules that people gave and that hold now.
    pub fn standing(&self) -> impl Iterator<Item = &StandingApproval> {
        self.approvals.standing(self.utc())
    }

    /// Whether a rule covers a call, whoever asks about it.
    pub(super) fn is_covered(&self, proposal: &Proposal) -> bool {
        self.approvals.covering(proposal.approved_as(&self.manifest.tools), self.utc()).is_some()
    }

    /// A rule answers all who ask about a call; false where none does.
    pub(super) fn stands(&mut self, proposal: &Proposal, by: &[Arc<str>], reason: &str, asks: AsksBeside) -> bool {
        if asks.unknown || by.iter().any(|by| **by == *CEILING) {
            return false;
        }
        let call = proposal.approved_as(&self.manifest.tools);
        let covering = self.approvals.covering(call, self.utc());
        let covering = covering.filter(|rule| !asks.only_the_same || matches!(rule.covers, Covers::Same { .. }));
        let Some(id) = covering.map(|rule| Arc::clone(&rule.id)) else { return false };
        self.event(Event::StandingApplied { standing: id, by: by.to_vec(), reason: reason.to_owned() });
        true
    }

    /// A rule of another run may hold here too.
    pub(super) fn expects_standing(&self, standing: &StandingApproval) -> Result<(), InputError> {
        if standing.is_over(self.utc()) || !self.approvals.has_room_for(standing) {
            let expected = "a rule that holds still, that it does not have, and of which it has room for one more";
            return Err(InputError::NotExpected { found: "that rule", expected });
        }
        Ok(())
    }

    /// A rule is withdrawn.
    pub(super) fn expects_withdrawal(&self, id: &str) -> Result<(), InputError> {
        match self.approvals.knows_standing(id) {
            true => Ok(()),
            false => {
                Err(InputError::NotExpected { found: "that withdrawal", expected: "the name of a rule that it has" })
            }
        }
    }

    /// The very call that is approved together with a rule may be made once, whatever the rule covers.
    pub(super) fn grant_with(&mut self, fingerprint: &str, standing: &StandingApproval, given: u64) {
        let ends = standing.until.map(|until| until.saturating_sub(self.manifest.started));
        let until = self.worth_until(given);
        self.approvals.grant_with_rule(fingerprint, until, ends);
    }

    /// A rule holds from now on.
    pub(super) fn give_standing(&mut self, standing: StandingApproval, fingerprint: Option<&str>, by: &Arc<str>) {
        let now = self.utc();
        self.approvals.forget_over(now);
        self.event(Event::StandingGiven { standing: Box::new(standing.clone()), by: Arc::clone(by) });
        self.approvals.stand(standing, fingerprint);
        self.progress.person_spoke();
    }

    /// A rule holds no more.
    pub(super) fn withdraw_standing(&mut self, id: &str, by: &Arc<str>) -> Next {
        if self.approvals.end_standing(id) {
            self.event(Event::StandingWithdrawn { standing: id.into(), by: Arc::clone(by) });
        }
        Next::Wait
    }

    /// Where a person is waited for: a rule of another run that covers what waits answers it.
    pub(super) fn standing_answers(&self, asked: &Asked, standing: &StandingApproval) -> Result<(), InputError> {
        self.expects_standing(standing)?;
        let covers = asked.halt.approval.as_ref().is_some_and(|approval| {
            let ceiling = approval.asked_by.iter().any(|by| **by == *CEILING);
            !ceiling && standing.covers(&approval.tool, &approval.definition, &approval.arguments)
        });
        match covers {
            true => Ok(()),
            false => Err(InputError::NotExpected { found: "that rule", expected: "one that covers what waits" }),
        }
    }
}
