//! One rule after the other, both sides of each boundary.

use super::*;

#[test]
fn the_value_follows_what_the_calls_brought() {
    for (returns, value) in [
        (&[][..], 0.9),
        (&[NEW], 0.95),
        (&[CHANGED], 0.95),
        (&[CONFIRMED], 0.98),
        (&[ActionReturn { advanced: true, ..FAILED }], 0.98),
        (&[NOTHING], 0.63),
        (&[FAILED], 0.63),
        (&[ActionReturn { changed: true, ..FAILED }], 0.95),
        (&[NEUTRAL], 0.9),
        (&[NOTHING, NOTHING], 0.441),
        (&[NOTHING, NOTHING, NOTHING], 0.0),
        (&[NOTHING, NOTHING, NOTHING, CONFIRMED], 1.0 - (1.0 - 0.3087) * 0.2),
    ] {
        let weighing = weigh(&ledger(returns));
        assert!(near(weighing.value, value), "{returns:?}: {}", weighing.value);
    }
}

#[test]
fn once_every_criterion_is_met_a_new_result_brings_nothing() {
    let with = |criteria_met, criteria| Ledger { criteria_met, criteria, ..ledger(&[CONFIRMED, NEW, NEW, NEW]) };
    assert_eq!(decides(&with(0, 0)), Decision::Continue);
    assert_eq!(decides(&with(1, 2)), Decision::Continue);
    assert_eq!(decides(&with(2, 2)), COLLAPSE);
    // What changes something is still work.
    let changed = Ledger { criteria_met: 2, criteria: 2, ..ledger(&[CONFIRMED, NEW, NEW, CHANGED]) };
    assert_eq!(decides(&changed), Decision::Continue);
}

#[test]
fn three_unproductive_calls_in_a_row_collapse() {
    assert_eq!(decides(&ledger(&[NEW, FAILED, NOTHING])), Decision::Continue);
    let collapsed =
        Ledger { actions: 12, ..ledger(&[ActionReturn { at: 18_000, ..NEW }, FAILED, NEUTRAL, NOTHING, FAILED]) };
    let weighing = weigh(&collapsed);
    assert_eq!(weighing.decision, COLLAPSE);
    assert_eq!(weighing.reason, "the last 3 of 12 calls brought nothing, for 42 s");
    // Waiting does not end the row, and does not count.
    assert_eq!(decides(&ledger(&[NOTHING, NOTHING, NEUTRAL, NEUTRAL])), Decision::Continue);
    let mut off = Configuration::default();
    off.collapse.after = 0;
    assert_eq!(weigh_with(off, &ledger(&[NOTHING; 6])).decision, Decision::Continue);
}

#[test]
fn a_gap_comes_before_everything() {
    let worst = Ledger {
        gap: Some(gap()),
        costs: costs(Dimension::ToolCalls, 9, 9),
        next: Some(irreversible()),
        ..ledger(&[NOTHING; 4])
    };
    let weighing = weigh(&worst);
    assert_eq!(weighing.decision, GAP);
    assert!(near(weighing.authority_gap, 1.0));
    let reason =
        "`gmail_list` failed, and the agent cannot mend it: user must authorise the account again in a browser";
    assert_eq!(weighing.reason, reason);
    assert_eq!(decides(&Ledger { gap: Some(gap()), ..ledger(&[CONFIRMED; 16]) }), GAP);
}

#[test]
fn an_irreversible_call_needs_a_strong_value() {
    let before = |returns: &[ActionReturn], next| decides(&Ledger { next: Some(next), ..ledger(returns) });
    assert_eq!(before(&[], irreversible()), Decision::Continue);
    assert_eq!(before(&[NOTHING], irreversible()), IRREVERSIBLE);
    assert_eq!(before(&[NOTHING, NEW], irreversible()), Decision::Continue);
    assert_eq!(before(&[NOTHING], NextAction { mutating: false, ..irreversible() }), Decision::Continue);
    assert_eq!(before(&[NOTHING], next()), Decision::Continue);
    let unknown = || NextAction { reversibility: Reversibility::Unknown, ..next() };
    assert_eq!(before(&[NOTHING], unknown()), Decision::Continue);
    let strict = |strong_value, unknown_counts| {
        let mut configuration = Configuration::default();
        configuration.irreversible.strong_value = strong_value;
        configuration.irreversible.unknown_counts = unknown_counts;
        configuration
    };
    let asked = Ledger { next: Some(unknown()), ..ledger(&[NOTHING]) };
    assert_eq!(weigh_with(strict(0.75, true), &asked).decision, IRREVERSIBLE);
    let fresh = Ledger { next: Some(irreversible()), ..ledger(&[]) };
    assert_eq!(weigh_with(strict(0.9, false), &fresh).decision, Decision::Continue);
    assert_eq!(weigh_with(strict(0.91, false), &fresh).decision, IRREVERSIBLE);
}

#[test]
fn the_terms_of_the_next_action() {
    let term = |next| {
        let weighing = weigh(&Ledger { next: Some(next), ..ledger(&[]) });
        (weighing.risk, weighing.irreversibility)
    };
    let is = |(risk, irreversibility): (f64, f64), expected: (f64, f64)| {
        near(risk, expected.0) && near(irreversibility, expected.1)
    };
    assert!(is(term(next()), (0.03, 0.0)));
    assert!(is(term(irreversible()), (0.03, 0.5)));
    assert!(is(term(NextAction { risk: None, ..irreversible() }), (0.09, 0.5)));
    assert!(is(term(NextAction { risk: None, mutating: false, ..irreversible() }), (0.0, 0.0)));
    assert!(is(term(NextAction { risk: Some(1.0), mutating: false, ..next() }), (0.3, 0.0)));
    let unknown = || NextAction { reversibility: Reversibility::Unknown, ..next() };
    assert!(is(term(unknown()), (0.03, 0.25)));
    assert!(is(term(NextAction { idempotent: true, ..unknown() }), (0.03, 0.125)));
    assert!(is(term(NextAction { idempotent: true, ..irreversible() }), (0.03, 0.5)));
}

#[test]
fn otherwise_the_largest_term_names_the_trigger() {
    // 0.63 against 0.9⁴ = 0.6561.
    let near_the_cap = Ledger { costs: costs(Dimension::Steps, 9, 10), ..ledger(&[NOTHING]) };
    let weighing = weigh(&near_the_cap);
    assert_eq!(weighing.decision, BUDGET);
    assert_eq!(weighing.reason, "value 0.63 is not above risk 0.00 + cost 0.66 + irreversibility 0.00");
    let earlier = Ledger { costs: costs(Dimension::Steps, 8, 10), ..near_the_cap.clone() };
    assert_eq!(decides(&earlier), Decision::Continue);
    // 0.9 against 0.5 + 0.03 + 0.8⁴ = 0.9396.
    let last_act = Ledger { next: Some(irreversible()), costs: earlier.costs, ..ledger(&[]) };
    assert_eq!(decides(&last_act), IRREVERSIBLE);
    let mut wary = Configuration::default();
    wary.weights.risk = 1.0;
    let risky = Ledger { next: Some(NextAction { risk: Some(0.9), ..next() }), ..ledger(&[]) };
    assert_eq!(weigh_with(wary, &risky).decision, IRREVERSIBLE);
    // 0.074 against 0.09.
    let mut patient = Configuration::default();
    patient.collapse.after = 0;
    let spent = Ledger { next: Some(NextAction { risk: None, ..next() }), ..ledger(&[NOTHING; 7]) };
    assert_eq!(weigh_with(patient, &spent).decision, COLLAPSE);
}

#[test]
fn what_a_schema_cannot_say_is_refused() {
    let refused = |change: fn(&mut Configuration)| {
        let mut configuration = Configuration::default();
        change(&mut configuration);
        Inequality::configure(configuration).err().map(|error| error.key)
    };
    assert_eq!(refused(|c| c.value.gain = 0.81).as_deref(), Some("/value/gain_confirmed"));
    assert_eq!(
        refused(|c| c.irreversible.unknown_share = 0.2).as_deref(),
        Some("/irreversible/unknown_idempotent_share")
    );
    assert_eq!(refused(|c| c.limits.cost = Some(0)).as_deref(), Some("/limits"));
    assert_eq!(refused(|_| ()), None);
}
