//! Which configurations need no instance to be checked again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::Limits;

/// Configurations that a policy has accepted, each with the limits under which it did. A bundle has one for each
/// entry, tests and tools have more; of many the oldest are forgotten and tried again.
#[derive(Debug, Default)]
pub(crate) struct Accepted(Mutex<VecDeque<(Arc<str>, Limits)>>);

/// Configurations that are remembered.
const MOST_ACCEPTED: usize = 16;

impl Accepted {
    fn list(&self) -> MutexGuard<'_, VecDeque<(Arc<str>, Limits)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn holds(&self, configuration: &str, limits: &Limits) -> bool {
        self.list().iter().any(|(known, under)| under == limits && **known == *configuration)
    }

    pub fn add(&self, configuration: &Arc<str>, limits: &Limits) {
        let mut list = self.list();
        if list.len() == MOST_ACCEPTED {
            list.pop_front();
        }
        list.push_back((Arc::clone(configuration), *limits));
    }
}
