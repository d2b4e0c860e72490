//! `wit/v0.1/classifier.wit`.
#![allow(missing_docs, reason = "documented once, in the WIT files of the same names")]

use std::sync::Arc;

use crate::violation::{self, Violation};
use crate::{Tier, Verdict};

cases! {
    pub enum SideEffect {
        None = "none",
        Reversible = "reversible",
        Irreversible = "irreversible",
    }
}

record! {
    #[derive(Eq)]
    pub struct TierOffer {
        pub tier: Tier,
        pub cheapest_call as "cheapest-call": u64,
    }
}

record! {
    #[derive(Eq)]
    pub struct PastOutcomes {
        pub class: String,
        pub runs: u32,
        pub succeeded: u32,
        pub lessons: u32,
    }
}

record! {
    pub struct Task {
        pub goal: Arc<str>,
        pub prompt: Arc<str>,
        pub tools: Vec<Arc<str>>,
        pub step_estimate as "step-estimate": Option<u32>,
        pub side_effects as "side-effects": SideEffect,
        pub tiers: Vec<TierOffer>,
        pub past: Vec<PastOutcomes>,
    }
}

record! {
    #[derive(Copy)]
    pub struct Cascade {
        pub escalate_below as "escalate-below": f64,
        pub max_escalations as "max-escalations": u32,
    }
}

variant! {
    #[derive(Copy, Eq)]
    pub enum PlanningMode {
        Act = "act",
        ActWithReflexion = "act-with-reflexion",
        PlanThenExecute = "plan-then-execute",
        ExtendedThinking(u32) = "extended-thinking",
    }
}

record! {
    pub struct Classification {
        pub class: String,
        pub tier: Tier,
        pub cascade: Option<Cascade>,
        pub planning: PlanningMode,
        pub ambiguity: f64,
        pub verdict: Verdict,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        pub reason: String,
    }
}

impl crate::Answer for Classification {
    type Question = Task;

    fn check(&self, task: &Task) -> Result<(), Violation> {
        violation::unit("ambiguity", self.ambiguity)?;
        if let Some(cascade) = &self.cascade {
            violation::unit("cascade.escalate-below", cascade.escalate_below)?;
        }
        violation::text("reason", &self.reason)?;
        let named = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if self.class.is_empty() || self.class.len() > 64 || !self.class.bytes().all(named) {
            return Err(violation::other("class", "1 to 64 lower-case letters, digits and hyphens"));
        }
        if !task.tiers.iter().any(|offer| offer.tier == self.tier) {
            return Err(violation::other("tier", "one of the tiers offered"));
        }
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn without_words(&self) -> Self {
        Classification { reason: String::new(), ..self.clone() }
    }
}
