//! The run of a principal: begun with the first call, taken up again by the next process, over after
//! a time without calls.

use std::sync::Arc;
use std::time::Duration;

use countersign::kernel::{Code, Decision, Input, Run, Status};
use countersign::mcp::Joined;
use countersign::registry::Registry;
use countersign::session::{Held, Past, Session, SessionError, Setup, Stop, TakeUpError};
use countersign::spec::{Boundary, Manifest};
use countersign::store::{Durability, Offer, OpenError, RunQuery, RunRow, SharedStore, StorageError};
use countersign::{Host, LiveHost, Operations, random_id, utc_now as now};

use crate::error::GatewayError;
use crate::rulings::Rulings;
use crate::served::Served;
use crate::under_way::UnderWay;

/// Most runs of a principal that are looked at: those that are not over, and the one that was last.
const MOST: usize = 64;

/// The run of a principal.
pub struct PrincipalRun {
    live: Arc<LiveHost>,
    served: Arc<Served>,
    tools: Arc<Joined>,
    store: SharedStore,
    under_way: UnderWay,
    open: Option<Open>,
    /// The run that broke off here at an error of its store, by its id: no other begins before it was taken up again.
    broken: Option<String>,
}

struct Open {
    session: Session,
    id: String,
    /// UTC milliseconds of the last call.
    last: u64,
}

/// The last run of the principal: open, or over and not yet idle.
type LastRun = Result<Open, Stop>;

/// What a call of the principal meets.
pub enum Met<'a> {
    /// Its run, which rules on it.
    Run(&'a mut Session),
    /// A run that is over, and not yet idle: nothing is called.
    Over(Stop),
}

/// What became of a run of the principal's.
enum Found {
    Up(Box<Open>),
    /// Another process has it.
    Busy(String),
    /// It is over and not yet idle.
    Over(Stop),
    /// It is over, or in nobody's way any more.
    Gone,
}

impl PrincipalRun {
    pub fn new(
        live: Arc<LiveHost>,
        served: Arc<Served>,
        tools: Arc<Joined>,
        store: SharedStore,
        under_way: UnderWay,
    ) -> Self {
        PrincipalRun { live, served, tools, store, under_way, open: None, broken: None }
    }

    /// The tools that runs are pinned to.
    pub fn tools(&self) -> &Joined {
        &self.tools
    }

    /// Pins the next run to other tools. The run at hand is given back; it is over with the next call, where nothing that
    /// stops it stands in the way.
    pub fn take_tools(&mut self, tools: Arc<Joined>) -> Result<(), GatewayError> {
        self.leave()?;
        self.tools = tools;
        Ok(())
    }

    /// The run at hand, of which a call has just returned: it is not idle.
    pub fn heard(&mut self) -> Option<&mut Session> {
        let open = self.open.as_mut()?;
        open.last = now();
        Some(&mut open.session)
    }

    /// The run for a call that is proposed now: begun where there is none, with what people have decided taken in.
    pub fn run(&mut self) -> Result<Met<'_>, GatewayError> {
        let now = now();
        let mut open = match self.left(now)? {
            Some(Ok(open)) => open,
            Some(Err(stop)) => return Ok(Met::Over(stop)),
            None => self.begin()?,
        };
        // What a run that is over refuses does not make it last longer.
        if !matches!(open.session.status(), Status::Ended(_)) {
            open.last = now;
        }
        self.decided(open)
    }

    /// The same where there is a run; none is begun, and it is idle as before.
    pub fn last_run(&mut self) -> Result<Option<Met<'_>>, GatewayError> {
        match self.left(now())? {
            Some(Ok(open)) => self.decided(open).map(Some),
            Some(Err(stop)) => Ok(Some(Met::Over(stop))),
            None => Ok(None),
        }
    }

    /// The open run, or what is left of the principal's.
    fn left(&mut self, now: u64) -> Result<Option<LastRun>, GatewayError> {
        // What broke off at an error is taken up again from its store.
        if let Some(open) = self.open.take_if(|open| open.session.is_broken()) {
            self.broken = Some(open.id);
        }
        if self.open.as_ref().is_some_and(|open| now >= self.until(open)) && !self.under_way.any() {
            self.end()?;
        }
        // A person has lifted what ended it: the next call begins anew.
        let over = |open: &Open| matches!(open.session.status(), Status::Ended(_));
        if let Some(open) = self.open.as_ref().filter(|open| over(open))
            && self.is_lifted(&open.id)?
        {
            self.end()?;
        }
        // One that ended here is over for the next process too, until it has been idle.
        match self.open.take() {
            Some(open) => Ok(Some(Ok(open))),
            None => self.take_up(now),
        }
    }

    fn decided(&mut self, mut open: Open) -> Result<Met<'_>, GatewayError> {
        if !matches!(open.session.status(), Status::Ended(_)) {
            for (id, why) in open.session.take_inbox()?.refused {
                tracing::warn!(entry = id, why, "an entry of the inbox does not fit the run");
            }
        }
        Ok(Met::Run(&mut self.open.insert(open).session))
    }

    /// The run at hand; none is begun.
    pub fn current(&mut self) -> Option<&mut Session> {
        self.open.as_mut().map(|open| &mut open.session)
    }

    /// How long until the run at hand is over for want of calls; none while none is open, or a call is under way.
    pub fn idle_in(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        if self.under_way.any() {
            return None;
        }
        Some(Duration::from_millis(self.until(open).saturating_sub(now())))
    }

    /// Ends the run at hand where it has been idle for long enough.
    pub fn end_if_idle(&mut self) -> Result<(), GatewayError> {
        if self.open.as_ref().is_some_and(|open| now() >= self.until(open)) && !self.under_way.any() {
            self.end()?;
        }
        Ok(())
    }

    /// UTC milliseconds until which a run is the principal's without calls. One in which a call waits for a person is until
    /// the last of these approvals runs out: people take longer than agents.
    fn until(&self, open: &Open) -> u64 {
        let idle = open.last.saturating_add(self.served.agent.idle_end);
        let run = open.session.run();
        let expires = run.parked().map(|approval| run.manifest().started.saturating_add(approval.expires));
        match run.status() {
            Status::Ended(_) => idle,
            _ => expires.fold(idle, u64::max),
        }
    }

    /// Whether a person has lifted what ended a run.
    fn is_lifted(&self, run: &str) -> Result<bool, GatewayError> {
        let waiting = self.store.waiting(run).map_err(SessionError::from)?;
        Ok(waiting.iter().any(|entry| entry.wants == Offer::Decide(Decision::Resumed)))
    }

    /// The process ends; the next one of this principal may go on.
    pub fn leave(&mut self) -> Result<Option<String>, GatewayError> {
        let Some(open) = self.open.take() else { return Ok(None) };
        open.session.leave()?;
        Ok(Some(open.id))
    }

    fn is_idle(&self, last: u64, now: u64) -> bool {
        now.saturating_sub(last) >= self.served.agent.idle_end
    }

    fn end(&mut self) -> Result<(), GatewayError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        last_words(&mut open.session)?;
        close(open.session)?;
        Ok(())
    }

    fn begin(&self) -> Result<Open, GatewayError> {
        let id = random_id().map_err(|source| GatewayError::Random { source })?;
        let registry = Registry::new(&self.tools.tools);
        // What was installed since the last run is what judges this one, from its first call to its last.
        self.live.refresh();
        let host = self.live.host();
        let manifest = self.served.manifest(&host, &id, &registry)?;
        let session = Session::begin(&host, &self.store, manifest, self.setup(registry))?;
        tracing::info!(run = %id, "a run begins");
        Ok(Open { session, id, last: now() })
    }

    fn setup(&self, registry: Registry) -> Setup {
        let principal = Some(Arc::from(self.served.name.as_str()));
        let keep_secrets = self.served.deployment.store().keep_secrets;
        let observer = Box::new(Rulings::new(&self.served));
        Setup { operations: self.operations(), observer, principal, keep_secrets, ..Setup::new(registry) }
    }

    /// The run that the principal was in, where it still is: the newest that no other process has.
    fn take_up(&mut self, now: u64) -> Result<Option<LastRun>, GatewayError> {
        let principal = Some(Arc::from(self.served.name.as_str()));
        let rows = self.store.list(&RunQuery { principal, most: Some(MOST), ..RunQuery::default() })?;
        let mut busy = Vec::new();
        let mut over = None;
        for row in rows {
            match self.take(&row, now)? {
                Found::Up(open) => {
                    self.broken = None;
                    return Ok(Some(Ok(*open)));
                }
                // Held by this very process, whose store could not even take it back.
                Found::Busy(run) if self.broken.as_deref() == Some(&run) => {
                    let why =
                        "broke off because its store could take no more; it goes on once it can be taken up again";
                    return Err(GatewayError::Barred { run, why: why.to_owned() });
                }
                Found::Busy(run) => busy.push(run),
                Found::Over(stop) => over = over.or(Some(stop)),
                Found::Gone => {}
            }
        }
        if let Some(over) = over {
            return Ok(Some(Err(over)));
        }
        // Another process is no way around what stops the first one.
        for run in busy {
            if let Some(why) = self.barred(&run, now)? {
                return Err(GatewayError::Barred { run, why });
            }
        }
        Ok(None)
    }

    /// Why a run that another process has lets nobody begin another one: it waits for a person, or was told to stop and
    /// has not reported.
    fn barred(&self, run: &str, now: u64) -> Result<Option<String>, GatewayError> {
        let past = Past::read(&self.store, run).map_err(SessionError::from)?;
        if self.is_idle(past.last(), now) {
            return Ok(None);
        }
        let run = past.fold()?;
        Ok(match (run.status(), run.held()) {
            (Status::Ended(code), _) => Some(format!("is over with {code}")),
            (Status::Suspended(code), _) => Some(format!("waits for a person ({code})")),
            (_, Some(hold)) => Some(format!("was told to stop and has not reported yet ({})", hold.reason)),
            _ => None,
        })
    }

    /// A run, where the principal still is in it: not over, not idle, pinned to the very same but
    /// perhaps to an earlier bundle, and no other process has it.
    fn take(&self, row: &RunRow, now: u64) -> Result<Found, GatewayError> {
        let (run, idle) = (&*row.id, self.is_idle(row.last, now));
        if let Status::Ended(_) = row.status {
            return if idle { Ok(Found::Gone) } else { self.over(run) };
        }
        let held = match Held::open(&self.store, run, Durability::Written) {
            Ok(held) => held,
            // Two processes of one principal are two runs.
            Err(TakeUpError::Open(OpenError::Held { .. })) => return Ok(Found::Busy(run.to_owned())),
            Err(TakeUpError::Open(OpenError::Ended { .. } | OpenError::NotFound { .. })) => return Ok(Found::Gone),
            // Missing or damaged is not fresh: nothing begins beside it before a person has looked.
            Err(error) => {
                let what = if is_of_the_place(&error) { "cannot be taken up now" } else { "is damaged" };
                return Err(GatewayError::Barred { run: run.to_owned(), why: format!("{what}: {error}") });
            }
        };
        let manifest = held.past().manifest.clone();
        let host = self.live.host_for(&manifest.lock).unwrap_or_else(|error| {
            tracing::warn!(run, bundle = %manifest.lock, %error, "the last run's bundle does not load any more");
            None
        });
        let Some(host) = host else {
            tracing::warn!(run, bundle = %manifest.lock, "the last run's bundle cannot be had here; it is ended, another one begins");
            if let Err(error) = held.abandon(code) {
                tracing::warn!(run, %error, "the last run cannot be ended");
            }
            return Ok(Found::Gone);
        };
        let registry = Registry::new(&self.tools.tools);
        let changed = self.changed(&host, &manifest, &registry)?;
        let same = changed.is_empty();
        // What a server lists now is no way around what stops the run; what its operator has changed is.
        if !same
            && self.is_pinned_but_for_tools(&host, &manifest)?
            && let Some(why) = self.barred(run, now)?
        {
            return Err(GatewayError::Barred { run: run.to_owned(), why });
        }
        let session = match held.resume(&host, self.setup(registry)) {
            Ok(session) => session,
            // One that has been idle for long enough is in nobody's way: the next one may have other policies.
            Err(SessionError::NotDispatched(_)) if idle => return Ok(Found::Gone),
            Err(error @ SessionError::NotDispatched(_)) => return Err(error.into()),
            Err(error) => {
                return Err(GatewayError::Barred { run: run.to_owned(), why: format!("cannot be taken up: {error}") });
            }
        };
        let mut open = Open { session, id: run.to_owned(), last: row.last };
        if !same || now >= self.until(&open) {
            if !same {
                let changed = changed.join(", ");
                tracing::warn!(run, changed, "the last run is ended, since what runs are pinned to has changed");
            }
            last_words(&mut open.session)?;
            close(open.session)?;
            return Ok(Found::Gone);
        }
        tracing::info!(run, "the run is taken up again");
        Ok(Found::Up(Box::new(open)))
    }

    /// A run that is over: to start anew is no way around it before it has been idle. Where the operator has changed
    /// what runs are pinned to, the next one is another.
    fn over(&self, run: &str) -> Result<Found, GatewayError> {
        let past = Past::read(&self.store, run).map_err(SessionError::from)?;
        // One that was put away here, as after a time without calls, stopped nobody.
        if past.frames.last().is_some_and(|frame| matches!(frame.input, Input::Closed { .. })) || self.is_lifted(run)? {
            return Ok(Found::Gone);
        }
        let registry = Registry::new(&self.tools.tools);
        let same = match self.live.host_for(&past.manifest.lock) {
            Ok(Some(host)) => {
                self.is_pinned(&host, &past.manifest, &registry)?
                    || self.is_pinned_but_for_tools(&host, &past.manifest)?
            }
            _ => false,
        };
        Ok(match past.stop().filter(|_| same) {
            Some(stop) => Found::Over(stop),
            None => Found::Gone,
        })
    }

    /// Whether a run is pinned to what this process would pin one to, by the run's own bundle.
    fn is_pinned(&self, host: &Host, manifest: &Manifest, registry: &Registry) -> Result<bool, GatewayError> {
        Ok(self.changed(host, manifest, registry)?.is_empty())
    }

    /// In what they differ. An engine that is another says nothing of what the operator wants: a newer release goes on with
    /// the runs of an older one, and the record says from where on.
    fn changed(
        &self,
        host: &Host,
        manifest: &Manifest,
        registry: &Registry,
    ) -> Result<Vec<&'static str>, GatewayError> {
        let mut changed = self.served.manifest(host, &manifest.run, registry)?.unlike(manifest);
        changed.retain(|key| *key != "engine");
        Ok(changed)
    }

    /// The same of everything that the operator says.
    fn is_pinned_but_for_tools(&self, host: &Host, manifest: &Manifest) -> Result<bool, GatewayError> {
        let now = self.served.manifest(host, &manifest.run, &Registry::new(&self.tools.tools))?;
        // Its digest is over the tools too.
        let (listed, digest) = (manifest.boundary.tools.clone(), Arc::clone(&manifest.boundary.digest));
        let boundary = Boundary { tools: listed, digest, ..now.boundary.clone() };
        let now = Manifest { boundary, tools: manifest.tools.clone(), engine: Arc::clone(&manifest.engine), ..now };
        Ok(now.unlike(manifest).is_empty())
    }

    fn operations(&self) -> Operations {
        let deployment = &self.served.deployment;
        let operations = Operations::watching(deployment.operator(), &self.store, deployment.store().folder());
        operations.telling(self.served.sinks.clone())
    }
}

/// Whether a run cannot be taken up because of where it lies, and not because of what is there.
fn is_of_the_place(error: &TakeUpError) -> bool {
    let (TakeUpError::Store(error) | TakeUpError::Open(OpenError::Store(error))) = error else { return false };
    matches!(error, StorageError::Full { .. } | StorageError::ReadOnly { .. })
}

/// What people have decided meanwhile is heard before a run is put away: a rule that they gave may outlive it.
fn last_words(session: &mut Session) -> Result<(), SessionError> {
    if !matches!(session.status(), Status::Ended(_)) {
        session.take_inbox()?;
    }
    Ok(())
}

/// The agent is gone.
fn close(session: Session) -> Result<Status, SessionError> {
    let code = code(session.run());
    session.close(code)
}

/// What a run ends with whose agent is gone. What waits for a person says so in the code; nobody here
/// knows whether the agent's own goal was reached, so a success is an unverified one.
fn code(run: &Run) -> Code {
    match run.status() {
        Status::Suspended(code) => code,
        _ if run.parked().next().is_some() => Code::ConfirmRequired,
        // It was told to stop and has not reported.
        _ if run.held().is_some() => Code::ReviewRequired,
        _ => Code::Success,
    }
}
