//! What each tool has done in this run, and which changes must not be made twice.

use std::collections::{BTreeMap, VecDeque};

use countersign_spec::tool::Tool;

use super::bounded::push_bounded;
use crate::contract::Key;

/// Changes that are told apart. One that cannot be told from them any more is not made: nobody would know
/// whether it was made before.
const CHANGES: usize = 4096;
/// Milliseconds of the window in which a tool's rate is counted.
const MINUTE: u64 = 60_000;

/// What the run knows of its tools.
#[derive(Debug, Default)]
pub(super) struct Used {
    tools: Vec<ToolRecord>,
    changes: BTreeMap<Key, Made>,
    /// Something was changed.
    changed: bool,
    /// Changes that were made so far, or may have been.
    made: u64,
    /// Times that a person has spoken.
    words: u64,
}

/// A change that was made, and what the run had come to by then.
#[derive(Debug, Clone, Copy)]
struct Made {
    change: Change,
    at: u64,
    made: u64,
    words: u64,
}

/// Until when a change that is proposed again repeats the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repetition {
    /// Now, in milliseconds of the run.
    pub at: u64,
    /// Milliseconds after which it is a new one; 0 is as long as the run.
    pub window: u64,
    /// What it does cannot be undone: that something else was changed meanwhile is no reason to do it again.
    pub lasting: bool,
}

#[derive(Debug, Clone, Default)]
struct ToolRecord {
    calls: u32,
    cost: u64,
    /// When it was called, newest last.
    times: VecDeque<u64>,
    /// It has answered well at least once.
    succeeded: bool,
    /// Results that did not have their form.
    drifts: u32,
    set_aside: bool,
}

/// What is known of a change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Done,
    /// It did not answer in time, or died on the way: it may have been made.
    Uncertain,
    /// Nothing is known of it any more: there were too many.
    Forgotten,
}

/// What of a tool's own caps is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnCap {
    Calls(u32),
    Cost,
    Rate(usize),
}

impl Used {
    pub fn new(tools: usize) -> Self {
        Used { tools: vec![ToolRecord::default(); tools], ..Used::default() }
    }

    /// A call was made.
    pub fn count(&mut self, index: usize, tool: &Tool, at: u64) {
        let record = &mut self.tools[index];
        record.calls = record.calls.saturating_add(1);
        record.cost = record.cost.saturating_add(tool.cost);
        // As many as its rate needs to know.
        push_bounded(&mut record.times, tool.limits.calls_per_minute.unwrap_or(0) as usize, at);
        self.changed |= tool.mutating();
    }

    /// The first of a tool's own caps that one more call, beside `open` ones under way, would break.
    pub fn over_own_cap(&self, index: usize, tool: &Tool, open: u32, at: u64) -> Option<OwnCap> {
        let record = &self.tools[index];
        let calls = record.calls.saturating_add(open);
        let cost = record.cost.saturating_add(tool.cost.saturating_mul(u64::from(open)));
        if tool.limits.calls.is_some_and(|most| calls >= most) {
            return Some(OwnCap::Calls(calls));
        }
        if tool.limits.cost.is_some_and(|most| cost.saturating_add(tool.cost) > most) {
            return Some(OwnCap::Cost);
        }
        let lately = record.times.iter().filter(|then| at - **then < MINUTE).count() + open as usize;
        tool.limits.calls_per_minute.filter(|most| lately >= *most as usize).map(|_| OwnCap::Rate(lately))
    }

    pub fn calls(&self, index: usize) -> u32 {
        self.tools[index].calls
    }

    pub fn succeeded(&self, index: usize) -> bool {
        self.tools[index].succeeded
    }

    pub fn succeed(&mut self, index: usize) {
        self.tools[index].succeeded = true;
    }

    pub fn is_set_aside(&self, index: usize) -> bool {
        self.tools[index].set_aside
    }

    /// A result did not have its form; whether the tool is not called again for that. 0 is no limit.
    pub fn drift(&mut self, index: usize, limit: u32) -> bool {
        let record = &mut self.tools[index];
        record.drifts = record.drifts.saturating_add(1);
        let aside = limit > 0 && record.drifts >= limit && record.succeeded;
        record.set_aside |= aside;
        aside
    }

    /// Whether anything was changed so far.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// A change was made, or may have been. Of more than can be told apart those older than `window` milliseconds
    /// are forgotten first; 0 forgets none.
    pub fn note_change(&mut self, key: Key, change: Change, at: u64, window: u64) {
        self.made = self.made.saturating_add(1);
        if self.changes.len() >= CHANGES && window > 0 {
            self.changes.retain(|_, made| at.saturating_sub(made.at) <= window);
        }
        if self.changes.len() < CHANGES || self.changes.contains_key(&key) {
            self.changes.insert(key, Made { change, at, made: self.made, words: self.words });
        }
    }

    /// A call that may change something has failed: what it had changed by then nobody knows, and what was done before it
    /// may have something new to do.
    pub fn broke_off(&mut self) {
        self.made = self.made.saturating_add(1);
    }

    /// A person has spoken: what is done again from here on was asked for again.
    pub fn person_spoke(&mut self) {
        self.words = self.words.saturating_add(1);
    }

    /// What is known of a change that this proposal would repeat; none where it repeats none. It depends on the
    /// world as it was: once something else has changed, a person has spoken or time has passed, it is a new one.
    pub fn change(&self, key: Key, repetition: Repetition) -> Option<Change> {
        let Some(made) = self.changes.get(&key) else {
            return (self.changes.len() >= CHANGES).then_some(Change::Forgotten);
        };
        let late = repetition.window > 0 && repetition.at.saturating_sub(made.at) > repetition.window;
        let other = made.made != self.made && !repetition.lasting;
        // Nothing but a look says whether what did not answer was done.
        let anew = made.change == Change::Done && (late || other || made.words != self.words);
        (!anew).then_some(made.change)
    }
}

/// Position of a tool in the registry.
pub(super) fn position(tools: &[Tool], name: &str) -> Option<usize> {
    tools.iter().position(|tool| *tool.name == *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ToolCategory;

    const AT_ONCE: Repetition = Repetition { at: 0, window: 1000, lasting: false };

    #[test]
    fn a_change_that_cannot_be_told_apart_any_more_is_not_made() {
        let mut used = Used::new(0);
        used.note_change(Key(0), Change::Uncertain, 0, 1000);
        assert_eq!((used.change(Key(0), AT_ONCE), used.change(Key(1), AT_ONCE)), (Some(Change::Uncertain), None));
        (1..CHANGES as u64 + 9).for_each(|key| used.note_change(Key(key), Change::Done, 0, 1000));
        assert_eq!(used.changes.len(), CHANGES);
        assert_eq!(used.change(Key(u64::MAX), AT_ONCE), Some(Change::Forgotten));
        used.note_change(Key(u64::MAX), Change::Done, 1001, 1000);
        let later = Repetition { at: 1001, ..AT_ONCE };
        assert_eq!((used.changes.len(), used.change(Key(u64::MAX), later)), (1, Some(Change::Done)));
    }

    #[test]
    fn what_was_done_is_repeated_only_while_nothing_has_changed_since() {
        let mut used = Used::new(0);
        used.note_change(Key(1), Change::Done, 0, 1000);
        let at = |at| Repetition { at, ..AT_ONCE };
        let whole_run = Repetition { at: 9_000_000, window: 0, lasting: false };
        assert_eq!((used.change(Key(1), at(1000)), used.change(Key(1), at(1001))), (Some(Change::Done), None));
        assert_eq!(used.change(Key(1), whole_run), Some(Change::Done));
        used.note_change(Key(2), Change::Uncertain, 5, 1000);
        assert_eq!(used.change(Key(1), at(6)), None, "something else was changed");
        used.note_change(Key(3), Change::Done, 6, 1000);
        used.broke_off();
        assert_eq!(used.change(Key(3), at(6)), None, "something else may have been changed");
        let lasting = Repetition { lasting: true, ..at(6) };
        assert_eq!(used.change(Key(1), lasting), Some(Change::Done), "what cannot be undone is done");
        used.note_change(Key(1), Change::Done, 7, 1000);
        assert_eq!(used.change(Key(2), at(8)), Some(Change::Uncertain), "nobody knows yet what the first one did");
        used.person_spoke();
        assert_eq!(used.change(Key(1), lasting), None, "a person has spoken");
        assert_eq!(used.change(Key(2), Repetition { at: 9_000_000, ..AT_ONCE }), Some(Change::Uncertain));
    }

    #[test]
    fn calls_under_way_count_against_a_tools_own_caps() {
        let mut tool = Tool::new("t", ToolCategory::Sandbox);
        (tool.cost, tool.limits.calls, tool.limits.cost) = (2, Some(3), Some(5));
        let mut used = Used::new(1);
        assert_eq!(used.over_own_cap(0, &tool, 1, 0), None);
        assert_eq!(used.over_own_cap(0, &tool, 2, 0), Some(OwnCap::Cost));
        used.count(0, &tool, 0);
        assert_eq!(used.over_own_cap(0, &tool, 0, 0), None);
        assert_eq!(used.over_own_cap(0, &tool, 2, 0), Some(OwnCap::Calls(3)));
        tool.limits = countersign_spec::tool::ToolLimits { calls_per_minute: Some(1), ..Default::default() };
        used.count(0, &tool, 10);
        assert_eq!(used.over_own_cap(0, &tool, 0, MINUTE), Some(OwnCap::Rate(1)));
        assert_eq!(used.over_own_cap(0, &tool, 0, MINUTE + 10), None);
        assert_eq!(used.over_own_cap(0, &tool, 1, MINUTE + 10), Some(OwnCap::Rate(1)));
    }
}
