//! Signals too weak to trip: two of them in one step are worth a line.

use countersign_sdk::doom_loop::ObservedStep;

use crate::config::Trips;

/// Hash buckets of the 4-gram counts.
const BUCKETS: usize = 64;
/// Bytes of an action's text that are looked at.
const LOOKED_AT: usize = 192;
/// Results shorter than this say nothing by being short.
const SHORT: u64 = 200;

pub struct Votes {
    trips: Trips,
    /// Start of the last action's text. Compared only when another signal is there to go with it:
    /// one vote alone counts for nothing, and counting grams costs more than all the rest.
    last: Vec<u8>,
    last_call: Option<u64>,
    results: u64,
    result_bytes: u64,
}

/// Counts of hashed 4-grams.
struct Grams {
    counts: [u16; BUCKETS],
    squared: u64,
}

impl Votes {
    pub fn new(trips: &Trips) -> Self {
        Votes { trips: trips.clone(), last: Vec::new(), last_call: None, results: 0, result_bytes: 0 }
    }

    /// A text when at least two signals point the same way.
    pub fn count(&mut self, step: &ObservedStep) -> Option<String> {
        let declined = self.declined(step);
        let drifted = step.drift.is_some_and(|drift| drift > self.trips.semantic_drift_sigma);
        let alike = (declined || drifted) && self.looks_alike(step);
        self.remember(step);
        if u8::from(alike) + u8::from(declined) + u8::from(drifted) < 2 {
            return None;
        }
        let named = [
            (alike, "the action looks like the one before"),
            (declined, "the result is far shorter than usual"),
            (drifted, "the action drifts from the baseline"),
        ];
        let texts: Vec<&str> = named.iter().filter(|(set, _)| *set).map(|(_, text)| *text).collect();
        Some(texts.join("; "))
    }

    fn looks_alike(&self, step: &ObservedStep) -> bool {
        (step.call_key.is_some() && step.call_key == self.last_call)
            || Grams::of(start(&step.action)).overlap_above(&Grams::of(&self.last), self.trips.action_ngram_overlap)
    }

    fn remember(&mut self, step: &ObservedStep) {
        // The same call has the same text.
        if step.call_key.is_none() || step.call_key != self.last_call {
            self.last_call = step.call_key;
            self.last.clear();
            self.last.extend_from_slice(start(&step.action));
        }
    }

    fn declined(&mut self, step: &ObservedStep) -> bool {
        let bytes = step.result_bytes;
        let mean = self.result_bytes.checked_div(self.results).unwrap_or(0);
        self.results += 1;
        self.result_bytes = self.result_bytes.saturating_add(bytes);
        mean >= SHORT && (bytes as f64) < (1.0 - self.trips.output_decline) * mean as f64
    }
}

fn start(action: &str) -> &[u8] {
    &action.as_bytes()[..action.len().min(LOOKED_AT)]
}

impl Grams {
    fn of(bytes: &[u8]) -> Self {
        let mut counts = [0; BUCKETS];
        for gram in bytes.windows(4) {
            let word = u32::from_le_bytes([gram[0], gram[1], gram[2], gram[3]]);
            // Multiplicative hashing: the top bits are the well-mixed ones.
            counts[(word.wrapping_mul(0x9E37_79B1) >> 26) as usize] += 1;
        }
        let squared = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
        Grams { counts, squared }
    }

    /// Whether the cosine is above the limit; compared squared, so that no root is taken.
    fn overlap_above(&self, other: &Grams, limit: f64) -> bool {
        let dot: u64 = self.counts.iter().zip(&other.counts).map(|(a, b)| u64::from(*a) * u64::from(*b)).sum();
        let dot = dot as f64;
        dot * dot > limit * limit * self.squared as f64 * other.squared as f64
    }
}
