//! A store in memory, for tests and simulations: the same rules as any other, and gone with its process.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_kernel::Status;

use crate::checks::{self, Tail};
use crate::error::StorageError;
use crate::holder::Holder;
use crate::inbox::Entry;
use crate::query::{Attributes, FindError, RunQuery, RunRow};
use crate::register::{Register, RegisterError, RegisterName};
use crate::run_log::{AppendError, Durability, FrameMark, RunLog, RunReader, SaltBytes, Side, SideLog, Visit};
use crate::run_store::{BeginError, InboxError, NewRun, OpenError, PayloadError, Reject, RunStore, Taken};

const NAME: &str = "memory";

type Lines = Vec<Arc<[u8]>>;

/// Runs in memory. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    runs: Arc<Mutex<BTreeMap<Arc<str>, Shared>>>,
    registers: Arc<Mutex<Registers>>,
}

/// Removed ones keep their version.
type Registers = BTreeMap<RegisterName, (Option<Vec<u8>>, u64)>;

type Shared = Arc<Mutex<Kept>>;

#[derive(Debug)]
struct Kept {
    id: Arc<str>,
    attributes: Attributes,
    frames: Lines,
    at: u64,
    status: Status,
    fence: u64,
    holder: Option<Holder>,
    salt: Option<SaltBytes>,
    sides: BTreeMap<Side, Lines>,
    inbox: BTreeMap<String, (Entry, Option<Taken>)>,
    payloads: BTreeMap<String, Arc<[u8]>>,
}

impl Kept {
    fn row(&self) -> RunRow {
        RunRow {
            id: Arc::clone(&self.id),
            attributes: self.attributes.clone(),
            status: self.status,
            frames: self.frames.len() as u64,
            last: self.attributes.started.saturating_add(self.at),
            held: self.holder.clone().filter(is_there),
        }
    }
}

/// Whoever writes here is in this process, whatever else a holder says.
fn is_there(holder: &Holder) -> bool {
    holder.is_there() != Some(false)
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // No change is left half done, so there is nothing to distrust.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    fn run(&self, run: &str) -> Option<Shared> {
        locked(&self.runs).get(run).map(Arc::clone)
    }

    fn opened(&self, run: &str) -> Result<Shared, OpenError> {
        self.run(run).ok_or_else(|| OpenError::NotFound { run: run.to_owned() })
    }

    fn inbox(&self, run: &str) -> Result<Shared, InboxError> {
        self.run(run).ok_or_else(|| InboxError::NotFound { run: run.to_owned() })
    }

    fn payloads(&self, run: &str) -> Result<Shared, PayloadError> {
        self.run(run).ok_or_else(|| PayloadError::NotFound { run: run.to_owned() })
    }
}

impl RunStore for MemoryStore {
    fn name(&self) -> &str {
        NAME
    }

    fn begin(&self, new: NewRun<'_>, holder: &Holder, _: Durability) -> Result<Box<dyn RunLog>, BeginError> {
        checks::begin(&new)?;
        let mut runs = locked(&self.runs);
        if runs.contains_key(new.id) {
            return Err(BeginError::Exists { run: new.id.to_owned() });
        }
        let id: Arc<str> = new.id.into();
        let kept = Kept {
            id: Arc::clone(&id),
            attributes: new.attributes,
            frames: vec![new.manifest.into()],
            at: 0,
            status: Status::Running,
            fence: 1,
            holder: Some(holder.clone()),
            salt: new.salt,
            sides: BTreeMap::new(),
            inbox: BTreeMap::new(),
            payloads: BTreeMap::new(),
        };
        let kept = Arc::new(Mutex::new(kept));
        runs.insert(Arc::clone(&id), Arc::clone(&kept));
        Ok(Box::new(MemoryLog { kept, fence: 1, tail: Tail::new(id, 1, Status::Running) }))
    }

    fn open(&self, run: &str, holder: &Holder, _: Durability) -> Result<Box<dyn RunLog>, OpenError> {
        let shared = self.opened(run)?;
        let mut kept = locked(&shared);
        if let Some(by) = kept.holder.as_ref().filter(|by| is_there(by)) {
            return Err(OpenError::Held { run: run.to_owned(), by: by.clone() });
        }
        if let Status::Ended(code) = kept.status {
            return Err(OpenError::Ended { run: run.to_owned(), code });
        }
        kept.fence += 1;
        kept.holder = Some(holder.clone());
        let tail = Tail::new(Arc::clone(&kept.id), kept.frames.len() as u64, kept.status);
        let fence = kept.fence;
        drop(kept);
        Ok(Box::new(MemoryLog { kept: shared, fence, tail }))
    }

    fn read(&self, run: &str) -> Result<Box<dyn RunReader>, OpenError> {
        Ok(Box::new(MemoryReader { kept: self.opened(run)? }))
    }

    fn list(&self, query: &RunQuery) -> Result<Vec<RunRow>, StorageError> {
        let runs: Vec<Shared> = locked(&self.runs).values().map(Arc::clone).collect();
        let mut rows: Vec<RunRow> = runs.iter().map(|kept| locked(kept).row()).collect();
        rows.retain(|row| checks::fits(row, query));
        rows.sort_by(|a, b| (b.attributes.started, &b.id).cmp(&(a.attributes.started, &a.id)));
        rows.truncate(query.most.unwrap_or(usize::MAX));
        Ok(rows)
    }

    fn find(&self, prefix: &str) -> Result<RunRow, FindError> {
        let mut rows = self.list(&RunQuery::default())?;
        rows.retain(|row| !prefix.is_empty() && row.id.starts_with(prefix));
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        checks::only(prefix, rows)
    }

    fn side(&self, run: &str, side: Side) -> Result<Box<dyn SideLog>, OpenError> {
        Ok(Box::new(MemorySide { kept: self.opened(run)?, side }))
    }

    fn offer(&self, run: &str, entry: &Entry) -> Result<bool, InboxError> {
        checks::entry(entry)?;
        let shared = self.inbox(run)?;
        let mut kept = locked(&shared);
        if kept.inbox.contains_key(&entry.id) {
            return Ok(false);
        }
        kept.inbox.insert(entry.id.clone(), (entry.clone(), None));
        Ok(true)
    }

    fn waiting(&self, run: &str) -> Result<Vec<Entry>, InboxError> {
        let shared = self.inbox(run)?;
        let kept = locked(&shared);
        let waiting = kept.inbox.values().filter(|(_, taken)| taken.is_none());
        let mut entries: Vec<Entry> = waiting.map(|(entry, _)| entry.clone()).collect();
        entries.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(entries)
    }

    fn rejects(&self, run: &str) -> Result<Vec<Reject>, InboxError> {
        // Only this process writes here: there is nothing that it would not understand.
        self.inbox(run).map(|_| Vec::new())
    }

    fn take(&self, run: &str, id: &str, taken: &Taken) -> Result<(), InboxError> {
        let shared = self.inbox(run)?;
        match locked(&shared).inbox.get_mut(id) {
            Some((_, waits @ None)) => {
                *waits = Some(taken.clone());
                Ok(())
            }
            _ => Err(InboxError::NotWaiting { run: run.to_owned(), id: id.to_owned() }),
        }
    }

    fn register(&self, name: &RegisterName) -> Result<Option<Register>, StorageError> {
        let registers = locked(&self.registers);
        let found = registers.get(name).and_then(|(value, version)| Some((value.clone()?, *version)));
        Ok(found.map(|(value, version)| Register { value, version }))
    }

    fn compare_and_set(&self, name: &RegisterName, expected: Option<u64>, value: &[u8]) -> Result<u64, RegisterError> {
        checks::register(name, value)?;
        self.change(name, expected, Some(value.to_vec()))
    }

    fn remove(&self, name: &RegisterName, expected: u64) -> Result<(), RegisterError> {
        self.change(name, Some(expected), None).map(|_| ())
    }

    fn registers(&self, below: &RegisterName) -> Result<Vec<(RegisterName, Register)>, StorageError> {
        let prefix = format!("{below}/");
        let registers = locked(&self.registers);
        let below = registers.iter().filter(|(name, _)| name.as_str().starts_with(&prefix));
        let there = |(name, (value, version)): (&RegisterName, &(Option<Vec<u8>>, u64))| {
            Some((name.clone(), Register { value: value.clone()?, version: *version }))
        };
        Ok(below.filter_map(there).collect())
    }

    fn put_payload(&self, run: &str, digest: &str, bytes: &[u8]) -> Result<(), PayloadError> {
        checks::payload(digest, bytes)?;
        let shared = self.payloads(run)?;
        locked(&shared).payloads.entry(digest.to_owned()).or_insert_with(|| bytes.into());
        Ok(())
    }

    fn payload(&self, run: &str, digest: &str) -> Result<Option<Vec<u8>>, PayloadError> {
        let shared = self.payloads(run)?;
        let kept = locked(&shared);
        Ok(kept.payloads.get(digest).map(|bytes| bytes.to_vec()))
    }

    fn erase(&self, run: &str) -> Result<(), PayloadError> {
        let shared = self.payloads(run)?;
        let mut kept = locked(&shared);
        if !matches!(kept.status, Status::Ended(_)) {
            return Err(PayloadError::NotEnded { run: run.to_owned() });
        }
        kept.payloads.clear();
        kept.salt = None;
        Ok(())
    }

    fn erase_payloads(&self, run: &str) -> Result<(), PayloadError> {
        let shared = self.payloads(run)?;
        locked(&shared).payloads.clear();
        Ok(())
    }
}

impl MemoryStore {
    fn change(&self, name: &RegisterName, expected: Option<u64>, value: Option<Vec<u8>>) -> Result<u64, RegisterError> {
        let mut registers = locked(&self.registers);
        let (held, version) = registers.entry(name.clone()).or_insert((None, 0));
        let found = held.is_some().then_some(*version);
        if found != expected {
            return Err(RegisterError::Conflict { name: name.clone(), found });
        }
        *held = value;
        *version += 1;
        Ok(*version)
    }
}

#[derive(Debug)]
struct MemoryReader {
    kept: Shared,
}

impl RunReader for MemoryReader {
    fn row(&self) -> Result<RunRow, StorageError> {
        Ok(locked(&self.kept).row())
    }

    fn read_from(&self, frame: u64, visit: Visit<'_>) -> Result<(), StorageError> {
        let from = usize::try_from(frame).unwrap_or(usize::MAX);
        let lines = locked(&self.kept).frames.get(from..).map(<[_]>::to_vec).unwrap_or_default();
        show(&lines, visit);
        Ok(())
    }

    fn read_side(&self, side: Side, visit: Visit<'_>) -> Result<(), StorageError> {
        let records = locked(&self.kept).sides.get(&side).cloned().unwrap_or_default();
        show(&records, visit);
        Ok(())
    }

    fn salt(&self) -> Result<Option<SaltBytes>, StorageError> {
        Ok(locked(&self.kept).salt)
    }
}

/// The caller may take its time: nothing is locked meanwhile.
fn show(lines: &[Arc<[u8]>], visit: Visit<'_>) {
    for line in lines {
        if let ControlFlow::Break(()) = visit(line) {
            return;
        }
    }
}

#[derive(Debug)]
struct MemoryLog {
    kept: Shared,
    fence: u64,
    tail: Tail,
}

impl MemoryLog {
    fn reader(&self) -> MemoryReader {
        MemoryReader { kept: Arc::clone(&self.kept) }
    }

    fn fenced(&self, kept: &Kept) -> Result<(), AppendError> {
        if kept.fence == self.fence {
            return Ok(());
        }
        Err(AppendError::Fenced { run: Arc::clone(&kept.id), by: kept.holder.clone() })
    }
}

impl RunReader for MemoryLog {
    fn row(&self) -> Result<RunRow, StorageError> {
        self.reader().row()
    }

    fn read_from(&self, frame: u64, visit: Visit<'_>) -> Result<(), StorageError> {
        self.reader().read_from(frame, visit)
    }

    fn read_side(&self, side: Side, visit: Visit<'_>) -> Result<(), StorageError> {
        self.reader().read_side(side, visit)
    }

    fn salt(&self) -> Result<Option<SaltBytes>, StorageError> {
        self.reader().salt()
    }
}

impl RunLog for MemoryLog {
    fn run(&self) -> &Arc<str> {
        &self.tail.run
    }

    fn fence(&self) -> u64 {
        self.fence
    }

    fn next(&self) -> u64 {
        self.tail.next
    }

    fn append(&mut self, frame: u64, line: &[u8], mark: FrameMark) -> Result<(), AppendError> {
        let mut kept = locked(&self.kept);
        self.fenced(&kept)?;
        self.tail.take(frame, line, mark)?;
        kept.frames.push(line.into());
        (kept.at, kept.status) = (mark.at, mark.status);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), AppendError> {
        self.fenced(&locked(&self.kept))
    }

    fn sync(&mut self) -> Result<(), AppendError> {
        self.flush()
    }

    fn side(&self, side: Side) -> Result<Box<dyn SideLog>, StorageError> {
        Ok(Box::new(MemorySide { kept: Arc::clone(&self.kept), side }))
    }

    fn release(&mut self) -> Result<(), AppendError> {
        let mut kept = locked(&self.kept);
        self.fenced(&kept)?;
        if self.tail.release() {
            kept.holder = None;
        }
        Ok(())
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        // Where another process has taken it over there is nothing to give back.
        let _ = self.release();
    }
}

#[derive(Debug)]
struct MemorySide {
    kept: Shared,
    side: Side,
}

impl SideLog for MemorySide {
    fn append(&mut self, record: &[u8]) -> Result<(), StorageError> {
        checks::record(NAME, record)?;
        locked(&self.kept).sides.entry(self.side).or_default().push(record.into());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
}
