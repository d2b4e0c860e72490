//! What a process pays once.

use std::time::Duration;

use anyhow::Result;
use countersign::Host;
use countersign::engine::{Engine, EngineOptions};

use super::Context;
use crate::measure::Work;
use crate::measure::clock::{self, Plan};
use crate::measure::table::Row;

const PLAN: Plan = Plan { samples: 5, sample: Duration::ZERO };

pub fn start(context: &mut Context) -> Result<()> {
    let samples = clock::measure(&mut [&mut Engines, &mut Hosts], PLAN)?;
    context.table.group("a process");
    let names = ["starting the engine", "the same and compiling the default bundle"];
    for (name, samples) in names.into_iter().zip(&samples) {
        context.table.row(&Row { name, median: samples.median(), least: samples.least(), ..Row::default() });
    }
    Ok(())
}

struct Engines;

impl Work for Engines {
    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            Engine::new(EngineOptions::default())?;
        }
        Ok(())
    }
}

struct Hosts;

impl Work for Hosts {
    fn run(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            Host::new(EngineOptions::default(), None)?;
        }
        Ok(())
    }
}
