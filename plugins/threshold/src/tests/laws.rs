//! What holds for every ledger.

use proptest::prelude::*;

use super::*;

fn returned() -> impl Strategy<Value = ActionReturn> {
    (any::<u64>(), any::<[bool; 6]>(), prop::bool::weighted(0.2)).prop_map(
        |(at, [advanced, changed, novel, confirmed, failed, repeated], neutral)| ActionReturn {
            at,
            advanced,
            changed,
            novel,
            confirmed,
            failed,
            neutral,
            repeated,
        },
    )
}

fn unproductive() -> impl Strategy<Value = ActionReturn> {
    let nothing = |call| ActionReturn { advanced: false, changed: false, novel: false, confirmed: false, ..call };
    returned().prop_map(nothing)
}

fn cost() -> impl Strategy<Value = CostLine> {
    let amount = prop_oneof![0_u64..12, any::<u64>()];
    (0..crate::config::Capped::ALL.len(), amount.clone(), amount).prop_map(|(index, used, limit)| CostLine {
        dimension: crate::config::Capped::ALL[index].dimension(),
        used,
        limit: limit.max(1),
    })
}

fn action() -> impl Strategy<Value = NextAction> {
    let reversibility =
        prop_oneof![Just(Reversibility::Reversible), Just(Reversibility::Irreversible), Just(Reversibility::Unknown)];
    (".{0,300}", reversibility, any::<(bool, bool)>(), prop::option::of(0.0..=1.0)).prop_map(
        |(tool, reversibility, (mutating, idempotent), risk)| NextAction {
            tool,
            reversibility,
            mutating,
            idempotent,
            risk,
        },
    )
}

fn some_gap() -> impl Strategy<Value = AuthorityGap> {
    (".{0,300}", ".{0,80}", ".{0,400}").prop_map(|(tool, who, what)| AuthorityGap { tool, who, what })
}

fn some_ledger() -> impl Strategy<Value = Ledger> {
    (
        any::<(u64, u64, u32)>(),
        prop::collection::vec(returned(), 0..16),
        (0_u32..4, 0_u32..4),
        prop::option::weighted(0.2, some_gap()),
        prop::collection::vec(cost(), 0..8),
        prop::option::of(action()),
    )
        .prop_map(|((at, since, actions), returns, (criteria_met, criteria), gap, costs, next)| Ledger {
            at,
            since,
            actions,
            returns,
            criteria_met,
            criteria,
            gap,
            costs,
            next,
        })
}

fn some_configuration() -> impl Strategy<Value = Configuration> {
    (any::<bool>(), [0.0..=1.0, 0.0..=1.0, 0.0..=1.0, 0.0..=1.0, 0.5..=1.0, 0.0..=0.5], 0_u32..5, 1_u64..200_000)
        .prop_map(|(default, [gain, more, decay, weight, initial, floor], after, limit)| {
            let mut configuration = Configuration::default();
            if !default {
                configuration.value.initial = initial;
                configuration.value.gain = gain.min(more);
                configuration.value.gain_confirmed = gain.max(more);
                configuration.value.decay = decay;
                configuration.value.floor = floor;
                configuration.weights.risk = weight;
                configuration.weights.irreversibility = 1.0 - weight;
                configuration.collapse.after = after;
                configuration.limits.task_time = Some(limit);
                configuration.limits.cost = Some(limit);
                configuration.limits.retries = Some(limit);
            }
            configuration
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn scores_are_in_range_and_the_reason_is_short(configuration in some_configuration(), ledger in some_ledger()) {
        let assessment = assess_with(configuration, &ledger);
        for term in [
            assessment.value,
            assessment.risk,
            assessment.cost,
            assessment.irreversibility,
            assessment.authority_gap,
        ] {
            prop_assert!((0.0..=1.0).contains(&term), "{assessment:?}");
        }
        // Whoever stops a run says why; going on, the terms say it.
        prop_assert!(assessment.decision == Decision::Continue || !assessment.reason.is_empty());
        prop_assert!(assessment.reason.len() <= 1024);
    }

    #[test]
    fn a_gap_always_escalates(configuration in some_configuration(), ledger in some_ledger(), gap in some_gap()) {
        let assessment = assess_with(configuration, &Ledger { gap: Some(gap), ..ledger });
        prop_assert_eq!(assessment.decision, GAP);
        prop_assert!(near(assessment.authority_gap, 1.0));
    }

    #[test]
    fn one_more_productive_call_never_lowers_the_value(
        configuration in some_configuration(),
        ledger in some_ledger(),
        last in returned(),
    ) {
        let open = ledger.criteria == 0 || ledger.criteria_met < ledger.criteria;
        let productive = last.advanced || last.confirmed || last.changed || (last.novel && !last.failed && open);
        prop_assume!(productive || last.neutral);
        let mut policy = policy(configuration);
        let before = policy.assess(ledger.clone(), &TestRun::default()).value;
        let mut longer = ledger;
        longer.returns.push(last);
        prop_assert!(policy.assess(longer, &TestRun::default()).value >= before);
    }

    #[test]
    fn one_more_unproductive_call_never_raises_the_value(
        configuration in some_configuration(),
        ledger in some_ledger(),
        last in unproductive(),
    ) {
        let mut policy = policy(configuration);
        let before = policy.assess(ledger.clone(), &TestRun::default()).value;
        let mut longer = ledger;
        longer.returns.push(last);
        prop_assert!(policy.assess(longer, &TestRun::default()).value <= before);
    }

    #[test]
    fn what_does_not_count_never_collapses(
        calls in prop::collection::vec(unproductive(), 0..=16),
        ledger in some_ledger(),
    ) {
        // A goal that is open, and calls of which each was made before or fails in a new way.
        let returns = calls.into_iter().enumerate().map(|(index, call)| {
            if index % 2 == 0 { ActionReturn { repeated: true, ..call } } else { FAILED }
        });
        let ledger = Ledger { returns: returns.collect(), criteria_met: 0, gap: None, ..ledger };
        let assessment = assess(&ledger);
        prop_assert!(assessment.decision != COLLAPSE && assessment.value >= 0.15, "{assessment:?}");
    }

    #[test]
    fn a_repeated_call_that_brought_nothing_changes_no_row(
        ledger in some_ledger(),
        index in any::<prop::sample::Index>(),
    ) {
        let mut longer = ledger.clone();
        longer.returns.insert(index.index(ledger.returns.len() + 1), REPEATED);
        prop_assert_eq!(decides(&ledger) == COLLAPSE, decides(&longer) == COLLAPSE);
    }

    #[test]
    fn only_the_row_collapses(ledger in some_ledger()) {
        let ledger = Ledger { gap: None, ..ledger };
        let open = ledger.criteria == 0 || ledger.criteria_met < ledger.criteria;
        let productive = |call: &ActionReturn| {
            call.advanced || call.confirmed || call.changed || (call.novel && !call.failed && open)
        };
        // A poll is no part of the row, unless it brought something.
        let told = ledger.returns.iter().rev().filter(|call| !call.neutral || productive(call));
        let row = told.take_while(|call| !productive(call));
        let new_error = |call: &ActionReturn| call.failed && call.novel && open;
        let counted = row.filter(|call| !call.repeated && !new_error(call)).count();
        prop_assert_eq!(decides(&ledger) == COLLAPSE, counted >= 3);
    }

    #[test]
    fn more_spent_never_lowers_the_cost(
        configuration in some_configuration(),
        ledger in some_ledger(),
        line in cost(),
        more in prop_oneof![0_u64..12, any::<u64>()],
    ) {
        let with = |used| {
            let mut ledger = ledger.clone();
            ledger.costs.retain(|other| other.dimension != line.dimension);
            ledger.costs.push(CostLine { used, ..line });
            ledger
        };
        let mut policy = policy(configuration);
        let before = policy.assess(with(line.used), &TestRun::default()).cost;
        prop_assert!(policy.assess(with(line.used.saturating_add(more)), &TestRun::default()).cost >= before);
    }

    #[test]
    fn waiting_alone_never_escalates(ledger in some_ledger(), action in prop::option::of(action())) {
        let returns = ledger.returns.iter().map(|call| ActionReturn { neutral: true, ..*call }).collect();
        let next = action.map(|action| NextAction { mutating: action.mutating, ..action });
        let costs = ledger.costs.iter().map(|line| CostLine { used: line.limit / 2, ..*line }).collect();
        let ledger = Ledger { returns, next, costs, gap: None, ..ledger };
        prop_assert_eq!(decides(&ledger), Decision::Continue, "{:?}", assess(&ledger));
    }

    #[test]
    fn it_goes_on_only_while_the_value_is_above_the_rest(ledger in some_ledger()) {
        let assessment = assess(&ledger);
        let rest = assessment.risk + assessment.cost + assessment.irreversibility + assessment.authority_gap;
        if assessment.decision == Decision::Continue {
            let used_up = ledger.next.is_none() && ledger.costs.iter().any(|line| line.used >= line.limit);
            prop_assert!(assessment.value > rest || used_up, "{assessment:?}");
        } else {
            prop_assert!(
                ledger.gap.is_some() || assessment.value < 0.75 || assessment.cost >= 1.0 || assessment.value <= rest,
                "{assessment:?}"
            );
        }
    }
}
