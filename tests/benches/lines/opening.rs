//! Opening a run, and the first question to one of its policies: an instance is made for it and configured.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use countersign::engine::{EngineOptions, NoHistory};
use countersign::kernel::{Question, Run};
use countersign::{Host, Judges};

use super::Context;
use crate::measure::Work;
use crate::measure::clock::{self, Plan};
use crate::measure::table::Row;
use crate::subject::run::manifest;
use crate::subject::{self, questions};

/// Runs open at once in a sample.
const RUNS: usize = 16;
const PLAN: Plan = Plan { samples: 101, sample: Duration::from_secs(1) };

pub fn opening(context: &mut Context) -> Result<()> {
    let on_demand = Host::new(EngineOptions { pool: None, ..EngineOptions::default() }, None)?;
    let mut pooled = Opening::new(&context.host)?;
    let mut closing = Closing(First(Opening::new(&context.host)?));
    let mut on_demand = Opening::new(&on_demand)?;
    let mut first = First(Opening::new(&context.host)?);
    let samples = clock::measure(&mut [&mut pooled, &mut on_demand, &mut first, &mut closing], PLAN)?;
    context.table.group("a run of the default policies");
    let lines = [
        ("opening it", Some(300_000.0)),
        ("opening it without the pool", None),
        ("opening it, and its first verdict of each of three slots", Some(300_000.0)),
        ("closing it, those three open", None),
    ];
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

/// Opened, and its first step judged: the policies of three slots have an instance.
struct First(Opening);

impl First {
    fn judge(&mut self) -> Result<()> {
        let Opening { host, run, open } = &mut self.0;
        let view = Arc::new(run.view().clone());
        let Some(judges) = open.last_mut() else { return Ok(()) };
        for question in [
            Question::Confidence(questions::answer()),
            Question::Risk(questions::action(0)),
            Question::DoomLoop(questions::step(0)),
        ] {
            let (entry, _) = subject::entry(host, question.slot())?;
            let session = judges.session(entry).context("the run has no such entry")?;
            let outcome = session.judge(&question, Arc::clone(&view) as _, &mut NoHistory);
            if let Some(failure) = outcome.failure {
                bail!("{failure}");
            }
        }
        Ok(())
    }
}

impl Work for First {
    fn most(&self) -> usize {
        RUNS
    }

    fn prepare(&mut self, count: usize) -> Result<()> {
        self.0.prepare(count)
    }

    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.0.run(1)?;
            self.judge()?;
        }
        Ok(())
    }
}

struct Closing(First);

impl Work for Closing {
    fn most(&self) -> usize {
        RUNS
    }

    fn prepare(&mut self, count: usize) -> Result<()> {
        self.0.run(count)
    }

    fn run(&mut self, _: usize) -> Result<()> {
        self.0.0.open.clear();
        Ok(())
    }
}
