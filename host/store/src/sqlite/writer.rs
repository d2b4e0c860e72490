//! The one thread that writes: whatever came while it wrote is its next transaction, with one fsync for
//! all runs together.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::answer::answer;
use super::files::Files;
use super::frames::{Held, Pending, Task, Unit};
use super::problem::storage;
use super::read::signed;
use crate::error::StorageError;
use crate::run_log::Then;

/// How long what nobody waits for may lie in memory.
const LINGER: Duration = Duration::from_millis(2);
/// How long a commit waits for the runs that shared the last one: they are about to come again.
const COMPANY: Duration = Duration::from_micros(300);
/// Bytes in memory from which whoever appends waits.
const MOST_WAITING: usize = 32 << 20;

enum Job {
    Frame(Arc<Held>, Pending, Option<Then>),
    Barrier(Arc<Held>, Then),
    Task(Box<dyn Task>),
}

/// How soon a job has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// With the next that is.
    Any,
    /// Within a moment.
    Soon,
    /// Now: somebody waits for it.
    Now,
    /// Now, and it must survive a crash of the machine.
    Synced,
}

struct Queue {
    jobs: Vec<Job>,
    bytes: usize,
    urgency: Urgency,
    /// When the oldest job came that is not urgent.
    since: Option<Instant>,
    held: Vec<Weak<Held>>,
    /// So many jobs the writer waits for before it wants to be woken.
    wanted: usize,
    closed: bool,
}

#[derive(Clone)]
struct Shared {
    queue: Arc<(Mutex<Queue>, Condvar)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer, as those who write know it.
pub(super) struct Writer {
    file: String,
    shared: Shared,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Writer {
    pub fn start(file: &str, connection: Connection, lease: Duration) -> Result<Self, StorageError> {
        let queue = Queue {
            jobs: Vec::new(),
            bytes: 0,
            urgency: Urgency::Any,
            since: None,
            held: Vec::new(),
            wanted: 0,
            closed: false,
        };
        let shared = Shared { queue: Arc::new((Mutex::new(queue), Condvar::new())) };
        let files = Files::new(file, &connection).map_err(|error| storage(file, error))?;
        let loops = Loop {
            file: file.to_owned(),
            files,
            connection,
            shared: shared.clone(),
            lease,
            full: true,
            unsynced: false,
            company: 0,
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || loops.run());
        let thread = thread.map_err(|source| StorageError::failed(file, source))?;
        Ok(Writer { file: file.to_owned(), shared, thread: Some(thread) })
    }

    /// Renews this lease from now on, as long as the log is there.
    pub fn renew(&self, held: &Arc<Held>) {
        self.shared.lock().held.push(Arc::downgrade(held));
        self.shared.queue.1.notify_one();
    }

    pub fn frame(&self, held: &Arc<Held>, pending: Pending, urgency: Urgency, then: Option<Then>) {
        self.push(Job::Frame(Arc::clone(held), pending, then), urgency);
    }

    /// Whether so much waits that whoever appends should wait too.
    pub fn is_behind(&self) -> bool {
        self.shared.lock().bytes > MOST_WAITING
    }

    pub fn barrier(&self, held: &Arc<Held>, urgency: Urgency, then: Then) {
        self.push(Job::Barrier(Arc::clone(held), then), urgency);
    }

    /// Writes something that nobody waits for.
    pub fn leave(&self, write: impl FnMut(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        self.push(Job::Task(Box::new(Closure { write, written: None, done: |_| {} })), Urgency::Soon);
    }

    /// Writes something, and waits until it is committed.
    pub fn write<T: Send + 'static>(
        &self,
        urgency: Urgency,
        write: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (tell, told) = answer();
        let done = move |result| tell.give(result);
        self.push(Job::Task(Box::new(Closure { write, written: None, done })), urgency);
        told.wait().unwrap_or_else(|| Err(self.gone()))
    }

    fn gone(&self) -> StorageError {
        StorageError::failed(&self.file, "the thread that writes the store has ended")
    }

    fn push(&self, job: Job, urgency: Urgency) {
        let mut queue = self.shared.lock();
        if queue.closed {
            drop(queue);
            return fail(job, &self.file);
        }
        queue.bytes += match &job {
            Job::Frame(_, pending, _) => pending.line.len(),
            _ => 0,
        };
        queue.jobs.push(job);
        let first = queue.since.is_none() && urgency >= Urgency::Soon;
        if first {
            queue.since = Some(Instant::now());
        }
        queue.urgency = queue.urgency.max(urgency);
        if (first || urgency >= Urgency::Now) && queue.jobs.len() >= queue.wanted {
            self.shared.queue.1.notify_one();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.queue.1.notify_one();
        // The last one to hold the store may be something that the writer itself has just told.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

struct Closure<T, W, D> {
    write: W,
    written: Option<T>,
    done: D,
}

impl<T, W, D> Task for Closure<T, W, D>
where
    T: Send,
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    D: FnOnce(Result<T, StorageError>) + Send,
{
    fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.written = Some((self.write)(connection)?);
        Ok(())
    }

    fn done(self: Box<Self>, result: Result<(), StorageError>) {
        let written = self.written;
        match result {
            Ok(()) => {
                if let Some(written) = written {
                    (self.done)(Ok(written));
                }
            }
            Err(error) => (self.done)(Err(error)),
        }
    }
}

fn fail(job: Job, file: &str) {
    let error = || StorageError::failed(file, "the thread that writes the store has ended");
    match job {
        Job::Frame(held, _, then) => held.fail(error().into(), then),
        Job::Barrier(held, then) => held.fail(error().into(), Some(then)),
        Job::Task(task) => task.done(Err(error())),
    }
}

/// What the thread has.
struct Loop {
    file: String,
    /// Nobody meddles with them unnoticed.
    files: Files,
    connection: Connection,
    shared: Shared,
    lease: Duration,
    /// Whether a commit waits for the disk at present.
    full: bool,
    /// Something was committed that the disk need not have.
    unsynced: bool,
    /// How many waited for the last commit.
    company: usize,
}

impl Drop for Loop {
    /// Nobody waits for a thread that has ended, however it did.
    fn drop(&mut self) {
        let jobs = {
            let mut queue = self.shared.lock();
            queue.closed = true;
            std::mem::take(&mut queue.jobs)
        };
        jobs.into_iter().for_each(|job| fail(job, &self.file));
    }
}

impl Loop {
    fn run(mut self) {
        let mut renewed = Instant::now();
        loop {
            let Some((jobs, urgency)) = self.next(renewed) else { return };
            if renewed.elapsed() >= self.lease / 3 {
                self.renew();
                renewed = Instant::now();
            }
            if jobs.is_empty() {
                continue;
            }
            let waiting = |job: &&Job| !matches!(job, Job::Frame(_, _, None));
            self.company = jobs.iter().filter(waiting).count();
            let synced = urgency == Urgency::Synced;
            let mut units = Unit::group(jobs.into_iter().map(|job| match job {
                Job::Frame(held, pending, then) => Unit::frame(held, pending, then),
                Job::Barrier(held, then) => Unit::barrier(held, then),
                Job::Task(task) => Unit::Task(task),
            }));
            match self.commit(&mut units, synced) {
                Ok(()) => units.into_iter().for_each(|unit| unit.done(&self.file, Ok(()))),
                // Another process writes all the time: nobody here is to blame.
                Err(busy) if busy.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    let problem = busy.to_string();
                    let failed = || Err(StorageError::failed(&self.file, problem.clone()));
                    units.into_iter().for_each(|unit| unit.done(&self.file, failed()));
                }
                // One of them may be to blame: alone it takes no other with it.
                Err(_) => {
                    for unit in units {
                        let mut alone = [unit];
                        let result = self.commit(&mut alone, synced).map_err(|error| storage(&self.file, error));
                        let [unit] = alone;
                        unit.done(&self.file, result);
                    }
                }
            }
        }
    }

    /// What is to be written next: nothing when only leases are due, none when the store is closed.
    fn next(&self, renewed: Instant) -> Option<(Vec<Job>, Urgency)> {
        let mut queue = self.shared.lock();
        while !queue.closed {
            if queue.urgency >= Urgency::Now {
                queue = self.company_of(queue, COMPANY);
                break;
            }
            let lease = match queue.held.is_empty() {
                true => Duration::MAX,
                false => (self.lease / 3).saturating_sub(renewed.elapsed()),
            };
            let linger = queue.since.map_or(Duration::MAX, |since| LINGER.saturating_sub(since.elapsed()));
            let wait = lease.min(linger).min(Duration::from_secs(3600));
            if wait.is_zero() {
                break;
            }
            let waited = self.shared.queue.1.wait_timeout(queue, wait);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.closed && queue.jobs.is_empty() {
            return None;
        }
        queue.since = None;
        queue.bytes = 0;
        let urgency = std::mem::replace(&mut queue.urgency, Urgency::Any);
        Some((std::mem::take(&mut queue.jobs), urgency))
    }

    /// Whoever shared the last commit has been told and comes again in a moment: waits until as many have
    /// come, or for so long.
    fn company_of<'a>(&'a self, mut queue: MutexGuard<'a, Queue>, most: Duration) -> MutexGuard<'a, Queue> {
        let since = Instant::now();
        queue.wanted = self.company;
        while queue.jobs.len() < self.company && !queue.closed {
            let left = most.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.queue.1.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.wanted = 0;
        queue
    }

    fn commit(&mut self, units: &mut [Unit], synced: bool) -> rusqlite::Result<()> {
        let result = self.transaction(units, synced);
        if result.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }

    fn transaction(&mut self, units: &mut [Unit], synced: bool) -> rusqlite::Result<()> {
        let connection = &self.connection;
        if synced != self.full {
            let mode = if synced { "FULL" } else { "NORMAL" };
            connection.execute_batch(&format!("PRAGMA synchronous = {mode}"))?;
            self.full = synced;
        }
        let writes = units.iter().any(Unit::writes);
        // What was committed before is made safe by the next write that is; a commit without a write is none.
        let touch = synced && !writes && self.unsynced;
        if !writes && !touch {
            return Ok(());
        }
        // What is written to a file that was moved or removed, nobody finds again.
        self.files.check(connection)?;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for unit in units {
            unit.write(connection)?;
        }
        if touch {
            connection.prepare_cached("UPDATE synced SET times = times + 1")?.execute([])?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        self.files.committed();
        self.unsynced = !synced;
        Ok(())
    }

    /// Leases that are not renewed run out. Where that fails they do, and whoever takes the run is told apart
    /// by the fence.
    fn renew(&self) {
        let held: Vec<Arc<Held>> = {
            let mut queue = self.shared.lock();
            queue.held.retain(|held| held.strong_count() > 0);
            queue.held.iter().filter_map(Weak::upgrade).collect()
        };
        let until = signed(super::now().saturating_add(super::milliseconds(self.lease)));
        let renew = || -> rusqlite::Result<()> {
            let mut statement = self
                .connection
                .prepare_cached("UPDATE run SET until = ?1 WHERE number = ?2 AND fence = ?3 AND holder IS NOT NULL")?;
            for held in &held {
                statement.execute([until, held.number, signed(held.fence)])?;
            }
            Ok(())
        };
        if !held.is_empty() {
            let _ = self.connection.execute_batch("BEGIN IMMEDIATE");
            let renewed = renew();
            let end = if renewed.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let _ = self.connection.execute_batch(end);
        }
    }
}

impl Unit {
    /// Puts what is of one run together: it is one update of its row.
    fn group(jobs: impl Iterator<Item = Unit>) -> Vec<Unit> {
        let mut places: BTreeMap<(i64, u64), usize> = BTreeMap::new();
        let mut units: Vec<Unit> = Vec::new();
        let mut tasks = Vec::new();
        for unit in jobs {
            match unit.key() {
                None => tasks.push(unit),
                Some(key) => match places.get(&key).and_then(|at| units.get_mut(*at)) {
                    Some(first) => first.join(unit),
                    None => {
                        places.insert(key, units.len());
                        units.push(unit);
                    }
                },
            }
        }
        // A log that is given back has been written before.
        units.append(&mut tasks);
        units
    }
}
