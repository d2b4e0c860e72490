use countersign_sdk::Policy;
use countersign_sdk::doom_loop::{DoomLoop, Failure, FailureClass, ObservedStep, Signal, TripReason};
use countersign_sdk::testing::TestRun;

use crate::grams::Grams;
use crate::{Configuration, LiteralBreaker};

fn breaker() -> LiteralBreaker {
    match LiteralBreaker::configure(Configuration {}) {
        Ok(policy) => policy,
        Err(error) => panic!("{error:?}"),
    }
}

/// A call whose action and result are like no other number's.
fn step(number: u64) -> ObservedStep {
    ObservedStep {
        index: None,
        action: format!("{}", number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        call_key: Some(number),
        result_key: Some(number),
        state_before: None,
        state_after: None,
        failure: None,
        mutating: false,
        poller: false,
        internal: false,
        user_boundary: false,
        action_bytes: 20,
        result_bytes: 100,
        drift: None,
    }
}

/// The reason of each step's trip, if any.
fn trips(steps: impl IntoIterator<Item = ObservedStep>) -> Vec<Option<TripReason>> {
    let mut policy = breaker();
    let signals = steps.into_iter().map(|step| policy.observe(step, &TestRun::default()));
    signals
        .map(|signal| match signal {
            Signal::Trip(trip) => {
                assert!(trip.evidence.len() <= 1024);
                Some(trip.reason)
            }
            _ => None,
        })
        .collect()
}

fn first(steps: impl IntoIterator<Item = ObservedStep>) -> Option<(usize, TripReason)> {
    trips(steps).into_iter().enumerate().find_map(|(at, reason)| reason.map(|reason| (at + 1, reason)))
}

#[test]
fn three_steps_in_a_row_with_the_result_of_an_earlier_one() {
    let again = |number| ObservedStep { result_key: Some(0), ..step(number) };
    assert_eq!(first((0..4).map(again)), Some((4, TripReason::NoProgress)));
    assert_eq!(first([again(0), again(1), again(2), step(3), again(4), again(5)]), None);
    // Of whichever earlier step.
    let back = |number, result| ObservedStep { result_key: Some(result), ..step(number) };
    let steps = [step(0), step(1), step(2), back(3, 2), back(4, 0), back(5, 1)];
    assert_eq!(first(steps), Some((6, TripReason::NoProgress)));
    // None at all is nothing new.
    let none = |number| ObservedStep { result_key: None, ..step(number) };
    assert_eq!(first((0..3).map(none)), Some((3, TripReason::NoProgress)));
}

#[test]
fn three_steps_in_a_row_with_the_state_as_it_was() {
    let state =
        |number, before, after| ObservedStep { state_before: Some(before), state_after: Some(after), ..step(number) };
    assert_eq!(first((0..3).map(|number| state(number, 7, 7))), Some((3, TripReason::NoProgress)));
    assert_eq!(first([state(0, 7, 7), state(1, 7, 7), state(2, 7, 8), state(3, 8, 8), state(4, 8, 8)]), None);
    // The state counts and not the result.
    let same_result = |number| ObservedStep { result_key: Some(0), ..state(number, number, number + 1) };
    assert_eq!(first((0..20).map(same_result)), None);
}

#[test]
fn a_state_of_before_is_a_change_and_no_progression() {
    let flip = |number: u64| ObservedStep {
        state_before: Some(number % 2),
        state_after: Some((number + 1) % 2),
        ..step(number)
    };
    // The first brings a new state; then sixteen calls are more than fifteen.
    assert_eq!(first((0..40).map(flip)), Some((17, TripReason::ToolThrash)));
    assert_eq!(first((0..16).map(flip)), None);
}

#[test]
fn new_messages_are_a_change_and_no_call() {
    let talk = |number: u64| match number % 2 {
        0 => ObservedStep { result_key: Some(0), ..step(number) },
        _ => ObservedStep { call_key: None, ..step(number) },
    };
    // Every second step is a call, the first of them with a new result.
    assert_eq!(first((0..60).map(talk)), Some((33, TripReason::ToolThrash)));
}

#[test]
fn the_same_error_five_times_in_a_row() {
    let failed = |number, key| ObservedStep {
        failure: Some(Failure { class: FailureClass::Infrastructure, key }),
        ..step(number)
    };
    assert_eq!(first((0..5).map(|number| failed(number, Some(9)))), Some((5, TripReason::SameError)));
    let four = |start: u64| (start..start + 4).map(move |number| failed(number, Some(9)));
    assert_eq!(first(four(0).chain([step(4)]).chain(four(5))), None);
    assert_eq!(first(four(0).chain([failed(4, Some(8))]).chain(four(5))), None);
    assert_eq!(first((0..9).map(|number| failed(number, None))), None);
}

#[test]
fn an_action_like_the_one_before() {
    let says = |number, action: &str, call_key| ObservedStep { action: action.to_owned(), call_key, ..step(number) };
    let long = "run the tests of the parser in the folder tests with the flag verbose and say what failed ";
    let (one, two) = (format!("{long}1"), format!("{long}2"));
    assert_eq!(first([says(0, &one, Some(0)), says(1, &two, Some(1))]), Some((2, TripReason::NoProgress)));
    assert_eq!(first([says(0, &one, None), says(1, &two, None)]), Some((2, TripReason::RepeatedMessage)));
    assert_eq!(first([says(0, &one, Some(0)), step(1), says(2, &two, Some(2))]), None);
    assert_eq!(first([says(0, "", Some(0)), says(1, "", Some(1))]), None);
    assert_eq!(first([says(0, "ls", Some(0)), says(1, "ls", Some(0))]), Some((2, TripReason::NoProgress)));
}

#[test]
fn the_jaccard_index_of_sets_of_grams() {
    let jaccard = |one: &str, other: &str| Grams::of(one).jaccard(&Grams::of(other));
    assert_eq!(jaccard("abcdef", "abcdef"), 1.0);
    assert_eq!(jaccard("abcdef", "abcdeg"), 0.5);
    assert_eq!(jaccard("aaaa", "aaaaaaaa"), 1.0);
    assert_eq!(jaccard("abc", "abd"), 0.0);
    assert_eq!(jaccard("", "abcd"), 0.0);
    assert_eq!(jaccard("", ""), 0.0);
    // Seventeen grams of twenty are not above 0.85.
    let twenty = "abcdefghijklmnopqrstuvw";
    assert_eq!(jaccard(twenty, &twenty[..20]), 0.85);
    assert!(jaccard(twenty, &twenty[..21]) > 0.85);
    let (long, longer) = ("é€😀x".repeat(2000), "é€😀x".repeat(3000));
    assert_eq!(jaccard(&long, &longer), 1.0);
}

#[test]
fn drift_above_two_standard_deviations() {
    let drifting = |drift| [ObservedStep { drift: Some(drift), ..step(0) }];
    assert_eq!(first(drifting(2.0)), None);
    assert_eq!(first(drifting(2.1)), Some((1, TripReason::NoProgress)));
    assert_eq!(first(drifting(f64::NAN)), None);
}

#[test]
fn the_turn_cap_and_its_warnings() {
    let mut policy = breaker();
    let mut at = |index: u64| {
        let step = ObservedStep { index: Some(index as u32), ..step(index) };
        policy.observe(step, &TestRun::default())
    };
    for index in 0..49 {
        match (index, at(index)) {
            (39, Signal::Caution(_)) | (46, Signal::Warning(_)) => {}
            (39 | 46, other) => panic!("{index}: {other:?}"),
            (_, signal) => assert_eq!(signal, Signal::Steady, "{index}"),
        }
    }
    assert!(matches!(at(49), Signal::Trip(trip) if trip.reason == TripReason::TurnCap));
    assert!(matches!(at(u64::from(u32::MAX)), Signal::Trip(trip) if trip.reason == TripReason::TurnCap));
    // Hidden, it is not seen.
    assert_eq!(first((0..200).map(step)), None);
}

#[test]
fn what_the_document_does_not_name_makes_no_difference() {
    let again = |number| ObservedStep { result_key: Some(0), ..step(number) };
    for change in [
        |step: &mut ObservedStep| step.poller = true,
        |step: &mut ObservedStep| step.mutating = true,
        |step: &mut ObservedStep| step.internal = true,
        |step: &mut ObservedStep| step.user_boundary = true,
        |step: &mut ObservedStep| step.result_bytes = 0,
    ] {
        let changed = (0..4).map(|number| {
            let mut step = again(number);
            change(&mut step);
            step
        });
        assert_eq!(first(changed), Some((4, TripReason::NoProgress)));
    }
}

#[test]
fn a_run_that_goes_on_as_before_trips_again() {
    let again = (0..6).map(|number| ObservedStep { result_key: Some(0), ..step(number) });
    let reasons = trips(again);
    assert_eq!(reasons.iter().filter(|reason| reason.is_some()).count(), 3);
    assert_eq!(trips([step(0), step(1)]), [None, None]);
}

#[test]
fn the_memory_is_bounded() {
    // A result that came more than 256 results ago is as good as new.
    let back = |number, result| ObservedStep { result_key: Some(result), ..step(number) };
    let lately = (0..256).map(step).chain((0..3).map(|number| back(1000 + number, number)));
    assert_eq!(first(lately), Some((259, TripReason::NoProgress)));
    let long_ago = (0..600).map(step).chain((0..3).map(|number| back(1000 + number, number)));
    assert_eq!(first(long_ago), None);
    // Nothing overflows.
    let stuck = (0..100_000).map(|number| back(number, 0));
    assert_eq!(trips(stuck).len(), 100_000);
}
