use std::sync::Arc;

use countersign_bundle::{Bundle, Entry};
use countersign_engine::{History, OpenError, Session};
use countersign_kernel::contract::view::Read;
use countersign_kernel::{Answered, Question, Sampled, Slot};
use countersign_store::{
    SHADOW_FORMAT, ShadowBegan, ShadowCount, ShadowEnded, ShadowEntry, ShadowJudgement, ShadowRecord, StorageError,
};

use super::dropped::Dropped;
use super::listener::Listener;
use super::stream::Stream;

/// Beside which run, by which bundle, for which slots.
pub(super) struct Place {
    pub bundle: Arc<Bundle>,
    pub run: Arc<str>,
    /// Number of the first frame that is heard.
    pub from: u64,
    /// The slots of this run that can be heard; none for all.
    pub slots: Option<Vec<Slot>>,
    /// The run was taken up: the policies have a past.
    pub taken_up: bool,
    /// Entries that an operator has switched off: they are no part of it.
    pub revoked: Vec<Arc<str>>,
}

impl Place {
    /// The shadow entries that hear something of this run, in lock order.
    pub fn listeners(&self) -> Vec<Listener> {
        self.bundle.shadows().filter_map(|(entry, _)| self.listener(entry)).collect()
    }

    fn listener(&self, entry: &Entry) -> Option<Listener> {
        if self.revoked.iter().any(|revoked| **revoked == *entry.name) {
            return None;
        }
        let heard = |slot: Slot| self.slots.as_ref().is_none_or(|slots| slots.contains(&slot));
        let slots = entry.slot.iter().filter(|slot| heard(slot.slot));
        let slots: Vec<_> = slots.map(|slot| (slot.slot, slot.failure_verdict)).collect();
        let (name, component) = (entry.name.as_str().into(), entry.component_digest.as_str().into());
        (!slots.is_empty()).then_some(Listener { name, component, slots })
    }
}

/// What keeps a run from being judged beside. The run itself goes on.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotShadowed {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StorageError),
}

/// The open shadow policies of one run, and where their answers go.
pub(super) struct Policies {
    open: Vec<Open>,
    stream: Stream,
}

struct Open {
    listener: Listener,
    session: Session,
    /// Of each slot: judged, and of these undecided.
    counts: Vec<(u64, u64)>,
}

impl Policies {
    pub fn open(place: &Place, mut stream: Stream) -> Result<Self, NotShadowed> {
        let (mut open, mut entries) = (Vec::new(), Vec::new());
        for (entry, policy) in place.bundle.shadows() {
            let Some(listener) = place.listener(entry) else { continue };
            let mut session = policy.open(entry.configuration.as_str().into(), entry.limits.into())?;
            if place.taken_up {
                session.take_up();
            }
            entries.push(ShadowEntry {
                name: Arc::clone(&listener.name),
                policy: entry.policy.as_str().into(),
                component: Arc::clone(&listener.component),
                configuration: entry.configuration_digest.as_str().into(),
                stateless: policy.descriptor().stateless,
                slots: listener.slots.iter().map(|(slot, _)| *slot).collect(),
            });
            let counts = vec![(0, 0); listener.slots.len()];
            open.push(Open { listener, session, counts });
        }
        let began = ShadowBegan {
            format: SHADOW_FORMAT,
            run: Arc::clone(&place.run),
            lock: Arc::clone(place.bundle.digest().as_str()),
            from: place.from,
            entries,
        };
        stream.write(&ShadowRecord::Began(began))?;
        stream.flush()?;
        Ok(Policies { open, stream })
    }

    /// Puts the questions of a frame to every policy that hears them and is not revoked, in lock order.
    pub fn judge(&mut self, frame: u64, sampled: Vec<Sampled>, revoked: &[Arc<str>]) -> Result<(), StorageError> {
        for Sampled { question, view, verdict: enforced } in sampled {
            let slot = question.slot();
            for Open { listener, session, counts } in &mut self.open {
                if revoked.contains(&listener.name) {
                    continue;
                }
                let Some(at) = listener.slots.iter().position(|(own, _)| *own == slot) else { continue };
                let mut history = SoFar { entry: &listener.name, stream: &mut self.stream };
                let outcome = session.judge(&question, Arc::clone(&view) as Arc<_>, &mut history);
                let verdict = outcome.judged.answer.verdict();
                counts[at].0 += 1;
                counts[at].1 += u64::from(verdict.is_none());
                self.stream.write(&ShadowRecord::Judged(Box::new(ShadowJudgement {
                    frame,
                    entry: Arc::clone(&listener.name),
                    policy: Arc::clone(&listener.component),
                    slot,
                    enforced,
                    verdict: verdict.unwrap_or(listener.slots[at].1),
                    question: Arc::clone(&question),
                    reads: outcome.judged.reads,
                    answer: outcome.judged.answer,
                    failure: outcome.failure,
                    fuel: outcome.judged.fuel,
                })))?;
            }
        }
        Ok(())
    }

    /// What was judged so far can be read.
    pub fn flush(&mut self) -> Result<(), StorageError> {
        self.stream.flush()
    }

    /// No more is asked.
    pub fn end(&mut self, dropped: &Dropped) -> Result<(), StorageError> {
        let counts = self.open.iter().flat_map(|open| {
            open.listener.slots.iter().zip(&open.counts).map(|((slot, _), (judged, undecided))| ShadowCount {
                entry: Arc::clone(&open.listener.name),
                slot: *slot,
                judged: *judged,
                dropped: dropped.of(&open.listener.name, *slot),
                undecided: *undecided,
            })
        });
        let ended = ShadowEnded { counts: counts.collect() };
        self.stream.write(&ShadowRecord::Ended(ended))?;
        self.stream.flush()
    }
}

/// What an entry has judged in this run, read back from its side stream: what was dropped it never
/// knew, and does not know after it was rebuilt.
struct SoFar<'a> {
    entry: &'a str,
    stream: &'a mut Stream,
}

impl History for SoFar<'_> {
    fn feed(&mut self, each: &mut dyn FnMut(&Question, &[Read], &Answered) -> bool) -> bool {
        let entry = self.entry;
        self.stream.read_back(|record| match record {
            ShadowRecord::Judged(judged) if *judged.entry == *entry => {
                each(&judged.question, &judged.reads, &judged.answer)
            }
            _ => true,
        })
    }
}
