use countersign_kernel::{Decision, Input, Status};
use countersign_store::{Entry, InboxError, Offer, Taken, by_caution};

use super::{Observer, Session, SessionError, World};

/// What became of the entries of an inbox.
#[derive(Debug, Default)]
pub struct Decided {
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
    pub fn take_inbox(&mut self) -> Result<Decided, SessionError> {
        let mut found = Decided::default();
        loop {
            let Some(entry) = self.waiting()? else { break };
            if entry.wants == Offer::Cancel && self.cancels_with_open_calls()? {
                // Taken once what is under way has come back.
                return Ok(found);
            }
            let decided = match self.heard(&entry) {
                Ok(Some(decision)) => {
                    self.signed_entry = serde_json::to_string(&entry).ok().filter(|_| decision.key().is_some());
                    let decided = self.decide_given(&entry, decision);
                    self.signed_entry = None;
                    decided
                }
                Ok(None) => self.cancel(),
                Err(why) => {
                    self.refused(entry.id, why, &mut found)?;
                    continue;
                }
            };
            match decided {
                Ok(()) => self.taken(entry.id, &mut found)?,
                Err(SessionError::Input(error)) => self.refused(entry.id, error.to_string(), &mut found)?,
                Err(error) => return Err(error),
            }
        }
        self.follow_rules()?;
        Ok(found)
    }

    /// The decision of an entry, where whoever made it may; none where it cancels the run.
    ///
    /// # Errors
    /// Why it is not taken.
    fn heard(&self, entry: &Entry) -> Result<Option<Decision>, String> {
        let manifest = self.run.manifest();
        countersign_operate::heard(&manifest.run, entry, &manifest.approvers).map_err(|error| error.to_string())
    }

    /// Drives a run that was taken up as far as its inbox leads. Without an entry it stays as it is, unless what it
    /// waits for has run out, or whoever drove it was lost on the way.
    ///
    /// # Errors
    /// As [`Session::drive`], and an inbox that cannot be read.
    pub fn drive_inbox(&mut self, world: &mut dyn World, watch: &mut dyn Observer) -> Result<Decided, SessionError> {
        let mut found = Decided::default();
        while !matches!(self.run.status(), Status::Ended(_)) {
            let now = world.now();
            let expired = self.run.awaits().is_some_and(|approval| now > approval.expires);
            let waiting = self.waiting()?;
            // A run that is under way takes no decisions, but it can be cancelled.
            let waiting = waiting.filter(|entry| self.run.lost().is_none() || entry.wants == Offer::Cancel);
            self.signed_entry = None;
            let (id, input) = match (waiting, expired) {
                (Some(entry), _) => {
                    let input = match self.heard(&entry) {
                        Ok(Some(decision)) => {
                            self.signed_entry = serde_json::to_string(&entry).ok().filter(|_| decision.key().is_some());
                            self.decided(&entry, decision, now)
                        }
                        Ok(None) => Input::Cancelled,
                        Err(why) => {
                            self.refused(entry.id, why, &mut found)?;
                            continue;
                        }
                    };
                    (Some(entry.id), input)
                }
                (None, true) => {
                    let id = format!("expiry-{}", self.run.frames()).as_str().into();
                    (None, Input::Decided { id, by: "clock".into(), decision: Decision::Expired, given: None })
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
                self.refused(id, error.to_string(), &mut found)?;
                continue;
            }
            self.drive(input, world, watch)?;
            if let Some(id) = id {
                self.taken(id, &mut found)?;
            }
        }
        Ok(found)
    }

    /// What an entry decides, as an input of this moment. Whether it came in time is a matter of when it was written, by
    /// the clock of whoever wrote it; what that clock says of the future is not believed.
    pub(super) fn decided(&self, entry: &Entry, decision: Decision, now: u64) -> Input {
        let written = entry.at.saturating_sub(self.run.manifest().started);
        let given = Some(written).filter(|written| *written < now);
        Input::Decided { id: entry.id.as_str().into(), by: entry.by.as_str().into(), decision, given }
    }

    /// The next entry: whoever holds the run back comes first.
    fn waiting(&self) -> Result<Option<Entry>, SessionError> {
        let mut entries = self.store.waiting(&self.run.manifest().run)?;
        by_caution(&mut entries);
        Ok(entries.into_iter().next())
    }

    /// Id of an entry that cancels the run.
    pub(super) fn cancel_waiting(&self) -> Result<Option<String>, SessionError> {
        let entries = self.store.waiting(&self.run.manifest().run)?;
        Ok(entries.into_iter().find(|entry| entry.wants == Offer::Cancel).map(|entry| entry.id))
    }

    /// An entry is the run's last frame now.
    pub(super) fn entry_taken(&self, id: &str) -> Result<(), SessionError> {
        let frame = self.run.frames().saturating_sub(1);
        match self.store.take(&self.run.manifest().run, id, &Taken::Frame(frame)) {
            // Somebody took it back in this very moment: too late, the run has heard of it.
            Ok(()) | Err(InboxError::NotWaiting { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn taken(&self, id: String, found: &mut Decided) -> Result<(), SessionError> {
        self.entry_taken(&id)?;
        found.taken.push(id);
        Ok(())
    }

    fn refused(&self, id: String, why: String, found: &mut Decided) -> Result<(), SessionError> {
        self.store.take(&self.run.manifest().run, &id, &Taken::Refused(why.clone()))?;
        found.refused.push((id, why));
        Ok(())
    }
}
