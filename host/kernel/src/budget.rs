//! The budget vector: hard caps per dimension, reserved before an effect and settled after it
//! (specification D9).

use serde::{Deserialize, Serialize};

use crate::contract::{BudgetLine, Dimension};

/// Caps of a run. A cap of 0 forbids what the dimension counts; it does not stop the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Model calls, at least 1.
    pub steps: u64,
    /// Tokens.
    pub input_tokens: u64,
    /// Tokens.
    pub output_tokens: u64,
    /// Dispatched calls.
    pub tool_calls: u64,
    /// Milliseconds.
    pub running_time: u64,
    /// Micro-dollars.
    pub cost: u64,
}

impl Limits {
    /// No cap but what a number can hold.
    pub const UNLIMITED: Limits = Limits {
        steps: u64::MAX,
        input_tokens: u64::MAX,
        output_tokens: u64::MAX,
        tool_calls: u64::MAX,
        running_time: u64::MAX,
        cost: u64::MAX,
    };

    /// The cap of one dimension.
    pub fn of(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Steps => self.steps,
            Dimension::InputTokens => self.input_tokens,
            Dimension::OutputTokens => self.output_tokens,
            Dimension::ToolCalls => self.tool_calls,
            Dimension::RunningTime => self.running_time,
            Dimension::Cost => self.cost,
        }
    }
}

/// What an effect may use at most, or has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Model calls.
    pub steps: u64,
    /// Tokens.
    pub input_tokens: u64,
    /// Tokens.
    pub output_tokens: u64,
    /// Dispatched calls.
    pub tool_calls: u64,
    /// Micro-dollars.
    pub cost: u64,
}

impl Demand {
    fn of(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Steps => self.steps,
            Dimension::InputTokens => self.input_tokens,
            Dimension::OutputTokens => self.output_tokens,
            Dimension::ToolCalls => self.tool_calls,
            Dimension::RunningTime => 0,
            Dimension::Cost => self.cost,
        }
    }
}

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

/// The lines of a run's budget.
#[derive(Debug, Clone)]
pub struct Budget {
    lines: [BudgetLine; 6],
}

impl Budget {
    /// Nothing used.
    pub fn new(limits: &Limits) -> Self {
        Budget {
            lines: Dimension::ALL.map(|dimension| BudgetLine { limit: limits.of(dimension), used: 0, reserved: 0 }),
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
        for dimension in Dimension::ALL {
            let line = self.line(dimension);
            if demand.of(dimension) > line.left() {
                let (demand, left) = (demand.of(dimension), line.left());
                return Err(Refused { dimension, demand, left, limit: line.limit });
            }
        }
        for dimension in Dimension::ALL {
            self.lines[dimension as usize].reserved += demand.of(dimension);
        }
        Ok(Reservation(demand))
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

    /// Books running time, in milliseconds. True while some is left.
    pub fn run_for(&mut self, milliseconds: u64) -> bool {
        let line = &mut self.lines[Dimension::RunningTime as usize];
        line.used = line.used.saturating_add(milliseconds);
        line.used <= line.limit
    }
}
