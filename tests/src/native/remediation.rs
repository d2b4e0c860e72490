//! Slot `remediation`.

use countersign::kernel::contract::remediation as contract;
use countersign_sdk::remediation as sdk;

use super::shared::{to_category, to_failure_class};

native!(Remediation, sdk::Remediation, classify, to_failed_call, remedy);

/// A question's record as the SDK has it.
pub fn to_failed_call(call: &contract::FailedCall) -> sdk::FailedCall {
    sdk::FailedCall {
        tool: call.tool.to_string(),
        category: call.category.map(to_category),
        class: to_failure_class(call.class),
        error: call.error.to_string(),
        same_call: call.same_call,
        same_tool: call.same_tool,
        worked_before: call.worked_before,
    }
}

fn remedy(answer: sdk::Remedy) -> contract::Remedy {
    contract::Remedy {
        remediability: match answer.remediability {
            sdk::Remediability::Retryable => contract::Remediability::Retryable,
            sdk::Remediability::SelfRemediable => contract::Remediability::SelfRemediable,
            sdk::Remediability::Irremediable(authority) => {
                contract::Remediability::Irremediable(contract::Authority { who: authority.who, what: authority.what })
            }
        },
        reason: answer.reason,
    }
}
