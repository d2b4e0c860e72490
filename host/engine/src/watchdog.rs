//! Ticker and deadline in one: neither without the other.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Engine, Store};

/// Ticks of a deadline: it fires at most one tick late.
const TICKS: u64 = 20;

/// Ends calls that outlast the deadline. It protects the host; it is no measure of a policy.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub fn start(engine: &Engine, deadline: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let engine = engine.weak();
        let tick = (deadline / TICKS as u32).max(Duration::from_millis(1));
        let thread = std::thread::Builder::new().name("countersign-watchdog".to_owned()).spawn(move || {
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        })?;
        Ok(Watchdog { stop: Some(stop), thread: Some(thread) })
    }

    /// Arms the deadline for the next call.
    pub fn arm<T>(store: &mut Store<T>) {
        store.set_epoch_deadline(TICKS + 1);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only waits: there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}
