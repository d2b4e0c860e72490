use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Tells a run how much time has passed since it began.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's monotonic clock.
    #[default]
    Machine,
    /// Milliseconds since the run began, set by whoever holds the number: for simulations and tests.
    /// What goes back counts as standing still.
    Manual(Arc<AtomicU64>),
}

/// A clock that has begun.
#[derive(Debug)]
pub(super) struct Running {
    clock: Clock,
    since: Instant,
    /// What had passed when the run was taken up.
    pub before: u64,
}

impl Running {
    pub fn new(clock: Clock) -> Self {
        Running { clock, since: Instant::now(), before: 0 }
    }

    pub fn now(&self) -> u64 {
        match &self.clock {
            Clock::Manual(now) => now.load(Ordering::Relaxed),
            Clock::Machine => {
                let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.before.saturating_add(passed)
            }
        }
    }
}
