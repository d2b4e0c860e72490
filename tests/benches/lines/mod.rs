//! The lines of the table, one subject a file.

mod durable;
mod growth;
mod opening;
mod policies;
mod recordings;
mod risk_reads;
mod start;
mod step;

pub use durable::durable;
pub use growth::growth;
pub use opening::opening;
pub use recordings::recordings;
pub use start::start;

use anyhow::Result;
use countersign::Host;

use crate::measure::Work;
use crate::measure::callgrind::Counts;
use crate::measure::clock::{self, SHORT};
use crate::measure::table::{Row, Table};

/// What the lines share.
pub struct Context {
    pub host: Host,
    pub counts: Counts,
    pub table: Table,
}

/// Lines that are compared with each other: they are measured in turn.
pub struct Group {
    pub title: &'static str,
    pub lines: Vec<Line>,
    /// A line that is not measured but follows from two: its name, the larger, the smaller, its bar.
    pub differences: Vec<(&'static str, usize, usize, Option<f64>)>,
}

/// Something short, measured by clock and by instructions.
pub struct Line {
    pub name: &'static str,
    pub work: Box<dyn Work>,
    /// Nanoseconds.
    pub bar: Option<f64>,
    /// At most so many times what another line of the group takes.
    pub within: Option<(f64, usize)>,
    /// Position in the group of its native twin.
    pub native: Option<usize>,
    /// Whether callgrind's count says anything.
    pub counted: bool,
}

impl Line {
    pub fn new(name: &'static str, work: Box<dyn Work>) -> Self {
        Line { name, work, bar: None, within: None, native: None, counted: true }
    }

    pub fn below(self, nanoseconds: f64) -> Self {
        Line { bar: Some(nanoseconds), ..self }
    }

    pub fn within(self, times: f64, other: usize) -> Self {
        Line { within: Some((times, other)), ..self }
    }

    pub fn beside(self, native: usize) -> Self {
        Line { native: Some(native), ..self }
    }

    pub fn uncounted(self) -> Self {
        Line { counted: false, ..self }
    }
}

/// Every group, always in this order: callgrind's counts have no other name.
pub fn groups(host: &Host) -> Result<Vec<Group>> {
    let mut groups = policies::groups(host)?;
    groups.push(risk_reads::group(host)?);
    groups.push(step::group(host)?);
    Ok(groups)
}

/// Measures and prints the groups.
pub fn verdicts(context: &mut Context) -> Result<()> {
    let mut before = 0;
    for mut group in groups(&context.host)? {
        let mut works: Vec<&mut dyn Work> = group.lines.iter_mut().map(|line| line.work.as_mut() as _).collect();
        let samples = clock::measure(&mut works, SHORT)?;
        context.table.group(group.title);
        for (at, line) in group.lines.iter().enumerate() {
            context.table.row(&Row {
                name: line.name,
                median: samples[at].median(),
                least: samples[at].least(),
                instructions: context.counts.of(before + at).filter(|_| line.counted),
                ratio: line.native.map(|native| samples[at].median() / samples[native].median()),
                bar: line.bar.or(line.within.map(|(times, other)| times * samples[other].median())),
            });
        }
        for &(name, larger, smaller, bar) in &group.differences {
            let count = |at: usize| context.counts.of(before + at);
            context.table.row(&Row {
                name,
                median: samples[larger].less(&samples[smaller]).median(),
                least: samples[larger].least() - samples[smaller].least(),
                instructions: count(larger).zip(count(smaller)).map(|(larger, smaller)| larger - smaller),
                ratio: None,
                bar,
            });
        }
        before += group.lines.len();
    }
    Ok(())
}
