//! The reason, for people.

use countersign_sdk::threshold::{Ledger, Trigger};

use crate::cost::{Cost, Line};
use crate::value::Expectation;
use crate::{Inequality, Terms};

/// Bytes that the contract allows.
const MOST_BYTES: usize = 1024;
/// Bytes of a name in it, so that a long one does not push out the rest.
const NAME_BYTES: usize = 128;

pub fn text(
    trigger: Option<Trigger>,
    ledger: &Ledger,
    terms: &Terms,
    expected: &Expectation,
    cost: &Cost,
    policy: &Inequality,
) -> String {
    let tool = ledger.next.as_ref().map_or("", |next| cut(&next.tool, NAME_BYTES));
    let mut text = match (trigger, &ledger.gap, &cost.reached) {
        (Some(Trigger::AuthorityGap), Some(gap), _) => {
            let (tool, who) = (cut(&gap.tool, NAME_BYTES), cut(&gap.who, NAME_BYTES));
            format!("`{tool}` failed, and the agent cannot mend it: {who} must {}", gap.what)
        }
        (Some(Trigger::ConfidenceCollapse), ..) if policy.collapsed(expected) => {
            let seconds = ledger.at.saturating_sub(expected.productive_at) / 1000;
            let (last, calls) = (expected.unproductive, ledger.actions.max(expected.unproductive));
            format!("{last} different calls brought nothing, for {seconds} s; {calls} calls in all")
        }
        (Some(Trigger::IrreversibleAction), ..) if policy.too_weak_for(ledger, terms) => {
            let strong = hundredths(policy.configuration.irreversible.strong_value);
            format!("`{tool}` may not be undone, and value {} is below {strong}", hundredths(terms.value))
        }
        (Some(Trigger::BudgetExhausted), _, Some(Line { name, used, limit })) => {
            format!("{name}: {used} of {limit} used")
        }
        (Some(_), ..) => sum(terms, cost),
        (None, ..) if cost.term > cost.weighed => "a cap is used up, and the run may finish without a call".to_owned(),
        // Going on is what the terms say by themselves; a run hears it twice a call.
        (None, ..) => String::new(),
    };
    text.truncate(text.floor_char_boundary(MOST_BYTES));
    text
}

fn sum(terms: &Terms, cost: &Cost) -> String {
    format!(
        "value {} is not above risk {} + cost {} + irreversibility {}",
        hundredths(terms.value),
        hundredths(terms.risk),
        hundredths(cost.weighed),
        hundredths(terms.irreversibility)
    )
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Two decimals of 0..=1, by integer arithmetic: formatting a float would be a sixth of the component.
fn hundredths(value: f64) -> String {
    let whole = (value * 100.0 + 0.5) as u32;
    format!("{}.{:02}", whole / 100, whole % 100)
}
