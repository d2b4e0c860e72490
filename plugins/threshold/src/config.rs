//! The configuration. Document 002 names the terms and the triggers; most numbers are ours.

use countersign_sdk::Dimension;
use serde::Deserialize;

/// `escalation-threshold.v1`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    #[serde(rename = "version")]
    _version: u32,
    pub value: Value,
    pub collapse: Collapse,
    pub weights: Weights,
    /// Risk of a mutating call that nobody judged.
    pub unknown_risk: f64,
    pub irreversible: Irreversible,
    pub costs: Costs,
    pub limits: Limits,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            _version: 1,
            value: Value::default(),
            collapse: Collapse::default(),
            weights: Weights::default(),
            unknown_risk: 0.3,
            irreversible: Irreversible::default(),
            costs: Costs::default(),
            limits: Limits::default(),
        }
    }
}

/// How the value follows from what the last calls brought.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Value {
    /// Before anything has been called.
    pub initial: f64,
    /// Share of what is missing to 1 that a productive call adds.
    pub gain: f64,
    /// The same of one that was confirmed, or met a criterion or did a step of the plan.
    pub gain_confirmed: f64,
    /// What an unproductive call leaves of it.
    pub decay: f64,
    /// What unproductive calls leave at least, until they are a collapse.
    pub floor: f64,
}

impl Default for Value {
    fn default() -> Self {
        Value { initial: 0.9, gain: 0.5, gain_confirmed: 0.8, decay: 0.7, floor: 0.15 }
    }
}

/// When confidence has collapsed.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collapse {
    /// Unproductive calls in a row; 0 switches it off.
    pub after: u32,
    /// A value below this is the cause, whatever stands against it.
    pub below: f64,
}

impl Default for Collapse {
    fn default() -> Self {
        Collapse { after: 3, below: 0.1 }
    }
}

/// How much a term weighs at most.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    pub risk: f64,
    pub irreversibility: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { risk: 0.3, irreversibility: 0.5 }
    }
}

/// What cannot be undone.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Irreversible {
    /// Value from which an irreversible call needs no person.
    pub strong_value: f64,
    /// Whether a call of unknown reversibility needs a strong value too.
    pub unknown_counts: bool,
    /// Share of the weight that unknown reversibility has.
    pub unknown_share: f64,
    /// The same of an idempotent call: one that fails can be done again.
    pub unknown_idempotent_share: f64,
}

impl Default for Irreversible {
    fn default() -> Self {
        Irreversible { strong_value: 0.75, unknown_counts: false, unknown_share: 0.5, unknown_idempotent_share: 0.25 }
    }
}

/// Which hard caps count against which calls. One that counts against none forbids what it caps, and
/// the host sees to that; it says nothing of other calls.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Costs {
    /// Against every call.
    pub every_action: Vec<Capped>,
    /// Against a mutating call.
    pub mutating_action: Vec<Capped>,
}

impl Default for Costs {
    fn default() -> Self {
        use Capped::{Cost, MoneyMoved, RecipientsReached, RecordsTouched, RunningTime, SideEffects, ToolCalls};
        Costs {
            // Steps and tokens are spent by the model before its call is proposed: the last step of a
            // run may make the call that it proposes.
            every_action: vec![ToolCalls, RunningTime, Cost],
            mutating_action: vec![SideEffects, RecordsTouched, MoneyMoved, RecipientsReached],
        }
    }
}

macro_rules! dimensions {
    ($($variant:ident $field:ident $name:literal),+ $(,)?) => {
        /// The contract's dimensions, as configuration.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Capped { $($variant),+ }

        impl Capped {
            pub const ALL: [Capped; [$($name),+].len()] = [$(Capped::$variant),+];

            /// For people.
            pub fn name(self) -> &'static str {
                match self { $(Capped::$variant => $name),+ }
            }

            pub fn dimension(self) -> Dimension {
                match self { $(Capped::$variant => Dimension::$variant),+ }
            }
        }

        impl From<Dimension> for Capped {
            fn from(dimension: Dimension) -> Self {
                match dimension { $(Dimension::$variant => Capped::$variant),+ }
            }
        }

        /// The deployment's own limits, each in the unit of its dimension. None by default.
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Limits {
            $(pub $field: Option<u64>,)+
            /// Milliseconds since the boundary.
            pub task_time: Option<u64>,
        }

        impl Limits {
            pub fn of(&self, dimension: Capped) -> Option<u64> {
                match dimension { $(Capped::$variant => self.$field),+ }
            }
        }
    };
}

dimensions! {
    Steps steps "steps",
    InputTokens input_tokens "input tokens",
    OutputTokens output_tokens "output tokens",
    ToolCalls tool_calls "tool calls",
    ExternalCalls external_calls "external calls",
    RunningTime running_time "milliseconds of running time",
    Cost cost "micro-dollars of cost",
    Retries retries "retries",
    Reflections reflections "reflections",
    ContextTokens context_tokens "context tokens",
    MemoryWrites memory_writes "memory writes",
    SideEffects side_effects "side effects",
    RecordsTouched records_touched "records touched",
    MoneyMoved money_moved "micro-dollars moved",
    RecipientsReached recipients_reached "recipients reached",
}
