//! A recording as it lies on disk: which form it has, and its runs one after the other.
//!
//! A run is a value of its own (an object with its elements below a key), or the file is the run: lines, a list, or a
//! folder with a file for each event. What is broken is left out and named by file and line; the rest is read.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::Value;

use super::formats::{FORMATS, Format};
use super::not_read::NotRead;
use super::reading::{Problem, Reading, Readout};
use super::run::Visit;
use super::sink::{Refused, Sink};
use super::sketch::Sketch;
use super::source::{Line, Metered, Source};
use super::value::ValueSeed;

/// Most lines of a file's beginning by which its form is known.
const LINES: usize = 256;

/// A recording that cannot be read. Names file and line.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened or read on.
    #[error("`{file}`: {source}")]
    Io {
        /// The file, as it was named.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// It has no form that is known.
    #[error("`{file}` {found}; expected a recording:\n{}", expected())]
    Unknown {
        /// The file, as it was named.
        file: String,
        /// What it looks like.
        found: String,
    },
    /// It holds no run that can be read, or one of which no run can be made.
    #[error("{problem}")]
    Malformed {
        /// The first thing that is not as it should be.
        problem: Problem,
    },
    /// A folder below which nothing has the name of a recording.
    #[error("`{folder}`: no recording in it; their names end in {names}")]
    NoneBelow {
        /// The folder, as it was named.
        folder: String,
        /// The ends of their names.
        names: String,
    },
    /// Several files, and none of them could be read.
    #[error("none of these can be read as a recording:{}", listed(files))]
    Nothing {
        /// The files, and why not.
        files: Vec<NotRead>,
    },
}

impl RecordingError {
    /// Why it cannot be read, in a line that does not name it.
    pub(crate) fn why(&self) -> String {
        match self {
            RecordingError::Io { source, .. } => source.to_string(),
            RecordingError::Unknown { found, .. } => format!("{found}; no recording of a form that is known"),
            RecordingError::Malformed { problem } => match problem.line {
                Some(line) => format!("line {line}: {}", problem.problem),
                None => problem.problem.clone(),
            },
            RecordingError::NoneBelow { names, .. } => format!("no recording in it; their names end in {names}"),
            RecordingError::Nothing { .. } => "none of them can be read".to_owned(),
        }
    }
}

/// Most files that an error names.
const NAMED: usize = 20;

fn listed(files: &[NotRead]) -> String {
    let one = |file: &NotRead| format!("\n  `{}`: {}", file.file, file.problem);
    let more = files.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    files.iter().take(NAMED).map(one).collect::<String>() + &rest
}

fn expected() -> String {
    let one = |format: &Format| format!("  {}: {}", format.name, format.looks);
    FORMATS.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// How the runs of a file lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// A run a line.
    RunLines,
    /// Values that are runs, one after the other, or a list of such, or a list of one run's elements.
    Values,
    /// The lines are the elements of one run.
    ElementLines,
}

enum Input {
    /// With how its runs lie in it.
    File(Box<dyn BufRead>, Layout),
    /// Files of one event each, in their order.
    Folder(Vec<PathBuf>),
}

/// A recording that is to be read.
pub struct Recording {
    input: Input,
    reading: Reading,
}

impl Recording {
    /// Opens a file, plain or gzip, or a folder of events, and finds out which form it has.
    ///
    /// # Errors
    /// When it cannot be read, or its form is none that is known.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = path.display().to_string();
        let io = |source| RecordingError::Io { file: file.clone(), source };
        let unknown = |found: String| RecordingError::Unknown { file: file.clone(), found };
        let (format, lists_runs, input) = if path.is_dir() {
            let events = events_of(path).map_err(io)?;
            let format = form_of_events(&events)
                .ok_or_else(|| unknown("is a folder without files of events such as `0.json`".to_owned()))?;
            (format, false, Input::Folder(events))
        } else {
            let source = Source::open(path).map_err(io)?;
            let Known { format, layout, lists_runs } = known(&source.head).map_err(unknown)?;
            (format, lists_runs, Input::File(Box::new(source.reader()), layout))
        };
        let read = Readout { file, form: format.name, ..Readout::default() };
        let reading = Reading { format, lists_runs, read, line: None, run: 0, since: Rc::default() };
        Ok(Recording { input, reading })
    }

    /// Reads its runs, one after the other. What cannot be read is left out and named.
    ///
    /// # Errors
    /// What the visitor refuses, a file that cannot be read to its end, and a file without any run.
    pub fn read(self, visit: &mut dyn Visit) -> Result<Readout, RecordingError> {
        let Recording { input, mut reading } = self;
        let refused = |reading: &Reading, refused: Refused| {
            let (file, line, run) = (reading.read.file.clone(), reading.line, reading.run);
            RecordingError::Malformed { problem: Problem { file, line, run, element: None, problem: refused.0 } }
        };
        let file = reading.read.file.clone();
        let io = |source| RecordingError::Io { file: file.clone(), source };
        let done = match input {
            Input::Folder(events) => Ok(reading.folder(&events, visit)),
            Input::File(input, Layout::ElementLines) => reading.element_lines(input, visit),
            Input::File(input, Layout::RunLines) => reading.run_lines(input, visit),
            Input::File(input, Layout::Values) => Ok(reading.values(input, visit)),
        };
        done.map_err(io)?.map_err(|error| refused(&reading, error))?;
        if reading.read.runs == 0 {
            let problem = reading.read.problems.into_iter().next().unwrap_or_else(|| {
                let problem = format!("no run in it, although it looks like {}", reading.format.name);
                Problem { file, line: None, run: 0, element: None, problem }
            });
            return Err(RecordingError::Malformed { problem });
        }
        Ok(reading.read)
    }
}

/// What reading came to: an error of the file, or the visitor's.
type Done = io::Result<Result<(), Refused>>;

impl Reading {
    /// A run whose elements are files.
    fn folder(&mut self, events: &[PathBuf], visit: &mut dyn Visit) -> Result<(), Refused> {
        let (mut reader, mut sink) = ((self.format.reader)(), Sink::new(visit));
        let folder = self.read.file.clone();
        for (number, path) in events.iter().enumerate() {
            let element = Source::open(path).map_err(|error| error.to_string()).and_then(|source| {
                let input = Metered::buffered(source.reader(), &self.since);
                serde_json::from_reader::<_, Value>(input).map_err(|error| error.to_string())
            });
            self.read.file = path.display().to_string();
            let done = self.element(number as u64, element, (&mut *reader, &mut sink));
            self.read.file.clone_from(&folder);
            done?;
        }
        self.end(reader, sink)
    }

    /// A run whose elements are lines.
    fn element_lines(&mut self, mut input: Box<dyn BufRead>, visit: &mut dyn Visit) -> Done {
        let (mut reader, mut sink) = ((self.format.reader)(), Sink::new(visit));
        let (mut number, mut at) = (0, 0);
        while !input.fill_buf()?.is_empty() {
            at += 1;
            self.line = Some(at);
            let mut line = Line::of(&mut input);
            let read = serde_json::from_reader::<_, Value>(Metered::buffered(&mut line, &self.since));
            if line.failed {
                // A file that cannot be read on is no broken line.
                return Err(read.err().map_or_else(|| io::ErrorKind::Other.into(), io::Error::from));
            }
            line.skip()?;
            if line.blank {
                continue;
            }
            let element = read.map_err(|error| in_line(&error));
            if let Err(refused) = self.element(number, element, (&mut *reader, &mut sink)) {
                return Ok(Err(refused));
            }
            number += 1;
        }
        self.line = None;
        Ok(self.end(reader, sink))
    }

    /// Runs that are lines.
    fn run_lines(&mut self, mut input: Box<dyn BufRead>, visit: &mut dyn Visit) -> Done {
        let mut at = 0;
        while !input.fill_buf()?.is_empty() {
            at += 1;
            self.line = Some(at);
            let mut line = Line::of(&mut input);
            let since = Rc::clone(&self.since);
            let mut values = serde_json::Deserializer::from_reader(Metered::buffered(&mut line, &since));
            let read = self.value(&mut values, visit).map(|done| done.map(|()| values.end()));
            drop(values);
            if line.failed {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.skip()?;
            match read {
                Ok(Ok(Ok(()))) => {}
                Err(refused) => return Ok(Err(refused)),
                Ok(Err(_)) if line.blank => {}
                Ok(Err(error) | Ok(Err(error))) => {
                    self.leave_out(None, in_line(&error));
                    self.run += 1;
                }
            }
        }
        Ok(Ok(()))
    }

    /// Values one after the other, each with as many lines as it likes.
    fn values(&mut self, input: Box<dyn BufRead>, visit: &mut dyn Visit) -> Result<(), Refused> {
        let since = Rc::clone(&self.since);
        let mut values = serde_json::Deserializer::from_reader(Metered::buffered(input, &since));
        while values.end().is_err() {
            if let Err(error) = self.value(&mut values, visit)? {
                // Where the next value begins nobody knows.
                self.line = Some(error.line() as u64);
                self.leave_out(None, error.to_string());
                break;
            }
        }
        Ok(())
    }

    /// A value that is a run, or a list of such or of its elements.
    fn value<R: io::Read>(
        &mut self,
        values: &mut serde_json::Deserializer<serde_json::de::IoRead<R>>,
        visit: &mut dyn Visit,
    ) -> Result<Result<(), serde_json::Error>, Refused> {
        let mut refused = None;
        let read = ValueSeed { reading: self, visit, refused: &mut refused }.deserialize(values);
        match refused {
            Some(refused) => Err(refused),
            None => Ok(read),
        }
    }
}

/// An error within a line: its column is one of the file, its line is not.
fn in_line(error: &serde_json::Error) -> String {
    error.to_string().replacen(" at line 1 column ", ", column ", 1)
}

struct Known {
    format: &'static Format,
    layout: Layout,
    lists_runs: bool,
}

/// The form of a file by how it begins, or what it looks like.
fn known(head: &[u8]) -> Result<Known, String> {
    let cut = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(head.len());
    let begins = &head[cut..];
    if head.starts_with(&[0xff, 0xfe])
        || head.starts_with(&[0xfe, 0xff])
        || matches!(head, [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..])
    {
        return Err("is UTF-16; expected UTF-8: `iconv -f UTF-16 -t UTF-8` makes it so".to_owned());
    }
    if begins.is_empty() {
        return Err("is empty".to_owned());
    }
    if begins.contains(&0) {
        return Err("is no text".to_owned());
    }
    let first = begins.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_value = |line: &[u8]| serde_json::from_slice::<IgnoredAny>(line).is_ok();
    let one = |sketch: &Sketch| {
        FORMATS.iter().find_map(|format| {
            if (format.is_run)(sketch) {
                return Some((format, true));
            }
            (format.is_element)(sketch).then_some((format, false))
        })
    };
    // A first line that is no value by itself goes on in the next one, or is broken: then others are values.
    let own_line = |line: &[u8]| line.starts_with(b"{") && one(&Sketch::of(line)).is_some() && is_value(line);
    let mut others = begins.split(|byte| *byte == b'\n').skip(1).take(LINES);
    let whole = first.len() == begins.len() || is_value(first) || begins.starts_with(b"{") && others.any(own_line);
    let of_list = |sketch: &Sketch| match sketch {
        Sketch::List(elements) => elements.iter().find_map(one),
        _ => None,
    };
    let lines = if whole { LINES } else { 1 };
    let sketches = || begins.split(|byte| *byte == b'\n').take(lines).map(Sketch::of);
    let found = if whole {
        sketches().find_map(|sketch| {
            let in_list =
                of_list(&sketch).map(|(format, runs)| Known { format, layout: Layout::RunLines, lists_runs: runs });
            let itself = one(&sketch).map(|(format, run)| {
                let layout = if run { Layout::RunLines } else { Layout::ElementLines };
                Known { format, layout, lists_runs: true }
            });
            itself.or(in_list)
        })
    } else {
        let sketch = Sketch::of(begins);
        let in_list = of_list(&sketch).map(|(format, runs)| Known { format, layout: Layout::Values, lists_runs: runs });
        // An event alone, over several lines, is a run of one element.
        let itself = one(&sketch).map(|(format, _)| Known { format, layout: Layout::Values, lists_runs: true });
        itself.or(in_list)
    };
    found.ok_or_else(|| {
        let sketch = Sketch::of(if whole { first } else { begins });
        let lines = if whole && begins.len() > first.len() + 1 { "lines, the first " } else { "" };
        format!("looks like {lines}{sketch}")
    })
}

/// Most files of a folder by which it is known that they are events.
const FIRST: usize = 8;

fn form_of_events(events: &[PathBuf]) -> Option<&'static Format> {
    events.iter().take(FIRST).find_map(|event| {
        let sketch = Sketch::of(&Source::open(event).ok()?.head);
        FORMATS.iter().find(|format| (format.is_element)(&sketch))
    })
}

/// Whether a folder is one run, with a file for each event.
pub fn is_run_of_events(folder: &Path) -> bool {
    events_of(folder).is_ok_and(|events| form_of_events(&events).is_some())
}

/// Files of a folder that are events of their own, as OpenHands keeps them: `0.json`, or `event-00000-ID.json`.
fn events_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut events = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let digits = stem.strip_prefix("event-").map_or(stem, |rest| rest.split('-').next().unwrap_or(rest));
        if let Ok(number) = digits.parse::<u64>() {
            events.push((number, path));
        }
    }
    events.sort();
    Ok(events.into_iter().map(|(_, path)| path).collect())
}
