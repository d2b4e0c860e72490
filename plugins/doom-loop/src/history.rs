//! What came back of which call, lately.

/// Pairs remembered. Bounded, so that a step costs the same after ten steps and after a million.
const LENGTH: usize = 64;

/// The last pairs of call and result, each as one number: equal numbers, equal pairs.
#[derive(Debug)]
pub struct History {
    pairs: [u64; LENGTH],
    /// Pairs in it.
    length: usize,
    /// Where the next one goes.
    next: usize,
}

/// One call and what came of it.
pub fn pair(call: u64, result: Option<u64>) -> u64 {
    // Keys are hashes already: they only must not cancel each other out.
    call.rotate_left(23)
        ^ result.map_or(0, |result| (result ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD6E8_FEB8_6659_FD93))
}

impl Default for History {
    fn default() -> Self {
        History { pairs: [0; LENGTH], length: 0, next: 0 }
    }
}

impl History {
    pub fn push(&mut self, pair: u64) {
        self.pairs[self.next] = pair;
        self.next = (self.next + 1) % LENGTH;
        self.length = (self.length + 1).min(LENGTH);
    }

    pub fn clear(&mut self) {
        self.length = 0;
        self.next = 0;
    }

    pub fn contains(&self, pair: u64) -> bool {
        // Cleared or not yet full it starts at 0; full, its order does not matter here.
        self.pairs[..self.length].contains(&pair)
    }

    /// The pair that came so many pairs before the newest.
    fn back(&self, steps: usize) -> u64 {
        self.pairs[(self.next + LENGTH - 1 - steps) % LENGTH]
    }

    /// The shortest cycle at the end of the history that has been passed often enough: a single
    /// call `loops` times after its first, or `loops` passes over two calls or more.
    pub fn cycle(&self, loops: u32, longest: u32) -> Option<Cycle> {
        (1..=longest as usize).find_map(|period| {
            let calls = if period == 1 { loops as usize + 1 } else { loops.max(2) as usize * period };
            let repeats =
                calls <= self.length && (0..calls - period).all(|step| self.back(step) == self.back(step + period));
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
