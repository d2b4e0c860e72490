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

#[test]
fn editing_and_failing_tests_in_turns() {
    let turns: Vec<_> = [CHANGED, FAILED].into_iter().cycle().take(40).collect();
    assert_eq!(first_stop(&turns, (0, 1), 50), None);
    // With most of the budget gone, every second call failing no longer justifies the next.
    assert_eq!(first_stop(&turns, (0, 1), 40), Some((34, BUDGET)));
}

#[test]
fn two_misses_before_each_hit() {
    let turns: Vec<_> = [FAILED, NOTHING, NEW].into_iter().cycle().take(30).collect();
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
    let calls = [NEW, FAILED, NOTHING, NOTHING, NOTHING];
    assert_eq!(first_stop(&calls, (0, 1), 100), Some((4, COLLAPSE)));
}
