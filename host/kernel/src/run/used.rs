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
#[derive(Debug)]
pub(super) struct Used {
    tools: Vec<ToolRecord>,
    changes: BTreeMap<Key, Change>,
    /// Something was changed.
    changed: bool,
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
        Used { tools: vec![ToolRecord::default(); tools], changes: BTreeMap::new(), changed: false }
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

    /// A change was made, or may have been.
    pub fn note_change(&mut self, key: Key, change: Change) {
        if self.changes.len() < CHANGES || self.changes.contains_key(&key) {
            let known = self.changes.entry(key).or_insert(change);
            if change == Change::Done {
                *known = change;
            }
        }
    }

    /// What is known of a change; none where it was never made.
    pub fn change(&self, key: Key) -> Option<Change> {
        let full = self.changes.len() >= CHANGES;
        self.changes.get(&key).copied().or_else(|| full.then_some(Change::Forgotten))
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

    #[test]
    fn a_change_that_cannot_be_told_apart_any_more_is_not_made() {
        let mut used = Used::new(0);
        used.note_change(Key(0), Change::Uncertain);
        assert_eq!((used.change(Key(0)), used.change(Key(1))), (Some(Change::Uncertain), None));
        used.note_change(Key(0), Change::Done);
        used.note_change(Key(0), Change::Uncertain);
        assert_eq!(used.change(Key(0)), Some(Change::Done), "what was seen to be done is done");
        (1..CHANGES as u64 + 9).for_each(|key| used.note_change(Key(key), Change::Done));
        assert_eq!(used.changes.len(), CHANGES);
        assert_eq!(used.change(Key(u64::MAX)), Some(Change::Forgotten));
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
