//! What a run is told of the machine it begins on: its first instant and its seed.

use std::io;

use countersign::random;
use countersign_operate::utc_now;

use super::spec::Spec;

/// When a run begins that is scripted from end to end: 2026-01-01, in UTC milliseconds.
const SCRIPTED: u64 = 1_767_225_600_000;

/// The first instant of a run, and what its jitter and its numbers used once follow from.
pub struct Origin {
    pub seed: u64,
    pub started: u64,
}

impl Origin {
    /// With `outside` somebody beside the script takes part, a real model or a person who decides through a store:
    /// they live in real time, and must not guess the numbers that a run uses once. Else the machine gives nothing.
    pub fn of(spec: &Spec, outside: bool) -> io::Result<Self> {
        if !outside {
            return Ok(Origin { seed: spec.seed.unwrap_or(0), started: SCRIPTED });
        }
        let seed = spec.seed.map_or_else(random, Ok)?;
        Ok(Origin { seed, started: utc_now() })
    }
}
