use countersign_kernel::{Decision, Input, Status};
use countersign_store::{Entry, EntryError, Inbox, Offer};

use super::{Session, SessionError, World};
use super::Observer;

/// What became of the entries of an inbox.
#[derive(Debug, Default)]
pub struct Taken {
    /// Ids of those that are frames of the run now.
    pub taken: Vec<String>,
    /// Ids of those that the run did not expect, and why.
    pub refused: Vec<(String, String)>,
}

impl Session {
    /// Takes what people have put into the run's inbox, where an agent drives. The agent is not among them.
    ///
    /// # Errors
    /// When a frame cannot be made durable, or the inbox cannot be read.
    pub fn take_inbox(&mut self, inbox: &Inbox) -> Result<Taken, SessionError> {
        let mut found = Taken::default();
        loop {
            let entries = inbox.by_caution().map_err(unreadable)?;
            let Some(Entry { id, by, wants, .. }) = entries.into_iter().next() else { return Ok(found) };
            let decided = match wants {
                Offer::Decide(decision) => self.decide(&id, &by, decision),
                Offer::Cancel => self.cancel(),
            };
            match decided {
                Ok(()) => found.taken.push(id.clone()),
                Err(SessionError::Input(error)) => found.refused.push((id.clone(), error.to_string())),
                Err(error) => return Err(error),
            }
            inbox.take(&id).map_err(unreadable)?;
        }
    }

    /// Drives a run that was taken up as far as its inbox leads. Without an entry it stays as it is, unless what it
    /// waits for has run out, or whoever drove it was lost on the way.
    ///
    /// # Errors
    /// As [`Session::drive`], and an inbox that cannot be read.
    pub fn drive_inbox(
        &mut self,
        inbox: &Inbox,
        world: &mut dyn World,
        watch: &mut dyn Observer,
    ) -> Result<Taken, SessionError> {
        let mut found = Taken::default();
        while !matches!(self.run.status(), Status::Ended(_)) {
            let now = world.now();
            let expired = self.run.awaits().is_some_and(|approval| now > approval.expires);
            let waiting = inbox.by_caution().map_err(unreadable)?.into_iter().next();
            // A run that is under way takes no decisions, but it can be cancelled.
            let waiting = waiting.filter(|entry| self.run.lost().is_none() || entry.wants == Offer::Cancel);
            let (id, input) = match (waiting, expired) {
                (Some(Entry { id, by, wants, .. }), _) => {
                    let input = match wants {
                        Offer::Decide(decision) => {
                            Input::Decided { id: id.as_str().into(), by: by.as_str().into(), decision }
                        }
                        Offer::Cancel => Input::Cancelled,
                    };
                    (Some(id), input)
                }
                (None, true) => {
                    let id = format!("expiry-{}", self.run.frames()).as_str().into();
                    (None, Input::Decided { id, by: "clock".into(), decision: Decision::Expired })
                }
                // Whoever drove it was lost: that is an input like any other, and nothing is done again.
                (None, false) => match self.run.lost() {
                    Some(input) => (None, input),
                    None => break,
                },
            };
            if let Err(error) = self.run.expects(&input) {
                // It stays in the record of the inbox; the run never saw it.
                let Some(id) = id else { break };
                inbox.take(&id).map_err(unreadable)?;
                found.refused.push((id, error.to_string()));
                continue;
            }
            self.drive(input, world, watch)?;
            if let Some(id) = id {
                inbox.take(&id).map_err(unreadable)?;
                found.taken.push(id);
            }
        }
        Ok(found)
    }
}

fn unreadable(error: EntryError) -> SessionError {
    SessionError::Inbox(error.to_string())
}
