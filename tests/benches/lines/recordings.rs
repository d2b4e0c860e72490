//! Judging recorded runs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use countersign_audit::backtest::{Options, backtest};

use super::Context;
use crate::measure::clock::Samples;
use crate::measure::table::Row;

/// The whole set, beside the repository, and the part of it that the tests carry.
const WHOLE: &str = "../../shared/data/openhands-openagentsafety/trajectories.jsonl.gz";
const PART: &str = "data/openhands/runs.jsonl.gz";
const SAMPLES: usize = 3;

pub fn recordings(context: &mut Context) -> Result<()> {
    context.table.group("recorded runs");
    let at = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let (path, bar) = if at(WHOLE).exists() {
        (at(WHOLE), Some(5e9))
    } else {
        context.table.note("backtest of all recordings", "they are not beside the repository");
        (at(PART), None)
    };
    if path.exists() { judge(context, path, bar) } else { Ok(()) }
}

fn judge(context: &mut Context, path: PathBuf, bar: Option<f64>) -> Result<()> {
    let mut values = Vec::new();
    let mut name = String::new();
    for _ in 0..SAMPLES {
        let start = Instant::now();
        let report = backtest(&context.host, std::slice::from_ref(&path), &Options::default(), &mut |_| {})?;
        values.push(start.elapsed().as_nanos() as f64);
        name = format!("backtest: {} runs, {} steps", report.runs, report.steps);
    }
    let samples = Samples::new(values);
    let (median, least) = (samples.median(), samples.least());
    context.table.row(&Row { name: &name, median, least, bar, ..Row::default() });
    Ok(())
}
