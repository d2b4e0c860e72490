//! Whether a step costs the same after ten steps and after a hundred thousand.

use std::time::Instant;

use anyhow::Result;
use countersign::Host;
use countersign::store::{encode_frame, genesis};

use super::Context;
use crate::measure::clock::Samples;
use crate::measure::table::Row;
use crate::subject::run::Running;

/// Steps taken before it is measured.
const MARKS: [(&str, u64); 3] =
    [("a step after 10", 10), ("a step after 1,000", 1_000), ("a step after 100,000", 100_000)];
/// Steps in a sample, samples of a run in one round, rounds.
const STEPS: u64 = 5;
const SAMPLES: u64 = 41;
const ROUNDS: u64 = 5;

/// The runs take their samples in turn. The long one goes on from round to round, the others begin
/// anew, so that they stay near their marks.
pub fn growth(context: &mut Context) -> Result<()> {
    let [_, _, (_, longest)] = MARKS;
    let mut long = Long::after(&context.host, longest)?;
    let mut values = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let [(_, short), (_, middle), _] = MARKS;
        let (mut short, mut middle) = (Long::after(&context.host, short)?, Long::after(&context.host, middle)?);
        for _ in 0..SAMPLES {
            for (run, values) in [&mut short, &mut middle, &mut long].into_iter().zip(&mut values) {
                let start = Instant::now();
                run.steps(STEPS)?;
                values.push(start.elapsed().as_nanos() as f64 / STEPS as f64);
            }
        }
    }
    context.table.group("a long run: verdicts, records and fold, encoding and hashing");
    for ((name, _), values) in MARKS.into_iter().zip(values) {
        let samples = Samples::new(values);
        context.table.row(&Row { name, median: samples.median(), least: samples.least(), ..Row::default() });
    }
    Ok(())
}

/// A run whose frames go as far as the bytes that would be written.
struct Long {
    running: Running,
    line: Vec<u8>,
    prev: String,
}

impl Long {
    fn after(host: &Host, steps: u64) -> Result<Self> {
        let mut long = Long { running: Running::start(host)?, line: Vec::new(), prev: genesis("bench") };
        long.steps(steps)?;
        Ok(long)
    }

    fn steps(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            for closed in self.running.step()? {
                self.prev = encode_frame(&mut self.line, &self.prev, &closed.frame);
            }
        }
        Ok(())
    }
}
