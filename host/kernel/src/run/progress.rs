//! What the run has tried and what came of it: one history of calls and results, and one set of counters
//! of failures. Whoever asks whether a call is made again, or how often something failed, asks here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::bounded::{cut, push_bounded};
use crate::contract::{Key, Verdict};

/// Calls that are remembered as made.
const CALLS: usize = 64;
/// Results that are remembered as seen.
const RESULTS: usize = 1024;
/// Calls whose denials are counted one by one; what is denied beyond them counts with all the others.
const DENIED: usize = 1024;

/// The history of a run's calls and the counters of its failures.
#[derive(Debug, Default)]
pub(super) struct Progress {
    calls: VecDeque<(Key, u64)>,
    /// The last two, tool and arguments, for people.
    last: VecDeque<(Arc<str>, Arc<str>)>,
    results: Results,
    /// The call that was proposed last, and how often in a row.
    same: Streak<Key>,
    /// The call at hand was made before.
    repeated: bool,
    failures: Failures,
    /// The call that got nowhere too often, why, and when: it is not made again before something else succeeds.
    tripped: Option<(Key, String, u64)>,
    /// Repetitions that were refused: whoever wants one all the same is not refused again, a person is asked.
    insisted: VecDeque<Key>,
    /// When the call at hand was made before, in milliseconds of the run; none where it was not made lately.
    before: Option<u64>,
    /// What the doom-loop slot said of the step at hand.
    watched: Option<Watched>,
    /// A person has spoken since the last observed step.
    person_spoke: bool,
    /// A cycle that ended without a terminal tool was tried once more.
    directed: bool,
}

/// Every count of failures that a run keeps.
#[derive(Debug, Default)]
struct Failures {
    /// The model's own name of the step at hand.
    step: Option<Arc<str>>,
    /// Failed attempts at that step.
    of_step: u32,
    /// In a row, whatever the step is called.
    in_a_row: u32,
    /// Calls in a row that the pipeline did not let pass.
    refused: u32,
    /// The call that failed last.
    call: Streak<Key>,
    /// The tool that failed last.
    tool: Streak<Arc<str>>,
    denied: BTreeMap<Key, u32>,
    denied_tools: BTreeMap<Arc<str>, u32>,
    denials: u32,
    reflections: u32,
}

/// Results that were seen: of more than [`RESULTS`] the oldest is forgotten.
#[derive(Debug, Default)]
struct Results {
    by_age: VecDeque<Key>,
    all: BTreeSet<Key>,
}

impl Results {
    fn contains(&self, key: Key) -> bool {
        self.all.contains(&key)
    }

    fn see(&mut self, key: Key) {
        if !self.all.insert(key) {
            return;
        }
        if self.by_age.len() >= RESULTS
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.all.remove(&oldest);
        }
        self.by_age.push_back(key);
    }
}

/// The same thing so many times in a row.
#[derive(Debug)]
struct Streak<T> {
    of: Option<T>,
    times: u32,
}

impl<T> Default for Streak<T> {
    fn default() -> Self {
        Streak { of: None, times: 0 }
    }
}

impl<T: PartialEq> Streak<T> {
    fn again(&mut self, of: T) -> u32 {
        let same = self.of.as_ref() == Some(&of);
        self.times = if same { self.times.saturating_add(1) } else { 1 };
        self.of = Some(of);
        self.times
    }

    fn of(&self, of: &T) -> u32 {
        if self.of.as_ref() == Some(of) { self.times } else { 0 }
    }
}

/// What the doom-loop slot said of a step, kept until the step is checked.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub verdict: Verdict,
    pub reason: String,
}

impl Progress {
    /// A call is proposed: counts how often in a row.
    pub fn proposed(&mut self, key: Key) {
        self.same.again(key);
    }

    /// How often in a row this call was proposed so far.
    pub fn in_a_row(&self, key: Key) -> u32 {
        self.same.of(&key)
    }

    /// A call is made.
    pub fn made(&mut self, key: Key, tool: &Arc<str>, arguments: &Arc<str>, at: u64) {
        self.failures.refused = 0;
        self.proposed(key);
        self.before = self.made_at(key);
        self.repeated = self.before.is_some();
        self.insisted.retain(|refused| *refused != key);
        push_bounded(&mut self.calls, CALLS, (key, at));
        push_bounded(&mut self.last, 2, (Arc::clone(tool), Arc::clone(arguments)));
    }

    /// Whether this call was made lately.
    pub fn was_made(&self, key: Key) -> bool {
        self.calls.iter().any(|(made, _)| *made == key)
    }

    /// When this call was made last, in milliseconds of the run; none where it was not made lately.
    pub fn made_at(&self, key: Key) -> Option<u64> {
        self.calls.iter().rev().find(|(made, _)| *made == key).map(|(_, at)| *at)
    }

    /// A repetition was refused.
    pub fn refuse_repetition(&mut self, key: Key) {
        if !self.insisted.contains(&key) {
            push_bounded(&mut self.insisted, CALLS, key);
        }
    }

    /// Whether this repetition was refused once already and not made since.
    pub fn insists(&self, key: Key) -> bool {
        self.insisted.contains(&key)
    }

    /// The call at hand has answered otherwise than before: it is not the same again.
    pub fn brought_news(&mut self) {
        self.same.times = self.same.times.min(1);
    }

    /// Milliseconds between the call at hand and the same call before it.
    pub fn since_last(&self) -> Option<u64> {
        let (_, now) = self.calls.back()?;
        self.before.map(|before| now.saturating_sub(before))
    }

    /// Whether the call at hand was made before.
    pub fn repeats(&self) -> bool {
        self.repeated
    }

    /// The last two calls in words.
    pub fn last_calls(&self) -> Vec<Arc<str>> {
        self.last.iter().map(|(tool, arguments)| format!("{tool} {}", cut(arguments, 256)).into()).collect()
    }

    /// A result was seen by these identities; whether it is new by the first of them.
    pub fn saw(&mut self, identity: Option<Key>, also: [Option<Key>; 2]) -> bool {
        let novel = identity.is_some_and(|key| !self.results.contains(key));
        also.into_iter().flatten().for_each(|key| self.results.see(key));
        novel
    }

    /// The model's own name of what it does now.
    pub fn at_step(&mut self, step: &Arc<str>) {
        if self.failures.step.as_ref() != Some(step) {
            self.failures.step = Some(Arc::clone(step));
            self.failures.of_step = 0;
        }
    }

    /// The step at hand, as the model calls it.
    pub fn step(&self) -> Option<&str> {
        self.failures.step.as_deref()
    }

    /// An attempt at the step failed.
    pub fn fail(&mut self) {
        self.failures.of_step = self.failures.of_step.saturating_add(1);
    }

    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        self.failures.of_step = 0;
        self.failures.in_a_row = 0;
        self.tripped = None;
    }

    /// Another way is tried at the same step.
    pub fn another_way(&mut self) {
        self.failures.of_step = 0;
    }

    /// Somebody else goes on from here: what failed before does not count any more.
    pub fn anew(&mut self) {
        self.failures.step = None;
        self.failures.of_step = 0;
    }

    /// A stronger model has looked.
    pub fn patched(&mut self) {
        self.anew();
        self.failures.in_a_row = 0;
        self.same = Streak::default();
    }

    /// A person has taken the run up.
    pub fn taken_up(&mut self) {
        self.patched();
        self.failures.refused = 0;
        self.tripped = None;
        self.person_spoke = true;
    }

    /// Failed attempts at the step at hand.
    pub fn failed_attempts(&self) -> u32 {
        self.failures.of_step
    }

    /// Failures in a row, whatever the step is called.
    pub fn failures(&self) -> u32 {
        self.failures.in_a_row
    }

    /// One more failure in a row.
    pub fn failed_again(&mut self) -> u32 {
        self.failures.in_a_row = self.failures.in_a_row.saturating_add(1);
        self.failures.in_a_row
    }

    /// The run of failures was handed to somebody.
    pub fn forget_failures(&mut self) {
        self.failures.in_a_row = 0;
    }

    /// The pipeline did not let a call pass.
    pub fn refuse(&mut self) {
        self.failures.refused = self.failures.refused.saturating_add(1);
    }

    /// Calls in a row that the pipeline did not let pass.
    pub fn refused(&self) -> u32 {
        self.failures.refused
    }

    /// A call came back; gives how often in a row it has failed now.
    pub fn came_back(&mut self, key: Key, failed: bool) -> u32 {
        if failed {
            return self.failures.call.again(key);
        }
        self.failures.call = Streak::default();
        0
    }

    /// How often in a row a call has failed.
    pub fn call_failures(&self, key: Key) -> u32 {
        self.failures.call.of(&key)
    }

    /// A tool came back.
    pub fn tool_came_back(&mut self, tool: &Arc<str>, failed: bool) {
        if failed {
            self.failures.tool.again(Arc::clone(tool));
        } else {
            self.failures.tool = Streak::default();
        }
    }

    /// How often in a row the tool that failed last has failed.
    pub fn tool_failures(&self) -> u32 {
        self.failures.tool.times
    }

    /// A call was denied; gives how often that very call was, and how often anything was.
    pub fn deny(&mut self, key: Key) -> (u32, u32) {
        self.failures.denials = self.failures.denials.saturating_add(1);
        if self.failures.denied.len() >= DENIED && !self.failures.denied.contains_key(&key) {
            return (1, self.failures.denials);
        }
        let tries = self.failures.denied.entry(key).or_default();
        *tries = tries.saturating_add(1);
        (*tries, self.failures.denials)
    }

    /// A tool that is not the run's at all was called; gives how often.
    pub fn deny_tool(&mut self, tool: &Arc<str>) -> u32 {
        if self.failures.denied_tools.len() >= DENIED && !self.failures.denied_tools.contains_key(tool) {
            return 1;
        }
        let tries = self.failures.denied_tools.entry(Arc::clone(tool)).or_default();
        *tries = tries.saturating_add(1);
        *tries
    }

    /// The call that was proposed last is not made again before something else succeeds.
    pub fn trip(&mut self, reason: &str, at: u64) {
        self.failures.of_step = 0;
        if let Some(key) = self.same.of {
            self.tripped = Some((key, reason.to_owned(), at));
        }
    }

    /// Why a call is not made again; none where it may be, as it may `window` milliseconds later. 0 is no end.
    pub fn tripped(&self, key: Key, at: u64, window: u64) -> Option<&str> {
        let (tripped, reason, then) = self.tripped.as_ref()?;
        let lapsed = window > 0 && at.saturating_sub(*then) > window;
        (*tripped == key && !lapsed).then_some(reason.as_str())
    }

    /// One more reflection after a failed validation, as long as there are any.
    pub fn may_reflect(&mut self, most: u32) -> bool {
        let may = self.failures.reflections < most;
        self.failures.reflections += u32::from(may);
        may
    }

    /// A cycle is tried once more for want of a terminal tool; whether it was not before.
    pub fn direct(&mut self) -> bool {
        !std::mem::replace(&mut self.directed, true)
    }

    /// Whether a cycle was tried once more already.
    pub fn was_directed(&self) -> bool {
        self.directed
    }

    /// A person has spoken.
    pub fn person_spoke(&mut self) {
        self.person_spoke = true;
    }

    /// Whether a person has spoken since this was asked last.
    pub fn take_person_spoke(&mut self) -> bool {
        std::mem::take(&mut self.person_spoke)
    }

    /// The doom-loop slot was heard of a step. Of several that nobody has looked at yet the strictest counts.
    pub fn watch(&mut self, watched: Watched) {
        if self.watched.as_ref().is_none_or(|before| before.verdict <= watched.verdict) {
            self.watched = Some(watched);
        }
    }

    /// What it said, once.
    pub fn take_watched(&mut self) -> Option<Watched> {
        self.watched.take()
    }

    /// Whether it calls for something.
    pub fn is_stopped_by_loop(&self) -> bool {
        self.watched.as_ref().is_some_and(|watched| watched.verdict > Verdict::Notify)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streak_counts_the_same_in_a_row_and_nothing_else() {
        let mut progress = Progress::default();
        for (key, times) in [(1, 1), (1, 2), (2, 1), (1, 1)] {
            progress.proposed(Key(key));
            assert_eq!(progress.in_a_row(Key(key)), times);
        }
        assert_eq!(progress.in_a_row(Key(2)), 0);
    }

    #[test]
    fn what_succeeds_lifts_a_trip_and_a_denial_stays() {
        let mut progress = Progress::default();
        progress.proposed(Key(1));
        progress.trip("again", 5);
        assert_eq!((progress.tripped(Key(1), 15, 10), progress.tripped(Key(2), 15, 10)), (Some("again"), None));
        assert_eq!((progress.tripped(Key(1), 16, 10), progress.tripped(Key(1), 16, 0)), (None, Some("again")));
        progress.succeed();
        assert_eq!(progress.tripped(Key(1), 6, 0), None);
        assert_eq!(progress.deny(Key(1)), (1, 1));
        progress.succeed();
        assert_eq!(progress.deny(Key(1)), (2, 2));
        assert_eq!(progress.deny(Key(2)), (1, 3));
    }

    #[test]
    fn however_long_a_run_its_memory_stays() {
        let mut progress = Progress::default();
        for key in 0..10_000 {
            progress.made(Key(key), &"tool".into(), &"{}".into(), key);
            progress.refuse_repetition(Key(key));
            progress.saw(Some(Key(key)), [Some(Key(key)), None]);
            progress.deny(Key(key));
            progress.deny_tool(&format!("tool {key}").into());
        }
        assert_eq!((progress.calls.len(), progress.last.len(), progress.results.all.len()), (CALLS, 2, RESULTS));
        assert_eq!(progress.insisted.len(), CALLS);
        assert_eq!((progress.failures.denied.len(), progress.failures.denied_tools.len()), (DENIED, DENIED));
        // Beyond the bound a call's own denials are not told apart, but they all count.
        assert_eq!(progress.deny(Key(20_000)), (1, 10_001));
    }

    #[test]
    fn of_several_steps_that_nobody_looked_at_the_strictest_counts() {
        let mut progress = Progress::default();
        for verdict in [Verdict::Replan, Verdict::Proceed] {
            progress.watch(Watched { verdict, reason: String::new() });
        }
        assert!(progress.is_stopped_by_loop());
        assert_eq!(progress.take_watched().map(|watched| watched.verdict), Some(Verdict::Replan));
        assert!(progress.take_watched().is_none());
    }
}
