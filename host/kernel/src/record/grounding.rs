//! The grounding ladder as types (specification D4, D21):
//! `Intended → Attempted → Observed → Verified → Committed`.
//!
//! Only a [`Call<Committed>`] changes the state of a task. The last two rungs have no public
//! constructor and cannot be deserialised: they arise from folding a recorded verification.
//!
//! What a model merely claims cannot be committed:
//! ```compile_fail
//! use countersign_kernel::grounding::{Call, Committed};
//! let claimed: Call<Committed> = Call { id: 1, tool: "pay".into(), rung: Committed {} };
//! ```
//! Nor can it be read from somewhere:
//! ```compile_fail
//! use countersign_kernel::grounding::{Call, Verified};
//! let claimed: Call<Verified> = serde_json::from_str("{}").unwrap();
//! ```
//! And no rung can be skipped:
//! ```compile_fail
//! use countersign_kernel::grounding::{Call, Intended};
//! let call: Call<Intended> = Call::intend(1, "pay".into());
//! call.commit();
//! ```

use std::sync::Arc;

use crate::record::input::{Observation, Verification};

/// A tool call on its rung of the ladder.
#[derive(Debug)]
pub struct Call<Rung> {
    id: u64,
    tool: Arc<str>,
    rung: Rung,
}

/// Proposed and not yet done.
#[derive(Debug)]
pub struct Intended(());

/// Dispatched; the outcome is unknown.
#[derive(Debug)]
pub struct Attempted(());

/// Answered; the answer is not yet checked.
#[derive(Debug)]
pub struct Observed {
    observation: Observation,
}

/// Checked by a verifier, and held.
#[derive(Debug)]
pub struct Verified {
    observation: Observation,
}

/// Part of the task's state.
#[derive(Debug)]
pub struct Committed {
    observation: Observation,
}

impl<Rung> Call<Rung> {
    /// Number of the call in its run.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Name of the tool.
    pub fn tool(&self) -> &Arc<str> {
        &self.tool
    }
}

impl Call<Intended> {
    /// A proposal.
    pub fn intend(id: u64, tool: Arc<str>) -> Self {
        Call { id, tool, rung: Intended(()) }
    }

    /// It is dispatched.
    pub fn attempt(self) -> Call<Attempted> {
        Call { id: self.id, tool: self.tool, rung: Attempted(()) }
    }
}

impl Call<Attempted> {
    /// The tool has answered.
    pub fn observe(self, observation: Observation) -> Call<Observed> {
        Call { id: self.id, tool: self.tool, rung: Observed { observation } }
    }
}

impl Call<Observed> {
    /// What the tool answered.
    pub fn observation(&self) -> &Observation {
        &self.rung.observation
    }

    /// What the tool answered, without what a model must not see: nothing that is made of it has it.
    #[must_use]
    pub fn with_text(mut self, text: Arc<str>) -> Self {
        self.rung.observation.text = text;
        self
    }

    /// Folds a recorded verification.
    ///
    /// # Errors
    /// The call itself, when the verifier did not hold.
    pub fn verify(self, verification: &Verification) -> Result<Call<Verified>, Call<Observed>> {
        if verification.holds {
            Ok(Call { id: self.id, tool: self.tool, rung: Verified { observation: self.rung.observation } })
        } else {
            Err(self)
        }
    }
}

impl Call<Verified> {
    /// Makes it part of the task's state.
    pub fn commit(self) -> Call<Committed> {
        Call { id: self.id, tool: self.tool, rung: Committed { observation: self.rung.observation } }
    }
}

impl Call<Committed> {
    /// What was verified.
    pub fn observation(&self) -> &Observation {
        &self.rung.observation
    }
}
