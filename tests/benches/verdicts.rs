//! What a verdict costs, in one table: every line is a time and, where it is short enough, the
//! instructions of one repetition, beside the bar it must stay below.
//!
//! ```text
//! cargo bench                          # everything, about a minute
//! cargo bench -- --no-callgrind        # times only
//! ```
//!
//! Times are the median and the least of many short samples; lines that are compared take their
//! samples in turn, so that a busy machine hits both. Instructions are counted by callgrind where
//! `valgrind` is installed; they hardly depend on the machine's load. Arguments that are not known
//! are ignored: `cargo bench` passes its own.
//!
//! A bar is a limit for the median. A line above it says so; the bench still succeeds, since a
//! loaded machine proves nothing.

mod lines;
mod measure;
mod subject;

use std::io::Write;

use anyhow::{Result, anyhow};
use countersign::Host;
use countersign::engine::EngineOptions;

use lines::Context;
use measure::callgrind::{self, Counts};
use measure::table::Table;

/// Stack of a thread on which no call into a policy has to switch stacks.
const STACK: usize = 80 << 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let work = move || match arguments.iter().any(|argument| argument == callgrind::CHILD) {
        true => count(),
        false => measure(!arguments.iter().any(|argument| argument == "--no-callgrind")),
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work)?;
    thread.join().map_err(|_| anyhow!("the bench panicked"))?
}

/// Measures every line and prints the table.
fn measure(with_callgrind: bool) -> Result<()> {
    let counts = if with_callgrind {
        // On stderr: the table alone is the output.
        eprintln!("counting instructions under callgrind ...");
        Counts::take()
    } else {
        Counts::none("left out by --no-callgrind")
    };
    let mut context = Context { host: Host::new(EngineOptions::default(), None)?, counts, table: Table::default() };
    context.table.head();
    lines::verdicts(&mut context)?;
    lines::opening(&mut context)?;
    lines::growth(&mut context)?;
    lines::start(&mut context)?;
    lines::durable(&mut context)?;
    lines::recordings(&mut context)?;
    context.table.foot(context.counts.missing());
    std::io::stdout().flush()?;
    Ok(())
}

/// What the bench does when callgrind runs it: the lines whose instructions are counted.
fn count() -> Result<()> {
    // Without the pool: its address space is more than valgrind has to give. Compiling takes some fifty times as long.
    let compile_deadline = EngineOptions::default().compile_deadline * 100;
    let host = Host::new(EngineOptions { pool: None, compile_deadline, ..EngineOptions::default() }, None)?;
    let mut groups = lines::groups(&host)?;
    for line in groups.iter_mut().flat_map(|group| &mut group.lines) {
        callgrind::count(line.work.as_mut())?;
    }
    Ok(())
}
