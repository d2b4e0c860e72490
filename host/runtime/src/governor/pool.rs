//! Threads for work that may wait: for a policy, for a disk.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Policies may use 64 MiB of stack; on a thread that has it, a call switches to no other. Address space: pages are
/// used when touched.
const STACK: usize = 80 << 20;
/// How long a thread without work stays.
const STAY: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as there is work at once, up to a bound. Work that is handed in while fewer are busy begins at once,
/// whatever the others wait for.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    most: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: usize,
    closed: bool,
}

impl Pool {
    pub fn new(most: usize) -> Self {
        Pool(Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), most: most.max(1) }))
    }

    /// Does this on a thread of its own. False where the machine gives none at all: nothing is done then.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let mut state = self.0.state();
        state.jobs.push_back(Box::new(job));
        if state.idle >= state.jobs.len() || state.threads == self.0.most {
            drop(state);
            self.0.work.notify_one();
            return true;
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("countersign-judge".to_owned()).stack_size(STACK);
        if thread.spawn(move || shared.run()).is_ok() {
            return true;
        }
        let mut state = self.0.state();
        state.threads -= 1;
        // Whoever is busy takes it along; where nobody is, nobody ever would.
        if state.threads == 0 {
            state.jobs.pop_back();
            return false;
        }
        true
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // What a job breaks is its own: the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (back, waited) = self.work.wait_timeout(state, STAY).unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The threads hold the shared part, not the pool: the last handle lets them go.
        if Arc::strong_count(&self.0) <= self.0.state().threads + 1 {
            self.0.state().closed = true;
            self.0.work.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn nobody_waits_for_work_that_waits() {
        let pool = Pool::new(64);
        let (release, blocked) = channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        for _ in 0..20 {
            let blocked = Arc::clone(&blocked);
            assert!(pool.spawn(move || drop(blocked.lock().map(|end| end.recv()))));
        }
        let (done, finished) = channel();
        assert!(pool.spawn(move || drop(done.send(()))));
        assert_eq!(finished.recv_timeout(Duration::from_secs(60)), Ok(()));
        drop(release);
    }

    #[test]
    fn a_job_that_breaks_takes_no_other_with_it() {
        let pool = Pool::new(1);
        let (done, finished) = channel();
        assert!(pool.spawn(|| std::panic::resume_unwind(Box::new("broken"))));
        assert!(pool.spawn(move || drop(done.send(()))));
        assert_eq!(finished.recv_timeout(Duration::from_secs(60)), Ok(()));
    }
}
