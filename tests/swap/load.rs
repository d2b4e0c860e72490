//! A hundred swaps under load.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use countersign::bundle::Digest;
use countersign::kernel::{Code, Status};
use countersign::{LiveHost, Refreshed};

use super::{Place, audit, read_allowed};

const SWAPS: u64 = 100;
const WORKERS: usize = 4;

/// Keeps swaps and runs in step: runs are begun between any two swaps, and each is swapped under.
#[derive(Default)]
struct Pace {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    swaps: u64,
    begun: u64,
    over: bool,
}

impl Pace {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        let changed = change(&mut self.counts());
        self.changed.notify_all();
        changed
    }

    /// Waits until this holds, or all is over.
    fn wait(&self, holds: impl Fn(&Counts) -> bool) {
        let waits = |counts: &mut Counts| !counts.over && !holds(counts);
        drop(self.changed.wait_while(self.counts(), waits));
    }
}

/// Nobody waits for a thread that is gone, whatever ended it.
struct Over<'a>(&'a Pace);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.change(|counts| counts.over = true);
    }
}

#[test]
fn a_hundred_swaps_lose_no_run_and_none_is_judged_by_two_bundles() -> anyhow::Result<()> {
    let place = Place::new()?;
    let live = place.live()?;
    let pace = Pace::default();
    let runs = std::thread::scope(|scope| -> anyhow::Result<Vec<String>> {
        let worker = |worker| {
            let (place, live, pace) = (&place, &live, &pace);
            move || work(place, live, pace, worker)
        };
        let workers: Vec<_> = (0..WORKERS).map(|number| scope.spawn(worker(number))).collect();
        let swapped = swap(&place, &live, &pace);
        let mut runs = Vec::new();
        for worker in workers {
            runs.extend(worker.join().unwrap()?);
        }
        swapped.map(|()| runs)
    })?;
    let counts = pace.counts();
    assert_eq!(counts.swaps, SWAPS);
    assert_eq!(counts.begun, runs.len() as u64, "each run that was begun was ended");
    assert!(runs.len() as u64 >= SWAPS, "{} runs", runs.len());
    let mut by: BTreeMap<Digest, u64> = BTreeMap::new();
    for run in &runs {
        *by.entry(audit(&live, &place, run)?).or_default() += 1;
    }
    let mut used: Vec<_> = by.keys().cloned().collect();
    let mut both = vec![place.lenient.clone(), place.cautious.clone()];
    both.sort();
    used.sort();
    assert_eq!(used, both, "{by:?}");
    Ok(())
}

/// What an operator does: every other time whoever runs is told at once.
fn swap(place: &Place, live: &LiveHost, pace: &Pace) -> anyhow::Result<()> {
    let _over = Over(pace);
    let mut begun = 0;
    for swap in 0..SWAPS {
        pace.wait(|counts| counts.begun > begun);
        let next = if swap % 2 == 0 { &place.cautious } else { &place.lenient };
        begun = pace.counts().begun;
        place.installed.make_current(next)?;
        if swap % 4 < 2
            && let Refreshed::Kept(error) = live.refresh()
        {
            return Err(error.into());
        }
        pace.change(|counts| counts.swaps += 1);
    }
    Ok(())
}

/// What a host does: it begins, drives and ends runs until nothing is swapped any more.
fn work(place: &Place, live: &LiveHost, pace: &Pace, worker: usize) -> anyhow::Result<Vec<String>> {
    let _over = Over(pace);
    let mut runs = Vec::new();
    while !pace.counts().over {
        if let Refreshed::Kept(error) = live.refresh() {
            return Err(error.into());
        }
        let name = format!("run-{worker}-{}", runs.len());
        let mut run = place.begin(&live.host(), &name)?;
        runs.push(name);
        let swaps = pace.change(|counts| {
            counts.begun += 1;
            counts.swaps
        });
        read_allowed(&mut run, 1)?;
        pace.wait(|counts| counts.swaps > swaps);
        read_allowed(&mut run, 2)?;
        anyhow::ensure!(run.close(Code::Success)? == Status::Ended(Code::Success));
    }
    Ok(runs)
}
