use std::sync::Arc;

use countersign_spec::budget::Demand;
use countersign_spec::plan::PlanLine;
use countersign_spec::routing::Authority;
use countersign_spec::state::Memory;
use countersign_spec::tool::Verifier;

use crate::contract::{PlanningMode, Tier};
use crate::record::input::Alarm;
use crate::record::packet::{Packet, Report, tokens};
use crate::record::status::Code;
use crate::record::told::{CompactedHistory, Exchange, Notice, Texts};

/// What the driver is to do once the frame is durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Call a model; its answer comes back as `Replied`.
    CallModel {
        /// Number of the call.
        call: u64,
        /// Which tier.
        tier: Tier,
        /// Which model of it, by its id.
        model: Arc<str>,
        /// What it is told.
        request: ModelRequest,
        /// Tokens it may answer at most.
        max_output_tokens: u64,
        /// What was set aside for it, for the buckets above the run.
        demand: Demand,
    },
    /// Wait for the next proposal of the agent that owns the loop; comes back as `Replied`.
    Await {
        /// Number of the call.
        call: u64,
        /// What the agent is told with the answer to its last proposal.
        notice: Option<Notice>,
    },
    /// Call a tool with the arguments of the reply that proposed it; comes back as `Observed`.
    Dispatch {
        /// Number of the call.
        call: u64,
        /// The tool.
        tool: Arc<str>,
        /// Canonical JSON, secrets replaced: the driver holds what stands behind them.
        arguments: Arc<str>,
        /// For tools that can tell a repeat: the same for every try of this call, and for none
        /// else. None for a call that changes nothing.
        idempotency_key: Option<Arc<str>>,
        /// Salted digest of the arguments as the tool is to receive them, where a secret in them was
        /// replaced: whoever dispatches holds the exact ones under it. None where `arguments` are exact.
        payload: Option<Arc<str>>,
        /// What was set aside for it, for the buckets above the run.
        demand: Demand,
    },
    /// Wait; comes back as `Waited`.
    Wait {
        /// Number of the wait.
        wait: u64,
        /// How long.
        milliseconds: u64,
    },
    /// Look at the observation of a call; comes back as `Verified`.
    Verify {
        /// Number of the call.
        call: u64,
        /// By what.
        verifier: Verifier,
    },
    /// Write a memory; nothing comes back.
    Remember(Memory),
    /// Tell a person; nothing comes back.
    Notify {
        /// What.
        text: String,
    },
    /// Tell an architect; nothing comes back.
    Alarm {
        /// How bad it is.
        severity: Alarm,
        /// What the agent reports.
        reason: Arc<str>,
    },
    /// People are told and may decide; the run goes on meanwhile.
    Report {
        /// Why.
        code: Code,
        /// What they are told.
        report: Report,
    },
    /// The run waits for a person, who is told.
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
        /// Why, for people.
        reason: String,
        /// Who receives authority; nobody after a success, or when a person ended it.
        authority: Option<Authority>,
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
    /// Whose part the model takes: name and what it is for.
    pub acting: Option<(Arc<str>, Arc<str>)>,
    /// Text of a stronger model, to be followed.
    pub guidance: Option<Arc<str>>,
    /// What the loop has to say about the last step.
    pub notice: Option<Notice>,
    /// What is wrong with the form of the model's last answer, which it is to give again.
    pub mend: Option<Arc<str>>,
    /// What a person has said since the last request.
    pub message: Option<Arc<str>>,
    /// The plan as it stands; empty where there is none.
    pub plan: Vec<PlanLine>,
    /// What was kept when the rest was compressed.
    pub kept: Option<Arc<CompactedHistory>>,
    /// The model's own notes of its last step.
    pub scratchpad: Option<Arc<str>>,
    /// What earlier runs left: name and text.
    pub memory: Vec<(Arc<str>, Arc<str>)>,
    /// The last exchanges, oldest first.
    pub recent: Vec<Exchange>,
}

/// What a model call is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// The next step.
    Step,
    /// A plan.
    Plan,
    /// The next step, on another plan.
    Replan,
    /// A diagnosis of what went wrong, then the next step.
    Reflect(Arc<str>),
    /// Help for a weaker model: the packet is all it is told.
    Patch(Packet),
}

impl ModelRequest {
    /// Size in tokens, estimated as a quarter of the bytes of its texts, and 256 for the frame
    /// around them.
    pub fn tokens(&self) -> u64 {
        let of = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        if let Purpose::Patch(packet) = &self.purpose {
            return packet.tokens() + tokens(of(&self.mend) as u64) + 256;
        }
        let bytes = self.goal.len()
            + self.constraints.iter().map(|text| text.len()).sum::<usize>()
            + self.acting.as_ref().map_or(0, |(name, description)| name.len() + description.len())
            + of(&self.guidance)
            + of(&self.mend)
            + of(&self.message)
            + of(&self.scratchpad)
            + self.kept.as_ref().map_or(0, |kept| kept.bytes())
            + self.notice.as_ref().map_or(0, Texts::bytes)
            + self.plan.iter().map(Texts::bytes).sum::<usize>()
            + self.memory.iter().map(|(key, text)| key.len() + text.len()).sum::<usize>()
            + self.recent.iter().map(Texts::bytes).sum::<usize>();
        tokens(bytes as u64) + 256
    }
}
