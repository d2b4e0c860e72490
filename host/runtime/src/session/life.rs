//! How a run begins, is taken up again, is left, and is given up. Nothing else does any of it.

use std::sync::Arc;

use countersign_kernel::{Cause, Code, Driver, Effect, Frame, Input, Manifest, Run, Slot, Status};
use countersign_store::{Diagnostics, Store};

use super::calls::Calls;
use super::clock::Running;
use super::{ModelAnswer, Session, SessionError, Setup, Silent, Vault};
use crate::host::{Host, Judges};
use crate::redact::Salt;
use crate::registry::Registry;
use crate::scenario::utc_now;

/// Most inputs by which a run that broke off comes to where it can be ended.
const MOST_LOST: u32 = 8;

impl Session {
    /// Begins a run. Where an agent drives, it waits for the first proposal; where the host does, [`Session::drive`] has
    /// it started.
    ///
    /// # Errors
    /// A manifest that makes no sense or is pinned to another bundle than the host's, a paused agent, a machine that
    /// gives no more instances, a store that takes nothing.
    pub fn begin(host: &Host, manifest: Manifest, setup: Setup) -> Result<Self, SessionError> {
        let mut session = Session::open(host, Arc::new(manifest), setup)?;
        let manifest = Arc::clone(session.run.manifest());
        session.operations.dispatch(&manifest, manifest.started)?;
        if manifest.driver == Driver::Agent {
            session.step(Input::Started)?;
        }
        Ok(session)
    }

    /// Takes a run up again from its manifest and frames, and goes on in `setup.store`. `past` is told what was asked
    /// for and answered, with the exact arguments where a tool was called: a script is caught up by it, and says again
    /// what it said. What the run was doing when its host
    /// was lost counts as a call of which nobody knows what became.
    ///
    /// # Errors
    /// As [`Session::begin`], and frames that do not fold.
    pub fn take_up(
        host: &Host,
        manifest: Manifest,
        frames: &[Frame],
        setup: Setup,
        past: &mut dyn FnMut(&Effect, &str) -> Option<ModelAnswer>,
    ) -> Result<Self, SessionError> {
        let mut session = Session::open(host, Arc::new(manifest), setup)?;
        let mut effects = Vec::new();
        for frame in frames {
            effects.iter().for_each(|effect| session.caught_up(effect, past));
            effects = session.run.fold(frame).map_err(|error| SessionError::Fold(error.to_string()))?;
            session.calls.follow(&session.run, frame);
        }
        // What the last frame asked for was not answered where the driver was lost.
        if session.run.lost().is_none() {
            effects.iter().for_each(|effect| session.caught_up(effect, past));
        }
        let manifest = Arc::clone(session.run.manifest());
        let now = utc_now();
        // Its own time goes on with that of people.
        session.clock.before = now.saturating_sub(manifest.started).max(session.run.at());
        // A paused agent does nothing more, approved or not.
        session.operations.dispatch(&manifest, now)?;
        session.judges.take_up();
        session.calls.would_have.clear();
        if manifest.driver == Driver::Agent
            && let Some(lost) = session.run.lost()
        {
            session.step(lost)?;
        }
        Ok(session)
    }

    fn caught_up(&mut self, effect: &Effect, past: &mut dyn FnMut(&Effect, &str) -> Option<ModelAnswer>) {
        let exact = match effect {
            Effect::Dispatch { arguments, payload, .. } => {
                self.vault.exact(arguments, payload.as_ref(), &self.salt).unwrap_or_else(|_| Arc::clone(arguments))
            }
            _ => "".into(),
        };
        if let Some(answer) = past(effect, &exact) {
            self.hold(&answer);
        }
    }

    /// A run of a recording, judged for these slots: nothing is called, the shadow policies judge with each frame.
    pub(crate) fn recorded(
        host: &Host,
        manifest: Arc<Manifest>,
        store: Box<dyn Store + Send>,
        salt: Salt,
        slots: &[Slot],
    ) -> Result<Self, SessionError> {
        let mut session = Session::open(host, manifest, Setup::new(Registry::default(), store, salt))?;
        session.judges.shadow().only(slots);
        session.judges.shadow().in_step();
        Ok(session)
    }

    fn open(host: &Host, manifest: Arc<Manifest>, setup: Setup) -> Result<Self, SessionError> {
        // Entries are found by their names: another bundle's would judge, and their digests be recorded wrongly.
        let found = host.bundle().digest().as_str();
        if manifest.lock != *found {
            return Err(SessionError::Bundle { pinned: Arc::clone(&manifest.lock), found: Arc::clone(found) });
        }
        let run = Run::open(manifest)?;
        let mut judges = host.open(&run)?;
        if run.manifest().driver == Driver::Agent {
            judges.shadow().only(&super::SLOTS);
        }
        Ok(Session::of(run, judges, setup))
    }

    fn of(run: Run, judges: Judges, setup: Setup) -> Self {
        let Setup { registry, store, operations, salt, clock, observer } = setup;
        Session {
            diagnostics: store.path().map(Diagnostics::beside),
            run,
            judges,
            log: store,
            registry,
            operations,
            salt,
            clock: Running::new(clock),
            vault: Vault::default(),
            observer,
            calls: Calls::default(),
            broken: false,
        }
    }

    /// Ends a run whose bundle is gone: nobody can take it up, and it is not to stay open for good. What it would still
    /// be asked is `undecided(environment)`, and no other policy answers in its place. `code` says from the folded run
    /// what it ends with.
    ///
    /// # Errors
    /// Frames that do not fold, or a store that takes nothing.
    pub fn abandon(
        manifest: Manifest,
        frames: &[Frame],
        store: Box<dyn Store + Send>,
        salt: Salt,
        code: impl FnOnce(&Run) -> Code,
    ) -> Result<Status, SessionError> {
        let started = manifest.started;
        let mut run = Run::open(manifest.into())?;
        for frame in frames {
            run.fold(frame).map_err(|error| SessionError::Fold(error.to_string()))?;
        }
        let at = utc_now().saturating_sub(started).max(run.at());
        let judges = Judges::absent(Cause::Environment);
        let mut session = Session::of(run, judges, Setup::new(Registry::default(), store, salt));
        for _ in 0..MOST_LOST {
            let Some(lost) = session.run.lost() else { break };
            session.take(at, lost, &mut Silent)?;
        }
        if !matches!(session.run.status(), Status::Ended(_)) {
            let code = code(&session.run);
            session.take(at, Input::Closed { code }, &mut Silent)?;
        }
        session.leave()
    }

    /// Whoever drives it may come back: the trace is put in its place, and the run can be taken up again.
    ///
    /// # Errors
    /// When it cannot be put in its place.
    pub fn leave(mut self) -> Result<Status, SessionError> {
        self.put_away()
    }

    /// The same for a session that is still looked at.
    pub(crate) fn put_away(&mut self) -> Result<Status, SessionError> {
        self.log.finish()?;
        self.judges.shadow().finish();
        Ok(self.run.status())
    }
}
