//! The contract's types as wasmtime lifts and lowers them, and their way from and to the kernel's.
//! Texts are shared, not copied: lowering writes them into the guest once.

use countersign_kernel::contract::{self, view};
use wasmtime::component::{ComponentType, Lift, Lower};

/// An enum of the contract and its twin in the kernel.
macro_rules! twin {
    ($name:ident, $kernel:path { $($case:ident = $wit:literal),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
        #[component(enum)]
        #[repr(u8)]
        #[allow(dead_code, reason = "some are only lifted, some only lowered")]
        pub enum $name { $(#[component(name = $wit)] $case),+ }

        impl From<$kernel> for $name {
            fn from(value: $kernel) -> Self {
                match value { $(<$kernel>::$case => $name::$case),+ }
            }
        }

        impl From<$name> for $kernel {
            fn from(value: $name) -> Self {
                match value { $($name::$case => <$kernel>::$case),+ }
            }
        }
    };
}

mod classifier;
mod confidence;
mod context;
mod dispatch;
mod doom_loop;
mod estimator;
mod guard;
mod remediation;
mod risk;
mod sensitivity;
mod threshold;

pub use classifier::*;
pub use confidence::*;
pub use context::*;
pub use dispatch::*;
pub use doom_loop::*;
pub use estimator::*;
pub use guard::*;
pub use remediation::*;
pub use risk::*;
pub use sensitivity::*;
pub use threshold::*;

twin!(Verdict, contract::Verdict {
    Proceed = "proceed", Log = "log", Notify = "notify", Replan = "replan",
    Escalate = "escalate", Ask = "ask", Deny = "deny", Terminate = "terminate",
});
twin!(Tier, contract::Tier { Cheap = "cheap", Mid = "mid", Strong = "strong" });
twin!(Compliance, contract::Compliance {
    None = "none", Pii = "pii", Financial = "financial", Regulated = "regulated",
});
twin!(ToolCategory, contract::ToolCategory {
    ReadOnlyLookup = "read-only-lookup", Retrieval = "retrieval", LiveApi = "live-api", Sandbox = "sandbox",
    FileSystem = "file-system", Database = "database", Communication = "communication", Payment = "payment",
    Infrastructure = "infrastructure", ReviewQueue = "review-queue",
});
twin!(Phase, contract::Phase { Intake = "intake", Proposal = "proposal", Observation = "observation" });
twin!(Dimension, contract::Dimension {
    Steps = "steps", InputTokens = "input-tokens", OutputTokens = "output-tokens", ToolCalls = "tool-calls",
    ExternalCalls = "external-calls", RunningTime = "running-time", Cost = "cost", Retries = "retries",
    Reflections = "reflections", ContextTokens = "context-tokens", MemoryWrites = "memory-writes",
    SideEffects = "side-effects", RecordsTouched = "records-touched", MoneyMoved = "money-moved",
    RecipientsReached = "recipients-reached",
});
twin!(SensitivityTag, contract::SensitivityTag {
    Public = "public", Internal = "internal", Confidential = "confidential", Restricted = "restricted",
    Critical = "critical",
});
twin!(Reversibility, contract::Reversibility {
    Reversible = "reversible", Irreversible = "irreversible", Unknown = "unknown",
});
twin!(FailureClass, contract::FailureClass {
    Rejected = "rejected", Failed = "failed", TimedOut = "timed-out", Infrastructure = "infrastructure",
});
twin!(LogLevel, crate::call::Level { Debug = "debug", Info = "info", Warn = "warn", Error = "error" });

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Descriptor {
    pub name: String,
    pub version: String,
    pub purpose: String,
    pub stateless: bool,
    #[component(name = "configuration-schema")]
    pub configuration_schema: String,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct ConfigError {
    pub key: String,
    pub message: String,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct BudgetLine {
    limit: u64,
    used: u64,
    reserved: u64,
}

impl From<contract::BudgetLine> for BudgetLine {
    fn from(line: contract::BudgetLine) -> Self {
        BudgetLine { limit: line.limit, used: line.used, reserved: line.reserved }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct StepSummary {
    index: u32,
    #[component(name = "call-key")]
    call_key: Option<u64>,
    #[component(name = "result-key")]
    result_key: Option<u64>,
    failed: bool,
    mutating: bool,
}

impl From<&view::StepSummary> for StepSummary {
    fn from(step: &view::StepSummary) -> Self {
        StepSummary {
            index: step.index,
            call_key: step.call_key.map(|key| key.0),
            result_key: step.result_key.map(|key| key.0),
            failed: step.failed,
            mutating: step.mutating,
        }
    }
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct BoundaryLimits {
    #[component(name = "blast-radius-limit")]
    blast_radius_limit: Option<u64>,
    tools: u32,
}

impl From<view::Boundary> for BoundaryLimits {
    fn from(boundary: view::Boundary) -> Self {
        BoundaryLimits { blast_radius_limit: boundary.blast_radius_limit, tools: boundary.tools }
    }
}
