//! What came back of which call, lately.

use std::collections::VecDeque;

/// One call and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub call: u64,
    pub result: Option<u64>,
}

/// The last pairs, oldest first.
#[derive(Debug, Default)]
pub struct History {
    pairs: VecDeque<Pair>,
}

/// Calls remembered. Bounded, so that a step costs the same after ten steps and after a million.
const LENGTH: usize = 64;

impl History {
    pub fn push(&mut self, pair: Pair) {
        if self.pairs.len() == LENGTH {
            self.pairs.pop_front();
        }
        self.pairs.push_back(pair);
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn contains(&self, pair: Pair) -> bool {
        self.pairs.contains(&pair)
    }

    /// The shortest cycle at the end of the history that has been passed often enough: a single
    /// call `loops` times after its first, or `loops` passes over two calls or more.
    pub fn cycle(&self, loops: u32, longest: u32) -> Option<Cycle> {
        let length = self.pairs.len();
        (1..=longest as usize).find_map(|period| {
            let calls = if period == 1 { loops as usize + 1 } else { loops.max(2) as usize * period };
            if calls > length {
                return None;
            }
            let repeats = (length - calls + period..length).all(|at| self.pairs[at] == self.pairs[at - period]);
            repeats.then_some(Cycle { period, calls })
        })
    }
}

/// A cycle at the end of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// Calls in one pass.
    pub period: usize,
    /// Calls in all passes.
    pub calls: usize,
}
