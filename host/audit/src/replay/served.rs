//! Who serves the slots of a run: then, by its manifest, and now, by a bundle.

use std::collections::BTreeMap;

use countersign_bundle::{EntryMode, Lock, SlotEntry};
use countersign_kernel::Slot;
use countersign_kernel::contract::Verdict;
use countersign_spec::{Manifest, Mode, PolicyMode};
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

/// An entry that serves a slot otherwise than it did. A trace of a host that did not record `slot-modes`
/// shows a mode that its task set as one.
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
            let role = Role { mode: entry_mode(pin.mode), failure_verdict: pin.failure_verdict };
            roles.entry((pin.slot, &entry.name)).or_default().0 = Some(role);
        }
    }
    for entry in &lock.entry {
        for own in entry.slot.iter().filter(|own| is_judged(manifest, own.slot)) {
            let role = Role { mode: mode_of(manifest, own), failure_verdict: own.failure_verdict };
            roles.entry((own.slot, &entry.name)).or_default().1 = Some(role);
        }
    }
    let served =
        roles.into_iter().map(|((slot, entry), (then, now))| Served { slot, entry: entry.to_owned(), then, now });
    let in_shadow = |role: Option<Role>| role.is_some_and(|role| role.mode == EntryMode::Shadow);
    served.filter(|one| one.then != one.now && !(one.then.is_none() && in_shadow(one.now))).collect()
}

/// What an entry of a lock is to one of its slots in a run: a task may set the mode of a slot, in which an
/// entry in shadow stays there.
pub(super) fn mode_of(manifest: &Manifest, own: &SlotEntry) -> EntryMode {
    match manifest.slot_modes.get(&own.slot) {
        Some(mode) if own.mode != EntryMode::Shadow => entry_mode(*mode),
        _ => own.mode,
    }
}

fn entry_mode(mode: PolicyMode) -> EntryMode {
    match mode {
        PolicyMode::Enforce => EntryMode::Enforce,
        PolicyMode::Monitor => EntryMode::Monitor,
    }
}

/// Of a recording only some slots are judged: the others are empty whatever the bundle has for them.
pub(super) fn is_judged(manifest: &Manifest, slot: Slot) -> bool {
    manifest.mode != Mode::Recorded || manifest.entries_in(slot).next().is_some()
}
