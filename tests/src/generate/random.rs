//! Reproducible chance: SplitMix64.

/// A sequence that its seed decides.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a name.
    pub fn named(name: &str) -> Self {
        // FNV-1a.
        let seed = name
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        Random(seed)
    }

    /// The sequence of a number.
    pub fn seeded(seed: u64) -> Self {
        Random(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below another, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// True or false.
    pub fn toss(&mut self) -> bool {
        self.once_in(2)
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// One of these or none, as often as not.
    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.toss() { Some(make(self)) } else { None }
    }

    /// So many of them, at most.
    pub fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        // Now and then as many as there may be.
        let count = if self.once_in(16) { most } else { self.below(most.min(6) + 1) };
        (0..count).map(|_| make(self)).collect()
    }

    /// 0..=1, both ends and the bands of documents among them.
    pub fn share(&mut self) -> f64 {
        const EDGES: [f64; 10] = [0.0, 1.0, 0.3, 0.5, 0.65, 0.7, 0.8, 0.85, 0.9, f64::MIN_POSITIVE];
        if self.once_in(6) { self.pick(&EDGES) } else { (self.bits() >> 11) as f64 / (1_u64 << 53) as f64 }
    }

    /// 0 or more, of every magnitude.
    pub fn amount(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 | 3 => self.bits() % 16,
            _ => {
                let shift = self.below(64);
                self.bits() >> shift
            }
        }
    }

    /// The same in 32 bits.
    pub fn count(&mut self) -> u32 {
        u32::try_from(self.amount()).unwrap_or(u32::MAX)
    }

    /// One of a few keys, so that they come again.
    pub fn key(&mut self) -> u64 {
        (self.below(5) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
