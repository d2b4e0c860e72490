//! Default policy of the slot `doom-loop`: a circuit breaker over observed steps (document 001,
//! parts 6.2, 6.3 and 13.3; specification B6).
//!
//! What counts is whether calls still bring anything new. A loop is a pass over the same calls with
//! the same results; text that merely looks alike is a vote, never a trip (on 2,631 pairs labelled
//! by people the 4-gram rule alone has a precision of 0.48).

mod breaker;
mod config;
mod history;
mod votes;

use countersign_sdk::doom_loop::{DoomLoop, Handoff, ObservedStep, Signal, Trip, TripReason};
use countersign_sdk::{ConfigError, Policy, RunView, policy};

use breaker::Breaker;
use votes::Votes;

/// The circuit breaker.
pub struct CircuitBreaker {
    configuration: config::Configuration,
    breaker: Breaker,
    votes: Votes,
    /// Trips so far: the ladder of handoffs goes up with each.
    trips: u32,
}

impl Policy for CircuitBreaker {
    const NAME: &'static str = "doom-loop";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PURPOSE: &'static str = "trips when calls and results repeat, errors repeat, or nothing new comes back";
    const STATELESS: bool = false;
    const CONFIGURATION_SCHEMA: &'static str = include_str!("../configuration.schema.json");
    type Configuration = config::Configuration;

    fn configure(configuration: config::Configuration) -> Result<Self, ConfigError> {
        let warnings = &configuration.warnings;
        if warnings.warning_at_remaining > warnings.caution_at_remaining {
            return Err(ConfigError::at("/warnings", "expected warning_at_remaining <= caution_at_remaining"));
        }
        Ok(CircuitBreaker {
            breaker: Breaker::new(&configuration.trips),
            votes: Votes::new(&configuration.trips),
            configuration,
            trips: 0,
        })
    }
}

impl DoomLoop for CircuitBreaker {
    fn observe(&mut self, step: ObservedStep, _run: &dyn RunView) -> Signal {
        if let Some(cause) = self.breaker.observe(&step) {
            return self.trip(cause.reason, cause.evidence);
        }
        let votes = self.votes.count(&step);
        if let Some(signal) = self.turn_cap(&step) {
            return signal;
        }
        match votes {
            Some(text) => Signal::Caution(text),
            None => Signal::Steady,
        }
    }
}

impl CircuitBreaker {
    fn trip(&mut self, reason: TripReason, evidence: String) -> Signal {
        self.trips += 1;
        let handoff = match self.configuration.trip_action {
            _ if reason == TripReason::TurnCap => self.last_handoff(),
            config::TripAction::EscalateToHitl => Handoff::Ask,
            config::TripAction::Terminate => Handoff::Terminate,
            config::TripAction::HandoffToReplanner if self.trips > self.configuration.replanner_max_retries => {
                self.last_handoff()
            }
            // The first retry is the model's own, further ones a stronger model's.
            config::TripAction::HandoffToReplanner if self.trips == 1 => Handoff::Replan,
            config::TripAction::HandoffToReplanner => Handoff::Escalate,
        };
        Signal::Trip(Trip { reason, evidence, handoff })
    }

    fn last_handoff(&self) -> Handoff {
        match self.configuration.on_replanner_failure {
            config::OnReplannerFailure::EscalateToHitl => Handoff::Ask,
            config::OnReplannerFailure::Terminate => Handoff::Terminate,
        }
    }

    /// Nothing where the host hides the index: a model that sees its end coming gives up early.
    fn turn_cap(&mut self, step: &ObservedStep) -> Option<Signal> {
        let cap = self.configuration.trips.hard_turn_cap;
        let done = step.index?.saturating_add(1);
        let left = cap.saturating_sub(done);
        let warnings = &self.configuration.warnings;
        if left == 0 {
            Some(self.trip(TripReason::TurnCap, format!("step {done} of at most {cap}")))
        } else if left == warnings.warning_at_remaining {
            Some(Signal::Warning(format!("{left} steps before the turn cap of {cap}")))
        } else if left == warnings.caution_at_remaining {
            Some(Signal::Caution(format!("{left} steps before the turn cap of {cap}")))
        } else {
            None
        }
    }
}

policy!(CircuitBreaker: doom_loop);
