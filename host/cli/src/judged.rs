//! How verdicts and the answers behind them read, in `run` and in `trace show` alike.

use std::sync::Arc;

use countersign::kernel::{Answered, Slot};

/// ` [entry, …]` where others than the entry that is called as the slot gave the verdict. Nothing where
/// nobody's counted.
pub fn by(slot: Slot, by: &[Arc<str>]) -> String {
    match by {
        [] => String::new(),
        [one] if **one == *slot.name() => String::new(),
        several => format!(" [{}]", several.join(", ")),
    }
}

/// What a threshold weighed: its terms, whatever it decided.
pub fn terms(answer: &Answered) -> Option<String> {
    let Answered::Threshold(weighed) = answer else { return None };
    Some(format!(
        "value {:.2}, risk {:.2}, cost {:.2}, irreversibility {:.2}, authority gap {:.2}",
        weighed.value, weighed.risk, weighed.cost, weighed.irreversibility, weighed.authority_gap
    ))
}

/// `proceed: because`, and `proceed` where there is no because.
pub fn because(what: &str, reason: &str) -> String {
    match reason.trim() {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::kernel::contract::threshold::{Assessment, Decision, Trigger};

    #[test]
    fn who_gave_a_verdict_is_told_where_it_is_not_the_slots_own_entry() {
        let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
        for (entries, expected) in
            [(&[] as &[&str], ""), (&["risk"], ""), (&["next"], " [next]"), (&["next", "risk"], " [next, risk]")]
        {
            assert_eq!(by(Slot::Risk, &names(entries)), expected);
        }
    }

    #[test]
    fn all_five_terms_are_told_whatever_was_decided() {
        let assessment = |decision| Assessment {
            decision,
            value: 0.125,
            risk: 0.5,
            cost: 1.0,
            irreversibility: 0.0,
            authority_gap: 0.333,
            reason: String::new(),
        };
        for decision in [Decision::Continue, Decision::Escalate(Trigger::BudgetExhausted)] {
            let told = terms(&Answered::Threshold(assessment(decision))).unwrap_or_default();
            assert!(told.contains("risk 0.50, cost 1.00, irreversibility 0.00, authority gap 0.33"), "{told}");
        }
    }

    #[test]
    fn nothing_stands_behind_what_has_no_reason() {
        assert_eq!((because("proceed", " "), because("ask", "x")), ("proceed".to_owned(), "ask: x".to_owned()));
    }
}
