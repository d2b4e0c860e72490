//! Rules of approval that outlive a run: what the run is given is kept for later ones, and what is kept is given to it.

use countersign_kernel::{Decision, Event, Frame, Input, Report, StandingApproval};
use countersign_operate::{KeptApproval, KeptApprovals, utc_now};
use countersign_spec::Driver;

use super::{Session, SessionError};
use crate::signed;

impl Session {
    fn kept(&self) -> KeptApprovals {
        KeptApprovals::new(self.store.clone())
    }

    /// Keeps the rules of a durable frame that outlive the run.
    pub(super) fn keep_rules(&self, frame: &Frame) {
        let Input::Decided { decision, .. } = &frame.input else { return };
        if !matches!(decision.plain(), Decision::ApprovedFor { .. }) {
            return;
        }
        let manifest = self.run.manifest();
        for event in &frame.events {
            let Event::StandingGiven { standing, by } = event else { continue };
            if standing.until.is_none() {
                continue;
            }
            let kept = KeptApproval {
                standing: StandingApproval::clone(standing),
                by: by.to_string(),
                run: manifest.run.to_string(),
                agent: manifest.agent.to_string(),
                tenant: manifest.tenant.as_deref().map(str::to_owned),
                at: manifest.started.saturating_add(frame.at),
                signed: self.signed_entry.clone(),
                withdrawn_by: None,
            };
            if let Err(error) = self.kept().keep(&kept) {
                tracing::warn!(run = %manifest.run, rule = %standing.id, %error, "the rule holds in this run alone");
            }
        }
    }

    /// What is kept for the agent of the run, and may be believed.
    fn kept_rules(&self) -> Result<Vec<KeptApproval>, SessionError> {
        let manifest = self.run.manifest();
        let mut kept = self.kept().of(&manifest.agent, manifest.tenant.as_deref(), utc_now())?;
        kept.retain(|kept| kept.withdrawn_by.is_some() || signed::is_believed(kept, &manifest.approvers));
        Ok(kept)
    }

    /// Gives the run the rules that were given to earlier ones, and takes from it what was withdrawn since. Only where an
    /// agent drives.
    ///
    /// # Errors
    /// When a frame cannot be made durable, or the rules cannot be read.
    pub(super) fn follow_rules(&mut self) -> Result<(), SessionError> {
        if self.run.manifest().driver != Driver::Agent {
            return Ok(());
        }
        for kept in self.kept_rules()? {
            let id = kept.standing.id.clone();
            let has = self.run.standing().any(|standing| standing.id == id);
            let (entry, by, decision) = match (has, kept.withdrawn_by.clone()) {
                (true, Some(by)) => (format!("withdrawn-{id}"), by, Decision::Withdrawn { standing: id }),
                (false, None) => {
                    let decision = Decision::Standing { standing: Box::new(kept.standing.clone()) };
                    (
                        format!("rule-{id}"),
                        kept.by.clone(),
                        signed::shown(decision, &kept, &self.run.manifest().approvers),
                    )
                }
                _ => continue,
            };
            match self.decide(&entry, &by, decision) {
                // It waits for something else, or had that rule before: it goes on without.
                Ok(()) | Err(SessionError::Input(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A kept rule that answers what a suspended run waits for.
    pub(super) fn rule_for(&self, report: &Report) -> Option<Input> {
        let approval = report.approval.as_ref()?;
        let kept = match self.kept_rules() {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(run = %self.run.manifest().run, %error, "rules of approval cannot be read: a person is asked");
                return None;
            }
        };
        let covers = |kept: &&KeptApproval| {
            let standing = &kept.standing;
            kept.withdrawn_by.is_none() && standing.covers(&approval.tool, &approval.definition, &approval.arguments)
        };
        let kept = kept.iter().find(covers)?;
        let decision = Decision::Standing { standing: Box::new(kept.standing.clone()) };
        let input = Input::Decided {
            id: format!("rule-{}", kept.standing.id).as_str().into(),
            by: kept.by.as_str().into(),
            decision: signed::shown(decision, kept, &self.run.manifest().approvers),
            given: None,
        };
        self.run.expects(&input).is_ok().then_some(input)
    }
}
