//! `wit/v0.1/confidence.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use crate::violation::{self, Violation};
use crate::{Compliance, Verdict};

pub use crate::{ModelKind, Orientation, Signal, Stakes};

record! {
    pub struct Statement {
        pub signals: Vec<Signal>,
        pub stakes: Stakes,
        pub compliance: Compliance,
        pub model: ModelKind,
        pub evidence: u32,
        pub may_investigate as "may-investigate": bool,
    }
}

record! {
    #[derive(Copy)]
    pub struct Resampling {
        pub temperature: f64,
        pub samples: u32,
    }
}

variant! {
    #[derive(Copy)]
    pub enum TrustAction {
        Ship = "ship",
        Resample(Resampling) = "resample",
        Retrieve = "retrieve",
        Investigate = "investigate",
        Escalate = "escalate",
        Abstain = "abstain",
    }
}

impl TrustAction {
    /// What the host does, as the slot documents it.
    pub fn verdict(self) -> Verdict {
        match self {
            TrustAction::Ship => Verdict::Proceed,
            TrustAction::Resample(_) => Verdict::Log,
            TrustAction::Retrieve | TrustAction::Investigate | TrustAction::Escalate => Verdict::Escalate,
            TrustAction::Abstain => Verdict::Ask,
        }
    }
}

record! {
    pub struct Trust {
        pub score: Option<f64>,
        pub action: TrustAction,
        pub signals_used as "signals-used": Vec<String>,
        pub surface_uncertainty as "surface-uncertainty": bool,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl crate::Answer for Trust {
    type Question = Statement;

    fn check(&self, asked: &Statement) -> Result<(), Violation> {
        if let Some(score) = self.score {
            violation::unit("score", score)?;
        }
        if let TrustAction::Resample(resampling) = self.action {
            violation::number("action.temperature", resampling.temperature, 0.0..=2.0, "0..=2")?;
            if resampling.samples < 2 {
                return Err(violation::other("action.samples", "at least 2"));
            }
        }
        violation::text("reason", &self.reason)?;
        let given = |name: &String| asked.signals.iter().any(|signal| *signal.name == **name);
        if !self.signals_used.iter().all(given) {
            return Err(violation::other("signals-used", "names of signals in the input"));
        }
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        self.action.verdict()
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn bytes(&self) -> usize {
        self.reason.len() + self.signals_used.iter().map(String::len).sum::<usize>()
    }

    fn score(&self) -> Option<f64> {
        self.score
    }

    const LOWEST_COUNTS: bool = true;

    const WORDS: &'static [&'static str] = TrustAction::NAMES;

    fn word(&self) -> Option<&'static str> {
        Some(self.action.name())
    }

    fn without_words(&self) -> Self {
        Trust { reason: String::new(), ..self.clone() }
    }
}
