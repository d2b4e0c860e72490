use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_kernel::Slot;

use super::listener::Listener;

/// Questions that were never put, since the policies were too far behind the run, or revoked.
#[derive(Debug, Clone, Default)]
pub(super) struct Dropped(BTreeMap<(Arc<str>, Slot), u64>);

impl Dropped {
    /// Counts a question once for each policy that would have heard it.
    pub fn count<'a>(&mut self, slot: Slot, listeners: impl IntoIterator<Item = &'a Listener>) {
        for listener in listeners.into_iter().filter(|listener| listener.hears(slot)) {
            *self.0.entry((Arc::clone(&listener.name), slot)).or_default() += 1;
        }
    }

    /// Of an entry in a slot.
    pub fn of(&self, entry: &Arc<str>, slot: Slot) -> u64 {
        self.0.get(&(Arc::clone(entry), slot)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use countersign_kernel::contract::Verdict;

    use super::*;

    #[test]
    fn a_question_is_dropped_once_for_each_policy_that_would_have_heard_it() {
        let listener = |name: &str, slots: &[Slot]| Listener {
            name: name.into(),
            component: "sha256:1".into(),
            slots: slots.iter().map(|slot| (*slot, Verdict::Ask)).collect(),
        };
        let listeners = [listener("a", &[Slot::Risk]), listener("b", &[Slot::Risk, Slot::DoomLoop])];
        let mut dropped = Dropped::default();
        for slot in [Slot::Risk, Slot::DoomLoop, Slot::Risk, Slot::Classifier] {
            dropped.count(slot, &listeners);
        }
        let of = |name: &str, slot| dropped.of(&name.into(), slot);
        assert_eq!((of("a", Slot::Risk), of("a", Slot::DoomLoop)), (2, 0));
        assert_eq!((of("b", Slot::Risk), of("b", Slot::DoomLoop), of("b", Slot::Classifier)), (2, 1, 0));
    }
}
