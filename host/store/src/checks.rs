//! What every store refuses before it writes anything: no reader would take it.

use std::sync::Arc;

use countersign_kernel::Status;

use crate::error::StorageError;
use crate::inbox::{self, Entry, LARGEST_ENTRY};
use crate::query::{FindError, RunQuery, RunRow, RunState};
use crate::register::{LARGEST_REGISTER, RegisterError, RegisterName};
use crate::run_log::{AppendError, FrameMark, LARGEST_FRAME};
use crate::run_store::{BeginError, InboxError, LARGEST_PAYLOAD, LONGEST_ID, NewRun, PayloadError};

/// A run that begins.
pub(crate) fn begin(new: &NewRun<'_>) -> Result<(), BeginError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let length = (1..=LONGEST_ID).contains(&new.id.len());
    if !length || new.id.starts_with('.') || !new.id.bytes().all(plain) {
        return Err(BeginError::Id { run: new.id.to_owned() });
    }
    if new.manifest.len() > LARGEST_FRAME {
        return Err(BeginError::TooLarge { run: new.id.to_owned(), bytes: new.manifest.len() });
    }
    if new.manifest.contains(&b'\n') {
        return Err(BeginError::NotALine { run: new.id.to_owned() });
    }
    Ok(())
}

/// What the writer of a run knows of it, so that a frame out of place never reaches the store.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub run: Arc<str>,
    pub next: u64,
    pub status: Status,
    /// What the first failure said: nothing is written behind a gap.
    pub failed: Option<String>,
    released: bool,
}

impl Tail {
    pub fn new(run: Arc<str>, next: u64, status: Status) -> Self {
        Tail { run, next, status, failed: None, released: false }
    }

    /// Whether a frame may follow; it counts as following when it may.
    pub fn take(&mut self, frame: u64, line: &[u8], mark: FrameMark) -> Result<(), AppendError> {
        let run = || Arc::clone(&self.run);
        self.whole()?;
        if self.released {
            return Err(AppendError::Fenced { run: run(), by: None });
        }
        if let Status::Ended(code) = self.status {
            return Err(AppendError::Ended { run: run(), code });
        }
        if frame != self.next {
            return Err(AppendError::Conflict { run: run(), given: frame, expected: self.next });
        }
        if line.len() > LARGEST_FRAME {
            return Err(AppendError::TooLarge { run: run(), frame, bytes: line.len() });
        }
        if line.contains(&b'\n') {
            return Err(AppendError::NotALine { run: run(), frame });
        }
        self.next += 1;
        self.status = mark.status;
        Ok(())
    }

    /// Nothing is written any more; false where that was so already.
    pub fn release(&mut self) -> bool {
        !std::mem::replace(&mut self.released, true)
    }

    /// Whether everything so far was taken.
    pub fn whole(&self) -> Result<(), AppendError> {
        match &self.failed {
            Some(problem) => Err(AppendError::Failed { run: Arc::clone(&self.run), problem: problem.clone() }),
            None => Ok(()),
        }
    }
}

/// A record of a side stream.
pub(crate) fn record(store: &str, record: &[u8]) -> Result<(), StorageError> {
    if record.len() > LARGEST_FRAME {
        let problem = format!("a record of {} bytes, expected at most {LARGEST_FRAME}", record.len());
        return Err(StorageError::failed(store, problem));
    }
    if record.contains(&b'\n') {
        return Err(StorageError::failed(store, "a record holds a line's end"));
    }
    Ok(())
}

/// An entry of an inbox; as it is stored.
pub(crate) fn entry(entry: &Entry) -> Result<String, InboxError> {
    if !inbox::plain(&entry.id) {
        return Err(InboxError::Id { id: entry.id.clone() });
    }
    let text = serde_json::to_string(entry).map_err(|source| StorageError::failed("inbox", source))?;
    if text.len() > LARGEST_ENTRY {
        return Err(InboxError::TooLarge { id: entry.id.clone(), bytes: text.len() });
    }
    Ok(text)
}

pub(crate) fn register(name: &RegisterName, value: &[u8]) -> Result<(), RegisterError> {
    match value.len() {
        bytes if bytes > LARGEST_REGISTER => Err(RegisterError::TooLarge { name: name.clone(), bytes }),
        _ => Ok(()),
    }
}

pub(crate) fn payload(digest: &str, bytes: &[u8]) -> Result<(), PayloadError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
    if !(1..=128).contains(&digest.len()) || !digest.bytes().all(plain) {
        return Err(PayloadError::Digest { digest: digest.to_owned() });
    }
    if bytes.len() > LARGEST_PAYLOAD {
        return Err(PayloadError::TooLarge { digest: digest.to_owned(), bytes: bytes.len() });
    }
    Ok(())
}

/// The only row among those whose id begins so; an id that is written out is never ambiguous.
pub(crate) fn only(prefix: &str, mut rows: Vec<RunRow>) -> Result<RunRow, FindError> {
    if let Some(at) = rows.iter().position(|row| &*row.id == prefix) {
        return Ok(rows.swap_remove(at));
    }
    rows.truncate(2);
    match (rows.pop(), rows.pop()) {
        (Some(row), None) => Ok(row),
        (Some(second), Some(first)) => {
            Err(FindError::Ambiguous { prefix: prefix.to_owned(), first: first.id, second: second.id })
        }
        (None, _) => Err(FindError::NotFound { prefix: prefix.to_owned() }),
    }
}

/// Whether a run is one of those that are asked for.
pub(crate) fn fits(row: &RunRow, query: &RunQuery) -> bool {
    let code = match row.status {
        Status::Running => None,
        Status::Suspended(code) | Status::Ended(code) => Some(code),
    };
    let attributes = &row.attributes;
    query.state.is_none_or(|state| RunState::of(row.status) == state)
        && query.code.is_none_or(|wanted| code == Some(wanted))
        && query.tenant.is_none_or_eq(attributes.tenant.as_deref())
        && query.agent.is_none_or_eq(Some(&*attributes.agent))
        && query.principal.is_none_or_eq(attributes.principal.as_deref())
        && query.since.is_none_or(|since| attributes.started >= since)
        && query.until.is_none_or(|until| attributes.started < until)
}

trait Wanted {
    fn is_none_or_eq(&self, found: Option<&str>) -> bool;
}

impl Wanted for Option<Arc<str>> {
    fn is_none_or_eq(&self, found: Option<&str>) -> bool {
        self.as_deref().is_none_or(|wanted| found == Some(wanted))
    }
}
