//! The budget vector: hard caps per dimension, reserved before an effect and settled after it
//! (specification D9), and the ledger of what a run has touched (C7), kept the same way.

use serde::{Deserialize, Serialize};

use crate::contract::{BudgetLine, Dimension};

const DIMENSIONS: usize = Dimension::ALL.len();

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
    /// Dispatched calls of tools that are paid for or networked.
    pub external_calls: u64,
    /// Milliseconds.
    pub running_time: u64,
    /// Micro-dollars.
    pub cost: u64,
    /// Failed attempts in a row.
    pub retries: u64,
    /// Passes of reflection.
    pub reflections: u64,
    /// Tokens of one request.
    pub context_tokens: u64,
    /// Memories written.
    pub memory_writes: u64,
    /// Calls that change something.
    pub side_effects: u64,
    /// Records or people touched, over the whole run.
    pub records_touched: u64,
    /// Micro-dollars moved by tools, over the whole run.
    pub money_moved: u64,
    /// People written to, over the whole run.
    pub recipients_reached: u64,
}

impl Limits {
    /// No cap but what a number can hold.
    pub const UNLIMITED: Limits = Limits {
        steps: u64::MAX,
        input_tokens: u64::MAX,
        output_tokens: u64::MAX,
        tool_calls: u64::MAX,
        external_calls: u64::MAX,
        running_time: u64::MAX,
        cost: u64::MAX,
        retries: u64::MAX,
        reflections: u64::MAX,
        context_tokens: u64::MAX,
        memory_writes: u64::MAX,
        side_effects: u64::MAX,
        records_touched: u64::MAX,
        money_moved: u64::MAX,
        recipients_reached: u64::MAX,
    };

    /// The cap that `of` gives each dimension.
    pub fn each(of: impl Fn(Dimension) -> u64) -> Limits {
        Limits {
            steps: of(Dimension::Steps),
            input_tokens: of(Dimension::InputTokens),
            output_tokens: of(Dimension::OutputTokens),
            tool_calls: of(Dimension::ToolCalls),
            external_calls: of(Dimension::ExternalCalls),
            running_time: of(Dimension::RunningTime),
            cost: of(Dimension::Cost),
            retries: of(Dimension::Retries),
            reflections: of(Dimension::Reflections),
            context_tokens: of(Dimension::ContextTokens),
            memory_writes: of(Dimension::MemoryWrites),
            side_effects: of(Dimension::SideEffects),
            records_touched: of(Dimension::RecordsTouched),
            money_moved: of(Dimension::MoneyMoved),
            recipients_reached: of(Dimension::RecipientsReached),
        }
    }

    /// These caps, those of `dimensions` no higher than `ceilings` has them.
    #[must_use]
    pub fn at_most(&self, ceilings: &Limits, dimensions: impl Fn(Dimension) -> bool) -> Limits {
        Limits::each(|dimension| {
            let own = self.of(dimension);
            if dimensions(dimension) { own.min(ceilings.of(dimension)) } else { own }
        })
    }

    /// The cap of one dimension.
    pub fn of(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Steps => self.steps,
            Dimension::InputTokens => self.input_tokens,
            Dimension::OutputTokens => self.output_tokens,
            Dimension::ToolCalls => self.tool_calls,
            Dimension::ExternalCalls => self.external_calls,
            Dimension::RunningTime => self.running_time,
            Dimension::Cost => self.cost,
            Dimension::Retries => self.retries,
            Dimension::Reflections => self.reflections,
            Dimension::ContextTokens => self.context_tokens,
            Dimension::MemoryWrites => self.memory_writes,
            Dimension::SideEffects => self.side_effects,
            Dimension::RecordsTouched => self.records_touched,
            Dimension::MoneyMoved => self.money_moved,
            Dimension::RecipientsReached => self.recipients_reached,
        }
    }
}

/// What an effect may use at most, or has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand([u64; DIMENSIONS]);

impl Demand {
    /// So much more of a dimension.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, amount: u64) -> Self {
        let slot = &mut self.0[dimension as usize];
        *slot = slot.saturating_add(amount);
        self
    }

    /// How much of a dimension.
    pub fn of(&self, dimension: Dimension) -> u64 {
        self.0[dimension as usize]
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
    lines: [BudgetLine; DIMENSIONS],
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

    /// Books running time, in milliseconds. True while some is left.
    pub fn run_for(&mut self, milliseconds: u64) -> bool {
        let line = &mut self.lines[Dimension::RunningTime as usize];
        line.used = line.used.saturating_add(milliseconds);
        line.used <= line.limit
    }
}
