use std::io::BufRead;

use countersign_kernel::{Closed, Frame, Run};
use countersign_spec::Manifest;

use super::chain::{Chain, ReadFrame, ReadManifest, genesis, unseal};
use crate::run_log::LARGEST_FRAME;

/// A trace that cannot be read, or is not what was written. Names the first bad frame.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("`{file}`: {source}")]
    Io {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no trace at all.
    #[error("`{file}`, line 1: is no trace: {problem}")]
    NotATrace {
        /// Which.
        file: String,
        /// What was expected.
        problem: String,
    },
    /// A frame is not what was written.
    #[error("`{file}`, line {}: frame {frame} is not what was written: {problem}", frame + 1)]
    Broken {
        /// Which file.
        file: String,
        /// The first bad frame.
        frame: u64,
        /// How it shows.
        problem: String,
    },
}

/// How a trace ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its terminal frame: this is all there was.
    Complete,
    /// Without: frames may be missing at the end.
    Open {
        /// The last line was cut off while being written.
        half_written: bool,
    },
}

/// A frame of a trace.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one manifest a trace, and frames need no box")]
pub enum Stored {
    /// Frame 0.
    Manifest(Manifest),
    /// Any other.
    Frame(Frame),
}

/// Checks the chain of a run line by line, wherever the lines come from.
#[derive(Debug)]
pub struct ChainReader {
    file: String,
    prev: Option<String>,
    next: u64,
    terminal: bool,
}

impl ChainReader {
    /// Begins before frame 0; `file` names what is read in errors.
    pub fn new(file: impl Into<String>) -> Self {
        ChainReader { file: file.into(), prev: None, next: 0, terminal: false }
    }

    /// Frames read so far.
    pub fn frames(&self) -> u64 {
        self.next
    }

    /// Hash of the last line read: kept elsewhere, it proves that a trace is the one it was.
    pub fn head(&self) -> Option<&str> {
        self.prev.as_deref()
    }

    /// Whether the terminal frame was read.
    pub fn is_complete(&self) -> bool {
        self.terminal
    }

    /// Goes on writing behind what was read; none where nothing was.
    pub fn into_chain(self) -> Option<Chain> {
        Some(Chain::behind(self.prev?, self.next))
    }

    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// When it is not what was written.
    pub fn take(&mut self, line: &[u8]) -> Result<Stored, TraceError> {
        if self.terminal {
            return Err(self.broken(self.next, "something follows the terminal frame"));
        }
        if line.len() > LARGEST_FRAME {
            return Err(self.broken(self.next, &format!("it is longer than {LARGEST_FRAME} bytes")));
        }
        let Some(hash) = unseal(line) else {
            // A file that was never a trace is told from one that was changed.
            if self.next == 0 && !contains(line, b"\"seal\"") && !contains(line, b"\"manifest\"") {
                return Err(self.not_a_trace("expected a line that starts with `{\"frame\":0,`"));
            }
            return Err(self.broken(self.next, "its bytes do not match its seal"));
        };
        let stored = if self.next == 0 { self.manifest(line)? } else { self.frame(line)? };
        self.prev = Some(hash);
        self.next += 1;
        Ok(stored)
    }

    fn manifest(&self, line: &[u8]) -> Result<Stored, TraceError> {
        let read: ReadManifest = serde_json::from_slice(line).map_err(|error| self.not_a_trace(&error.to_string()))?;
        if read.manifest.format != countersign_spec::TRACE_FORMAT {
            let expected = countersign_spec::TRACE_FORMAT;
            let problem = format!("format {} is not known here, expected {expected}", read.manifest.format);
            return Err(self.not_a_trace(&problem));
        }
        if read.frame != 0 || read.prev != genesis(&read.manifest.run) {
            return Err(self.broken(0, "it does not start the chain of its run"));
        }
        Ok(Stored::Manifest(read.manifest))
    }

    fn frame(&mut self, line: &[u8]) -> Result<Stored, TraceError> {
        let read: ReadFrame =
            serde_json::from_slice(line).map_err(|error| self.broken(self.next, &error.to_string()))?;
        if read.frame != self.next {
            return Err(self.broken(self.next, &format!("it is numbered {}", read.frame)));
        }
        if Some(&read.prev) != self.prev.as_ref() {
            return Err(self.broken(self.next, "it does not follow from the frame before it"));
        }
        let frame = Frame {
            frame: read.frame,
            at: read.at,
            input: read.input,
            judgements: read.judgements,
            events: read.events,
        };
        for event in &frame.events {
            if let countersign_kernel::Event::Ended { frames, .. } = event {
                self.terminal = true;
                if *frames != self.next + 1 {
                    return Err(
                        self.broken(self.next, &format!("it counts {frames} frames, here are {}", self.next + 1))
                    );
                }
            }
        }
        Ok(Stored::Frame(frame))
    }

    pub(crate) fn not_a_trace(&self, problem: &str) -> TraceError {
        TraceError::NotATrace { file: self.file.clone(), problem: problem.to_owned() }
    }

    pub(crate) fn broken(&self, frame: u64, problem: &str) -> TraceError {
        TraceError::Broken { file: self.file.clone(), frame, problem: problem.to_owned() }
    }
}

/// Reads a trace and checks its chain frame by frame, in memory that does not grow with it.
pub struct TraceReader<R> {
    chain: ChainReader,
    input: R,
    line: Vec<u8>,
    ending: Option<Ending>,
}

impl<R: BufRead> TraceReader<R> {
    /// Reads from `input`; `file` names it in errors.
    pub fn new(file: impl Into<String>, input: R) -> Self {
        TraceReader { chain: ChainReader::new(file), input, line: Vec::new(), ending: None }
    }

    /// How the trace ends, once everything has been read.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Frames read so far.
    pub fn frames(&self) -> u64 {
        self.chain.frames()
    }

    /// Hash of the last whole line read: kept elsewhere, it proves that a trace is the one it was.
    pub fn head(&self) -> Option<&str> {
        self.chain.head()
    }

    /// Bytes of the line read last.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The next frame; none at the end.
    ///
    /// # Errors
    /// At the first frame that is not what was written.
    pub fn read(&mut self) -> Result<Option<Stored>, TraceError> {
        use std::io::Read;
        if self.ending.is_some() {
            return Ok(None);
        }
        self.line.clear();
        let io = |source| TraceError::Io { file: self.chain.file.clone(), source };
        let most = LARGEST_FRAME as u64 + 1;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.line).map_err(io)?;
        let next = self.chain.frames();
        if read == 0 {
            if next == 0 {
                return Err(self.chain.not_a_trace("is empty"));
            }
            let open = Ending::Open { half_written: false };
            self.ending = Some(if self.chain.is_complete() { Ending::Complete } else { open });
            return Ok(None);
        }
        if self.chain.is_complete() {
            return Err(self.chain.broken(next, "something follows the terminal frame"));
        }
        if next == 0
            && let Some(problem) = foreign(&self.line)
        {
            return Err(self.chain.not_a_trace(problem));
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if let Some(before) = self.line.strip_suffix(b"\r")
                && unseal(before).is_some()
            {
                let problem = "its line ends with a carriage return (CRLF): the file was changed on its way, as by a \
                               transfer in text mode; take it again as it is, or remove the carriage returns";
                return Err(self.chain.broken(next, problem));
            }
        } else if self.line.len() > LARGEST_FRAME {
            return Err(self.chain.broken(next, &format!("it is longer than {LARGEST_FRAME} bytes")));
        } else if unseal(&self.line).is_some() {
            let problem = "all of it is there but the line's end, a newline that an editor or a copy has taken away; \
                           put it back at the end of the file";
            return Err(self.chain.broken(next, problem));
        } else if unseal(&self.line[..self.line.len() - 1]).is_some() {
            return Err(self.chain.broken(next, "something stands between its seal and its end"));
        } else if next > 0 {
            // A frame counts once its line is whole: this one was being written.
            self.ending = Some(Ending::Open { half_written: true });
            return Ok(None);
        } else {
            return Err(self.chain.not_a_trace("its first line has no end"));
        }
        self.chain.take(&self.line).map(Some)
    }

    /// Reads everything, folding it: each frame must follow from the ones before it. `each` sees
    /// every frame once it is folded, with what its judgements answer.
    ///
    /// # Errors
    /// At the first frame that does not.
    pub fn fold(&mut self, mut each: impl FnMut(&Run, &Closed)) -> Result<(Run, Ending), TraceError> {
        self.fold_lines(|run, closed, _| {
            if let Some(closed) = closed {
                each(run, closed);
            }
        })
    }

    /// As [`TraceReader::fold`]; `each` sees every line too, that of the manifest without a frame.
    ///
    /// # Errors
    /// As there.
    pub fn fold_lines(
        &mut self,
        mut each: impl FnMut(&Run, Option<&Closed>, &[u8]),
    ) -> Result<(Run, Ending), TraceError> {
        let manifest = match self.read()? {
            Some(Stored::Manifest(manifest)) => manifest,
            _ => return Err(self.chain.not_a_trace("expected a manifest")),
        };
        let mut run = Run::open(manifest.into()).map_err(|error| self.chain.not_a_trace(&error.to_string()))?;
        each(&run, None, &self.line);
        while let Some(stored) = self.read()? {
            if let Stored::Frame(frame) = stored {
                let closed = run.fold(&frame);
                let closed = closed.map_err(|error| self.chain.broken(frame.frame, &error.to_string()))?;
                each(&run, Some(&closed), &self.line);
            }
        }
        Ok((run, self.ending.unwrap_or(Ending::Open { half_written: false })))
    }
}

/// What a file is whose first bytes no trace begins with.
fn foreign(line: &[u8]) -> Option<&'static str> {
    const FORMS: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "it is compressed with gzip; unpack it first, as with `gunzip --keep`"),
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; unpack it first, as with `unzstd`"),
        (b"PK\x03\x04", "it is a zip archive; unpack it first"),
        (
            b"SQLite format 3\0",
            "it is a database; where it is a store, give the id of a run and `--store` with its name",
        ),
        (
            b"\xef\xbb\xbf",
            "it begins with a byte order mark, which an editor has put there; remove its first three bytes",
        ),
        (b"\xff\xfe", "it is UTF-16, which an editor has made of it; take the file as it was written"),
    ];
    FORMS.into_iter().find(|(begins, _)| line.starts_with(begins)).map(|(_, what)| what)
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}
