//! How many calls are being made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls that are being made.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    /// One more, until what is given back is dropped.
    pub fn one_more(&self) -> OneUnderWay {
        self.0.fetch_add(1, Ordering::AcqRel);
        OneUnderWay(Arc::clone(&self.0))
    }

    /// Whether there is one.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

/// A call that is being made.
#[derive(Debug)]
pub struct OneUnderWay(Arc<AtomicUsize>);

impl Drop for OneUnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
