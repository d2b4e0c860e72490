//! Going up: the packet, and who takes over when nobody stronger is left.

use super::{Attempts, Run, cut, push_bounded};
use crate::contract::Tier;
use crate::effect::Purpose;
use crate::event::Event;
use crate::packet::Packet;
use crate::status::Code;

/// Error signals that a packet carries.
const SIGNALS: usize = 5;

/// Why a stronger model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    LowConfidence,
    Confused,
    Blocked,
    InvalidSchema,
    RepeatedFailure,
    Loop,
    Review,
}

impl Trouble {
    /// What becomes of the run when no stronger model may be asked.
    fn code(self) -> Code {
        match self {
            Trouble::LowConfidence => Code::LowConfidence,
            Trouble::Confused => Code::AmbiguousIntent,
            Trouble::Blocked => Code::MissingInfo,
            Trouble::InvalidSchema => Code::ValidationFail,
            Trouble::RepeatedFailure => Code::RepeatedFailure,
            Trouble::Loop | Trouble::Review => Code::ReviewRequired,
        }
    }
}

impl Run {
    /// The weakest model above the one at work.
    pub(super) fn stronger_tier(&self) -> Option<Tier> {
        self.manifest.models.iter().map(|model| model.tier).find(|tier| *tier > self.tier)
    }

    pub(super) fn escalate(&mut self, trouble: Trouble, cause: String) {
        let allowed = self.escalations < self.max_escalations;
        let Some(to) = self.stronger_tier().filter(|_| allowed) else {
            let code = trouble.code();
            return if code.may_suspend() { self.suspend(code, cause, None) } else { self.end(code, cause) };
        };
        self.escalations += 1;
        let step = self.attempts.step.as_deref().unwrap_or("the first step");
        let packet = Packet {
            goal: self.manifest.goal.text.clone(),
            last_valid_state: self.last_valid_state.clone(),
            failure_point: format!("step `{}`: {cause}", cut(step, 128)),
            error_signals: if self.error_signals.is_empty() {
                vec![cause.clone()]
            } else {
                self.error_signals.iter().cloned().collect()
            },
            snippet: if self.snippet.is_empty() { "(nothing was run)".to_owned() } else { self.snippet.clone() },
            constraints: if self.manifest.goal.constraints.is_empty() {
                vec!["none".into()]
            } else {
                self.manifest.goal.constraints.clone()
            },
        };
        self.event(Event::Escalated {
            from: self.tier,
            to,
            cause,
            packet_tokens: packet.tokens(),
            history_tokens: self.history_tokens(),
            packet: packet.clone(),
        });
        self.attempts = Attempts::default();
        self.call_model(Purpose::Patch(packet));
    }

    /// Remembers an error signal for the next packet.
    pub(super) fn signal(&mut self, text: &str) {
        if self.error_signals.back().is_none_or(|last| last != text) {
            push_bounded(&mut self.error_signals, SIGNALS, cut(text, 512).to_owned());
        }
    }
}
