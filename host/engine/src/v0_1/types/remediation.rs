//! Slot `remediation`.

use std::sync::Arc;

use countersign_kernel::contract::remediation;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{FailureClass, ToolCategory};

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
pub struct FailedCall {
    tool: Arc<str>,
    category: Option<ToolCategory>,
    class: FailureClass,
    error: Arc<str>,
    #[component(name = "same-call")]
    same_call: u32,
    #[component(name = "same-tool")]
    same_tool: u32,
    #[component(name = "worked-before")]
    worked_before: bool,
}

impl From<&remediation::FailedCall> for FailedCall {
    fn from(call: &remediation::FailedCall) -> Self {
        FailedCall {
            tool: Arc::clone(&call.tool),
            category: call.category.map(ToolCategory::from),
            class: call.class.into(),
            error: Arc::clone(&call.error),
            same_call: call.same_call,
            same_tool: call.same_tool,
            worked_before: call.worked_before,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Authority {
    who: String,
    what: String,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub enum Remediability {
    #[component(name = "retryable")]
    Retryable,
    #[component(name = "self-remediable")]
    SelfRemediable,
    #[component(name = "irremediable")]
    Irremediable(Authority),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub struct Remedy {
    remediability: Remediability,
    reason: String,
}

impl From<Remedy> for remediation::Remedy {
    fn from(answer: Remedy) -> Self {
        remediation::Remedy {
            remediability: match answer.remediability {
                Remediability::Retryable => remediation::Remediability::Retryable,
                Remediability::SelfRemediable => remediation::Remediability::SelfRemediable,
                Remediability::Irremediable(authority) => {
                    let Authority { who, what } = authority;
                    remediation::Remediability::Irremediable(remediation::Authority { who, what })
                }
            },
            reason: answer.reason,
        }
    }
}
