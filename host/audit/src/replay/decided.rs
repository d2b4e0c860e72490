//! What the slots of a run would have decided, had the entries of another bundle served them.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::Host;
use countersign_bundle::{EntryMode, Lock, SlotEntry};
use countersign_engine::{NoHistory, OpenError, Session};
use countersign_kernel::contract::Verdict;
use countersign_kernel::{Frame, Judgement, Sampled, Slot};
use countersign_spec::Manifest;
use serde::Serialize;

use super::served::{is_judged, mode_of};

/// A slot that would have decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decided {
    /// The frame.
    pub frame: u64,
    /// The slot.
    pub slot: Slot,
    /// What its entries said together; `proceed` where it was empty.
    pub recorded: Verdict,
    /// What they would have said.
    pub now: Verdict,
    /// The entries that would have said so.
    pub by: Vec<String>,
}

/// Joins the answers of a trace anew. What an entry answered it answers again, as the replay has found
/// by then; an entry that is new in a slot is asked what the slot was asked.
pub(super) struct Rejoined<'a> {
    lock: &'a Lock,
    /// Of each entry of the lock, if it is new in a slot.
    new: Vec<Option<Session>>,
    /// Slots that were asked anything.
    pub asked: BTreeSet<Slot>,
}

impl<'a> Rejoined<'a> {
    pub fn open(host: &'a Host, manifest: &Manifest) -> Result<Self, OpenError> {
        let lock = host.bundle().lock();
        let served =
            |slot: Slot, name: &str| manifest.entries_in(slot).any(|index| *manifest.entries[index].name == *name);
        let open = |(entry, policy): (&countersign_bundle::Entry, &countersign_engine::Policy)| {
            let is_new = entry.slot.iter().any(|own| {
                let counts = mode_of(manifest, own) == EntryMode::Enforce && is_judged(manifest, own.slot);
                counts && !served(own.slot, &entry.name)
            });
            is_new.then(|| policy.open(Arc::from(entry.configuration.as_str()), entry.limits.into())).transpose()
        };
        let new = lock.entry.iter().zip(host.bundle().policies()).map(open).collect::<Result<_, _>>()?;
        Ok(Rejoined { lock, new, asked: BTreeSet::new() })
    }

    /// The first slot of a frame that would have decided otherwise.
    pub fn frame(&mut self, manifest: &Manifest, frame: &Frame, sampled: &[Sampled]) -> Option<Decided> {
        // One question after the other was answered, by all entries of its slot.
        let mut judgements = &frame.judgements[..];
        for heard in sampled {
            let slot = heard.question.slot();
            self.asked.insert(slot);
            let (own, later) = judgements.split_at(manifest.entries_in(slot).count().min(judgements.len()));
            judgements = later;
            if !is_judged(manifest, slot) {
                continue;
            }
            let recorded = heard.verdict.unwrap_or(Verdict::Proceed);
            let (now, by) = self.join(manifest, heard, own);
            if now != recorded {
                return Some(Decided { frame: frame.frame, slot, recorded, now, by });
            }
        }
        None
    }

    /// The most restrictive verdict counts, as in the kernel.
    fn join(&mut self, manifest: &Manifest, heard: &Sampled, own: &[Judgement]) -> (Verdict, Vec<String>) {
        let slot = heard.question.slot();
        let (mut verdict, mut by) = (Verdict::Proceed, Vec::new());
        for (entry, new) in self.lock.entry.iter().zip(&mut self.new) {
            let enforced = |own: &SlotEntry| mode_of(manifest, own) == EntryMode::Enforce;
            let counts = entry.slot.iter().find(|own| own.slot == slot && enforced(own));
            let Some(counts) = counts else { continue };
            let said = match own.iter().find(|judgement| *judgement.entry == *entry.name) {
                Some(judgement) => judgement.answer.verdict(),
                None => new.as_mut().and_then(|session| {
                    // In this slot it never judged: there is nothing to rebuild it from. What it was asked
                    // in slots that it served before, it does not know here.
                    let outcome = session.judge(&heard.question, Arc::clone(&heard.view) as Arc<_>, &mut NoHistory);
                    outcome.judged.answer.verdict()
                }),
            };
            let said = said.unwrap_or(counts.failure_verdict);
            if said > verdict {
                by.clear();
            }
            if said >= verdict {
                verdict = said;
                by.push(entry.name.clone());
            }
        }
        (verdict, by)
    }
}
