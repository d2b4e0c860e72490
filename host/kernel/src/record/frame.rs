use serde::{Deserialize, Serialize};

use crate::contract::Judgement;
use crate::record::event::Event;
use crate::record::input::Input;

/// One external input with every judgement and event it caused: the unit of append, of hashing and
/// of atomicity. The store adds the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Frame {
    /// Position in the trace; the manifest is 0.
    pub frame: u64,
    /// Milliseconds of the run's own monotonic time.
    pub at: u64,
    /// What happened.
    pub input: Input,
    /// How it was judged, in order.
    pub judgements: Vec<Judgement>,
    /// What it caused, in order.
    pub events: Vec<Event>,
}

impl Frame {
    /// Whether the run is over with it.
    pub fn is_terminal(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Ended { .. }))
    }
}
