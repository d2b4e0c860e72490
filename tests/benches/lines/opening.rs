//! Opening a run: an instance of each default policy, configured.

use std::time::Duration;

use anyhow::Result;
use countersign::engine::EngineOptions;
use countersign::kernel::Run;
use countersign::{Host, Judges};

use super::Context;
use crate::measure::Work;
use crate::measure::clock::{self, Plan};
use crate::measure::table::Row;
use crate::subject::run::manifest;

/// Runs open at once in a sample.
const RUNS: usize = 16;
const PLAN: Plan = Plan { samples: 101, sample: Duration::from_secs(1) };

pub fn opening(context: &mut Context) -> Result<()> {
    let on_demand = Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?;
    let mut pooled = Opening::new(&context.host)?;
    let mut closing = Closing(Opening::new(&context.host)?);
    let mut on_demand = Opening::new(&on_demand)?;
    let samples = clock::measure(&mut [&mut pooled, &mut on_demand, &mut closing], PLAN)?;
    context.table.group("a run of the default policies");
    let lines = [("opening it", Some(200_000.0)), ("opening it without the pool", None), ("closing it", None)];
    for ((name, bar), samples) in lines.into_iter().zip(&samples) {
        let (median, least) = (samples.median(), samples.least());
        context.table.row(&Row { name, median, least, bar, ..Row::default() });
    }
    Ok(())
}

struct Opening {
    host: Host,
    run: Run,
    open: Vec<Judges>,
}

impl Opening {
    fn new(host: &Host) -> Result<Self> {
        Ok(Opening { host: host.clone(), run: Run::open(manifest(host, false)?.into())?, open: Vec::new() })
    }
}

impl Work for Opening {
    fn most(&self) -> usize {
        RUNS
    }

    /// Closes those of the sample before.
    fn prepare(&mut self, _: usize) -> Result<()> {
        self.open.clear();
        Ok(())
    }

    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.open.push(self.host.open(&self.run)?);
        }
        Ok(())
    }
}

struct Closing(Opening);

impl Work for Closing {
    fn most(&self) -> usize {
        RUNS
    }

    fn prepare(&mut self, count: usize) -> Result<()> {
        self.0.run(count)
    }

    fn run(&mut self, _: usize) -> Result<()> {
        self.0.open.clear();
        Ok(())
    }
}
