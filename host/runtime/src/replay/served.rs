//! Who serves the slots of a run: then, by its manifest, and now, by a bundle.

use std::collections::BTreeMap;

use countersign_bundle::{EntryMode, Lock};
use countersign_kernel::contract::Verdict;
use countersign_kernel::{Manifest, Mode, PolicyMode, Slot};
use serde::Serialize;

/// What an entry is to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Role {
    /// What becomes of its answers.
    pub mode: EntryMode,
    /// What applies when it cannot decide.
    pub failure_verdict: Verdict,
}

/// An entry that serves a slot otherwise than it did. A task may set the mode of a slot (`[slots]`), of
/// which no bundle knows: that shows here too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Served {
    /// The slot.
    pub slot: Slot,
    /// Name of the entry.
    pub entry: String,
    /// What it was; none where it was not there.
    pub then: Option<Role>,
    /// What it is; none where it is not there.
    pub now: Option<Role>,
}

/// The entries that serve a slot otherwise. One that is new and only in shadow changes nothing.
pub(super) fn otherwise(manifest: &Manifest, lock: &Lock) -> Vec<Served> {
    type ThenAndNow = (Option<Role>, Option<Role>);
    let mut roles: BTreeMap<(Slot, &str), ThenAndNow> = BTreeMap::new();
    for entry in &manifest.entries {
        for pin in &entry.slots {
            let mode = match pin.mode {
                PolicyMode::Enforce => EntryMode::Enforce,
                PolicyMode::Monitor => EntryMode::Monitor,
            };
            let role = Role { mode, failure_verdict: pin.failure_verdict };
            roles.entry((pin.slot, &entry.name)).or_default().0 = Some(role);
        }
    }
    for entry in &lock.entry {
        for own in entry.slot.iter().filter(|own| is_judged(manifest, own.slot)) {
            let role = Role { mode: own.mode, failure_verdict: own.failure_verdict };
            roles.entry((own.slot, &entry.name)).or_default().1 = Some(role);
        }
    }
    let served =
        roles.into_iter().map(|((slot, entry), (then, now))| Served { slot, entry: entry.to_owned(), then, now });
    let in_shadow = |role: Option<Role>| role.is_some_and(|role| role.mode == EntryMode::Shadow);
    served.filter(|one| one.then != one.now && !(one.then.is_none() && in_shadow(one.now))).collect()
}

/// Of a recording only some slots are judged: the others are empty whatever the bundle has for them.
pub(super) fn is_judged(manifest: &Manifest, slot: Slot) -> bool {
    manifest.mode != Mode::Recorded || manifest.entries_in(slot).next().is_some()
}
