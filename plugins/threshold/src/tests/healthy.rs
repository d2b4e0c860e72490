//! Ordinary runs do not trip; the incidents of document 002 do, and when.

use super::*;

/// Weighs after each call and before the next, with the last 16 returns, as the host does.
fn first_stop(calls: &[ActionReturn], criteria: (u32, u32), cap: u64) -> Option<(usize, Decision)> {
    (0..=calls.len()).find_map(|done| {
        let after = Ledger {
            actions: done as u32,
            criteria_met: criteria.0,
            criteria: criteria.1,
            costs: costs(Dimension::ToolCalls, done as u64, cap),
            ..ledger(&calls[done.saturating_sub(16)..done])
        };
        let before = Ledger { next: Some(next()), ..after.clone() };
        let asked = if done < calls.len() { vec![after, before] } else { vec![after] };
        asked.iter().map(decides).find(|decision| *decision != Decision::Continue).map(|decision| (done, decision))
    })
}

#[test]
fn reading_and_writing_up_to_the_last_call() {
    assert_eq!(first_stop(&[NEW; 30], (0, 1), 30), None);
    assert_eq!(first_stop(&[CHANGED; 30], (0, 0), 30), None);
    assert_eq!(first_stop(&[], (0, 0), 1), None);
}

/// Specification C6: calls that are justified one by one stop at the run's envelope, not before.
#[test]
fn two_hundred_productive_calls_of_two_hundred() {
    for productive in [NEW, CHANGED, CONFIRMED] {
        for cap in [1, 2, 20, 200] {
            for score in [0.02, 0.05, 0.1] {
                let before = |done: u64| {
                    let last = vec![productive; done.min(16) as usize];
                    let next = Some(NextAction { risk: Some(score), ..next() });
                    decides(&Ledger { next, costs: costs(Dimension::ToolCalls, done, cap), ..ledger(&last) })
                };
                assert!((0..cap).all(|done| before(done) == Decision::Continue), "{productive:?} {cap} {score}");
                assert_eq!(before(cap), BUDGET);
            }
        }
        assert_eq!(first_stop(&[productive; 200], (0, 1), 200), None);
        assert_eq!(first_stop(&[productive; 201], (0, 1), 200), Some((200, BUDGET)));
    }
}

#[test]
fn editing_and_failing_tests_in_turns() {
    let turns: Vec<_> = [CHANGED, FAILED].into_iter().cycle().take(40).collect();
    assert_eq!(first_stop(&turns, (0, 1), 50), None);
    assert_eq!(first_stop(&turns, (0, 1), 40), None);
    // With nearly all of the budget gone, every second call failing no longer justifies the next.
    let turns: Vec<_> = turns.into_iter().cycle().take(100).collect();
    assert_eq!(first_stop(&turns, (0, 1), 100), Some((96, BUDGET)));
}

#[test]
fn two_misses_before_each_hit() {
    let turns: Vec<_> = [FAILED_AGAIN, NOTHING, NEW].into_iter().cycle().take(30).collect();
    assert_eq!(first_stop(&turns, (0, 0), 50), None);
}

#[test]
fn waiting_for_long() {
    let mut calls = vec![CHANGED];
    calls.extend([NEUTRAL; 40]);
    assert_eq!(first_stop(&calls, (0, 1), 100), None);
}

#[test]
fn the_working_tools_incident_stops_at_the_third_look_around() {
    // Mail, files and channels were listed and verified; then the agent reads its own sources.
    let mut calls = vec![CONFIRMED; 3];
    calls.extend([NEW; 6]);
    assert_eq!(first_stop(&calls, (3, 3), 100), Some((6, COLLAPSE)));
}

#[test]
fn a_third_script_with_the_same_conclusion() {
    let calls = [NEW, FAILED, NOTHING, NOTHING, NOTHING, NEW];
    assert_eq!(first_stop(&calls, (0, 1), 100), Some((5, COLLAPSE)));
}

/// The slot `doom-loop` trips at the fourth equal call, the third pass over two to four calls, or after
/// fifteen calls without anything new; this one leaves it to that.
#[test]
fn the_same_calls_over_and_over_are_another_slots() {
    for calls in [1, 2, 3, 4] {
        let mut run = vec![NEW; calls];
        run.extend([REPEATED; 16]);
        assert_eq!(first_stop(&run, (0, 1), 200), None);
    }
    assert_eq!(first_stop(&[FAILED; 16], (0, 1), 200), None);
}
