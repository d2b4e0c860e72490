//! How a run begins, is taken up again, is left, and is given up. Nothing else does any of it.

use std::sync::Arc;

use countersign_kernel::{Cause, Code, Effect, Input, Run, Slot, Status};
use countersign_operate::utc_now;
use countersign_spec::{Driver, Manifest};
use countersign_store::{Durability, SharedStore};
use countersign_tools::marks::Marks;
use countersign_tools::parts::Parts;
use countersign_tools::redact::Salt;
use countersign_tools::registry::Registry;

use super::calls::Calls;
use super::clock::Running;
use super::record::{Past, Record};
use super::{ModelAnswer, Observer, Session, SessionError, Setup, Silent, TakeUpError, TakenUp, Vault};
use crate::host::{Host, Judges};

/// Most inputs by which a run that broke off comes to where it can be gone on with or ended: an observation and a
/// verification for each call that may be open at once, and some more.
const MOST_LOST: u32 = 136;

impl Session {
    /// Begins a run. Where an agent drives, it waits for the first proposal; where the host does, [`Session::drive`] has
    /// it started.
    ///
    /// # Errors
    /// A manifest that makes no sense or is pinned to another bundle than the host's, a paused agent, a machine that
    /// gives no more instances or random bytes, a store that takes nothing. Nothing is kept of the run then.
    pub fn begin(host: &Host, store: &SharedStore, manifest: Manifest, setup: Setup) -> Result<Self, SessionError> {
        let manifest = Arc::new(manifest);
        let (run, judges) = open(host, &manifest)?;
        let Setup { mut operations, salt, principal, durability, trace, .. } = setup;
        operations.dispatch(&manifest, manifest.started)?;
        let salt = match salt {
            Some(salt) => salt,
            None => Salt::random().map_err(|source| SessionError::Random { source })?,
        };
        let record = Record::begin(store, &manifest, principal.as_deref(), &salt, durability, trace.as_deref())?;
        let setup = Setup { operations, salt: Some(salt), principal, durability, trace, ..setup };
        let mut session = Session::of(run, judges, Arc::clone(store), record, salt, setup);
        if manifest.driver == Driver::Agent {
            session.step(Input::Started)?;
        }
        Ok(session)
    }

    /// A run of a recording, judged for these slots: nothing is called, the shadow policies judge with each frame.
    ///
    /// # Errors
    /// As [`Session::begin`].
    pub fn recorded(
        host: &Host,
        store: &SharedStore,
        manifest: Manifest,
        salt: Salt,
        slots: &[Slot],
    ) -> Result<Self, SessionError> {
        let setup = Setup { salt: Some(salt), durability: Durability::Buffered, ..Setup::new(Registry::default()) };
        let mut session = Session::begin(host, store, manifest, setup)?;
        session.judges.shadow().only(slots);
        session.judges.shadow().in_step();
        Ok(session)
    }

    /// Takes what the recording says happened at this moment of its time; nothing that it leads to is done.
    ///
    /// # Errors
    /// An input that the run does not expect, which changes nothing. After any other error the session is broken.
    pub fn take_recorded(&mut self, at: u64, input: Input, watch: &mut dyn Observer) -> Result<(), SessionError> {
        self.take(at, input, watch).map(drop)
    }

    fn of(run: Run, mut judges: Judges, store: SharedStore, record: Record, salt: Salt, setup: Setup) -> Self {
        let Setup { registry, operations, clock, observer, keep_secrets, shadow, .. } = setup;
        if !shadow {
            judges.shadow().off();
        }
        Session {
            run,
            judges,
            store,
            record,
            registry,
            operations,
            salt,
            clock: Running::new(clock),
            taken_up: None,
            vault: Vault::default(),
            marks: Marks::default(),
            parts: Parts::default(),
            keep_secrets,
            secrets_kept: false,
            observer,
            signed_entry: None,
            calls: Calls::default(),
            broken: false,
        }
    }

    fn caught_up(&mut self, effect: &Effect, past: &mut dyn FnMut(&Effect, &str) -> Option<ModelAnswer>) {
        let exact = match effect {
            Effect::Dispatch { arguments, payload, .. } => {
                self.exact(arguments, payload.as_ref()).unwrap_or_else(|_| Arc::clone(arguments))
            }
            _ => "".into(),
        };
        if let Some(answer) = past(effect, &exact) {
            self.hold_for(&answer);
        }
    }

    /// Whoever drives it may come back, in this process or another: the run is given back to its store.
    ///
    /// # Errors
    /// When what was recorded cannot be made safe.
    pub fn leave(mut self) -> Result<Status, SessionError> {
        self.put_away()
    }

    /// The same for a session that is still looked at.
    ///
    /// # Errors
    /// As [`Session::leave`].
    pub fn put_away(&mut self) -> Result<Status, SessionError> {
        self.record.release()?;
        self.judges.shadow().finish();
        Ok(self.run.status())
    }
}

/// Policies for a run of this host's bundle.
fn open(host: &Host, manifest: &Arc<Manifest>) -> Result<(Run, Judges), SessionError> {
    // Entries are found by their names: another bundle's would judge, and their digests be recorded wrongly.
    let found = host.bundle().digest().as_str();
    if manifest.lock != *found {
        return Err(SessionError::Bundle { pinned: Arc::clone(&manifest.lock), found: Arc::clone(found) });
    }
    let run = Run::open(Arc::clone(manifest))?;
    let mut judges = host.open(&run)?;
    if manifest.driver == Driver::Agent {
        judges.shadow().only(&super::slots().collect::<Vec<_>>());
    }
    Ok((run, judges))
}

/// A run that this process holds and nobody drives yet. Dropping it gives it back as it was.
#[derive(Debug)]
pub struct Held {
    store: SharedStore,
    record: Record,
    past: Past,
    salt: Salt,
}

impl Held {
    /// Takes a run from its store: from nobody, or from a process that is gone.
    ///
    /// # Errors
    /// A run that is not there, is over or is held by another process, or a record that is not what was written.
    pub fn open(store: &SharedStore, run: &str, durability: Durability) -> Result<Self, TakeUpError> {
        let (record, past, salt) = Record::open(store, run, durability)?;
        Ok(Held { store: Arc::clone(store), record, past, salt })
    }

    /// What was recorded of it.
    pub fn past(&self) -> &Past {
        &self.past
    }

    /// What its redaction marks are salted with.
    pub fn salt(&self) -> Salt {
        self.salt
    }

    /// Goes on with it. What it was doing when its host was lost counts as a call of which nobody knows what became.
    ///
    /// # Errors
    /// As [`Session::begin`], and a record that does not fold.
    pub fn resume(self, host: &Host, setup: Setup) -> Result<Session, SessionError> {
        self.resume_with(host, setup, &mut |_, _| None)
    }

    /// The same. `past` is told what was asked for and answered, with the exact arguments where a tool was called: a
    /// script is caught up by it, and says again what it said.
    ///
    /// # Errors
    /// As [`Held::resume`].
    pub fn resume_with(
        self,
        host: &Host,
        setup: Setup,
        past: &mut dyn FnMut(&Effect, &str) -> Option<ModelAnswer>,
    ) -> Result<Session, SessionError> {
        let Held { store, record, past: Past { manifest, frames }, salt } = self;
        let manifest = Arc::new(manifest);
        let (run, judges) = open(host, &manifest)?;
        let mut session = Session::of(run, judges, store, record, salt, setup);
        let mut effects = Vec::new();
        let mut judged = &manifest.engine;
        for frame in &frames {
            if let Input::TakenUp { engine } = &frame.input {
                judged = engine.as_ref().unwrap_or(judged);
                // What the frame before asked for is asked for still.
                session.run.fold(frame).map_err(|error| SessionError::Fold(error.to_string()))?;
                continue;
            }
            effects.iter().for_each(|effect| session.caught_up(effect, past));
            effects = session.run.fold(frame).map_err(|error| SessionError::Fold(error.to_string()))?.effects;
            session.calls.recall(&session.run, frame);
        }
        // What the last frame asked for was not answered where the driver was lost.
        if session.run.lost().is_none() {
            effects.iter().for_each(|effect| session.caught_up(effect, past));
        }
        let now = utc_now();
        // Its own time goes on with that of people.
        session.clock.before = now.saturating_sub(manifest.started).max(session.run.at());
        let engine = Some(host.engine().fingerprint()).filter(|engine| *engine != judged).cloned();
        if let Some(engine) = &engine {
            tracing::warn!(run = %manifest.run, engine = %engine, before = %judged, "another engine judges the run from here on");
        }
        session.marks.has_past();
        session.taken_up = Some(TakenUp { at: session.now(), engine });
        // A paused agent does nothing more, approved or not.
        session.operations.dispatch(&manifest, now)?;
        session.judges.take_up();
        // An earlier process may have kept some.
        session.secrets_kept = true;
        if manifest.driver == Driver::Agent {
            for _ in 0..MOST_LOST {
                let Some(lost) = session.run.lost() else { break };
                session.step(lost)?;
            }
        }
        Ok(session)
    }

    /// Ends a run whose bundle is gone: nobody can take it up, and it is not to stay open for good. What it would still
    /// be asked is `undecided(environment)`, and no other policy answers in its place. `code` says from the folded run
    /// what it ends with.
    ///
    /// # Errors
    /// A record that does not fold, or a store that takes nothing.
    pub fn abandon(self, code: impl FnOnce(&Run) -> Code) -> Result<Status, SessionError> {
        let Held { store, record, past: Past { manifest, frames }, salt } = self;
        let started = manifest.started;
        let mut run = Run::open(manifest.into())?;
        for frame in &frames {
            run.fold(frame).map_err(|error| SessionError::Fold(error.to_string()))?;
        }
        let at = utc_now().saturating_sub(started).max(run.at());
        let judges = Judges::absent(Cause::Environment);
        let mut session = Session::of(run, judges, store, record, salt, Setup::new(Registry::default()));
        session.marks.has_past();
        session.taken_up = Some(TakenUp { at, engine: None });
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
}
