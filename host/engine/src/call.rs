//! What a store carries during a call.

use std::sync::Arc;

use countersign_contract::view::{Answer, Query, Read, RunView};
use countersign_contract::{Level, Violation};

use crate::limits::Memory;

/// Reads of one call.
const MOST_READS: usize = 32;
/// Bytes of the answers of one call, and of what the policy says in its questions, as it is written into the record.
const MOST_READ_BYTES: usize = 64 << 10;
/// Log lines of one call, and their bytes.
const MOST_LINES: usize = 64;
const MOST_LINE_BYTES: usize = 4 << 10;
const MOST_LOG_BYTES: usize = 16 << 10;

/// A line that a policy wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub message: String,
}

/// State of one instance's store.
pub(crate) struct CallState {
    pub memory: Memory,
    view: Option<Arc<dyn RunView + Send + Sync>>,
    reads: Vec<Read>,
    read_bytes: usize,
    violation: Option<Violation>,
    log: Vec<LogLine>,
    log_bytes: usize,
    dropped: u64,
}

/// The policy broke the contract in its use of an import.
#[derive(Debug, thiserror::Error)]
#[error("the contract was broken")]
pub(crate) struct Broken;

impl CallState {
    pub fn new(memory: Memory) -> Self {
        CallState {
            memory,
            view: None,
            reads: Vec::new(),
            read_bytes: 0,
            violation: None,
            log: Vec::new(),
            log_bytes: 0,
            dropped: 0,
        }
    }

    pub fn begin(&mut self, view: Option<Arc<dyn RunView + Send + Sync>>) {
        self.view = view;
        self.reads.clear();
        self.read_bytes = 0;
        self.violation = None;
        self.log.clear();
        self.log_bytes = 0;
        self.dropped = 0;
    }

    /// Lets go of the view, so that the run can change it without a copy.
    pub fn end(&mut self) -> (Vec<Read>, Option<Violation>, Vec<LogLine>) {
        self.view = None;
        if self.dropped > 0 {
            let message = format!("{} more log lines were dropped", self.dropped);
            self.log.push(LogLine { level: Level::Warn, message });
        }
        (std::mem::take(&mut self.reads), self.violation.take(), std::mem::take(&mut self.log))
    }

    /// Answers a question and records it; a repeated one from the record.
    pub fn read(&mut self, query: Query) -> Result<&Answer, Broken> {
        if let Some(at) = self.reads.iter().position(|read| read.query == query) {
            return Ok(&self.reads[at].answer);
        }
        if self.reads.len() == MOST_READS {
            return Err(self.broken("run", "read at most 32 times a call"));
        }
        // What it asks is written down like what it hears: a policy does not fill the record with its questions.
        self.read_bytes = self.read_bytes.saturating_add(query.bytes());
        if self.read_bytes > MOST_READ_BYTES {
            return Err(self.broken("run", "asked for at most 64 KiB a call, its own questions included"));
        }
        let answer = match &self.view {
            Some(view) => view.read(&query),
            None => None,
        };
        let Some(answer) = answer else {
            return Err(self.broken("run", "asked only during a judgement, and in a replay only what was asked then"));
        };
        self.read_bytes += answer.bytes();
        if self.read_bytes > MOST_READ_BYTES {
            return Err(self.broken("run", "asked for at most 64 KiB a call, its own questions included"));
        }
        let at = self.reads.len();
        self.reads.push(Read { query, answer });
        Ok(&self.reads[at].answer)
    }

    fn broken(&mut self, field: &str, expected: &str) -> Broken {
        self.violation = Some(Violation { field: field.to_owned(), expected: expected.to_owned(), bits: None });
        Broken
    }

    pub fn log(&mut self, level: Level, message: &str) {
        let message = &message[..message.floor_char_boundary(MOST_LINE_BYTES)];
        if self.log.len() == MOST_LINES || self.log_bytes + message.len() > MOST_LOG_BYTES {
            if level == Level::Error {
                // The last error is what explains a failure: it takes the place of an older line.
                self.log.pop();
            } else {
                self.dropped += 1;
                return;
            }
        }
        self.log_bytes += message.len();
        self.log.push(LogLine { level, message: message.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Memory;

    struct Knows(&'static str);

    impl RunView for Knows {
        fn read(&self, query: &Query) -> Option<Answer> {
            matches!(query, Query::Fact(_)).then(|| Answer::Fact(Some(self.0.into())))
        }
    }

    /// How many of these questions are answered in one call.
    fn answered(known: &'static str, keys: impl Iterator<Item = String>) -> (usize, CallState) {
        let mut state = CallState::new(Memory::new(1 << 20));
        state.begin(Some(Arc::new(Knows(known))));
        let answered = keys.take_while(|key| state.read(Query::Fact(key.clone())).is_ok()).count();
        (answered, state)
    }

    #[test]
    fn what_a_policy_asks_counts_like_what_it_hears() {
        let numbered = |text: String| (0..40).map(move |n| format!("{text}{n:02}"));
        for (what, key, expected) in [
            ("as many as may be", "a".to_owned(), MOST_READS),
            ("long names", "a".repeat(16 << 10), 3),
            ("letters of several bytes", "ä".repeat(8 << 10), 3),
            // As they stand in the record, these are six bytes each.
            ("control characters", "\u{1}".repeat(4 << 10), 2),
            ("quotes", "\"".repeat(8 << 10), 3),
            ("more than all of it at once", "\u{1}".repeat(1 << 20), 0),
        ] {
            let (found, mut state) = answered("x", numbered(key));
            assert_eq!(found, expected, "{what}");
            let (reads, violation, _) = state.end();
            let written: usize = reads.iter().map(|read| serde_json::to_vec(read).map_or(0, |text| text.len())).sum();
            assert!(reads.len() == expected && written < 2 * MOST_READ_BYTES, "{what}: {written} bytes are recorded");
            assert_eq!(violation.map(|violation| violation.field), Some("run".to_owned()), "{what}");
        }
    }
}
