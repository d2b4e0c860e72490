use std::sync::Arc;

use crate::contract::Tier;
use crate::contract::classifier::PlanningMode;
use crate::input::Verifier;
use crate::packet::{Packet, Report, tokens};
use crate::status::Code;

/// What the driver is to do once the frame is durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Call a model; its answer comes back as `Replied`.
    CallModel {
        /// Number of the call.
        call: u64,
        /// Which tier.
        tier: Tier,
        /// What it is told.
        request: ModelRequest,
        /// Tokens it may answer at most.
        max_output_tokens: u64,
    },
    /// Call a tool with the arguments of the reply that proposed it; comes back as `Observed`.
    Dispatch {
        /// Number of the call.
        call: u64,
        /// The tool.
        tool: Arc<str>,
        /// Canonical JSON, secrets replaced: the driver holds what stands behind them.
        arguments: Arc<str>,
    },
    /// Look at the observation of a call; comes back as `Verified`.
    Verify {
        /// Number of the call.
        call: u64,
        /// By what.
        verifier: Verifier,
    },
    /// Tell a person; nothing comes back.
    Notify {
        /// What.
        text: String,
    },
    /// The run waits for a person.
    Suspend {
        /// Why.
        code: Code,
        /// What the person is told.
        report: Report,
    },
    /// The run is over; release what it holds.
    End {
        /// Why.
        code: Code,
    },
}

/// What a model is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    /// What for.
    pub purpose: Purpose,
    /// What is to be achieved.
    pub goal: Arc<str>,
    /// What must be respected.
    pub constraints: Vec<Arc<str>>,
    /// How to go about it.
    pub planning: PlanningMode,
    /// Text of a stronger model, to be followed.
    pub guidance: Option<Arc<str>>,
    /// What the loop has to say about the last step.
    pub notice: Option<String>,
    /// The last exchanges, oldest first: action and what came of it.
    pub recent: Vec<(Arc<str>, Arc<str>)>,
}

/// What a model call is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// The next step.
    Step,
    /// The next step, on another plan.
    Replan,
    /// Help for a weaker model: the packet is all it is told.
    Patch(Packet),
}

impl ModelRequest {
    /// Size in tokens, estimated as a quarter of the bytes of its texts, and 256 for the frame
    /// around them.
    pub fn tokens(&self) -> u64 {
        if let Purpose::Patch(packet) = &self.purpose {
            return packet.tokens() + 256;
        }
        let bytes = self.goal.len()
            + self.constraints.iter().map(|text| text.len()).sum::<usize>()
            + self.guidance.as_ref().map_or(0, |text| text.len())
            + self.notice.as_ref().map_or(0, String::len)
            + self.recent.iter().map(|(action, result)| action.len() + result.len()).sum::<usize>();
        tokens(bytes as u64) + 256
    }
}
