//! Reading a recording event by event.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A recording that cannot be read. Names file and line.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("`{file}`: {source}")]
    Io {
        /// The file, as it was named.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not a recording.
    #[error("`{file}`, run {run}: {problem}")]
    Malformed {
        /// The file, as it was named.
        file: String,
        /// Position of the run, from 0.
        run: u64,
        /// Line and key, and what was expected.
        problem: String,
    },
}

/// What a recording says of a run beside its events.
#[derive(Debug, Clone, Default)]
pub struct Header {
    /// How it ended, in the recorder's words.
    pub terminal: String,
    /// Which task.
    pub task: String,
    /// Which model.
    pub model: String,
    /// Which set it belongs to.
    pub set: String,
    /// Turns it was allowed.
    pub max_iterations: Option<u64>,
}

/// One event, as it is recorded.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: u64,
    /// Who: user, agent or environment.
    pub src: String,
    /// Seconds from the start.
    #[serde(default)]
    pub t: f64,
    /// `action` or `obs`.
    pub k: String,
    /// What kind of action or observation.
    #[serde(rename = "type")]
    pub kind: String,
    /// Arguments, texts cut.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// Hash of the full arguments.
    #[serde(default)]
    pub args_sha1: String,
    /// The same without the thought.
    #[serde(default)]
    pub args_nothought_sha1: String,
    /// The function that was called.
    #[serde(rename = "fn")]
    pub function: Option<String>,
    /// Dollars so far.
    pub cost: Option<f64>,
    /// Tokens of this call.
    pub ptok: Option<u64>,
    /// Tokens of this call.
    pub ctok: Option<u64>,
    /// The action that an observation answers.
    pub cause: Option<u64>,
    /// Text of an observation, cut.
    #[serde(default)]
    pub content: String,
    /// Length of the full text, in characters.
    pub len: Option<u64>,
    /// Exit code of a command.
    pub exit_code: Option<i64>,
    /// The tool says that it failed.
    pub error: Option<Value>,
    /// The tool says that it succeeded.
    pub success: Option<bool>,
}

/// What is done with the events of a run.
pub trait Visit {
    /// A run begins. Keys that come after the events are not known yet.
    fn begin(&mut self, header: &Header) -> Result<(), String>;
    /// The next event.
    fn event(&mut self, event: Event) -> Result<(), String>;
    /// The run is over; everything is known.
    fn end(&mut self, header: &Header) -> Result<(), String>;
}

/// The runs of a recording.
pub struct Runs {
    file: String,
    input: serde_json::Deserializer<serde_json::de::IoRead<Box<dyn BufRead>>>,
    next: u64,
}

impl Runs {
    /// Opens a file, plain or gzip, whatever its name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = path.display().to_string();
        let io = |source| RecordingError::Io { file: file.clone(), source };
        let mut plain = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
        let zipped = plain.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        let input: Box<dyn BufRead> = if zipped {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Ok(Runs { file, input: serde_json::Deserializer::from_reader(input), next: 0 })
    }

    /// Reads the next run; false when there is none.
    ///
    /// # Errors
    /// At the first thing that is not as expected, or that the visitor refuses.
    pub fn next(&mut self, visit: &mut dyn Visit) -> Result<bool, RecordingError> {
        let run = self.next;
        // What the visitor refuses is told from what cannot be read.
        let refused = RefCell::new(None);
        if self.input.end().is_ok() {
            return if run == 0 { Err(self.malformed(0, "is empty".to_owned())) } else { Ok(false) };
        }
        let seed = RunSeed { visit, refused: &refused };
        match seed.deserialize(&mut self.input) {
            Ok(()) => {
                self.next += 1;
                Ok(true)
            }
            Err(error) => {
                let problem = refused.take().unwrap_or_else(|| error.to_string());
                Err(self.malformed(run, problem))
            }
        }
    }

    fn malformed(&self, run: u64, problem: String) -> RecordingError {
        RecordingError::Malformed { file: self.file.clone(), run, problem }
    }
}

struct RunSeed<'a> {
    visit: &'a mut dyn Visit,
    refused: &'a RefCell<Option<String>>,
}

#[derive(Deserialize)]
struct State {
    max_iterations: Option<u64>,
}

impl<'de> DeserializeSeed<'de> for RunSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RunSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recorded run: an object with `terminal` and `events`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut header = Header::default();
        let mut events = false;
        let mut terminal = false;
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "terminal" => {
                    header.terminal = entries.next_value()?;
                    terminal = true;
                }
                "task" => header.task = entries.next_value()?,
                "model" => header.model = entries.next_value()?,
                "set" => header.set = entries.next_value()?,
                "state" => header.max_iterations = entries.next_value::<State>()?.max_iterations,
                "events" if events => return Err(de::Error::custom("the key `events` stands twice")),
                "events" => {
                    events = true;
                    keep(self.refused, self.visit.begin(&header))?;
                    entries.next_value_seed(EventsSeed { visit: self.visit, refused: self.refused })?;
                }
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !events || !terminal {
            let missing = if events { "terminal" } else { "events" };
            return Err(de::Error::custom(format!("expected the key `{missing}`")));
        }
        keep(self.refused, self.visit.end(&header))
    }
}

/// An error of the visitor's own, kept as it is.
fn keep<E: de::Error>(refused: &RefCell<Option<String>>, result: Result<(), String>) -> Result<(), E> {
    result.map_err(|problem| {
        *refused.borrow_mut() = Some(problem);
        E::custom("refused")
    })
}

struct EventsSeed<'a> {
    visit: &'a mut dyn Visit,
    refused: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for EventsSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for EventsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(event) = items.next_element::<Event>()? {
            keep(self.refused, self.visit.event(event))?;
        }
        Ok(())
    }
}
