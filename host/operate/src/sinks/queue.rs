//! Items wait here for a thread that takes them to their sinks: whoever has something to tell goes on at once, however
//! slow a sink is. What no sink took, and what there is no room for, is kept in a file and counted.

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_tools::shown;

use super::{Item, SinkError, SinkSpec, Sinks};

/// Most items that wait at once; the rest are kept in the file alone.
const MOST: usize = 256;
/// How long whoever drops the queue waits for what is in it.
const LEAVING: Duration = Duration::from_secs(10);

/// Sinks behind a queue. Dropped, it waits up to ten seconds until what is in it is told.
#[derive(Debug)]
pub struct SinkQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sinks: Sinks,
    /// Where items go that no sink took.
    undelivered: PathBuf,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// The one that is with the sinks now.
    busy: Option<Item>,
    closed: bool,
    dropped: u64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never only a log: what no sink takes is kept.
    fn keep(&self, item: &Item) {
        let line = serde_json::to_string(item).unwrap_or_default();
        let line = shown::visible_json(&line);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.undelivered);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{line}")) {
            let path = self.undelivered.display();
            tracing::error!(%path, %error, item = item.id, "an item that no sink took is lost");
        }
    }

    fn work(&self) {
        for (sink, why) in self.sinks.try_out() {
            tracing::warn!(
                sink,
                why,
                "a sink cannot be reached now: what it should tell people is kept in `undelivered.jsonl`"
            );
        }
        loop {
            let mut queue = self.queue();
            let item = loop {
                if let Some(item) = queue.items.pop_front() {
                    queue.busy = Some(item.clone());
                    break item;
                }
                if queue.closed {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            let delivery = self.sinks.deliver(&item);
            for (sink, why) in &delivery.failed {
                tracing::warn!(sink, why, item = item.id, "a sink did not take an item");
            }
            // Whoever could not wait for it has kept it by now.
            let waited_for = self.queue().busy.is_some();
            if waited_for && !delivery.reached() {
                self.keep(&item);
            }
            self.queue().busy = None;
            self.changed.notify_all();
        }
    }
}

impl SinkQueue {
    /// Checks every sink, reads its secret, and starts the thread that tries each out; relative paths start at `folder`,
    /// which is also where `undelivered.jsonl` lies.
    ///
    /// # Errors
    /// When a sink cannot work as it is written.
    pub fn start(specs: &[SinkSpec], folder: &Path) -> Result<Self, SinkError> {
        let shared = Arc::new(Shared {
            sinks: Sinks::new(specs, folder)?,
            undelivered: folder.join("undelivered.jsonl"),
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sinks".to_owned()).spawn(move || worker.work());
        if let Err(error) = thread {
            tracing::error!(%error, "no thread takes items to their sinks: they are kept in `undelivered.jsonl`");
            shared.queue().closed = true;
        }
        Ok(SinkQueue { shared })
    }

    /// Hands an item over and goes on. Where there is no room it is kept and counted.
    pub fn tell(&self, item: Item) {
        let mut queue = self.shared.queue();
        if queue.closed || queue.items.len() >= MOST {
            queue.dropped += 1;
            let dropped = queue.dropped;
            drop(queue);
            self.shared.keep(&item);
            // The first, and then ever fewer.
            if dropped.is_power_of_two() {
                let path = self.shared.undelivered.display();
                tracing::warn!(dropped, %path, "sinks are too slow: items go to the file alone");
            }
            return;
        }
        queue.items.push_back(item);
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Items that there was no room for: they are in the file, and nobody was told of them.
    pub fn dropped(&self) -> u64 {
        self.shared.queue().dropped
    }

    /// Waits until everything is told, at most so long.
    pub fn wait(&self, most: Duration) {
        drop(self.emptied(most));
    }

    fn emptied(&self, most: Duration) -> MutexGuard<'_, Queue> {
        let until = Instant::now() + most;
        let mut queue = self.shared.queue();
        while queue.busy.is_some() || !queue.items.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || queue.closed {
                break;
            }
            let waited = self.shared.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue
    }

    /// The same, and nothing is told after it. What is not told by then is kept; how many that were.
    pub fn finish(&self, most: Duration) -> usize {
        let mut queue = self.emptied(most);
        queue.closed = true;
        // One that is with a sink may arrive all the same: whoever gets it twice knows it by its id.
        let busy = queue.busy.take();
        let left: Vec<Item> = busy.into_iter().chain(queue.items.drain(..)).collect();
        let stuck = left.len();
        drop(queue);
        self.shared.changed.notify_all();
        left.iter().for_each(|item| self.shared.keep(item));
        if stuck > 0 {
            let path = self.shared.undelivered.display();
            tracing::warn!(stuck, %path, "sinks did not take everything in time: what is left is in the file");
        }
        stuck
    }
}

impl Drop for SinkQueue {
    fn drop(&mut self) {
        self.finish(LEAVING);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::super::{ITEM_VERSION, ItemKind, Severity};
    use super::*;

    fn item(number: usize) -> Item {
        Item {
            version: ITEM_VERSION,
            id: format!("i-{number}"),
            kind: ItemKind::Ask,
            run: "r".to_owned(),
            agent: "a".to_owned(),
            tenant: None,
            authority: "operator".to_owned(),
            channels: Vec::new(),
            severity: Severity::Low,
            reason: "why".to_owned(),
            details: serde_json::Value::Null,
            at: 0,
            accepted_by: None,
        }
    }

    fn queue(folder: &Path, sinks: &str) -> SinkQueue {
        #[derive(serde::Deserialize)]
        struct File {
            sinks: Vec<SinkSpec>,
        }
        SinkQueue::start(&toml::from_str::<File>(sinks).unwrap().sinks, folder).unwrap()
    }

    fn lines(folder: &Path, name: &str) -> usize {
        std::fs::read_to_string(folder.join(name)).unwrap_or_default().lines().count()
    }

    #[test]
    fn everything_is_told_in_order_before_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), "[[sinks]]\nto = 'file'\npath = 'told.jsonl'");
        (0..20).for_each(|number| queue.tell(item(number)));
        drop(queue);
        let told = std::fs::read_to_string(folder.path().join("told.jsonl")).unwrap();
        let ids = told.lines().map(|line| serde_json::from_str::<Item>(line).unwrap().id);
        assert!(ids.eq((0..20).map(|number| format!("i-{number}"))), "{told}");
        assert_eq!(lines(folder.path(), "undelivered.jsonl"), 0);
    }

    /// A server that takes connections and never answers: whoever tells it something goes on all the same.
    #[test]
    fn a_sink_that_hangs_holds_nobody_up_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let sinks = format!(
            "[[sinks]]\nto = 'webhook'\nurl = 'http://{address}/'\nsecret-file = 'secret'\ntime-out = 60000\nretries = 0"
        );
        let queue = queue(folder.path(), &sinks);
        let all = MOST + 50;
        (0..all).for_each(|number| queue.tell(item(number)));
        // One may be with the sink by now.
        assert!((49..=50).contains(&queue.dropped()), "{}", queue.dropped());
        let stuck = queue.finish(Duration::ZERO);
        assert!(stuck >= MOST, "{stuck}");
        let kept = lines(folder.path(), "undelivered.jsonl");
        assert_eq!(kept, all, "also what is with the sink");
        queue.tell(item(all));
        assert_eq!(lines(folder.path(), "undelivered.jsonl"), kept + 1, "nothing is lost after the end");
        drop(server);
    }
}
