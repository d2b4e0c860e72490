use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_kernel::{Approval, Code, Decision, Status};
use countersign_tools::registry::ToolResult;
use tokio::sync::oneshot;

use super::GovernorError;
use super::pool::Pool;
use crate::session::{CallDecision, Observed, Permit, Proposal, ReadBack, Seen, Session, SessionError, Standing};

type Job = Box<dyn FnOnce(&mut Option<Session>) + Send>;

/// A run of the governor, for async programs. A clone is the same run; what is asked of it is done in the order in
/// which it was asked, on a thread that may wait, and no other run waits for it.
#[derive(Clone)]
pub struct GovernedRun {
    id: Arc<str>,
    cell: Arc<Cell>,
    pool: Pool,
}

struct Cell {
    session: Mutex<Option<Session>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Somebody is at work on them.
    busy: bool,
}

impl std::fmt::Debug for GovernedRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GovernedRun").field("id", &self.id).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cell {
    fn work(&self) {
        loop {
            let job = {
                let mut queue = locked(&self.queue);
                match queue.jobs.pop_front() {
                    Some(job) => job,
                    None => {
                        queue.busy = false;
                        return;
                    }
                }
            };
            job(&mut locked(&self.session));
        }
    }
}

impl GovernedRun {
    pub(super) fn new(session: Session, pool: &Pool) -> Self {
        let id = Arc::clone(&session.run().manifest().run);
        let cell = Cell { session: Mutex::new(Some(session)), queue: Mutex::default() };
        GovernedRun { id, cell: Arc::new(cell), pool: pool.clone() }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Has this done with the session, after whatever was asked before. Where the caller stops waiting it is done all
    /// the same; a permit that nobody takes counts as a call of which nobody knows what became.
    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Option<Session>) -> Result<T, GovernorError> + Send + 'static,
    ) -> Result<T, GovernorError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            let _ = answer.send(act(session));
        });
        let idle = {
            let mut queue = locked(&self.cell.queue);
            queue.jobs.push_back(job);
            !std::mem::replace(&mut queue.busy, true)
        };
        if idle {
            let cell = Arc::clone(&self.cell);
            if !self.pool.spawn(move || cell.work()) {
                locked(&self.cell.queue).busy = false;
                return Err(GovernorError::Threads);
            }
        }
        answered.await.map_err(|_| GovernorError::Gone { run: Arc::clone(&self.id) })?
    }

    async fn live<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Session) -> Result<T, SessionError> + Send + 'static,
    ) -> Result<T, GovernorError> {
        let run = Arc::clone(&self.id);
        self.with(move |session| match session {
            Some(session) => Ok(act(session)?),
            None => Err(GovernorError::Gone { run }),
        })
        .await
    }

    /// Decides on a call, with what people have decided until now. See [`Session::propose`].
    ///
    /// # Errors
    /// As there, and a run that is closed.
    pub async fn propose(&self, proposal: Proposal) -> Result<CallDecision, GovernorError> {
        self.live(move |session| {
            if !matches!(session.status(), Status::Ended(_)) {
                session.take_inbox()?;
            }
            session.propose(proposal)
        })
        .await
    }

    /// Hands in what came of a permitted call. See [`Session::observe`].
    ///
    /// # Errors
    /// As there, and a run that is closed.
    pub async fn observe(&self, permit: Permit, result: ToolResult) -> Result<Observed, GovernorError> {
        self.live(move |session| session.observe(permit, result)).await
    }

    /// Hands in what a reading that verifies a call has read. See [`Session::read_back`].
    ///
    /// # Errors
    /// As there, and a run that is closed.
    pub async fn read_back(&self, reading: ReadBack, read: ToolResult) -> Result<Seen, GovernorError> {
        self.live(move |session| session.read_back(reading, &read)).await
    }

    /// A person has decided. See [`Session::decide`].
    ///
    /// # Errors
    /// As there, and a run that is closed.
    pub async fn decide(&self, id: &str, by: &str, decision: Decision) -> Result<(), GovernorError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        self.live(move |session| session.decide(&id, &by, decision)).await
    }

    /// The agent says that it has reached the goal. See [`Session::finish`].
    ///
    /// # Errors
    /// As there, and a run that is closed.
    pub async fn finish(&self, summary: &str, claims: Vec<Arc<str>>) -> Result<Standing, GovernorError> {
        let summary = summary.to_owned();
        self.live(move |session| session.finish(&summary, claims)).await
    }

    /// A person stops the run.
    ///
    /// # Errors
    /// When it is over already, or the frame cannot be made durable.
    pub async fn cancel(&self) -> Result<(), GovernorError> {
        self.live(Session::cancel).await
    }

    /// How it stands.
    ///
    /// # Errors
    /// A run that is closed.
    pub async fn standing(&self) -> Result<Standing, GovernorError> {
        self.live(|session| Ok(session.standing())).await
    }

    /// Approvals that proposed calls wait for.
    ///
    /// # Errors
    /// A run that is closed.
    pub async fn parked(&self) -> Result<Vec<Approval>, GovernorError> {
        self.live(|session| Ok(session.parked().cloned().collect())).await
    }

    /// The agent is gone: the run ends with this code. Every clone of it is closed.
    ///
    /// # Errors
    /// When the frame cannot be made durable, or it was closed before.
    pub async fn close(self, code: Code) -> Result<Status, GovernorError> {
        self.ended(move |session| session.close(code)).await
    }

    /// The agent may come back: the run is given back to its store.
    ///
    /// # Errors
    /// When what was recorded cannot be made safe, or it was closed before.
    pub async fn leave(self) -> Result<Status, GovernorError> {
        self.ended(Session::leave).await
    }

    async fn ended(
        &self,
        end: impl FnOnce(Session) -> Result<Status, SessionError> + Send + 'static,
    ) -> Result<Status, GovernorError> {
        let run = Arc::clone(&self.id);
        self.with(move |session| match session.take() {
            Some(session) => Ok(end(session)?),
            None => Err(GovernorError::Gone { run }),
        })
        .await
    }
}
