//! Things seen lately, by their identities.

/// How many: a run that goes on for long must not grow the policy.
const REMEMBERED: usize = 256;

/// The last of them, the oldest overwritten first.
pub struct Seen {
    keys: Vec<u64>,
    next: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Seen { keys: Vec::with_capacity(REMEMBERED), next: 0 }
    }
}

impl Seen {
    /// Whether it is new; it is not from then on.
    pub fn is_new(&mut self, key: u64) -> bool {
        if self.keys.contains(&key) {
            return false;
        }
        if self.keys.len() < REMEMBERED {
            self.keys.push(key);
        } else {
            self.keys[self.next] = key;
            self.next = (self.next + 1) % REMEMBERED;
        }
        true
    }
}
