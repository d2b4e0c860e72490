//! What is kept while a recording is read: which form it has, how far the reading is, what was left out.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;

use super::formats::{FORMATS, Fault, Format, Reader};
use super::sink::{Refused, Sink};
use super::sketch::Sketch;

/// Most parts that are named of what was left out; more are counted.
const NAMED: usize = 100;

/// A part of a recording that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Its line, from 1; none in a folder of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The run, by its position from 0.
    pub run: u64,
    /// The element of the run, by its position from 0; none where it is about the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<u64>,
    /// What was expected.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ", run {}", self.run)?;
        if let Some(element) = self.element {
            write!(f, ", element {element}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// What was read of a recording.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Readout {
    /// The file, as it was named.
    pub file: String,
    /// What it is called among the others that were read: the end of its path that no other has.
    pub name: String,
    /// Which form it has.
    pub form: &'static str,
    /// Runs that were read.
    pub runs: u64,
    /// What was left out: the first hundred parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Parts that were left out beyond these.
    pub more_problems: u64,
    /// Results of calls that the recording does not have.
    pub stray_results: u64,
}

/// What is known while a recording is read.
pub struct Reading {
    pub format: &'static Format,
    /// A list is one of runs, and not of the elements of one.
    pub lists_runs: bool,
    pub read: Readout,
    /// The line that is being read.
    pub line: Option<u64>,
    /// Runs that were begun.
    pub run: u64,
    /// Bytes since the last element.
    pub since: Rc<Cell<u64>>,
}

impl Reading {
    /// Names something that is left out.
    pub fn leave_out(&mut self, element: Option<u64>, problem: String) {
        let (file, line, run) = (self.read.file.clone(), self.line, self.run);
        self.name(Problem { file, line, run, element, problem });
    }

    fn name(&mut self, problem: Problem) {
        let read = &mut self.read;
        if read.problems.len() < NAMED { read.problems.push(problem) } else { read.more_problems += 1 }
    }

    /// An element of a run; what is wrong with one is named, and the others are read.
    pub fn element(
        &mut self,
        number: u64,
        element: Result<Value, String>,
        (reader, sink): (&mut dyn Reader, &mut Sink<'_>),
    ) -> Result<(), Refused> {
        let (foreign, told) = (element.as_ref().ok().and_then(|element| self.foreign(element)), sink.told);
        match element.map_err(Fault::Element).and_then(|element| reader.element(element, sink)) {
            Ok(()) => {
                // Elements that say nothing of the run are common; one that would in another form is missed here.
                if let Some(other) = foreign.filter(|_| sink.told == told) {
                    let problem = format!("not read: it looks like {}, among {}", other.name, self.format.name);
                    self.leave_out(Some(number), problem);
                }
                Ok(())
            }
            Err(Fault::Element(problem)) => {
                self.leave_out(Some(number), problem);
                Ok(())
            }
            Err(Fault::Refused(refused)) => Err(refused),
        }
    }

    /// The form of an element that is none of this recording's.
    fn foreign(&self, element: &Value) -> Option<&'static Format> {
        let sketch = Sketch::of_value(element);
        if (self.format.is_element)(&sketch) {
            return None;
        }
        FORMATS.iter().find(|format| (format.is_element)(&sketch) || (format.is_run)(&sketch))
    }

    /// A run is over. It is left out where something is missing that it cannot be without.
    pub fn end(&mut self, mut reader: Box<dyn Reader>, mut sink: Sink<'_>) -> Result<(), Refused> {
        if let Err(problem) = reader.end(&mut sink.header) {
            self.give_up(sink, problem);
            return Ok(());
        }
        self.read.stray_results += sink.stray;
        if sink.end()? {
            self.read.runs += 1;
        } else {
            self.leave_out(None, "no element of a run in it".to_owned());
        }
        self.run += 1;
        Ok(())
    }

    /// A run is left out, whatever of it has been told.
    pub fn give_up(&mut self, sink: Sink<'_>, problem: String) {
        sink.abandon();
        self.leave_out(None, problem);
        self.run += 1;
    }
}
