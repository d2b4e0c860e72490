//! The lines of a run's budget: reserved before an effect and settled after it (specification D9), and the
//! ledger of what a run has touched (C7), kept the same way.

use countersign_spec::budget::{Demand, Limits};

use crate::contract::{BudgetLine, Dimension};

const DIMENSIONS: usize = Dimension::ALL.len();

/// A demand that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The first dimension that is short.
    pub dimension: Dimension,
    /// What was asked for.
    pub demand: u64,
    /// What is left.
    pub left: u64,
    /// The cap.
    pub limit: u64,
}

/// Set aside and not yet settled. Not `Clone`: what was reserved is settled once.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Reservation(Demand);

impl Reservation {
    /// What was set aside.
    pub fn demand(&self) -> &Demand {
        &self.0
    }
}

/// The lines of a run's budget.
#[derive(Debug, Clone)]
pub struct Budget {
    lines: [BudgetLine; DIMENSIONS],
    /// How often in a row time passed that was no running time.
    dead: u32,
}

impl Budget {
    /// Nothing used.
    pub fn new(limits: &Limits) -> Self {
        Budget {
            lines: Dimension::ALL.map(|dimension| BudgetLine { limit: limits.of(dimension), used: 0, reserved: 0 }),
            dead: 0,
        }
    }

    /// One line.
    pub fn line(&self, dimension: Dimension) -> BudgetLine {
        self.lines[dimension as usize]
    }

    /// Sets a demand aside.
    ///
    /// # Errors
    /// The first dimension in which less is left; nothing is set aside then.
    pub fn reserve(&mut self, demand: Demand) -> Result<Reservation, Refused> {
        self.fits(demand)?;
        for dimension in Dimension::ALL {
            self.lines[dimension as usize].reserved += demand.of(dimension);
        }
        Ok(Reservation(demand))
    }

    /// Whether a demand fits into what is left.
    ///
    /// # Errors
    /// The first dimension in which less is left.
    pub fn fits(&self, demand: Demand) -> Result<(), Refused> {
        for dimension in Dimension::ALL {
            let line = self.line(dimension);
            if demand.of(dimension) > line.left() {
                let (demand, left) = (demand.of(dimension), line.left());
                return Err(Refused { dimension, demand, left, limit: line.limit });
            }
        }
        Ok(())
    }

    /// Gives back what was set aside and books what was used, which may be more.
    pub fn settle(&mut self, reservation: Reservation, used: Demand) {
        for dimension in Dimension::ALL {
            let line = &mut self.lines[dimension as usize];
            line.reserved -= reservation.0.of(dimension);
            line.used = line.used.saturating_add(used.of(dimension));
        }
    }

    /// Books use that could not be set aside before, as in a recording.
    pub fn book(&mut self, used: Demand) {
        for dimension in Dimension::ALL {
            let line = &mut self.lines[dimension as usize];
            line.used = line.used.saturating_add(used.of(dimension));
        }
    }

    /// Sets a dimension that is a level and not a sum: failed attempts in a row, tokens of a request.
    pub fn level(&mut self, dimension: Dimension, used: u64) {
        self.lines[dimension as usize].used = used;
    }

    /// Raises a cap, as far as the ceiling allows. Gives the new cap.
    pub fn release(&mut self, dimension: Dimension, extra: u64, ceiling: u64) -> u64 {
        let line = &mut self.lines[dimension as usize];
        line.limit = line.limit.saturating_add(extra).min(ceiling.max(line.limit));
        line.limit
    }

    /// Time passes in which nobody drives the run: none of it is running time. True while some is left.
    pub fn lie_dead(&mut self) -> bool {
        self.dead = self.dead.saturating_add(1);
        let line = &self.lines[Dimension::RunningTime as usize];
        line.used <= line.limit
    }

    /// How often in a row such time has passed.
    pub fn taken_up(&self) -> u32 {
        self.dead
    }

    /// Books running time, in milliseconds. True while some is left.
    pub fn run_for(&mut self, milliseconds: u64) -> bool {
        self.dead = 0;
        let line = &mut self.lines[Dimension::RunningTime as usize];
        line.used = line.used.saturating_add(milliseconds);
        line.used <= line.limit
    }
}
