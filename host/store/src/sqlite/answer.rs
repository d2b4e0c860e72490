//! What one thread waits for and another gives it, once. The one that waits sleeps at once: with many runs a thread
//! that looks again and again takes the time that the others need.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

struct Shared<T> {
    waits: Thread,
    value: Mutex<Option<T>>,
    done: AtomicBool,
}

/// Gives the answer. Dropped without one, it says that none will come.
pub(super) struct Give<T>(Arc<Shared<T>>);

/// Waits for the answer, on the thread that made it.
pub(super) struct Wait<T>(Arc<Shared<T>>);

/// An answer that this thread will wait for.
pub(super) fn answer<T>() -> (Give<T>, Wait<T>) {
    let waits = std::thread::current();
    let shared = Arc::new(Shared { waits, value: Mutex::new(None), done: AtomicBool::new(false) });
    (Give(Arc::clone(&shared)), Wait(shared))
}

impl<T> Give<T> {
    pub fn give(self, value: T) {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }
}

impl<T> Drop for Give<T> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Release);
        self.0.waits.unpark();
    }
}

impl<T> Wait<T> {
    /// The answer; none when none will come.
    pub fn wait(self) -> Option<T> {
        while !self.0.done.load(Ordering::Acquire) {
            std::thread::park();
        }
        self.0.value.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
