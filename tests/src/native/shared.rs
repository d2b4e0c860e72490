//! What several slots share.

use countersign::kernel::contract;
use countersign_sdk::{Dimension, classifier, remediation, risk};

/// The dimensions by name, from one side to the other.
macro_rules! map_dimension {
    ($value:expr, $from:path => $to:path) => {
        map_enum!($value, $from => $to {
            Steps, InputTokens, OutputTokens, ToolCalls, ExternalCalls, RunningTime, Cost, Retries, Reflections,
            ContextTokens, MemoryWrites, SideEffects, RecordsTouched, MoneyMoved, RecipientsReached,
        })
    };
}

pub fn to_dimension(of: contract::Dimension) -> Dimension {
    map_dimension!(of, contract::Dimension => Dimension)
}

pub fn dimension(of: Dimension) -> contract::Dimension {
    map_dimension!(of, Dimension => contract::Dimension)
}

pub fn to_tier(tier: contract::Tier) -> classifier::Tier {
    map_enum!(tier, contract::Tier => classifier::Tier { Cheap, Mid, Strong })
}

pub fn to_compliance(tag: contract::Compliance) -> risk::Compliance {
    map_enum!(tag, contract::Compliance => risk::Compliance { None, Pii, Financial, Regulated })
}

pub fn to_category(category: contract::ToolCategory) -> risk::ToolCategory {
    map_enum!(category, contract::ToolCategory => risk::ToolCategory {
        ReadOnlyLookup, Retrieval, LiveApi, Sandbox, FileSystem, Database, Communication, Payment, Infrastructure,
        ReviewQueue,
    })
}

pub fn to_reversibility(reversibility: contract::Reversibility) -> risk::Reversibility {
    map_enum!(reversibility, contract::Reversibility => risk::Reversibility { Reversible, Irreversible, Unknown })
}

pub fn to_failure_class(class: contract::FailureClass) -> remediation::FailureClass {
    map_enum!(class, contract::FailureClass => remediation::FailureClass { Rejected, Failed, TimedOut, Infrastructure })
}

pub fn verdict(verdict: risk::Verdict) -> contract::Verdict {
    map_enum!(verdict, risk::Verdict => contract::Verdict {
        Proceed, Log, Notify, Replan, Escalate, Ask, Deny, Terminate
    })
}
