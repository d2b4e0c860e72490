//! What time it is outside of runs. A run has a time of its own, of which this is the beginning.

use std::time::{SystemTime, UNIX_EPOCH};

/// UTC milliseconds; 0 on a machine whose clock is before 1970.
#[must_use]
pub fn utc_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
