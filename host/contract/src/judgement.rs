//! What comes of asking a policy, and how it is recorded.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::view::Read;
use crate::{Answered, Key, Slot, Violation};

/// Why a policy could not decide. The class alone: messages stand beside the trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It trapped: a panic, an index out of bounds, a division by zero.
    Trap,
    /// It used up the fuel of a call.
    OutOfFuel,
    /// It asked for more memory than its limit.
    OutOfMemory,
    /// It used up the wasm stack before its fuel. Re-executable under the same engine fingerprint.
    Stack,
    /// Its answer could not be read at all.
    MalformedAnswer,
    /// Its answer, or its use of the imports, breaks the contract.
    ContractViolation(Violation),
    /// The host could not run it: deadline, allocation, instantiation. Not re-executable.
    Environment,
    /// It failed before in this run and could not be rebuilt.
    Dead,
}

impl Cause {
    /// As it is written in traces.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::Trap => "trap",
            Cause::OutOfFuel => "out-of-fuel",
            Cause::OutOfMemory => "out-of-memory",
            Cause::Stack => "stack",
            Cause::MalformedAnswer => "malformed-answer",
            Cause::ContractViolation(_) => "contract-violation",
            Cause::Environment => "environment",
            Cause::Dead => "dead",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::ContractViolation(violation) => write!(f, "contract violation: {violation}"),
            Cause::Trap => f.write_str("it trapped"),
            Cause::OutOfFuel => f.write_str("it ran out of fuel"),
            Cause::OutOfMemory => f.write_str("it asked for more memory than its limit"),
            Cause::Stack => f.write_str("it ran out of stack"),
            Cause::MalformedAnswer => f.write_str("its answer could not be read"),
            Cause::Environment => f.write_str("the host could not run it"),
            Cause::Dead => f.write_str("it failed before and could not be rebuilt"),
        }
    }
}

/// What a driver hands back for a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The answer.
    pub answer: Answered,
    /// What was read from the view, in order.
    pub reads: Vec<Read>,
    /// Fuel burnt by the call.
    pub fuel: u64,
}

/// A judgement as it is recorded: what cannot be made again from the frames before it. The question can, so its
/// identity alone is kept; which component the entry is stands in the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Judgement {
    /// Name of the bundle entry.
    pub entry: Arc<str>,
    /// The slot that was asked.
    pub slot: Slot,
    /// Identity of the question ([`Question::key`](crate::Question::key)).
    pub question: Key,
    /// What was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// What was answered.
    pub answer: Answered,
    /// Fuel burnt.
    pub fuel: u64,
}
