//! What shadow policies said, beside the trace: a side stream, never in a frame.
//!
//! One JSON object a line in `NAME.shadow`. Each process that drove the run writes a part: `began`,
//! then a `judged` for every answer, then `ended`. Where `ended` is missing the process still goes
//! on, or was lost.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use countersign_kernel::contract::Verdict;
use countersign_kernel::contract::view::Read as ViewRead;
use countersign_kernel::{Answered, Question, Slot};
use serde::{Deserialize, Serialize};

/// Version of the side stream's format.
pub const SHADOW_FORMAT: u32 = 1;

/// A line of a side stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShadowRecord {
    /// A process begins to judge beside the run.
    Began(ShadowBegan),
    /// A shadow policy was asked.
    Judged(Box<ShadowJudgement>),
    /// The process has judged all that it could.
    Ended(ShadowEnded),
}

/// Who judges beside which run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShadowBegan {
    /// [`SHADOW_FORMAT`].
    pub format: u32,
    /// Id of the run.
    pub run: Arc<str>,
    /// Digest of the bundle's lock.
    pub lock: Arc<str>,
    /// Number of the first frame that is heard.
    pub from: u64,
    /// The shadow policies, in lock order.
    pub entries: Vec<ShadowEntry>,
}

/// A shadow policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShadowEntry {
    /// Name of the bundle entry.
    pub name: Arc<str>,
    /// The policy's own name and version.
    pub policy: Arc<str>,
    /// Digest of the component.
    pub component: Arc<str>,
    /// Digest of the configuration.
    pub configuration: Arc<str>,
    /// No call depends on an earlier one.
    pub stateless: bool,
    /// The slots whose questions it hears.
    pub slots: Vec<Slot>,
}

/// What a shadow policy said, and what counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShadowJudgement {
    /// The frame whose question it is.
    pub frame: u64,
    /// Name of the bundle entry.
    pub entry: Arc<str>,
    /// Digest of the component.
    pub policy: Arc<str>,
    /// The slot that was asked.
    pub slot: Slot,
    /// What the slot's policies said together; none where it is empty.
    pub enforced: Option<Verdict>,
    /// What the shadow policy said: the failure verdict of its slot where it could not decide.
    pub verdict: Verdict,
    /// What was asked.
    pub question: Arc<Question>,
    /// What was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<ViewRead>,
    /// What was answered.
    pub answer: Answered,
    /// For people, when it could not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Fuel burnt. No budget knows of it.
    pub fuel: u64,
}

/// What a process has judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShadowEnded {
    /// One for each entry and slot, in lock order.
    pub counts: Vec<ShadowCount>,
}

/// Questions to an entry in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShadowCount {
    /// Name of the bundle entry.
    pub entry: Arc<str>,
    /// The slot.
    pub slot: Slot,
    /// Asked and answered.
    pub judged: u64,
    /// Never asked, since the policy was too far behind the run, or revoked.
    pub dropped: u64,
    /// Of those judged, the ones that it could not decide.
    pub undecided: u64,
}

/// A side stream that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The file cannot be read.
    #[error("`{file}`: {source}")]
    Io {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not what it should be.
    #[error("`{file}`, line {line}: {problem}")]
    Invalid {
        /// Which file.
        file: String,
        /// Number of the line, from 1.
        line: u64,
        /// What was expected.
        problem: String,
    },
    /// It does not tell of the trace that it lies beside.
    #[error("`{file}` does not tell of `{trace}`, beside which it lies: {problem}")]
    OfAnother {
        /// The side stream.
        file: String,
        /// The trace.
        trace: String,
        /// How it shows.
        problem: String,
    },
}

/// Longest line, as in a trace.
const LONGEST_LINE: u64 = 64 << 20;

/// Reads a side stream line by line, in memory that does not grow with it.
#[derive(Debug)]
pub struct ShadowReader<R> {
    file: String,
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl ShadowReader<BufReader<File>> {
    /// Opens a side stream.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ShadowError> {
        let file = path.display().to_string();
        match File::open(path) {
            Ok(input) => Ok(ShadowReader::new(file, BufReader::new(input))),
            Err(source) => Err(ShadowError::Io { file, source }),
        }
    }
}

impl<R: BufRead> ShadowReader<R> {
    /// Reads from `input`; `file` names it in errors.
    pub fn new(file: impl Into<String>, input: R) -> Self {
        ShadowReader { file: file.into(), input, line: Vec::new(), number: 0 }
    }

    /// The next line; none at the end, or at a line that is still being written.
    ///
    /// # Errors
    /// At a line that is none of a side stream.
    pub fn read(&mut self) -> Result<Option<ShadowRecord>, ShadowError> {
        self.line.clear();
        let read = self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line);
        if let Err(source) = read {
            return Err(ShadowError::Io { file: self.file.clone(), source });
        }
        self.number += 1;
        let whole = self.line.last() == Some(&b'\n');
        if !whole && (self.line.len() as u64) < LONGEST_LINE {
            return match self.number {
                1 => Err(self.invalid("is no side stream: expected a line that begins with `{\"began\":`")),
                _ => Ok(None),
            };
        }
        let record: ShadowRecord =
            serde_json::from_slice(&self.line).map_err(|error| self.invalid(&error.to_string()))?;
        match &record {
            ShadowRecord::Began(began) if began.format != SHADOW_FORMAT => {
                let problem = format!("format {} is not known here, expected {SHADOW_FORMAT}", began.format);
                Err(self.invalid(&problem))
            }
            ShadowRecord::Judged(_) | ShadowRecord::Ended(_) if self.number == 1 => {
                Err(self.invalid("expected `began` before anything else"))
            }
            _ => Ok(Some(record)),
        }
    }

    /// An error about the line read last.
    pub fn invalid(&self, problem: &str) -> ShadowError {
        ShadowError::Invalid { file: self.file.clone(), line: self.number, problem: problem.to_owned() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn began(from: u64) -> ShadowBegan {
        ShadowBegan { format: SHADOW_FORMAT, run: "r".into(), lock: "sha256:0".into(), from, entries: Vec::new() }
    }

    #[test]
    fn what_is_no_side_stream_is_refused_by_its_line() {
        let table = [
            (String::new(), 1, "is no side stream"),
            ("garbage\n".to_owned(), 1, "expected value"),
            ("{\"ended\":{\"counts\":[]}}\n".to_owned(), 1, "expected `began` before anything else"),
            (
                "{\"began\":{\"format\":9,\"run\":\"r\",\"lock\":\"\",\"from\":1,\"entries\":[]}}\n".to_owned(),
                1,
                "format 9 is not known here",
            ),
            (
                format!("{}\n{{\"judged\":{{}}}}\n", serde_json::to_string(&ShadowRecord::Began(began(1))).unwrap()),
                2,
                "missing field",
            ),
        ];
        for (text, line, part) in table {
            let mut reader = ShadowReader::new("x.shadow", text.as_bytes());
            let error = std::iter::repeat_with(|| reader.read()).find_map(Result::err).unwrap().to_string();
            assert!(error.starts_with(&format!("`x.shadow`, line {line}: ")) && error.contains(part), "{error}");
        }
    }
}
