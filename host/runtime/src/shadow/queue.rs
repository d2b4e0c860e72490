//! A worker and what waits for it, bounded.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Policies may use 64 MiB of stack; on a thread that has it, a call switches to no other. Address
/// space: pages are used when touched.
const STACK: usize = 80 << 20;

/// What is put in is worked on elsewhere, in order.
#[derive(Debug)]
pub(super) struct Queue<T> {
    sender: SyncSender<T>,
    worker: JoinHandle<()>,
}

/// What became of something that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    Taken,
    /// Too much waits already: it was dropped.
    Full,
    /// The worker has given up: it was dropped.
    Closed,
}

impl<T: Send + 'static> Queue<T> {
    /// A worker for which at most so many wait.
    pub fn start(most: usize, work: impl FnOnce(Receiver<T>) + Send + 'static) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(most);
        let builder = Builder::new().name("countersign-shadow".to_owned()).stack_size(STACK);
        Ok(Queue { sender, worker: builder.spawn(move || work(receiver))? })
    }

    /// Puts something in; never waits.
    pub fn offer(&self, item: T) -> Offered {
        match self.sender.try_send(item) {
            Ok(()) => Offered::Taken,
            Err(TrySendError::Full(_)) => Offered::Full,
            Err(TrySendError::Disconnected(_)) => Offered::Closed,
        }
    }

    /// Puts the last thing in and waits until everything is done. False when the worker panicked.
    pub fn finish(self, last: T) -> bool {
        // One that has given up says no more.
        let _ = self.sender.send(last);
        drop(self.sender);
        self.worker.join().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_finds_it_full_is_dropped_and_the_rest_is_done_in_order() -> std::io::Result<()> {
        let (begin, begun) = channel::<()>();
        let (done, seen) = channel();
        // A worker that does not begin before it is told to.
        let queue = Queue::start(2, move |items| {
            let _ = begun.recv();
            items.into_iter().try_for_each(|item: u32| done.send(item)).unwrap_or_default();
        })?;
        let offered: Vec<Offered> = (1..=5).map(|item| queue.offer(item)).collect();
        assert_eq!(offered, [Offered::Taken, Offered::Taken, Offered::Full, Offered::Full, Offered::Full]);
        drop(begin);
        assert!(queue.finish(9));
        assert_eq!(seen.iter().collect::<Vec<_>>(), [1, 2, 9]);
        Ok(())
    }

    #[test]
    fn a_worker_that_gave_up_stops_nobody() -> std::io::Result<()> {
        let (gone, is_gone) = channel::<()>();
        let queue = Queue::start(1, move |items| {
            drop(items);
            drop(gone);
        })?;
        // Closed at the latest when the worker says so by hanging up.
        let _ = is_gone.recv();
        assert_eq!(queue.offer(1), Offered::Closed);
        assert!(queue.finish(2));
        Ok(())
    }
}
