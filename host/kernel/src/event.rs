use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::classifier::PlanningMode;
use crate::contract::{Dimension, Tier, Verdict};
use crate::judgement::Slot;
use crate::packet::{Packet, Report};
use crate::status::Code;

/// What an input and its judgements caused. Recorded in their frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// Tier and planning mode are chosen.
    Classified {
        /// Class of the task; none where nobody classified it.
        class: Option<String>,
        /// Tier to start with.
        tier: Tier,
        /// How to go about it.
        planning: PlanningMode,
    },
    /// The policies of a slot have been heard.
    Verdict {
        /// The slot.
        slot: Slot,
        /// The most restrictive of their verdicts.
        verdict: Verdict,
        /// The entries that gave it.
        by: Vec<Arc<str>>,
        /// Their reason.
        reason: String,
    },
    /// The slot is empty, or what it needs is not there.
    NotJudged {
        /// The slot.
        slot: Slot,
    },
    /// The model's answer is not in the form asked for.
    SchemaViolation {
        /// What was expected.
        reason: String,
    },
    /// A model is called.
    ModelCalled {
        /// Number of the call.
        call: u64,
        /// Which tier.
        tier: Tier,
    },
    /// A stronger model is asked.
    Escalated {
        /// Who asks.
        from: Tier,
        /// Who is asked.
        to: Tier,
        /// Why.
        cause: String,
        /// What it is told.
        packet: Packet,
        /// Size of the packet in tokens.
        packet_tokens: u64,
        /// Size of the history that it is spared, in tokens.
        history_tokens: u64,
    },
    /// The stronger model's text is handed to the weaker one, which goes on from the last valid
    /// state.
    Patched {
        /// Who goes on.
        tier: Tier,
    },
    /// The model is asked for another plan.
    Replanned {
        /// Why.
        reason: String,
    },
    /// An action does not run; the run goes on.
    Blocked {
        /// The tool.
        tool: Arc<str>,
        /// Why.
        reason: String,
    },
    /// A tool call is on its way.
    Dispatched {
        /// Number of the call.
        call: u64,
        /// The tool.
        tool: Arc<str>,
    },
    /// A verifier held, and the observation is part of the task's state.
    Committed {
        /// Number of the call.
        call: u64,
        /// Under this name.
        fact: Arc<str>,
    },
    /// A verifier did not hold.
    VerificationFailed {
        /// Number of the call.
        call: u64,
        /// What was found.
        detail: String,
    },
    /// An acceptance criterion is verified.
    CriterionMet {
        /// Its id.
        id: Arc<str>,
    },
    /// An acceptance criterion no longer holds.
    CriterionLost {
        /// Its id.
        id: Arc<str>,
    },
    /// The model claims success that no verified observation supports.
    ClaimUnsupported {
        /// The criteria that are not verified.
        unmet: Vec<Arc<str>>,
    },
    /// An effect does not fit into what is left.
    BudgetRefused {
        /// Where it is short.
        dimension: Dimension,
        /// What it would have needed at most.
        demand: u64,
        /// What is left.
        left: u64,
    },
    /// A person is told.
    Notified {
        /// What.
        text: String,
    },
    /// In monitor mode: what would have been done here.
    WouldHave {
        /// The verdict.
        verdict: Verdict,
        /// The slot that gave it.
        slot: Slot,
        /// Why.
        reason: String,
    },
    /// The run waits for a person.
    Suspended {
        /// Why.
        code: Code,
        /// What the person is told.
        report: Report,
    },
    /// The run is over.
    Ended {
        /// Why.
        code: Code,
        /// Every criterion is verified; false where none is declared.
        verified: bool,
        /// Why, for people.
        reason: String,
        /// Frames of the whole trace, manifest and this one included.
        frames: u64,
    },
}
