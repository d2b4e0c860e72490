//! Caps, and limits of the deployment's own.

use countersign_sdk::BudgetLine;

use super::*;

#[test]
fn a_cap_used_up_stops_the_next_call_and_not_the_run() {
    let spent = |used, next| Ledger { costs: costs(Dimension::ToolCalls, used, 20), next, ..ledger(&[NEW; 6]) };
    assert_eq!(decides(&spent(19, Some(next()))), Decision::Continue);
    let stopped = assess(&spent(20, Some(next())));
    assert_eq!((stopped.decision, stopped.reason.as_str()), (BUDGET, "tool calls: 20 of 20 used"));
    let after = assess(&spent(20, None));
    assert_eq!(after.decision, Decision::Continue);
    assert!(near(after.cost, 1.0));
    assert!(after.reason.ends_with("a cap is used up, and the run may finish without a call"), "{}", after.reason);
    assert!(near(assess(&spent(10, None)).cost, 0.5_f64.powi(16)));
    assert!(near(assess(&spent(18, None)).cost, 0.9_f64.powi(16)));
}

#[test]
fn a_cap_counts_against_the_calls_that_it_caps() {
    let before =
        |dimension, next| decides(&Ledger { costs: costs(dimension, 2, 2), next: Some(next), ..ledger(&[NEW]) });
    let reads = || NextAction { mutating: false, ..next() };
    for dimension in
        [Dimension::SideEffects, Dimension::RecordsTouched, Dimension::MoneyMoved, Dimension::RecipientsReached]
    {
        assert_eq!(before(dimension, next()), BUDGET);
        assert_eq!(before(dimension, reads()), Decision::Continue);
    }
    for dimension in [
        // Spent by the model before its call is proposed.
        Dimension::Steps,
        Dimension::InputTokens,
        Dimension::OutputTokens,
        Dimension::ExternalCalls,
        Dimension::Retries,
        Dimension::Reflections,
        Dimension::ContextTokens,
        Dimension::MemoryWrites,
    ] {
        assert_eq!(before(dimension, next()), Decision::Continue);
    }
    for dimension in [Dimension::ToolCalls, Dimension::RunningTime, Dimension::Cost] {
        assert_eq!(before(dimension, reads()), BUDGET);
    }
}

#[test]
fn a_limit_of_its_own_binds_after_an_action_too() {
    let limited = || {
        let mut configuration = Configuration::default();
        configuration.limits.task_time = Some(120_000);
        configuration.limits.reflections = Some(2);
        configuration.limits.tool_calls = Some(50);
        configuration
    };
    let at = |at| Ledger { at, since: 1_000, ..ledger(&[NEW; 6]) };
    assert_eq!(assess_with(limited(), &at(119_000)).decision, Decision::Continue);
    let late = assess_with(limited(), &at(121_000));
    assert_eq!((late.decision, late.reason.as_str()), (BUDGET, "milliseconds on the task: 120000 of 120000 used"));
    let reflected = |used| Ledger { costs: costs(Dimension::Reflections, used, 3), ..at(0) };
    assert_eq!(assess_with(limited(), &reflected(1)).decision, Decision::Continue);
    assert_eq!(assess_with(limited(), &reflected(2)).decision, BUDGET);
    // A hard cap below it stays what it is.
    let calls = |used, limit| Ledger { costs: costs(Dimension::ToolCalls, used, limit), ..at(0) };
    assert_eq!(assess_with(limited(), &calls(20, 20)).decision, Decision::Continue);
    assert_eq!(assess_with(limited(), &calls(50, 50)).decision, BUDGET);
}

#[test]
fn a_limit_without_a_cap_is_looked_up() {
    let mut configuration = Configuration::default();
    configuration.limits.cost = Some(1_000);
    let run = TestRun {
        budget: vec![(Dimension::Cost, BudgetLine { limit: u64::MAX, used: 900, reserved: 100 })],
        ..TestRun::default()
    };
    let mut policy = policy(configuration);
    assert_eq!(policy.assess(ledger(&[NEW]), &run).decision, BUDGET);
    assert_eq!(policy.assess(ledger(&[NEW]), &TestRun::default()).decision, Decision::Continue);
}
