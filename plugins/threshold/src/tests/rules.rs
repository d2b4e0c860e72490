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
        (&[FAILED, FAILED, FAILED], 0.3087),
        (&[REPEATED, REPEATED, REPEATED], 0.3087),
        (&[NOTHING, NOTHING, REPEATED, FAILED], 0.21609),
        (&[ActionReturn { repeated: true, ..NEW }], 0.95),
        (&[ActionReturn { repeated: true, ..CHANGED }], 0.95),
        (&[ActionReturn { repeated: true, ..CONFIRMED }], 0.98),
        (&[ActionReturn { repeated: true, advanced: true, ..NOTHING }], 0.98),
        (&[NOTHING, NOTHING, NOTHING, CONFIRMED], 1.0 - (1.0 - 0.3087) * 0.2),
    ] {
        let assessment = assess(&ledger(returns));
        assert!(near(assessment.value, value), "{returns:?}: {}", assessment.value);
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
    assert_eq!(decides(&ledger(&[NEW, FAILED_AGAIN, NOTHING])), Decision::Continue);
    let collapsed = Ledger {
        actions: 12,
        ..ledger(&[ActionReturn { at: 18_000, ..NEW }, FAILED_AGAIN, NEUTRAL, NOTHING, FAILED_AGAIN])
    };
    let assessment = assess(&collapsed);
    assert_eq!(assessment.decision, COLLAPSE);
    assert_eq!(assessment.reason, "3 different calls brought nothing, for 42 s; 12 calls in all");
    // Waiting does not end the row, and does not count.
    assert_eq!(decides(&ledger(&[NOTHING, NOTHING, NEUTRAL, NEUTRAL])), Decision::Continue);
    let mut off = Configuration::default();
    off.collapse.after = 0;
    assert_eq!(assess_with(off, &ledger(&[NOTHING; 6])).decision, Decision::Continue);
}

#[test]
fn the_same_call_again_neither_counts_nor_ends_the_row() {
    let again = ActionReturn { repeated: true, ..FAILED_AGAIN };
    assert_eq!(decides(&ledger(&[REPEATED; 16])), Decision::Continue);
    assert_eq!(decides(&ledger(&[again; 16])), Decision::Continue);
    assert_eq!(decides(&ledger(&[NOTHING, REPEATED, NOTHING, again])), Decision::Continue);
    assert_eq!(decides(&ledger(&[NOTHING, REPEATED, NOTHING, again, NOTHING])), COLLAPSE);
    assert_eq!(decides(&ledger(&[NOTHING, NOTHING, NOTHING, REPEATED])), COLLAPSE);
    // Once every criterion is met it brings nothing whatever comes back, and still does not count.
    let met = Ledger { criteria_met: 1, criteria: 1, ..ledger(&[ActionReturn { repeated: true, ..NEW }; 3]) };
    assert_eq!(decides(&met), Decision::Continue);
    assert!(near(assess(&met).value, 0.3087));
}

#[test]
fn an_error_not_seen_before_neither_counts_nor_ends_the_row() {
    assert_eq!(decides(&ledger(&[FAILED; 16])), Decision::Continue);
    assert_eq!(decides(&ledger(&[NOTHING, FAILED, NOTHING])), Decision::Continue);
    assert_eq!(decides(&ledger(&[NOTHING, FAILED, NOTHING, FAILED, NOTHING])), COLLAPSE);
    assert_eq!(decides(&Ledger { criteria_met: 1, criteria: 1, ..ledger(&[FAILED; 3]) }), COLLAPSE);
}

#[test]
fn until_a_collapse_the_value_keeps_its_floor() {
    assert!(near(assess(&ledger(&[REPEATED; 5])).value, 0.151_263));
    assert!(near(assess(&ledger(&[FAILED; 6])).value, 0.15));
    let unjudged = || NextAction { risk: None, ..next() };
    let before = |returns: &[ActionReturn], next| decides(&Ledger { next: Some(next), ..ledger(returns) });
    assert_eq!(before(&[REPEATED; 16], unjudged()), Decision::Continue);
    assert_eq!(before(&[FAILED; 16], unjudged()), Decision::Continue);
    let unknown = NextAction { reversibility: Reversibility::Unknown, ..next() };
    assert_eq!(before(&[REPEATED; 16], unknown), IRREVERSIBLE);
    let with = |floor, after, returns: &[ActionReturn]| {
        let mut configuration = Configuration::default();
        configuration.value.floor = floor;
        configuration.collapse.after = after;
        assess_with(configuration, &Ledger { next: Some(unjudged()), ..ledger(returns) })
    };
    assert_eq!(with(0.0, 3, &[REPEATED; 7]).decision, COLLAPSE);
    assert_eq!(with(0.15, 16, &[NOTHING; 15]).decision, Decision::Continue);
    assert_eq!(with(0.15, 16, &[NOTHING; 16]).decision, COLLAPSE);
    // Switched off, what would have counted lowers the value below it.
    assert_eq!(with(0.15, 0, &[NOTHING; 7]).decision, COLLAPSE);
    assert_eq!(with(0.15, 0, &[REPEATED; 16]).decision, Decision::Continue);
    // It raises nothing.
    assert!(near(with(0.5, 0, &[NOTHING, NOTHING, NOTHING, REPEATED]).value, 0.3087));
}

#[test]
fn a_gap_comes_before_everything() {
    let worst = Ledger {
        gap: Some(gap()),
        costs: costs(Dimension::ToolCalls, 9, 9),
        next: Some(irreversible()),
        ..ledger(&[NOTHING; 4])
    };
    let assessment = assess(&worst);
    assert_eq!(assessment.decision, GAP);
    assert!(near(assessment.authority_gap, 1.0));
    let reason =
        "`gmail_list` failed, and the agent cannot mend it: user must authorise the account again in a browser";
    assert_eq!(assessment.reason, reason);
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
    assert_eq!(assess_with(strict(0.75, true), &asked).decision, IRREVERSIBLE);
    let fresh = Ledger { next: Some(irreversible()), ..ledger(&[]) };
    assert_eq!(assess_with(strict(0.9, false), &fresh).decision, Decision::Continue);
    assert_eq!(assess_with(strict(0.91, false), &fresh).decision, IRREVERSIBLE);
}

#[test]
fn the_terms_of_the_next_action() {
    let term = |next| {
        let assessment = assess(&Ledger { next: Some(next), ..ledger(&[]) });
        (assessment.risk, assessment.irreversibility)
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
    // 0.63 against 0.98¹⁶ = 0.7238, and against 0.97¹⁶ = 0.6143.
    let near_the_cap = Ledger { costs: costs(Dimension::ToolCalls, 98, 100), ..ledger(&[NOTHING]) };
    let assessment = assess(&near_the_cap);
    assert_eq!(assessment.decision, BUDGET);
    assert_eq!(assessment.reason, "value 0.63 is not above risk 0.00 + cost 0.72 + irreversibility 0.00");
    let earlier = Ledger { costs: costs(Dimension::ToolCalls, 97, 100), ..near_the_cap };
    assert_eq!(decides(&earlier), Decision::Continue);
    // 0.9 against 0.5 + 0.03 + 0.94¹⁶ = 0.9016, and 0.93¹⁶ in its place = 0.8432.
    let act =
        |used| Ledger { next: Some(irreversible()), costs: costs(Dimension::ToolCalls, used, 100), ..ledger(&[]) };
    assert_eq!(decides(&act(94)), IRREVERSIBLE);
    assert_eq!(decides(&act(93)), Decision::Continue);
    let mut wary = Configuration::default();
    wary.weights.risk = 1.0;
    let risky = Ledger { next: Some(NextAction { risk: Some(0.9), ..next() }), ..ledger(&[]) };
    assert_eq!(assess_with(wary, &risky).decision, IRREVERSIBLE);
    // 0.074 against 0.09.
    let mut patient = Configuration::default();
    patient.collapse.after = 0;
    let spent = Ledger { next: Some(NextAction { risk: None, ..next() }), ..ledger(&[NOTHING; 7]) };
    assert_eq!(assess_with(patient, &spent).decision, COLLAPSE);
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
