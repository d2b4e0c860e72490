//! How full the context is, in whole numbers: a threshold is reached at its very value, whatever
//! bonus was taken from it.

/// Parts of one that a share is counted in.
const PARTS: u32 = 1_000_000;

/// A share of the window, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// The nearest to a value of 0..=1.
    pub fn of(value: f64) -> Self {
        Share(libm::round(value.clamp(0.0, 1.0) * f64::from(PARTS)) as u32)
    }

    pub fn less(self, other: Share) -> Share {
        Share(self.0.saturating_sub(other.0))
    }

    /// Rounded, for people.
    pub fn percent(self) -> u32 {
        (self.0 + 5_000) / 10_000
    }
}

/// Tokens against the room for them.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    used: u64,
    window: u64,
}

impl Fill {
    pub fn new(used: u64, window: u64) -> Self {
        Fill { used, window: window.max(1) }
    }

    pub fn reaches(self, share: Share) -> bool {
        u128::from(self.used) * u128::from(PARTS) >= u128::from(self.window) * u128::from(share.0)
    }

    /// Cut, for people: what does not reach a threshold must not look as if it did.
    pub fn percent(self) -> u64 {
        self.used.saturating_mul(100) / self.window
    }
}
