//! What a person was asked for, and which decisions answer it.

use super::halt::StopCause;
use super::handed::InputError;
use crate::record::input::Decision;
use crate::record::packet::Wanted;

/// What a person was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub halt: StopCause,
    /// The node is one where the user is asked, not one that hands over.
    pub user: bool,
}

impl Asked {
    /// Whether a decision answers what was asked.
    pub fn expects(&self, decision: &Decision) -> Result<(), InputError> {
        let refuse = |expected| Err(InputError::NotExpected { found: "that decision", expected });
        let waiting = self.halt.approval.as_ref();
        match (decision, waiting) {
            (Decision::Approved { fingerprint }, Some(approval)) if *fingerprint == approval.fingerprint => Ok(()),
            (Decision::ApprovedFor { fingerprint, standing }, Some(approval))
                if *fingerprint == approval.fingerprint && standing.is_of(approval) =>
            {
                Ok(())
            }
            (Decision::ApprovedFor { .. }, _) => {
                refuse("a rule that covers the call it shows, and no more than such rules may")
            }
            (Decision::Approved { .. }, Some(_)) => refuse("an approval of the fingerprint that it shows"),
            (Decision::Approved { .. }, None) => refuse("something else than an approval"),
            (Decision::Rejected { fingerprint: Some(fingerprint), .. }, Some(approval))
                if *fingerprint != approval.fingerprint =>
            {
                refuse("a rejection of the fingerprint that it shows")
            }
            (Decision::Accepted, _) if self.user => refuse("an answer"),
            (Decision::Answered { .. } | Decision::Resumed | Decision::Accepted, Some(_)) => {
                refuse("an approval or a rejection")
            }
            (Decision::Released { extra }, _) if extra.is_empty() => refuse("a release of some dimension"),
            (Decision::Released { .. }, _) if self.halt.wanted == Wanted::Resumption => {
                refuse("somebody above the run to make room, and then to let it go on")
            }
            _ => Ok(()),
        }
    }
}
