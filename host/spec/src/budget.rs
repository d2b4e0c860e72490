//! The budget vector: hard caps per dimension (specification D9), those of what a run may touch among
//! them (C7), and what an effect asks of it.

use serde::{Deserialize, Serialize};

use crate::contract::Dimension;

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
