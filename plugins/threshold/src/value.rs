//! The left side: what the next action is expected to bring, by what the last ones brought
//! (document 002, "The Threshold Inequality"; specification C3).

use countersign_sdk::threshold::{ActionReturn, Ledger};

use crate::config::{self, Configuration};

/// What the last calls say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// 0..=1; not yet lowered by a collapse.
    pub value: f64,
    /// Calls at the end that count toward a collapse.
    pub unproductive: u32,
    /// When the last productive call was seen, in milliseconds; the boundary if there was none.
    pub productive_at: u64,
}

/// Oldest first. One more productive call never lowers the value.
pub fn expectation(ledger: &Ledger, configuration: &Configuration) -> Expectation {
    let rule = &configuration.value;
    // Once every criterion is met nothing is left to find out, and a new result brings nothing.
    let open = ledger.criteria == 0 || ledger.criteria_met < ledger.criteria;
    let mut expected = Expectation { value: rule.initial, unproductive: 0, productive_at: ledger.since };
    for call in &ledger.returns {
        match gain(call, open, rule) {
            Some(gain) => {
                expected.value = (expected.value + (1.0 - expected.value) * gain).min(1.0);
                expected.unproductive = 0;
                expected.productive_at = call.at;
            }
            // What waits is expected to bring nothing most of the time.
            None if call.neutral => {}
            None => {
                let counts = counts(call, open);
                expected.unproductive += u32::from(counts);
                // What does not count leads to no collapse by way of the value either; what counts
                // collapses by number, and by its value only where the number is switched off.
                let floored = !counts || configuration.collapse.after > 0;
                let least = if floored { rule.floor.min(expected.value) } else { 0.0 };
                expected.value = (expected.value * rule.decay).max(least);
            }
        }
    }
    expected
}

/// Whether an unproductive call counts toward a collapse, which is that new calls bring nothing new.
fn counts(call: &ActionReturn, open: bool) -> bool {
    // The same call again is the slot `doom-loop`'s to judge, which asks for another plan first. What
    // fails in a way not seen before says at least what does not work.
    let new_error = call.failed && call.novel && open;
    !call.repeated && !new_error
}

/// None for an unproductive call. An error that was not seen before is none the less no progress.
fn gain(call: &ActionReturn, open: bool, rule: &config::Value) -> Option<f64> {
    if call.confirmed || call.advanced {
        Some(rule.gain_confirmed)
    } else if call.changed || (call.novel && !call.failed && open) {
        Some(rule.gain)
    } else {
        None
    }
}
