//! Slot `remediation`: the default policy natively, generated questions, laws.

use anyhow::{Result, ensure};
use countersign::kernel::contract::remediation::FailedCall;
use countersign::kernel::contract::{FailureClass, ToolCategory, remediation as contract};
use countersign_sdk::remediation as sdk;

use crate::generate::{KIB, Random, name, text as some_text};
use crate::laws::{Law, Trial, answered, view};
use crate::native::shared::{to_category, to_failure_class};

native!(Remediation, countersign_remediation::ErrorRules, sdk::Remediation.classify);

/// A question's record as the SDK has it.
pub fn to_sdk(call: &contract::FailedCall) -> sdk::FailedCall {
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

fn from_sdk(answer: sdk::Remedy) -> contract::Remedy {
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

/// Whatever the contract allows it to be asked.
pub fn question(random: &mut Random) -> FailedCall {
    FailedCall {
        tool: if random.once_in(16) { some_text(random, KIB) } else { name(random).into() },
        category: random.maybe(|random| random.pick(&ToolCategory::ALL)),
        class: random.pick(&FailureClass::ALL),
        error: some_text(random, 8 * KIB),
        same_call: random.below(6) as u32 + 1,
        same_tool: random.count().max(1),
        worked_before: random.toss(),
    }
}

/// The laws of its own meaning.
pub const LAWS: [Law; 1] = [Law { name: "the case of an error's letters makes no difference", check: letter_case }];

fn letter_case(trial: &mut Trial<'_>, random: &mut Random) -> Result<()> {
    let (before, view) = (question(random), view(random));
    let mut after = before.clone();
    after.error = another_case(&before.error, random).into();
    let one = answered!(trial, Remediation, before.clone(), &view);
    let other = answered!(trial, Remediation, after.clone(), &view);
    ensure!(one == other, "{one:?} for `{}`, but {other:?} for `{}`", before.error, after.error);
    Ok(())
}

/// Escapes as they are: `\N` is none.
fn another_case(text: &str, random: &mut Random) -> String {
    let mut escape = false;
    let one = |c: char| {
        let kept = escape;
        escape = c == '\\';
        if kept || random.toss() {
            c
        } else if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    text.chars().map(one).collect()
}
